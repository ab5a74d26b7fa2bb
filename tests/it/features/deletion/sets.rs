//! Pipecat's sets, of which only our keys go, and Baseten's teams, of which only the right one is asked.

use std::collections::BTreeMap;

use simulator::{NewKey, baseten, pipecat};

use crate::harness::{Target, TestCase, TestEnv, delete_policy, run};

async fn pipecat() -> TestCase<'static> {
    TestCase::new(TestEnv::verifying().await, Target::Pipecat).await
}

#[test]
fn of_a_set_that_was_there_only_our_keys_go() {
    run(async {
        let case = pipecat().await;
        let theirs = case.foreign_secret("THEIR_KEY");
        case.synced("gone", &delete_policy()).await;
        case.delete("gone").await;
        case.wait_gone("gone").await;
        case.assert_held(&[("THEIR_KEY", &theirs)]);
        assert_eq!(case.deletions(), ["DELETE /v1/secrets/agents/A_KEY"]);
        case.finish().await;
    });
}

#[test]
fn a_set_that_we_made_goes_with_its_last_key() {
    run(async {
        let case = pipecat().await;
        case.synced("gone", &delete_policy()).await;
        case.delete("gone").await;
        case.wait_gone("gone").await;
        let sets = case.env.simulator().pipecat().sets(&case.account);
        assert_eq!(sets, BTreeMap::new());
        case.finish().await;
    });
}

#[test]
fn a_set_that_we_made_stays_with_the_foreign_key_in_it() {
    run(async {
        let case = pipecat().await;
        case.synced("gone", &delete_policy()).await;
        let theirs = case.foreign_secret("THEIR_KEY");
        case.delete("gone").await;
        case.wait_gone("gone").await;
        case.assert_held(&[("THEIR_KEY", &theirs)]);
        case.finish().await;
    });
}

#[test]
fn a_set_that_was_there_and_is_empty_in_the_end_stays() {
    run(async {
        let case = pipecat().await;
        case.foreign_secret("THEIR_KEY");
        case.synced("gone", &delete_policy()).await;
        case.release_foreign_secret("THEIR_KEY");
        case.foreign_delete("THEIR_KEY");
        case.delete("gone").await;
        case.wait_gone("gone").await;
        let sets = case.env.simulator().pipecat().sets(&case.account);
        assert!(sets.contains_key("agents"), "{sets:?}");
        case.finish().await;
    });
}

#[test]
fn a_set_that_vanishes_with_its_last_key_is_no_trouble() {
    run(async {
        let case = pipecat().await;
        let pipecat = case.env.simulator().pipecat();
        pipecat.set_variants(&case.account, |variants| {
            variants.emptied_set = pipecat::EmptiedSet::Vanishes;
        });
        case.synced("gone", &delete_policy()).await;
        case.delete("gone").await;
        case.wait_gone("gone").await;
        assert!(case.events("DeletionSkipped").await.is_empty());
        case.finish().await;
    });
}

/// An account at Baseten whose key writes to a team that is not the default team; the test case has it
/// as its credential.
async fn two_teams(number: u32) -> TestCase<'static> {
    let env = TestEnv::verifying().await;
    let case = TestCase::new(env, Target::BasetenWorkspace).await;
    let key = NewKey {
        primary_team: Some("primary".to_owned()),
        ..NewKey::new(format!("{}-primary", case.key))
    };
    let new = baseten::NewAccount::new(format!("{}-{number}", case.namespace), key.clone())
        .team("default", "default")
        .team("primary", "ours")
        .team("third", "theirs");
    let account = env.simulator().baseten().add_account(new);
    let account = account.expect("an account is added");
    let mut own = case.with_account(&account, &key.key).await;
    own.shares = None;
    own
}

#[test]
fn at_baseten_the_team_that_was_written_to_is_the_one_that_loses_the_secret() {
    run(async {
        let case = two_teams(0).await;
        let theirs = [Some("default"), Some("third")];
        for team in theirs {
            case.foreign_secret_in(team, "A_KEY");
        }
        case.synced("gone", &delete_policy()).await;
        assert_eq!(case.account.values(Some("primary")).len(), 1);
        case.delete("gone").await;
        case.wait_gone("gone").await;
        assert_eq!(case.account.values(Some("primary")), BTreeMap::new());
        case.finish().await;
    });
}

#[test]
fn at_baseten_without_team_names_and_ids_nothing_foreign_is_deleted() {
    run(async {
        let case = two_teams(1).await;
        let baseten = case.env.simulator().baseten();
        baseten.set_variants(&case.account, |variants| {
            variants.team_name = false;
            variants.id = false;
        });
        case.foreign_secret_in(Some("default"), "A_KEY");
        case.synced("gone", &delete_policy()).await;
        case.delete("gone").await;
        case.wait_gone("gone").await;
        let note = case.wait_event("DeletionSkipped").await;
        assert!(note.contains("A_KEY"), "{note}");
        case.finish_leaving(&["A_KEY"]).await;
    });
}

#[test]
fn at_baseten_without_team_names_a_name_that_only_we_have_is_not_deleted_elsewhere() {
    run(async {
        let case = two_teams(2).await;
        let baseten = case.env.simulator().baseten();
        baseten.set_variants(&case.account, |variants| variants.team_name = false);
        case.foreign_secret_in(Some("default"), "B_KEY");
        case.synced("gone", &delete_policy()).await;
        case.delete("gone").await;
        case.wait_gone("gone").await;
        // A deletion by name goes to the default team, which has no such name: it is left in the
        // primary team or gone, and what is left is reported.
        let left = case.account.values(Some("primary"));
        if !left.is_empty() {
            let note = case.wait_event("DeletionSkipped").await;
            assert!(note.contains("A_KEY"), "{note}");
        }
        case.finish_leaving(&["A_KEY"]).await;
    });
}
