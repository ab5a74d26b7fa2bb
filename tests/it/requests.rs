//! Annotations that ask for a sync now, and the echo for which tools wait.

use std::time::{Duration, Instant};

use futures::future::join_all;
use provider_secrets::api::{FLUX_REQUESTED_AT, SYNC_REQUESTED_AT};
use serde_json::json;
use simulator::Fault;

use crate::support::{Scene, Stage, Target, at_each_api, condition, run, until};

/// The request that was acted on last.
async fn handled(scene: &Scene<'_>, name: &str) -> Option<String> {
    let status = scene.get(name).await.status;
    status.and_then(|status| status.last_handled_sync_request)
}

async fn wait_handled(scene: &Scene<'_>, name: &str, token: &str) {
    until("the request was acted on", async || {
        let handled = handled(scene, name).await;
        (handled.as_deref() == Some(token))
            .then_some(())
            .ok_or_else(|| format!("{handled:?}"))
    })
    .await;
}

#[test]
fn both_annotations_ask_for_a_listing_and_are_echoed() {
    run(at_each_api(async |scene| {
        scene.synced("asked", &json!({})).await;
        let writes = scene.writes();
        // The later in the order of their texts counts.
        let tokens = [
            (SYNC_REQUESTED_AT, "2026-01-01T00:00:00Z"),
            (FLUX_REQUESTED_AT, "2026-01-02T00:00:00Z"),
            (SYNC_REQUESTED_AT, "2026-01-03T00:00:00Z"),
        ];
        for (annotation, token) in tokens {
            let before = scene.listings();
            scene.annotate("asked", annotation, token).await;
            wait_handled(&scene, "asked", token).await;
            scene.wait_ready("asked").await;
            let listed = scene.listings() - before;
            assert!((1..=2).contains(&listed), "{:?}: {listed}", scene.target);
        }
        // The same again is no request.
        let (requests, version) = (
            scene.account.requests().len(),
            handled(&scene, "asked").await,
        );
        scene
            .annotate("asked", SYNC_REQUESTED_AT, tokens[2].1)
            .await;
        scene.annotate("asked", "example.com/note", "1").await;
        assert_eq!(
            scene.account.requests().len(),
            requests,
            "{:?}",
            scene.target
        );
        assert_eq!(handled(&scene, "asked").await, version);
        assert_eq!(scene.writes(), writes, "what is in sync is not written");
        scene.finish().await;
    }));
}

#[test]
fn a_request_finds_drift_at_once() {
    run(async {
        let stage = Stage::shared().await;
        join_all(
            [Target::PrimeIntellect, Target::Braintrust].map(async |target| {
                let scene = Scene::new(stage, target).await;
                let one = scene.synced("asked", &json!({})).await;
                scene.foreign_write("A_KEY", "theirs");
                scene.request_sync("asked").await;
                scene.wait_held(&[("A_KEY", &one)]).await;
                scene.wait_ready("asked").await;
                assert_eq!(scene.writes().len(), 2, "{target:?}");
                scene.wait_event("DriftDetected").await;
                scene.finish().await;
            }),
        )
        .await;
    });
}

/// Cases: B-14
#[test]
fn a_request_wakes_an_object_that_waits_for_hours() {
    run(at_each_api(async |scene| {
        scene.account.add_fault(Fault::status(422).forever());
        scene.secret("source", &[("a", &scene.value("a"))]).await;
        scene
            .put("asked", &[("A_KEY", "source", "a")], &json!({}))
            .await;
        until("it stalls", async || {
            let object = scene.get("asked").await;
            condition(&object, "Stalled")
                .map(drop)
                .ok_or_else(|| format!("{:#?}", object.status))
        })
        .await;
        scene.account.clear_faults();
        let asked = Instant::now();
        scene.request_sync("asked").await;
        scene.wait_ready("asked").await;
        assert!(
            asked.elapsed() < Duration::from_secs(10),
            "{:?}",
            asked.elapsed()
        );
        scene.assert_held(&[("A_KEY", &scene.value("a"))]);
        scene.finish().await;
    }));
}

/// Cases: B-14
#[test]
fn a_spec_that_is_put_right_is_acted_on_at_once() {
    run(at_each_api(async |scene| {
        scene.synced("asked", &json!({})).await;
        let before = scene.writes().len();
        scene
            .put("asked", &[("A_KEY", "source", "missing")], &json!({}))
            .await;
        let object = scene
            .wait("asked", "not ready", |object| {
                condition(object, "Ready").is_some_and(|ready| ready.status != "True")
            })
            .await;
        assert!(object.status.is_some());
        let reverted = Instant::now();
        scene
            .put("asked", &[("A_KEY", "source", "a")], &json!({}))
            .await;
        scene.wait_ready("asked").await;
        assert!(
            reverted.elapsed() < Duration::from_secs(5),
            "{:?}",
            reverted.elapsed()
        );
        assert_eq!(scene.writes().len(), before, "{:?}", scene.target);
        scene.finish().await;
    }));
}

#[test]
fn a_request_waits_for_the_end_of_a_suspension() {
    run(at_each_api(async |scene| {
        scene.synced("asked", &json!({})).await;
        let suspend = |suspend: bool| json!({"spec": {"suspend": suspend}});
        scene
            .patch("asked", suspend(true))
            .await
            .expect("it is suspended");
        scene.wait_reason("asked", "Suspended").await;
        let before = scene.account.requests().len();
        scene
            .annotate("asked", SYNC_REQUESTED_AT, "while-suspended")
            .await;
        // A change that is acted on behind the request.
        let patch = json!({"spec": {"deletionPolicy": "Retain"}});
        scene
            .patch("asked", patch)
            .await
            .expect("the policy is named");
        scene.wait_reason("asked", "Suspended").await;
        assert_eq!(scene.account.requests().len(), before, "{:?}", scene.target);
        assert_eq!(handled(&scene, "asked").await, None);
        scene
            .patch("asked", suspend(false))
            .await
            .expect("it is resumed");
        wait_handled(&scene, "asked", "while-suspended").await;
        scene.wait_ready("asked").await;
        scene.finish().await;
    }));
}

/// Cases: B-16
#[test]
fn a_hostile_request_is_an_opaque_token() {
    run(at_each_api(async |scene| {
        scene.synced("asked", &json!({})).await;
        let escapes = "\u{1b}[31m\r\n{{ user }}%s${HOME}\"\\\u{202e}é";
        let hostile = escapes.repeat(100);
        let token: String = hostile.chars().take(1024).collect();
        scene.annotate("asked", SYNC_REQUESTED_AT, &hostile).await;
        wait_handled(&scene, "asked", &token).await;
        scene.wait_ready("asked").await;
        // It is echoed cut, and not taken for a new one each time.
        let requests = scene.account.requests().len();
        scene.secret("source", &[("a", &scene.value("two"))]).await;
        scene.wait_held(&[("A_KEY", &scene.value("two"))]).await;
        scene.wait_ready("asked").await;
        let listed = scene.account.requests().len() - requests;
        assert!(
            listed <= 2,
            "{:?}: {listed} requests for one write",
            scene.target
        );
        assert!(!scene.stage.operator.log().contains("\u{1b}[31m"));
        scene.finish().await;
    }));
}
