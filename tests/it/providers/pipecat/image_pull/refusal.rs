//! Rotation, where the provider updates an image pull secret and where it refuses to.

use serde_json::json;
use simulator::{Action, Fault, pipecat::ImagePullUpdate};

use super::{
    apply, assert_stalled, by_another, from_regcred, host, login, registry, spec, wait_credential,
};
use crate::harness::{Scene, Stage, Target, run, traces, until};

const PUT: &str = "PUT /v1/secrets/agents";
const DELETE: &str = "DELETE /v1/secrets/agents";

/// Says that what refuses an update is deleted and created.
async fn allow_recreate(scene: &Scene<'_>, name: &str) {
    let member = json!({"pipecat": {"replaceImagePullSecret": "Recreate"}});
    let patch = json!({"spec": {"provider": member}});
    scene.patch(name, patch).await.expect("patched");
}

#[test]
fn a_rotation_is_one_write_where_updates_are_taken() {
    run(async {
        let (scene, _) = registry(|variants| {
            variants.image_pull_update = ImagePullUpdate::Allowed;
        })
        .await;
        apply(&scene, "rotated", &from_regcred()).await;
        scene.wait_ready("rotated").await;
        let two = login(&scene, "two").await;
        wait_credential(&scene, &two).await;
        scene.wait_ready("rotated").await;
        assert_eq!(scene.writes(), [PUT; 2]);
        // Another registry is a change too.
        scene.secret("reg", &[("auth", &two)]).await;
        let from_key = json!({"host": "quay.io", "secretKeyRef": {"name": "reg", "key": "auth"}});
        let applied = scene.apply("rotated", spec(&scene, &from_key)).await;
        applied.expect("applied");
        scene.wait_ready("rotated").await;
        assert_eq!(host(&scene), "https://quay.io/");
        assert_eq!(scene.writes(), [PUT; 3]);
        scene.finish().await;
    });
}

#[test]
fn a_refused_rotation_waits_for_a_person() {
    run(async {
        let (scene, one) = registry(|_| {}).await;
        apply(&scene, "refused", &from_regcred()).await;
        scene.wait_ready("refused").await;
        let two = login(&scene, "two").await;
        let object = scene.wait_reason("refused", "Immutable").await;
        assert_stalled(
            &object,
            "Immutable",
            "set replaceImagePullSecret to Recreate, or use another setName",
        );
        assert_eq!(
            scene.columns("refused").await[..3],
            ["Pipecat", "False", "Immutable"]
        );
        wait_credential(&scene, &one).await;
        assert_eq!(scene.writes(), [PUT; 2]);
        // Back to what is held: nothing is to be written.
        login(&scene, "one").await;
        scene.wait_ready("refused").await;
        assert_eq!(scene.writes(), [PUT; 2]);
        // A person acts.
        login(&scene, "two").await;
        scene.wait_reason("refused", "Immutable").await;
        allow_recreate(&scene, "refused").await;
        scene.wait_ready("refused").await;
        wait_credential(&scene, &two).await;
        assert_eq!(scene.writes(), [PUT, PUT, PUT, PUT, DELETE, PUT]);
        // And from now on it goes by itself.
        let three = login(&scene, "three").await;
        wait_credential(&scene, &three).await;
        scene.wait_ready("refused").await;
        assert_eq!(scene.writes()[6..], [PUT, DELETE, PUT]);
        scene.finish().await;
    });
}

#[test]
fn what_was_deleted_and_could_not_be_created_is_created_later() {
    run(async {
        let (scene, _) = registry(|_| {}).await;
        apply(&scene, "busy", &from_regcred()).await;
        allow_recreate(&scene, "busy").await;
        scene.wait_ready("busy").await;
        // The refusal passes, the create after the deletion does not.
        let fault = Fault::status(503).method("PUT").skip(1).times(2);
        scene.account.add_fault(fault);
        let two = login(&scene, "two").await;
        wait_credential(&scene, &two).await;
        scene.wait_ready("busy").await;
        assert_eq!(scene.writes(), [PUT, PUT, DELETE, PUT, PUT, PUT]);
        scene.finish().await;
    });
}

#[test]
fn a_crash_between_deletion_and_creation_is_made_good() {
    run(async {
        let stage = Stage::fresh(&[]).await;
        let scene = Scene::new(&stage, Target::Pipecat).await;
        login(&scene, "one").await;
        apply(&scene, "crashed", &from_regcred()).await;
        allow_recreate(&scene, "crashed").await;
        scene.wait_ready("crashed").await;
        let fault = Fault::new(Action::Hang).method("PUT").skip(1);
        scene.account.add_fault(fault.forever());
        let two = login(&scene, "two").await;
        until("the set is gone and its create hangs", async || {
            let writes = scene.writes();
            if scene.held().is_empty() && writes.len() >= 3 {
                Ok(())
            } else {
                Err(format!("{writes:?}"))
            }
        })
        .await;
        stage.operator.kill().await;
        scene.account.clear_faults();
        let next = stage.further(&[]).await;
        wait_credential(&scene, &two).await;
        scene.wait_ready("crashed").await;
        assert_eq!(traces(&next.log()), Vec::<String>::new());
    });
}

#[test]
fn what_somebody_else_made_is_not_deleted() {
    run(async {
        let (scene, _) = registry(|_| {}).await;
        by_another(&scene).await;
        apply(&scene, "taker", &from_regcred()).await;
        let object = scene.wait_reason("taker", "Immutable").await;
        assert_stalled(
            &object,
            "Immutable",
            "set replaceImagePullSecret to Recreate",
        );
        allow_recreate(&scene, "taker").await;
        let object = scene
            .wait("taker", "told", |object| {
                object.metadata.generation == Some(2)
            })
            .await;
        assert_stalled(&object, "Immutable", "this object did not write it");
        wait_credential(&scene, "foreign").await;
        assert!(!scene.writes().contains(&DELETE.to_owned()));
        scene.finish().await;
    });
}

#[test]
fn a_refused_create_is_no_refused_update() {
    run(async {
        let (scene, credential) = registry(|_| {}).await;
        scene
            .account
            .add_fault(Fault::status(400).method("PUT").forever());
        apply(&scene, "rejected", &from_regcred()).await;
        let object = scene.wait_reason("rejected", "Rejected").await;
        assert_stalled(&object, "Rejected", "answered 400");
        scene.account.clear_faults();
        allow_recreate(&scene, "rejected").await;
        scene.wait_ready("rejected").await;
        wait_credential(&scene, &credential).await;
        assert!(!scene.writes().contains(&DELETE.to_owned()));
        scene.finish().await;
    });
}
