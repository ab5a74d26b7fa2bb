//! Pipecat's sets, of which only our keys go, and Baseten's teams, of which only the right one is asked.

use std::collections::BTreeMap;

use simulator::{NewKey, baseten, pipecat};

use super::delete;
use crate::harness::{Scene, Stage, Target, run};

async fn pipecat() -> Scene<'static> {
    Scene::new(Stage::brisk().await, Target::Pipecat).await
}

#[test]
fn of_a_set_that_was_there_only_our_keys_go() {
    run(async {
        let scene = pipecat().await;
        let theirs = scene.stranger("THEIR_KEY");
        scene.synced("gone", &delete()).await;
        scene.delete("gone").await;
        scene.wait_gone("gone").await;
        scene.assert_held(&[("THEIR_KEY", &theirs)]);
        assert_eq!(scene.deletions(), ["DELETE /v1/secrets/agents/A_KEY"]);
        scene.finish().await;
    });
}

#[test]
fn a_set_that_we_made_goes_with_its_last_key() {
    run(async {
        let scene = pipecat().await;
        scene.synced("gone", &delete()).await;
        scene.delete("gone").await;
        scene.wait_gone("gone").await;
        let sets = scene.stage.simulator().pipecat().sets(&scene.account);
        assert_eq!(sets, BTreeMap::new());
        scene.finish().await;
    });
}

#[test]
fn a_set_that_we_made_stays_with_the_key_of_somebody_else() {
    run(async {
        let scene = pipecat().await;
        scene.synced("gone", &delete()).await;
        let theirs = scene.stranger("THEIR_KEY");
        scene.delete("gone").await;
        scene.wait_gone("gone").await;
        scene.assert_held(&[("THEIR_KEY", &theirs)]);
        scene.finish().await;
    });
}

#[test]
fn a_set_that_was_there_and_is_empty_in_the_end_stays() {
    run(async {
        let scene = pipecat().await;
        scene.stranger("THEIR_KEY");
        scene.synced("gone", &delete()).await;
        scene.forget_stranger("THEIR_KEY");
        scene.foreign_delete("THEIR_KEY");
        scene.delete("gone").await;
        scene.wait_gone("gone").await;
        let sets = scene.stage.simulator().pipecat().sets(&scene.account);
        assert!(sets.contains_key("agents"), "{sets:?}");
        scene.finish().await;
    });
}

#[test]
fn a_set_that_vanishes_with_its_last_key_is_no_trouble() {
    run(async {
        let scene = pipecat().await;
        let pipecat = scene.stage.simulator().pipecat();
        pipecat.set_variants(&scene.account, |variants| {
            variants.emptied_set = pipecat::EmptiedSet::Vanishes;
        });
        scene.synced("gone", &delete()).await;
        scene.delete("gone").await;
        scene.wait_gone("gone").await;
        assert!(scene.events("DeletionSkipped").await.is_empty());
        scene.finish().await;
    });
}

/// An account at Baseten whose key writes to a team that is not the default team; the scene has it
/// as its credential.
async fn two_teams(number: u32) -> Scene<'static> {
    let stage = Stage::brisk().await;
    let scene = Scene::new(stage, Target::BasetenWorkspace).await;
    let key = NewKey {
        primary_team: Some("primary".to_owned()),
        ..NewKey::new(format!("{}-primary", scene.key))
    };
    let new = baseten::NewAccount::new(format!("{}-{number}", scene.namespace), key.clone())
        .team("default", "default")
        .team("primary", "ours")
        .team("third", "theirs");
    let account = stage.simulator().baseten().add_account(new);
    let account = account.expect("an account is added");
    let mut own = scene.beside(&account, &key.key).await;
    own.shares = None;
    own
}

#[test]
fn at_baseten_the_team_that_was_written_to_is_the_one_that_loses_the_secret() {
    run(async {
        let scene = two_teams(0).await;
        let theirs = [Some("default"), Some("third")];
        for team in theirs {
            scene.stranger_in(team, "A_KEY");
        }
        scene.synced("gone", &delete()).await;
        assert_eq!(scene.account.values(Some("primary")).len(), 1);
        scene.delete("gone").await;
        scene.wait_gone("gone").await;
        assert_eq!(scene.account.values(Some("primary")), BTreeMap::new());
        scene.finish().await;
    });
}

#[test]
fn at_baseten_without_team_names_and_ids_nothing_foreign_is_deleted() {
    run(async {
        let scene = two_teams(1).await;
        let baseten = scene.stage.simulator().baseten();
        baseten.set_variants(&scene.account, |variants| {
            variants.team_name = false;
            variants.id = false;
        });
        scene.stranger_in(Some("default"), "A_KEY");
        scene.synced("gone", &delete()).await;
        scene.delete("gone").await;
        scene.wait_gone("gone").await;
        let note = scene.wait_event("DeletionSkipped").await;
        assert!(note.contains("A_KEY"), "{note}");
        scene.finish_leaving(&["A_KEY"]).await;
    });
}

#[test]
fn at_baseten_without_team_names_a_name_that_only_we_have_is_not_deleted_elsewhere() {
    run(async {
        let scene = two_teams(2).await;
        let baseten = scene.stage.simulator().baseten();
        baseten.set_variants(&scene.account, |variants| variants.team_name = false);
        scene.stranger_in(Some("default"), "B_KEY");
        scene.synced("gone", &delete()).await;
        scene.delete("gone").await;
        scene.wait_gone("gone").await;
        // A deletion by name goes to the default team, which has no such name: it is left in the
        // primary team or gone, and what is left is told.
        let left = scene.account.values(Some("primary"));
        if !left.is_empty() {
            let note = scene.wait_event("DeletionSkipped").await;
            assert!(note.contains("A_KEY"), "{note}");
        }
        scene.finish_leaving(&["A_KEY"]).await;
    });
}
