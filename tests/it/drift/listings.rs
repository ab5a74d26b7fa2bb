//! What a listing may not prove, and what it costs.

use std::time::Duration;

use axum::{body::Body, extract::Request};
use futures::future::join_all;
use serde_json::json;
use simulator::{Action, Answer, Fault};

use super::{SETTLED, at_each_brisk_api};
use crate::support::{Scene, Stage, Target, calls, run, until};

/// Waits until the account was listed so often since `before`.
async fn wait_listed(scene: &Scene<'_>, before: usize, times: usize) {
    until("the account is listed", async || {
        let listed = scene.listings() - before;
        (listed >= times)
            .then_some(())
            .ok_or_else(|| format!("{:?} {listed}", scene.target))
    })
    .await;
}

/// A listing of nothing in the words of the provider.
fn nothing(target: Target) -> String {
    match target {
        Target::BasetenTeam | Target::BasetenWorkspace => json!({"secrets": []}),
        Target::PrimeIntellect => {
            json!({"data": [], "total_count": 0, "offset": 0, "limit": 100, "status": "success"})
        }
        Target::Pipecat => json!({"sets": []}),
        Target::Braintrust => json!({"objects": []}),
    }
    .to_string()
}

/// Cases: P-25
#[test]
fn failed_cut_and_first_empty_listings_change_nothing() {
    run(at_each_brisk_api(async |scene| {
        let one = scene
            .synced("kept", &json!({"deletionPolicy": "Delete"}))
            .await;
        // From now on absence would be believed.
        tokio::time::sleep(SETTLED + Duration::from_secs(2)).await;
        let writes = scene.writes();
        let empty = Action::Answer(Answer {
            status: 200,
            headers: [("content-type".to_owned(), "application/json".to_owned())].into(),
            body: nothing(scene.target),
        });
        for action in [
            Action::Answer(Answer {
                status: 500,
                ..Answer::default()
            }),
            Action::TruncateBody,
            Action::CutBeforeEffect,
            empty,
        ] {
            let before = scene.listings();
            scene
                .account
                .add_fault(Fault::new(action.clone()).method("GET"));
            wait_listed(&scene, before, 2).await;
            assert!(
                scene.account.faults().is_empty(),
                "{:?} {action:?}",
                scene.target
            );
            assert_eq!(scene.writes(), writes, "{:?} {action:?}", scene.target);
        }
        scene.wait_ready("kept").await;
        scene.assert_held(&[("A_KEY", &one)]);
        assert!(scene.events("DriftDetected").await.is_empty());
        scene.finish().await;
    }));
}

#[test]
fn a_provider_that_cannot_be_listed_leaves_what_is_synced_ready() {
    run(at_each_brisk_api(async |scene| {
        scene.synced("kept", &json!({})).await;
        let version = scene.get("kept").await.metadata.resource_version;
        let before = scene.listings();
        scene
            .account
            .add_fault(Fault::status(503).method("GET").forever());
        wait_listed(&scene, before, 3).await;
        assert_eq!(scene.get("kept").await.metadata.resource_version, version);
        scene.account.clear_faults();
        wait_listed(&scene, before, 5).await;
        assert_eq!(scene.get("kept").await.metadata.resource_version, version);
        scene.finish().await;
    }));
}

#[test]
fn times_with_fewer_digits_in_the_listing_are_the_same_times() {
    run(async {
        let stage = Stage::brisk().await;
        let targets = [
            (Target::BasetenWorkspace, "/v1/secrets", "Api-Key"),
            (
                Target::PrimeIntellect,
                "/api/v1/secrets/?offset=0&limit=100",
                "Bearer",
            ),
        ];
        join_all(targets.map(async |(target, path, scheme)| {
            let scene = Scene::new(stage, target).await;
            scene.synced("kept", &json!({})).await;
            let request = Request::builder()
                .uri(path)
                .header("authorization", format!("{scheme} {}", scene.key))
                .body(Body::empty())
                .expect("a request");
            let answer = stage
                .simulator()
                .call(scene.account.provider(), request)
                .await;
            let body = answer.expect("an answer").into_body();
            let body = axum::body::to_bytes(body, 1 << 20).await.expect("a body");
            let body = String::from_utf8(body.to_vec()).expect("text");
            for digits in [3, 0] {
                let coarse = coarse(&body, digits);
                assert_ne!(coarse, body, "{target:?}");
                scene.account.clear_faults();
                let answer = Answer {
                    status: 200,
                    headers: [("content-type".to_owned(), "application/json".to_owned())].into(),
                    body: coarse,
                };
                let fault = Fault::new(Action::Answer(answer)).method("GET");
                let before = scene.listings();
                scene.account.add_fault(fault.forever());
                wait_listed(&scene, before, 3).await;
                assert_eq!(scene.writes().len(), 1, "{target:?} {digits}");
            }
            scene.account.clear_faults();
            assert!(scene.events("DriftDetected").await.is_empty());
            scene.finish().await;
        }))
        .await;
    });
}

/// The same with at most so many digits after each second.
fn coarse(body: &str, digits: usize) -> String {
    let mut parts = body.split('.');
    let mut coarse = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let fraction = part.bytes().take_while(u8::is_ascii_digit).count();
        if fraction == 6 && part[fraction..].starts_with('Z') {
            if digits > 0 {
                coarse.push('.');
                coarse.push_str(&part[..digits]);
            }
            coarse.push_str(&part[fraction..]);
        } else {
            coarse.push('.');
            coarse.push_str(part);
        }
    }
    coarse
}

#[test]
fn twenty_objects_of_an_account_are_verified_with_one_listing_for_each_interval() {
    run(at_each_brisk_api(async |scene| {
        scene.secret("source", &[("a", &scene.value("a"))]).await;
        let names: Vec<String> = (0..20).map(|number| format!("many-{number:02}")).collect();
        for name in &names {
            let entry = name.to_uppercase().replace('-', "_");
            let mut spec = scene.spec(&[(&entry, "source", "a")], &json!({}));
            if scene.target == Target::Pipecat {
                spec["provider"]["pipecat"]["setName"] = name.as_str().into();
            }
            scene.apply(name, spec).await.expect("it is applied");
        }
        for name in &names {
            scene.wait_ready(name).await;
        }
        let writes = scene.writes().len();
        let reads = reads(&scene).await;
        let (before, started) = (scene.listings(), std::time::Instant::now());
        wait_listed(&scene, before, 4).await;
        let listed = scene.listings() - before;
        // One for each interval that has begun, and one that may have been due just then.
        let intervals = usize::try_from(started.elapsed().as_secs()).expect("a few") + 2;
        assert!(
            listed <= intervals,
            "{:?}: {listed} in {intervals}",
            scene.target
        );
        assert_eq!(scene.writes().len(), writes);
        // Nothing is asked of Kubernetes: no status, no Secret, no event.
        assert_eq!(self::reads(&scene).await, reads, "{:?}", scene.target);
        scene.finish().await;
    }));
}

/// The operator's calls to Kubernetes about this scene. Events of before may still come.
async fn reads(scene: &Scene<'_>) -> usize {
    let calls = calls(scene.stage, &scene.namespace).await;
    calls
        .iter()
        .filter(|call| call.resource != "events")
        .count()
}
