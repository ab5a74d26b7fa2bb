//! SIGTERM: what is under way ends, and then the operator.

use std::time::Duration;

use futures::future::join_all;
use simulator::{Action, Fault};
use tokio::time::Instant;

use crate::support::{Scene, Stage, Target, condition, run, wait_write};

/// Cases: L-05
#[test]
fn sigterm_lets_a_write_end_and_waits_ten_seconds_at_most() {
    run(async {
        let stage = Stage::fresh(&[]).await;
        // A write that takes two seconds ends, and status tells of it.
        let scenes = join_all(Target::ALL.map(async |target| {
            let scene = Scene::new(&stage, target).await;
            for method in ["POST", "PUT"] {
                let slow = Fault::new(Action::Handle)
                    .delay(Duration::from_secs(2))
                    .method(method);
                scene.account.add_fault(slow);
            }
            scene.secret("source", &[("a", &scene.value("a"))]).await;
            scene.object("slow", &[("A_KEY", "source", "a")]).await;
            wait_write(&scene, 0).await;
            scene
        }))
        .await;
        let status = stage.operator.terminate().await;
        assert_eq!(status.code(), Some(0));
        for scene in &scenes {
            assert_eq!(
                scene.held().get("A_KEY"),
                Some(&scene.value("a")),
                "{:?}",
                scene.target
            );
            let object = scene.wait_ready("slow").await;
            assert!(condition(&object, "Stalled").is_none());
        }
        // A call that hangs is left.
        let operator = stage.further(&[]).await;
        let scene = Scene::new(&stage, Target::Pipecat).await;
        scene
            .account
            .add_fault(Fault::new(Action::Hang).method("PUT").forever());
        scene.secret("source", &[("a", &scene.value("a"))]).await;
        scene.object("hangs", &[("A_KEY", "source", "a")]).await;
        wait_write(&scene, 0).await;
        let since = Instant::now();
        let status = operator.terminate().await;
        assert_eq!(status.code(), Some(0));
        assert!(
            since.elapsed() <= Duration::from_secs(10),
            "{:?}",
            since.elapsed()
        );
        // At rest it is quick.
        scene.account.clear_faults();
        let operator = stage.further(&[]).await;
        scene.wait_ready("hangs").await;
        let since = Instant::now();
        assert_eq!(operator.terminate().await.code(), Some(0));
        assert!(
            since.elapsed() < Duration::from_secs(3),
            "{:?}",
            since.elapsed()
        );
        for scene in scenes.into_iter().chain([scene]) {
            scene.finish().await;
        }
    });
}
