//! Whose an image pull secret is: conflicts, deletion, drift, and another API key.

use kube::api::DeleteParams;
use serde_json::Value;
use simulator::pipecat::ImagePullUpdate;

use super::{
    apply, assert_stalled, by_another, from_regcred, login, registry, spec, wait_credential,
};
use crate::harness::{Scene, Stage, Target, run, until};

const PUT: &str = "PUT /v1/secrets/agents";
const DELETE: &str = "DELETE /v1/secrets/agents";

async fn apply_with(scene: &Scene<'_>, name: &str, field: &str, value: &str) {
    let mut spec = spec(scene, &from_regcred());
    spec[field] = Value::from(value);
    scene.apply(name, spec).await.expect("applied");
}

/// Deletes an object and waits until it is gone.
async fn delete(scene: &Scene<'_>, name: &str) {
    let deleted = scene.objects().delete(name, &DeleteParams::default()).await;
    deleted.expect("deleted");
    until("the object is gone", async || {
        match scene.objects().get_opt(name).await {
            Ok(None) => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
}

#[test]
fn under_fail_what_exists_is_left_alone() {
    run(async {
        let (scene, _) = registry(|variants| {
            variants.image_pull_update = ImagePullUpdate::Allowed;
        })
        .await;
        by_another(&scene).await;
        let before = scene.writes();
        let mut spec = spec(&scene, &from_regcred());
        spec["conflictPolicy"] = "Fail".into();
        spec["deletionPolicy"] = "Delete".into();
        scene.apply("polite", spec).await.expect("applied");
        let object = scene.wait_reason("polite", "Conflict").await;
        assert_stalled(&object, "Conflict", "was not written by this object");
        delete(&scene, "polite").await;
        assert_eq!(scene.writes(), before);
        wait_credential(&scene, "foreign").await;
        // Under Overwrite it is taken.
        apply(&scene, "taker", &from_regcred()).await;
        scene.wait_ready("taker").await;
        wait_credential(&scene, &super::credential(&scene, "one")).await;
        scene.finish().await;
    });
}

#[test]
fn a_set_of_keys_of_the_name_is_told_and_left_alone() {
    run(async {
        let (scene, _) = registry(|_| {}).await;
        scene
            .account
            .foreign_write(Some("agents"), "OTHER", "foreign")
            .expect("written");
        apply(&scene, "kind", &from_regcred()).await;
        let object = scene.wait_reason("kind", "Conflict").await;
        assert_stalled(&object, "Conflict", "as a set of keys");
        assert_eq!(scene.writes(), Vec::<String>::new());
        scene.wait_held(&[("OTHER", "foreign")]).await;
        scene.finish().await;
    });
}

#[test]
fn a_set_in_another_region_is_told_and_left_alone() {
    run(async {
        let (scene, _) = registry(|_| {}).await;
        by_another(&scene).await;
        let before = scene.writes();
        let mut spec = spec(&scene, &from_regcred());
        spec["provider"]["pipecat"]["region"] = "ap-south".into();
        scene.apply("elsewhere", spec).await.expect("applied");
        let object = scene.wait_reason("elsewhere", "Conflict").await;
        assert_stalled(&object, "Conflict", "in another region");
        assert_eq!(scene.writes(), before);
        scene.finish().await;
    });
}

#[test]
fn under_delete_the_set_goes_with_the_object() {
    run(async {
        let (scene, credential) = registry(|_| {}).await;
        apply_with(&scene, "deleted", "deletionPolicy", "Delete").await;
        scene.wait_ready("deleted").await;
        wait_credential(&scene, &credential).await;
        delete(&scene, "deleted").await;
        assert_eq!(scene.writes(), [PUT, DELETE]);
        assert!(scene.account.scopes().is_empty());
        // And under Retain it stays.
        apply(&scene, "retained", &from_regcred()).await;
        scene.wait_ready("retained").await;
        delete(&scene, "retained").await;
        wait_credential(&scene, &credential).await;
        assert_eq!(scene.writes(), [PUT, DELETE, PUT]);
        scene.finish_leaving(&["secretValue"]).await;
    });
}

#[test]
fn what_became_a_set_of_keys_is_not_deleted() {
    run(async {
        let (scene, _) = registry(|_| {}).await;
        apply_with(&scene, "replaced", "deletionPolicy", "Delete").await;
        scene.wait_ready("replaced").await;
        scene
            .account
            .foreign_delete(None, "agents")
            .expect("deleted");
        scene
            .account
            .foreign_write(Some("agents"), "OTHER", "foreign")
            .expect("written");
        delete(&scene, "replaced").await;
        assert_eq!(scene.writes(), [PUT]);
        scene.wait_held(&[("OTHER", "foreign")]).await;
        scene.finish().await;
    });
}

#[test]
fn another_key_of_the_organization_writes_nothing() {
    run(async {
        let (scene, credential) = registry(|_| {}).await;
        apply(&scene, "rekeyed", &from_regcred()).await;
        let before = scene.wait_ready("rekeyed").await;
        let fingerprint = |object: &provider_secrets::api::ProviderSecret| {
            let status = object.status.as_ref().expect("a status");
            status.key_fingerprint.clone()
        };
        scene.replace_key().await;
        scene
            .wait("rekeyed", "under another key", |object| {
                fingerprint(object) != fingerprint(&before)
            })
            .await;
        scene.wait_ready("rekeyed").await;
        wait_credential(&scene, &credential).await;
        assert_eq!(scene.writes(), [PUT]);
        scene.finish().await;
    });
}

#[test]
fn what_somebody_deleted_is_written_again() {
    run(async {
        let stage = Stage::fresh(&["--verify-interval=1s"]).await;
        let scene = Scene::new(&stage, Target::Pipecat).await;
        let credential = login(&scene, "one").await;
        apply(&scene, "drifted", &from_regcred()).await;
        scene.wait_ready("drifted").await;
        scene
            .account
            .foreign_delete(None, "agents")
            .expect("deleted");
        // An absence is believed half a minute after our last write.
        wait_credential(&scene, &credential).await;
        scene.wait_ready("drifted").await;
        assert_eq!(scene.writes(), [PUT; 2]);
        scene.finish().await;
    });
}
