//! What a listing may not prove, and what it costs.

use std::time::Duration;

use axum::{body::Body, extract::Request};
use futures::future::join_all;
use serde_json::json;
use simulator::{Action, Answer, Fault};

use super::SETTLED;
use crate::harness::{
    Target, TestCase, TestEnv, at_each_api_verifying, calls, delete_policy, run, until,
};

/// Waits until the account was listed so often since `before`.
async fn wait_listed(case: &TestCase<'_>, before: usize, times: usize) {
    until("the account is listed", async || {
        let listed = case.listings() - before;
        (listed >= times)
            .then_some(())
            .ok_or_else(|| format!("{:?} {listed}", case.target))
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
    run(at_each_api_verifying(async |case| {
        let one = case.synced("kept", &delete_policy()).await;
        // From now on absence would count.
        tokio::time::sleep(SETTLED + Duration::from_secs(2)).await;
        let writes = case.writes();
        let empty = Action::Answer(Answer {
            status: 200,
            headers: [("content-type".to_owned(), "application/json".to_owned())].into(),
            body: nothing(case.target),
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
            let before = case.listings();
            case.account
                .add_fault(Fault::new(action.clone()).method("GET"));
            wait_listed(&case, before, 2).await;
            assert!(
                case.account.faults().is_empty(),
                "{:?} {action:?}",
                case.target
            );
            assert_eq!(case.writes(), writes, "{:?} {action:?}", case.target);
        }
        case.wait_ready("kept").await;
        case.assert_held(&[("A_KEY", &one)]);
        assert!(case.events("DriftDetected").await.is_empty());
        case.finish().await;
    }));
}

#[test]
fn a_provider_that_cannot_be_listed_leaves_what_is_synced_ready() {
    run(at_each_api_verifying(async |case| {
        case.synced("kept", &json!({})).await;
        let version = case.get("kept").await.metadata.resource_version;
        let before = case.listings();
        case.account
            .add_fault(Fault::status(503).method("GET").forever());
        wait_listed(&case, before, 3).await;
        assert_eq!(case.get("kept").await.metadata.resource_version, version);
        case.account.clear_faults();
        wait_listed(&case, before, 5).await;
        assert_eq!(case.get("kept").await.metadata.resource_version, version);
        case.finish().await;
    }));
}

#[test]
fn times_with_fewer_digits_in_the_listing_are_the_same_times() {
    run(async {
        let env = TestEnv::verifying().await;
        let targets = [
            (Target::BasetenWorkspace, "/v1/secrets", "Api-Key"),
            (
                Target::PrimeIntellect,
                "/api/v1/secrets/?offset=0&limit=100",
                "Bearer",
            ),
        ];
        join_all(targets.map(async |(target, path, scheme)| {
            let case = TestCase::new(env, target).await;
            case.synced("kept", &json!({})).await;
            let request = Request::builder()
                .uri(path)
                .header("authorization", format!("{scheme} {}", case.key))
                .body(Body::empty())
                .expect("a request");
            let answer = env.simulator().call(case.account.provider(), request).await;
            let body = answer.expect("an answer").into_body();
            let body = axum::body::to_bytes(body, 1 << 20).await.expect("a body");
            let body = String::from_utf8(body.to_vec()).expect("text");
            for digits in [3, 0] {
                let coarse = coarse(&body, digits);
                assert_ne!(coarse, body, "{target:?}");
                case.account.clear_faults();
                let answer = Answer {
                    status: 200,
                    headers: [("content-type".to_owned(), "application/json".to_owned())].into(),
                    body: coarse,
                };
                let fault = Fault::new(Action::Answer(answer)).method("GET");
                let before = case.listings();
                case.account.add_fault(fault.forever());
                wait_listed(&case, before, 3).await;
                assert_eq!(case.writes().len(), 1, "{target:?} {digits}");
            }
            case.account.clear_faults();
            assert!(case.events("DriftDetected").await.is_empty());
            case.finish().await;
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
    run(at_each_api_verifying(async |case| {
        case.source("a").await;
        let names: Vec<String> = (0..20).map(|number| format!("many-{number:02}")).collect();
        for name in &names {
            let entry = name.to_uppercase().replace('-', "_");
            let mut spec = case.spec(&[(&entry, "source", "a")], &json!({}));
            if case.target == Target::Pipecat {
                spec["provider"]["pipecat"]["setName"] = name.as_str().into();
            }
            case.apply(name, spec).await.expect("it is applied");
        }
        for name in &names {
            case.wait_ready(name).await;
        }
        let writes = case.writes().len();
        let reads = reads(&case).await;
        let (before, started) = (case.listings(), std::time::Instant::now());
        wait_listed(&case, before, 4).await;
        let listed = case.listings() - before;
        // One for each interval that has begun, and one that may have been due just then.
        let intervals = usize::try_from(started.elapsed().as_secs()).expect("a few") + 2;
        assert!(
            listed <= intervals,
            "{:?}: {listed} in {intervals}",
            case.target
        );
        assert_eq!(case.writes().len(), writes);
        // Nothing is asked of Kubernetes: no status, no Secret, no event.
        assert_eq!(self::reads(&case).await, reads, "{:?}", case.target);
        case.finish().await;
    }));
}

/// The operator's calls to Kubernetes about this test case. Events of before may still come, and what the namespace
/// allows is read twice a minute.
async fn reads(case: &TestCase<'_>) -> usize {
    let calls = calls(case.env, &case.namespace).await;
    calls
        .iter()
        .filter(|call| !["events", "namespaces"].contains(&call.resource.as_str()))
        .count()
}
