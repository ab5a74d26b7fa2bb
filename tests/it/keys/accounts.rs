//! C-22: a valid key, and of somebody else's account.

use provider_secrets::api::ProviderSecret;
use serde_json::json;

use super::at_each_brisk_api;
use crate::support::{Scene, Stage, Target, condition, run, until};

/// Another account at the same provider. At Baseten a team belongs to one organization, so that
/// another key does not open it.
async fn other(target: Target) -> Scene<'static> {
    let stage = Stage::brisk().await;
    let scene = Scene::new(stage, target).await;
    if target != Target::BasetenTeam {
        return scene;
    }
    let key = format!("{}-other", scene.key);
    let new = simulator::baseten::NewAccount::new(format!("{}-other", scene.namespace), &*key);
    let account = stage
        .simulator()
        .baseten()
        .add_account(new.team("team9", "nine"));
    let mut own = scene
        .beside(&account.expect("an account is added"), &key)
        .await;
    own.shares = None;
    own
}

/// Waits until the object says that a person must act.
async fn wait_stalled(scene: &Scene<'_>, name: &str) -> ProviderSecret {
    // A team that the key does not open is not found; all others open something else.
    let reason = if scene.target == Target::BasetenTeam {
        "TargetNotFound"
    } else {
        "AccountChanged"
    };
    let object = scene.wait_reason(name, reason).await;
    assert!(
        condition(&object, "Stalled").is_some(),
        "{:#?}",
        object.status
    );
    object
}

/// Cases: C-22
#[test]
fn a_key_of_another_account_moves_nothing_and_the_old_one_heals() {
    run(at_each_brisk_api(async |scene| {
        let one = scene.synced("keyed", &json!({})).await;
        let other = other(scene.target).await;
        let writes = scene.writes();
        scene.secret("credential", &[("api-key", &other.key)]).await;
        wait_stalled(&scene, "keyed").await;
        // A rotation does not move it either.
        let two = scene.value("two");
        scene.secret("source", &[("a", &two)]).await;
        until("status knows the new source", async || {
            let object = scene.get("keyed").await;
            let stalled = condition(&object, "Stalled").map(|one| one.reason.clone());
            stalled.ok_or_else(|| "not stalled".to_owned())
        })
        .await;
        wait_stalled(&scene, "keyed").await;
        assert_eq!(scene.writes(), writes, "{:?}", scene.target);
        assert_eq!(other.writes(), Vec::<String>::new(), "{:?}", scene.target);
        scene.assert_held(&[("A_KEY", &one)]);
        scene.secret("credential", &[("api-key", &scene.key)]).await;
        scene.wait_held(&[("A_KEY", &two)]).await;
        scene.wait_ready("keyed").await;
        assert_eq!(scene.writes().len(), writes.len() + 1, "{:?}", scene.target);
        assert_eq!(other.writes(), Vec::<String>::new(), "{:?}", scene.target);
        other.finish().await;
        scene.finish().await;
    }));
}

/// Cases: C-22
#[test]
fn the_old_key_comes_back_with_nothing_changed_and_nothing_is_written() {
    run(at_each_brisk_api(async |scene| {
        scene.synced("keyed", &json!({})).await;
        let other = other(scene.target).await;
        let writes = scene.writes();
        scene.secret("credential", &[("api-key", &other.key)]).await;
        wait_stalled(&scene, "keyed").await;
        scene.secret("credential", &[("api-key", &scene.key)]).await;
        scene.wait_ready("keyed").await;
        let told = scene.events("DriftDetected").await;
        assert_eq!(scene.writes(), writes, "{:?} {told:?}", scene.target);
        other.finish().await;
        scene.finish().await;
    }));
}

/// Cases: C-22
#[test]
fn the_new_account_is_taken_when_a_sync_is_requested() {
    run(at_each_brisk_api(async |scene| {
        if scene.target == Target::BasetenTeam {
            return;
        }
        let one = scene.synced("keyed", &json!({})).await;
        let other = other(scene.target).await;
        let writes = scene.writes();
        scene.secret("credential", &[("api-key", &other.key)]).await;
        wait_stalled(&scene, "keyed").await;
        scene.request_sync("keyed").await;
        scene.wait_ready("keyed").await;
        other.assert_held(&[("A_KEY", &one)]);
        assert_eq!(scene.writes(), writes, "{:?}", scene.target);
        // What is in the old account stays there.
        scene.assert_held(&[("A_KEY", &one)]);
        assert_eq!(other.writes().len(), 1, "{:?}", scene.target);
        other.finish_leaving(&["A_KEY"]).await;
        scene.finish().await;
    }));
}

/// Cases: C-22
#[test]
fn a_key_of_another_account_deletes_nothing_in_it() {
    run(at_each_brisk_api(async |scene| {
        let delete = json!({"deletionPolicy": "Delete"});
        let one = scene.synced("keyed", &delete).await;
        let other = other(scene.target).await;
        match scene.target {
            Target::BasetenTeam => other.stranger_in(Some("team9"), "A_KEY"),
            // A set shows names only: one with the same key in it cannot be told from ours.
            Target::Pipecat => other.stranger("OTHER_KEY"),
            _ => other.stranger("A_KEY"),
        };
        scene.secret("credential", &[("api-key", &other.key)]).await;
        wait_stalled(&scene, "keyed").await;
        scene.delete("keyed").await;
        // Until the end of its time: it cannot be done.
        scene.wait_gone("keyed").await;
        let note = scene.wait_event("DeletionSkipped").await;
        assert!(note.contains("A_KEY"), "{note}");
        assert_eq!(other.writes(), Vec::<String>::new(), "{:?}", scene.target);
        scene.assert_held(&[("A_KEY", &one)]);
        other.finish().await;
        scene.finish_leaving(&["A_KEY"]).await;
    }));
}
