//! Annotations that ask for a sync now, and the echo for which tools wait.

use futures::future::join_all;
use provider_secrets::api::{FLUX_REQUESTED_AT, SYNC_REQUESTED_AT};
use serde_json::json;
use simulator::Fault;

use crate::harness::{Target, TestCase, TestEnv, at_each_api, condition, run, soon, until};

/// The request that was acted on last.
async fn handled(case: &TestCase<'_>, name: &str) -> Option<String> {
    let status = case.get(name).await.status;
    status.and_then(|status| status.last_handled_sync_request)
}

async fn wait_handled(case: &TestCase<'_>, name: &str, token: &str) {
    until("the request was acted on", async || {
        let handled = handled(case, name).await;
        (handled.as_deref() == Some(token))
            .then_some(())
            .ok_or_else(|| format!("{handled:?}"))
    })
    .await;
}

#[test]
fn both_annotations_ask_for_a_listing_and_are_echoed() {
    run(at_each_api(async |case| {
        case.synced("asked", &json!({})).await;
        let writes = case.writes();
        // The later in the order of their texts counts.
        let tokens = [
            (SYNC_REQUESTED_AT, "2026-01-01T00:00:00Z"),
            (FLUX_REQUESTED_AT, "2026-01-02T00:00:00Z"),
            (SYNC_REQUESTED_AT, "2026-01-03T00:00:00Z"),
        ];
        for (annotation, token) in tokens {
            let before = case.listings();
            case.annotate("asked", annotation, token).await;
            wait_handled(&case, "asked", token).await;
            case.wait_ready("asked").await;
            let listed = case.listings() - before;
            assert!((1..=2).contains(&listed), "{:?}: {listed}", case.target);
        }
        // The same again is no request.
        let (requests, version) = (case.account.requests().len(), handled(&case, "asked").await);
        case.annotate("asked", SYNC_REQUESTED_AT, tokens[2].1).await;
        case.annotate("asked", "example.com/note", "1").await;
        assert_eq!(case.account.requests().len(), requests, "{:?}", case.target);
        assert_eq!(handled(&case, "asked").await, version);
        assert_eq!(case.writes(), writes, "what is in sync is not written");
        case.finish().await;
    }));
}

#[test]
fn a_request_finds_drift_at_once() {
    run(async {
        // In a shared environment the operator drops some events.
        let env = &TestEnv::fresh(&[]).await;
        join_all(
            [Target::PrimeIntellect, Target::Braintrust].map(async |target| {
                let case = TestCase::new(env, target).await;
                let one = case.synced("asked", &json!({})).await;
                case.foreign_write("A_KEY", "theirs");
                case.request_sync("asked").await;
                case.wait_held(&[("A_KEY", &one)]).await;
                case.wait_ready("asked").await;
                assert_eq!(case.writes().len(), 2, "{target:?}");
                case.wait_event("DriftDetected").await;
                case.finish().await;
            }),
        )
        .await;
    });
}

/// Cases: B-14
#[test]
fn a_request_requeues_an_object_that_waits_for_hours() {
    run(at_each_api(async |case| {
        case.account.add_fault(Fault::status(422).forever());
        case.source("a").await;
        case.put("asked", &[("A_KEY", "source", "a")], &json!({}))
            .await;
        until("it stalls", async || {
            let object = case.get("asked").await;
            condition(&object, "Stalled")
                .map(drop)
                .ok_or_else(|| format!("{:#?}", object.status))
        })
        .await;
        case.account.clear_faults();
        case.request_sync("asked").await;
        soon(case.wait_ready("asked")).await;
        case.assert_held(&[("A_KEY", &case.value("a"))]);
        case.finish().await;
    }));
}

/// Cases: B-14
#[test]
fn a_spec_that_is_put_right_is_acted_on_at_once() {
    run(at_each_api(async |case| {
        case.synced("asked", &json!({})).await;
        let before = case.writes().len();
        case.put("asked", &[("A_KEY", "source", "missing")], &json!({}))
            .await;
        let object = case
            .wait("asked", "not ready", |object| {
                condition(object, "Ready").is_some_and(|ready| ready.status != "True")
            })
            .await;
        assert!(object.status.is_some());
        case.put("asked", &[("A_KEY", "source", "a")], &json!({}))
            .await;
        soon(case.wait_ready("asked")).await;
        assert_eq!(case.writes().len(), before, "{:?}", case.target);
        case.finish().await;
    }));
}

#[test]
fn a_request_waits_for_the_end_of_a_suspension() {
    run(at_each_api(async |case| {
        case.synced("asked", &json!({})).await;
        let suspend = |suspend: bool| json!({"spec": {"suspend": suspend}});
        case.patch("asked", suspend(true))
            .await
            .expect("it is suspended");
        case.wait_reason("asked", "Suspended").await;
        let before = case.account.requests().len();
        case.annotate("asked", SYNC_REQUESTED_AT, "while-suspended")
            .await;
        // A change that is acted on behind the request.
        let patch = json!({"spec": {"deletionPolicy": "Retain"}});
        case.patch("asked", patch)
            .await
            .expect("the policy is named");
        case.wait_reason("asked", "Suspended").await;
        assert_eq!(case.account.requests().len(), before, "{:?}", case.target);
        assert_eq!(handled(&case, "asked").await, None);
        case.patch("asked", suspend(false))
            .await
            .expect("it is resumed");
        wait_handled(&case, "asked", "while-suspended").await;
        case.wait_ready("asked").await;
        case.finish().await;
    }));
}

/// Cases: B-16
#[test]
fn a_hostile_request_is_an_opaque_token() {
    run(at_each_api(async |case| {
        case.ready_at_once();
        case.synced("asked", &json!({})).await;
        let escapes = "\u{1b}[31m\r\n{{ user }}%s${HOME}\"\\\u{202e}é";
        let hostile = escapes.repeat(100);
        let token: String = hostile.chars().take(1024).collect();
        case.annotate("asked", SYNC_REQUESTED_AT, &hostile).await;
        wait_handled(&case, "asked", &token).await;
        case.wait_ready("asked").await;
        // It is echoed cut, and not taken for a new one each time.
        let requests = case.account.requests().len();
        case.source("two").await;
        case.wait_held(&[("A_KEY", &case.value("two"))]).await;
        case.wait_ready("asked").await;
        let listed = case.account.requests().len() - requests;
        assert!(
            listed <= 2,
            "{:?}: {listed} requests for one write",
            case.target
        );
        assert!(!case.env.operator.log().contains("\u{1b}[31m"));
        case.finish().await;
    }));
}
