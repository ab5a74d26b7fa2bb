//! Create, rotate, add, remove, unsuspend and restart, for each of the five upstream APIs.

use crate::support::{Scene, Stage, Target, run};

#[test]
fn an_object_lives_its_life_at_each_api() {
    run(async {
        let stage = Stage::shared().await;
        for target in Target::ALL {
            let scene = Scene::new(stage, target).await;
            let (one, two) = (scene.value("one"), scene.value("two"));
            scene.secret("source", &[("a", &one), ("b", &two)]).await;
            scene.object("life", &[("A_KEY", "source", "a")]).await;
            scene.wait_ready("life").await;
            scene.wait_held(&[("A_KEY", &one)]).await;
            let rotated = scene.value("rotated");
            scene.secret("source", &[("a", &rotated), ("b", &two)]).await;
            scene.wait_held(&[("A_KEY", &rotated)]).await;
            scene.finish().await;
        }
    });
}
