//! Another writer who does not stop: the operator does.

use futures::future::join_all;
use serde_json::json;

use super::{SHOWN, entry};
use crate::harness::{TestCase, TestEnv, condition, run};

/// Changes the value as another client, and waits until it is ours again.
async fn contend(case: &TestCase<'_>, ours: &str) {
    case.foreign_write("A_KEY", "theirs");
    case.wait_held(&[("A_KEY", ours)]).await;
    case.wait_ready("contended").await;
}

/// Cases: M-04
#[test]
fn a_second_writer_is_outdone_three_times_and_then_reported() {
    run(async {
        let env = TestEnv::verifying().await;
        join_all(SHOWN.map(async |target| {
            let case = TestCase::new(env, target).await;
            let one = case.synced("contended", &json!({})).await;
            for _ in 0..3 {
                contend(&case, &one).await;
            }
            assert_eq!(case.writes().len(), 4, "{target:?}");
            case.foreign_secret("A_KEY");
            let object = case.wait_reason("contended", "Contended").await;
            assert!(condition(&object, "Stalled").is_some());
            assert_eq!(case.writes().len(), 4, "{target:?}");
            case.wait_event("Contended").await;
            assert_eq!(case.events("Contended").await.len(), 1);
            // A user has solved the conflict.
            case.release_foreign_secret("A_KEY");
            case.request_sync("contended").await;
            case.wait_held(&[("A_KEY", &one)]).await;
            let object = case.wait_ready("contended").await;
            let drift = entry(&object, "A_KEY")
                .drift
                .as_ref()
                .expect("it is counted");
            assert_eq!(drift.repairs, 1, "{target:?}");
            assert_eq!(case.writes().len(), 5, "{target:?}");
            case.finish().await;
        }))
        .await;
    });
}

/// Cases: M-04
#[test]
fn a_rotation_is_written_whatever_the_count_of_repairs() {
    run(async {
        let env = TestEnv::verifying().await;
        join_all(SHOWN.map(async |target| {
            let case = TestCase::new(env, target).await;
            let one = case.synced("contended", &json!({})).await;
            for _ in 0..3 {
                contend(&case, &one).await;
            }
            case.foreign_write("A_KEY", "theirs");
            case.wait_reason("contended", "Contended").await;
            let two = case.value("two");
            case.secret("source", &[("a", &two)]).await;
            case.wait_held(&[("A_KEY", &two)]).await;
            case.wait_ready("contended").await;
            case.finish().await;
        }))
        .await;
    });
}
