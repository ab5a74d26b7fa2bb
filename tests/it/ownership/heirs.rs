//! The owner goes, or gives a name up, and the next one has it.

use serde_json::{Value, json};

use super::{at_each_brisk_api, rival};
use crate::support::run;

/// What happens to the owner.
async fn inherits(policy: Value) {
    at_each_brisk_api(async |scene| {
        scene.synced("owner", &policy).await;
        let rival = rival(&scene, "heir").await;
        let before = scene.writes().len();
        scene.delete("owner").await;
        scene.wait_gone("owner").await;
        scene.wait_held(&[("A_KEY", &rival)]).await;
        scene.wait_ready("heir").await;
        let writes = scene.writes();
        assert_eq!(writes.len(), before + 1, "{:?} {writes:?}", scene.target);
        assert_eq!(
            scene.deletions(),
            Vec::<String>::new(),
            "{:?}",
            scene.target
        );
        scene.finish().await;
    })
    .await;
}

/// Cases: M-03
#[test]
fn the_heir_writes_exactly_once_under_retain() {
    run(inherits(json!({})));
}

/// Cases: M-03
#[test]
fn the_heir_writes_exactly_once_under_delete_and_nothing_is_deleted() {
    run(inherits(json!({"deletionPolicy": "Delete"})));
}

/// Cases: M-03
#[test]
fn a_name_that_the_owner_gives_up_goes_to_the_next() {
    run(at_each_brisk_api(async |scene| {
        let (a, b) = (scene.value("a"), scene.value("b"));
        scene.secret("source", &[("a", &a), ("b", &b)]).await;
        let delete = json!({"deletionPolicy": "Delete"});
        let both = [("A_KEY", "source", "a"), ("B_KEY", "source", "b")];
        scene.put("owner", &both, &delete).await;
        scene.wait_ready("owner").await;
        let rival = rival(&scene, "heir").await;
        scene
            .put("owner", &[("B_KEY", "source", "b")], &delete)
            .await;
        scene.wait_ready("owner").await;
        if scene.target == crate::support::Target::Pipecat {
            // The set is still the owner's, and the heir's claim is on the whole of it.
            scene.wait_reason("heir", "Conflict").await;
            scene.assert_held(&[("A_KEY", &a), ("B_KEY", &b)]);
        } else {
            scene.wait_held(&[("A_KEY", &rival), ("B_KEY", &b)]).await;
            scene.wait_ready("heir").await;
            assert_eq!(
                scene.deletions(),
                Vec::<String>::new(),
                "{:?}",
                scene.target
            );
        }
        scene.finish().await;
    }));
}

/// Cases: M-03
#[test]
fn a_suspended_owner_keeps_its_names() {
    run(at_each_brisk_api(async |scene| {
        let one = scene.synced("owner", &json!({})).await;
        let suspend = json!({"spec": {"suspend": true}});
        scene
            .patch("owner", suspend)
            .await
            .expect("it is suspended");
        scene.wait_reason("owner", "Suspended").await;
        rival(&scene, "younger").await;
        scene.assert_held(&[("A_KEY", &one)]);
        scene.finish().await;
    }));
}

/// Cases: M-03
#[test]
fn an_owner_that_cannot_sync_keeps_its_names() {
    run(at_each_brisk_api(async |scene| {
        let one = scene.synced("owner", &json!({})).await;
        scene.delete_secret("source").await;
        scene.wait_reason("owner", "SecretNotFound").await;
        rival(&scene, "younger").await;
        scene.assert_held(&[("A_KEY", &one)]);
        scene.secret("source", &[("a", &one)]).await;
        scene.wait_ready("owner").await;
        scene.finish().await;
    }));
}
