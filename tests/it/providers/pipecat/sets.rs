//! Pipecat Cloud: which set is written, in which region, and sets that are not for us.

use serde_json::{Value, json};

use super::{image_pull::by_another, scene_with};
use crate::{
    harness::{Scene, run},
    providers::{assert_stalled, bodies, entry, spec},
};

fn region(scene: &Scene<'_>, set: &str) -> String {
    scene.stage.simulator().pipecat().sets(&scene.account)[set]
        .region
        .clone()
}

/// The spec of one entry in this region.
fn spec_in(scene: &Scene<'_>, region: &str) -> Value {
    let mut spec = spec(scene, &json!([entry("A_KEY")]));
    spec["provider"]["pipecat"]["region"] = region.into();
    spec
}

#[test]
fn a_region_is_sent_only_where_it_is_given() {
    run(async {
        let (scene, _) = scene_with(|_| {}).await;
        scene.object("default", &[("A_KEY", "source", "a")]).await;
        scene.wait_ready("default").await;
        assert!(
            bodies(&scene, "PUT")
                .iter()
                .all(|body| body["region"].is_null())
        );
        let mut spec = spec_in(&scene, "eu-central");
        spec["provider"]["pipecat"]["setName"] = "agents.eu".into();
        scene.apply("region", spec).await.expect("applied");
        scene.wait_ready("region").await;
        assert_eq!(bodies(&scene, "PUT")[1]["region"], "eu-central");
        assert_eq!(region(&scene, "agents"), "us-west");
        assert_eq!(region(&scene, "agents.eu"), "eu-central");
        scene.finish().await;
    });
}

#[test]
fn a_set_in_another_region_is_told_and_left_alone() {
    run(async {
        let (scene, _) = scene_with(|_| {}).await;
        scene
            .account
            .foreign_write(Some("agents"), "OTHER", "foreign")
            .expect("written");
        scene
            .apply("elsewhere", spec_in(&scene, "ap-south"))
            .await
            .expect("applied");
        let object = scene.wait_reason("elsewhere", "Conflict").await;
        assert_stalled(&object, "Conflict", "in another region");
        assert_eq!(scene.writes(), Vec::<String>::new());
        // A name has one owner, also while it stalls.
        scene.kubectl(&["delete", "psec", "elsewhere"]).await;
        // In its own region it is taken.
        let mut spec = spec_in(&scene, "us-west");
        spec["data"][0]["name"] = "B_KEY".into();
        scene.apply("here", spec).await.expect("applied");
        scene.wait_ready("here").await;
        scene
            .wait_held(&[("B_KEY", &scene.value("one")), ("OTHER", "foreign")])
            .await;
        scene.finish().await;
    });
}

#[test]
fn an_image_pull_secret_of_the_name_is_told_and_left_alone() {
    run(async {
        let (scene, _) = scene_with(|_| {}).await;
        by_another(&scene).await;
        let before = scene.writes();
        scene.object("kind", &[("A_KEY", "source", "a")]).await;
        let object = scene.wait_reason("kind", "Conflict").await;
        assert_stalled(&object, "Conflict", "image pull secret");
        assert_eq!(scene.writes(), before);
        scene.finish_leaving(&["secretValue"]).await;
    });
}

#[test]
fn the_set_has_the_name_of_the_object_where_none_is_given() {
    run(async {
        let (scene, value) = scene_with(|_| {}).await;
        let mut spec = spec(&scene, &json!([entry("A_KEY")]));
        let member = spec["provider"]["pipecat"]
            .as_object_mut()
            .expect("a member");
        member.remove("setName");
        scene.apply("voice.agent-1", spec).await.expect("applied");
        scene.wait_ready("voice.agent-1").await;
        assert_eq!(scene.account.values(Some("voice.agent-1"))["A_KEY"], value);
        assert_eq!(scene.account.scopes(), [Some("voice.agent-1".to_owned())]);
        scene.finish().await;
    });
}
