//! Others write the object, or its status, at the same time.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use futures::future::{join, join_all};
use kube::api::{DeleteParams, Patch, PatchParams};
use provider_secrets::api::EntryState;
use serde_json::json;
use simulator::{Action, Fault};

use super::wait_synced;
use crate::harness::{Bystander, Target, TestCase, TestEnv, condition, run, wait_write};

/// Cases: A-01
#[test]
fn a_status_write_that_meets_another_writer_loses_nothing() {
    run(async {
        let env = TestEnv::shared().await;
        join_all(
            [Target::BasetenTeam, Target::PrimeIntellect].map(async |target| {
                let case = TestCase::with_synced_target(env, target).await;
                let is_over = AtomicBool::new(false);
                let annotate = async {
                    for number in 0.. {
                        if is_over.load(Ordering::Relaxed) {
                            break;
                        }
                        let note =
                            json!({"metadata": {"annotations": {"note": number.to_string()}}});
                        case.patch("target", note)
                            .await
                            .expect("an annotation is written");
                        // Often enough: a third of the operator's status writes meet one.
                        tokio::time::sleep(Duration::from_millis(10)).await;
                    }
                };
                let before = case.writes().len();
                let rotate = async {
                    for number in 0..20 {
                        let value = case.value(&number.to_string());
                        case.secret("source", &[("a", &value)]).await;
                        case.wait_held(&[("A_KEY", &value)]).await;
                    }
                    wait_synced(&case).await;
                    is_over.store(true, Ordering::Relaxed);
                };
                join(annotate, rotate).await;
                wait_synced(&case).await;
                // Each value was written, and none twice because of a conflict.
                assert_eq!(case.writes().len(), before + 20, "{target:?}");
                case.finish().await;
            }),
        )
        .await;
    });
}

/// Cases: A-19, H-15
#[test]
fn a_status_written_by_hand_is_put_right_with_the_next_change() {
    run(async {
        let env = TestEnv::shared().await;
        let bystander = Bystander::new(env).await;
        join_all(Target::ALL.map(async |target| {
            let case = TestCase::with_synced_target(env, target).await;
            case.ready_at_once();
            case.delete_secret("source").await;
            let waiting = case.wait_reason("target", "SecretNotFound").await;
            let time = &condition(&waiting, "Ready")
                .expect("Ready")
                .last_transition_time;
            let fake = json!({
                "conditions": [{
                    "type": "Ready", "status": "True", "reason": "Synced", "message": "A forged message.",
                    "lastTransitionTime": time, "observedGeneration": waiting.metadata.generation,
                }],
                "summary": "9/9",
                "scope": "other",
                "entries": [
                    {"name": "A_KEY", "state": "Synced", "digest": "fake", "remoteId": "fake",
                     "lastWriteTime": time},
                    {"name": "OTHER", "state": "Synced", "digest": "fake"},
                ],
            });
            let patch = Patch::Merge(json!({"status": fake}));
            let (objects, parameters) = (case.objects(), PatchParams::default());
            let written = objects.patch_status("target", &parameters, &patch).await;
            written.expect("a status is written");
            let value = case.value("b");
            case.secret("source", &[("a", &value)]).await;
            case.wait_held(&[("A_KEY", &value)]).await;
            let is_right = |object: &provider_secrets::api::ProviderSecret| {
                let status = object.status.as_ref().expect("a status");
                status.summary.as_deref() == Some("1/1")
                    && status.entries[0].state == EntryState::Synced
            };
            let object = case.wait("target", "put right", is_right).await;
            let status = object.status.as_ref().expect("a status");
            assert_eq!(status.entries.len(), 1, "{target:?}");
            assert!(condition(&object, "Ready").is_some_and(|ready| ready.status == "True"));
            let writes = case.writes();
            assert!(
                writes.iter().all(|line| !line.starts_with("DELETE")),
                "{target:?} {writes:?}"
            );
            case.finish().await;
        }))
        .await;
        bystander.finish().await;
    });
}

/// Cases: C-07
#[test]
fn an_object_that_is_deleted_during_a_write_leaves_its_namesake_alone() {
    run(async {
        let env = TestEnv::shared().await;
        join_all(Target::ALL.map(async |target| {
            let case = TestCase::new(env, target).await;
            let (a, b) = (case.value("a"), case.value("b"));
            case.secret("source", &[("a", &a), ("b", &b)]).await;
            let methods = ["POST", target.update_method(), "PUT"];
            for method in methods {
                let slow = Fault::new(Action::Handle)
                    .delay(Duration::from_secs(1))
                    .method(method);
                case.account.add_fault(slow);
            }
            case.object("namesake", &[("A_KEY", "source", "a")]).await;
            wait_write(&case, 0).await;
            case.account.clear_faults();
            let first = case.objects().get("namesake").await.expect("the object");
            let delete = DeleteParams::default();
            case.objects()
                .delete("namesake", &delete)
                .await
                .expect("the object is deleted");
            case.object("namesake", &[("B_KEY", "source", "b")]).await;
            // Both write: the first ends what it began, and Retain keeps it.
            case.wait_held(&[("A_KEY", &a), ("B_KEY", &b)]).await;
            let object = case.wait_ready("namesake").await;
            assert_ne!(object.metadata.uid, first.metadata.uid);
            let entries = &object.status.as_ref().expect("a status").entries;
            let names: Vec<_> = entries.iter().map(|entry| entry.name.as_str()).collect();
            assert_eq!(names, ["B_KEY"], "{target:?}");
            case.finish_leaving(&["A_KEY"]).await;
        }))
        .await;
        assert!(!env.operator.log().contains("panicked"));
    });
}
