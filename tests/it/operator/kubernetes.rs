//! An API server that restarts, or stands still.

use std::time::Duration;

use simulator::{Action, Fault};

use crate::support::{Scene, Stage, Target, run, wait_write};

/// Cases
#[test]
fn an_outage_of_the_api_server_loses_no_rotation_and_writes_nothing_else() {
    run(async {
        let stage = Stage::own(&[]).await;
        let (mut scenes, mut writes) = (Vec::new(), Vec::new());
        for target in Target::ALL {
            let scene = Scene::new(&stage, target).await;
            scene.secret("source", &[("a", &scene.value("a"))]).await;
            scene.object("synced", &[("A_KEY", "source", "a")]).await;
            scene.wait_ready("synced").await;
            writes.push(scene.writes().len());
            scenes.push(scene);
        }
        let rotated = &scenes[0];
        // A restart, and a rotation as soon as it is over.
        stage
            .cluster
            .restart_api_server()
            .await
            .expect("the API server restarts");
        rotate(rotated, "restarted").await;
        // A rotation just before the server goes.
        let value = rotated.value("before");
        rotated.secret("source", &[("a", &value)]).await;
        stage
            .cluster
            .kill_api_server()
            .await
            .expect("the API server is killed");
        stage
            .cluster
            .start_api_server()
            .await
            .expect("the API server starts");
        rotated.wait_held(&[("A_KEY", &value)]).await;
        rotated.wait_ready("synced").await;
        // It stands still while status is due: the write-ahead is there, what came after is not.
        let slow = Fault::new(Action::Handle)
            .delay(Duration::from_millis(500))
            .method("POST");
        rotated.account.add_fault(slow);
        let before = rotated.writes().len();
        let value = rotated.value("still");
        rotated.secret("source", &[("a", &value)]).await;
        wait_write(rotated, before).await;
        stage
            .cluster
            .pause_api_server()
            .expect("the API server stands still");
        // Longer than the operator waits for an answer.
        tokio::time::sleep(Duration::from_secs(15)).await;
        stage
            .cluster
            .resume_api_server()
            .expect("the API server goes on");
        rotated.wait_held(&[("A_KEY", &value)]).await;
        let is_synced = |object: &provider_secrets::api::ProviderSecret| {
            object.status.as_ref().expect("a status").entries[0]
                .digest
                .is_some()
        };
        rotated.wait("synced", "synced", is_synced).await;
        rotate(rotated, "after").await;
        for (scene, writes) in scenes.iter().zip(&writes).skip(1) {
            assert_eq!(scene.writes().len(), *writes, "{:?}", scene.target);
        }
        stage.operator.wait_until_ready().await;
        assert!(!stage.operator.log().contains("panicked"));
        for scene in scenes {
            scene.finish().await;
        }
    });
}

async fn rotate(scene: &Scene<'_>, text: &str) {
    let value = scene.value(text);
    scene.secret("source", &[("a", &value)]).await;
    scene.wait_held(&[("A_KEY", &value)]).await;
    scene.wait_ready("synced").await;
}
