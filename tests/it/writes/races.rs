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

use super::{synced, wait_synced};
use crate::support::{Bystander, Scene, Stage, Target, condition, run, wait_write, write_method};

/// Cases: A-01
#[test]
fn a_status_write_that_meets_another_writer_loses_nothing() {
    run(async {
        let stage = Stage::shared().await;
        join_all(
            [Target::BasetenTeam, Target::PrimeIntellect].map(async |target| {
                let scene = synced(stage, target).await;
                let is_over = AtomicBool::new(false);
                let annotate = async {
                    for number in 0.. {
                        if is_over.load(Ordering::Relaxed) {
                            break;
                        }
                        let note =
                            json!({"metadata": {"annotations": {"note": number.to_string()}}});
                        scene
                            .patch("target", note)
                            .await
                            .expect("an annotation is written");
                    }
                };
                let before = scene.writes().len();
                let rotate = async {
                    for number in 0..20 {
                        let value = scene.value(&number.to_string());
                        scene.secret("source", &[("a", &value)]).await;
                        scene.wait_held(&[("A_KEY", &value)]).await;
                    }
                    wait_synced(&scene).await;
                    is_over.store(true, Ordering::Relaxed);
                };
                join(annotate, rotate).await;
                wait_synced(&scene).await;
                // Each value was written, and none twice because of a conflict.
                assert_eq!(scene.writes().len(), before + 20, "{target:?}");
                scene.finish().await;
            }),
        )
        .await;
    });
}

/// Cases: A-19, H-15
#[test]
fn a_status_that_somebody_wrote_by_hand_is_put_right_with_the_next_news() {
    run(async {
        let stage = Stage::shared().await;
        let bystander = Bystander::new(stage).await;
        join_all(Target::ALL.map(async |target| {
            let scene = synced(stage, target).await;
            scene.delete_secret("source").await;
            let waiting = scene.wait_reason("target", "SecretNotFound").await;
            let time = &condition(&waiting, "Ready")
                .expect("Ready")
                .last_transition_time;
            let fake = json!({
                "conditions": [{
                    "type": "Ready", "status": "True", "reason": "Synced", "message": "Believe me.",
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
            let (objects, parameters) = (scene.objects(), PatchParams::default());
            let written = objects.patch_status("target", &parameters, &patch).await;
            written.expect("a status is written");
            let value = scene.value("b");
            scene.secret("source", &[("a", &value)]).await;
            scene.wait_held(&[("A_KEY", &value)]).await;
            let is_right = |object: &provider_secrets::api::ProviderSecret| {
                let status = object.status.as_ref().expect("a status");
                status.summary.as_deref() == Some("1/1")
                    && status.entries[0].state == EntryState::Synced
            };
            let object = scene.wait("target", "put right", is_right).await;
            let status = object.status.as_ref().expect("a status");
            assert_eq!(status.entries.len(), 1, "{target:?}");
            assert!(condition(&object, "Ready").is_some_and(|ready| ready.status == "True"));
            let writes = scene.writes();
            assert!(
                writes.iter().all(|line| !line.starts_with("DELETE")),
                "{target:?} {writes:?}"
            );
            scene.finish().await;
        }))
        .await;
        bystander.finish().await;
    });
}

/// Cases: C-07
#[test]
fn an_object_that_is_deleted_during_a_write_leaves_its_namesake_alone() {
    run(async {
        let stage = Stage::shared().await;
        join_all(Target::ALL.map(async |target| {
            let scene = Scene::new(stage, target).await;
            let (a, b) = (scene.value("a"), scene.value("b"));
            scene.secret("source", &[("a", &a), ("b", &b)]).await;
            let methods = ["POST", write_method(target), "PUT"];
            for method in methods {
                let slow = Fault::new(Action::Handle)
                    .delay(Duration::from_secs(1))
                    .method(method);
                scene.account.add_fault(slow);
            }
            scene.object("namesake", &[("A_KEY", "source", "a")]).await;
            wait_write(&scene, 0).await;
            scene.account.clear_faults();
            let first = scene.objects().get("namesake").await.expect("the object");
            let delete = DeleteParams::default();
            scene
                .objects()
                .delete("namesake", &delete)
                .await
                .expect("the object is deleted");
            scene.object("namesake", &[("B_KEY", "source", "b")]).await;
            // Both write: the first ends what it began, and Retain keeps it.
            scene.wait_held(&[("A_KEY", &a), ("B_KEY", &b)]).await;
            let object = scene.wait_ready("namesake").await;
            assert_ne!(object.metadata.uid, first.metadata.uid);
            let entries = &object.status.as_ref().expect("a status").entries;
            let names: Vec<_> = entries.iter().map(|entry| entry.name.as_str()).collect();
            assert_eq!(names, ["B_KEY"], "{target:?}");
            scene.finish_leaving(&["A_KEY"]).await;
        }))
        .await;
        assert!(!stage.operator.log().contains("panicked"));
    });
}
