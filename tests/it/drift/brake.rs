//! Another writer who does not stop: the operator does.

use futures::future::join_all;
use serde_json::json;

use super::{SHOWN, entry};
use crate::support::{Scene, Stage, condition, run};

/// Changes the value as somebody else would, and waits until it is ours again.
async fn contend(scene: &Scene<'_>, ours: &str) {
    scene.foreign_write("A_KEY", "theirs");
    scene.wait_held(&[("A_KEY", ours)]).await;
    scene.wait_ready("contended").await;
}

/// Cases: M-04
#[test]
fn a_second_writer_is_outdone_three_times_and_then_reported() {
    run(async {
        let stage = Stage::brisk().await;
        join_all(SHOWN.map(async |target| {
            let scene = Scene::new(stage, target).await;
            let one = scene.synced("contended", &json!({})).await;
            for _ in 0..3 {
                contend(&scene, &one).await;
            }
            assert_eq!(scene.writes().len(), 4, "{target:?}");
            scene.stranger("A_KEY");
            let object = scene.wait_reason("contended", "Contended").await;
            assert!(condition(&object, "Stalled").is_some());
            assert_eq!(scene.writes().len(), 4, "{target:?}");
            scene.wait_event("Contended").await;
            assert_eq!(scene.events("Contended").await.len(), 1);
            // Somebody looked into it.
            scene.forget_stranger("A_KEY");
            scene.request_sync("contended").await;
            scene.wait_held(&[("A_KEY", &one)]).await;
            let object = scene.wait_ready("contended").await;
            let drift = entry(&object, "A_KEY")
                .drift
                .as_ref()
                .expect("it is counted");
            assert_eq!(drift.repairs, 1, "{target:?}");
            assert_eq!(scene.writes().len(), 5, "{target:?}");
            scene.finish().await;
        }))
        .await;
    });
}

/// Cases: M-04
#[test]
fn a_rotation_is_written_whatever_the_count_of_repairs() {
    run(async {
        let stage = Stage::brisk().await;
        join_all(SHOWN.map(async |target| {
            let scene = Scene::new(stage, target).await;
            let one = scene.synced("contended", &json!({})).await;
            for _ in 0..3 {
                contend(&scene, &one).await;
            }
            scene.foreign_write("A_KEY", "theirs");
            scene.wait_reason("contended", "Contended").await;
            let two = scene.value("two");
            scene.secret("source", &[("a", &two)]).await;
            scene.wait_held(&[("A_KEY", &two)]).await;
            scene.wait_ready("contended").await;
            scene.finish().await;
        }))
        .await;
    });
}
