//! Drift: the operator finds and repairs what other clients change at the provider, and nothing else.

mod brake; // another writer who does not stop
mod listings; // what a listing may not prove

use std::time::{Duration, Instant};

use futures::future::join_all;
use serde_json::json;

use crate::harness::{Target, TestCase, TestEnv, at_each_api_verifying, entry, metric, run, soon};

/// How long after a write its absence from a listing counts.
const SETTLED: Duration = Duration::from_secs(30);

/// Whether the provider shows that another client wrote a value.
const SHOWN: [Target; 2] = [Target::PrimeIntellect, Target::Braintrust];

async fn drifts(case: &TestCase<'_>, kind: &str) -> u64 {
    let provider = format!("provider=\"{}\"", case.target.provider().to_lowercase());
    let kind = format!("kind=\"{kind}\"");
    metric(
        case.env,
        "provider_secrets_drift_detected_total",
        &[&provider, &kind],
    )
    .await
}

/// Cases: P-36
#[test]
fn what_was_deleted_by_hand_is_written_again_and_reported_once() {
    run(at_each_api_verifying(async |case| {
        let one = case.synced("kept", &json!({})).await;
        let before = drifts(&case, "missing").await;
        case.foreign_delete("A_KEY");
        // Absence counts after a while only, and then within an interval and a bound.
        let note = case.wait_event("DriftDetected").await;
        assert!(note.contains("A_KEY") && note.contains("deleted"), "{note}");
        case.wait_held(&[("A_KEY", &one)]).await;
        case.wait_ready("kept").await;
        assert_eq!(case.writes().len(), 2, "{:?}", case.target);
        assert_eq!(case.events("DriftDetected").await.len(), 1);
        assert!(drifts(&case, "missing").await > before);
        let object = case.get("kept").await;
        let drift = entry(&object, "A_KEY")
            .drift
            .as_ref()
            .expect("it is counted");
        assert_eq!(drift.repairs, 1);
        case.finish().await;
    }));
}

/// Cases: P-36
#[test]
fn a_whole_set_that_was_deleted_by_hand_is_written_again() {
    run(async {
        let case = TestCase::new(TestEnv::verifying().await, Target::Pipecat).await;
        let (a, b) = (case.value("a"), case.value("b"));
        case.secret("source", &[("a", &a), ("b", &b)]).await;
        let data = [("A_KEY", "source", "a"), ("B_KEY", "source", "b")];
        case.put("kept", &data, &json!({})).await;
        case.wait_ready("kept").await;
        case.account
            .foreign_delete(None, "agents")
            .expect("it was there");
        case.wait_event("DriftDetected").await;
        case.wait_held(&[("A_KEY", &a), ("B_KEY", &b)]).await;
        case.wait_ready("kept").await;
        assert_eq!(case.writes().len(), 2);
        case.finish().await;
    });
}

/// Cases: P-35
#[test]
fn what_was_changed_by_hand_is_written_again_within_the_interval() {
    run(async {
        let env = TestEnv::verifying().await;
        join_all(SHOWN.map(async |target| {
            let case = TestCase::new(env, target).await;
            let one = case.synced("kept", &json!({})).await;
            let before = drifts(&case, "changed").await;
            case.foreign_write("A_KEY", "foreign");
            soon(case.wait_held(&[("A_KEY", &one)])).await;
            let note = case.wait_event("DriftDetected").await;
            assert!(note.contains("A_KEY") && note.contains("changed"), "{note}");
            case.wait_ready("kept").await;
            assert_eq!(case.writes().len(), 2, "{target:?}");
            assert_eq!(case.events("DriftDetected").await.len(), 1);
            assert!(drifts(&case, "changed").await > before);
            case.finish().await;
        }))
        .await;
    });
}

/// Cases: P-35
#[test]
fn what_was_made_anew_by_hand_is_written_again() {
    run(async {
        let env = TestEnv::verifying().await;
        let targets = [
            Target::BasetenTeam,
            Target::BasetenWorkspace,
            Target::PrimeIntellect,
            Target::Braintrust,
        ];
        join_all(targets.map(async |target| {
            let case = TestCase::new(env, target).await;
            let one = case.synced("kept", &json!({})).await;
            case.foreign_delete("A_KEY");
            case.foreign_write("A_KEY", "anew");
            case.wait_held(&[("A_KEY", &one)]).await;
            case.wait_ready("kept").await;
            assert_eq!(case.writes().len(), 2, "{target:?}");
            // The record is of what is there now, so that it may be deleted later.
            let object = case.get("kept").await;
            let held = case.account.held(case.scope().as_deref());
            assert_eq!(entry(&object, "A_KEY").remote_id, held["A_KEY"].id);
            case.finish().await;
        }))
        .await;
    });
}

#[test]
fn our_own_writes_are_never_taken_for_foreign_ones() {
    run(at_each_api_verifying(async |case| {
        case.synced("rotates", &json!({})).await;
        let mut writes = 1;
        let started = Instant::now();
        // Rotations at every phase of the interval, for five of them.
        while started.elapsed() < Duration::from_secs(5) {
            let value = case.value(&writes.to_string());
            case.secret("source", &[("a", &value)]).await;
            case.wait_held(&[("A_KEY", &value)]).await;
            writes += 1;
            let pause = Duration::from_millis(130 + u64::from(fastrand::u8(..)));
            tokio::time::sleep(pause).await;
        }
        case.wait_ready("rotates").await;
        assert_eq!(case.writes().len(), writes, "{:?}", case.target);
        assert!(case.events("DriftDetected").await.is_empty());
        case.finish().await;
    }));
}

#[test]
fn drift_and_a_rotation_together_end_with_the_newest_value() {
    run(async {
        let env = TestEnv::verifying().await;
        join_all(SHOWN.map(async |target| {
            let case = TestCase::new(env, target).await;
            case.synced("kept", &json!({})).await;
            for number in 0..3 {
                let value = case.value(&number.to_string());
                case.foreign_write("A_KEY", "theirs");
                case.secret("source", &[("a", &value)]).await;
                case.wait_held(&[("A_KEY", &value)]).await;
            }
            case.wait_ready("kept").await;
            case.finish().await;
        }))
        .await;
    });
}

#[test]
fn a_suspended_object_repairs_nothing_until_it_is_resumed() {
    run(async {
        let env = TestEnv::verifying().await;
        join_all(SHOWN.map(async |target| {
            let case = TestCase::new(env, target).await;
            let one = case.synced("kept", &json!({})).await;
            let suspend = |suspend: bool| json!({"spec": {"suspend": suspend}});
            case.patch("kept", suspend(true))
                .await
                .expect("it is suspended");
            case.wait_reason("kept", "Suspended").await;
            case.foreign_write("A_KEY", "theirs");
            let before = case.writes();
            tokio::time::sleep(Duration::from_secs(3)).await;
            assert_eq!(case.writes(), before, "{target:?}");
            case.patch("kept", suspend(false))
                .await
                .expect("it is resumed");
            case.wait_held(&[("A_KEY", &one)]).await;
            case.wait_ready("kept").await;
            case.finish().await;
        }))
        .await;
    });
}
