//! C-22: a valid key of another account.

use provider_secrets::api::ProviderSecret;
use serde_json::json;

use crate::harness::at_each_api_verifying;
use crate::harness::{Target, TestCase, TestEnv, calls, condition, delete_policy, run, until};

/// Another account at the same provider. At Baseten a team belongs to one organization, so that
/// another key does not open it.
async fn other(target: Target) -> TestCase<'static> {
    let env = TestEnv::verifying().await;
    let case = TestCase::new(env, target).await;
    if target != Target::BasetenTeam {
        return case;
    }
    let key = format!("{}-other", case.key);
    let new = simulator::baseten::NewAccount::new(format!("{}-other", case.namespace), &*key);
    let account = env
        .simulator()
        .baseten()
        .add_account(new.team("team9", "nine"));
    let mut own = case
        .with_account(&account.expect("an account is added"), &key)
        .await;
    own.shares = None;
    own
}

/// How often the operator has read the Secret `source`.
async fn source_reads(case: &TestCase<'_>) -> usize {
    let mut calls = calls(case.env, &case.namespace).await;
    calls.retain(|call| (call.resource.as_str(), call.name.as_str()) == ("secrets", "source"));
    calls.len()
}

/// Waits until the object is stalled.
async fn wait_stalled(case: &TestCase<'_>, name: &str) -> ProviderSecret {
    // A team that the key does not open is not found; all others open something else.
    let reason = if case.target == Target::BasetenTeam {
        "TargetNotFound"
    } else {
        "AccountChanged"
    };
    let object = case.wait_reason(name, reason).await;
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
    run(at_each_api_verifying(async |case| {
        let one = case.synced("keyed", &json!({})).await;
        let other = other(case.target).await;
        let writes = case.writes();
        case.secret("credential", &[("api-key", &other.key)]).await;
        wait_stalled(&case, "keyed").await;
        // A rotation does not move it either. That it was acted on shows in the operator's calls alone.
        let before = source_reads(&case).await;
        let two = case.value("two");
        case.secret("source", &[("a", &two)]).await;
        until("the new source is read", async || {
            let reads = source_reads(&case).await;
            (reads > before)
                .then_some(())
                .ok_or_else(|| format!("{:?} {reads}", case.target))
        })
        .await;
        wait_stalled(&case, "keyed").await;
        assert_eq!(case.writes(), writes, "{:?}", case.target);
        assert_eq!(other.writes(), Vec::<String>::new(), "{:?}", case.target);
        case.assert_held(&[("A_KEY", &one)]);
        case.secret("credential", &[("api-key", &case.key)]).await;
        case.wait_held(&[("A_KEY", &two)]).await;
        case.wait_ready("keyed").await;
        assert_eq!(case.writes().len(), writes.len() + 1, "{:?}", case.target);
        assert_eq!(other.writes(), Vec::<String>::new(), "{:?}", case.target);
        other.finish().await;
        case.finish().await;
    }));
}

/// Cases: C-22
#[test]
fn the_old_key_comes_back_with_nothing_changed_and_nothing_is_written() {
    run(at_each_api_verifying(async |case| {
        case.synced("keyed", &json!({})).await;
        let other = other(case.target).await;
        let writes = case.writes();
        case.secret("credential", &[("api-key", &other.key)]).await;
        wait_stalled(&case, "keyed").await;
        case.secret("credential", &[("api-key", &case.key)]).await;
        case.wait_ready("keyed").await;
        let events = case.events("DriftDetected").await;
        assert_eq!(case.writes(), writes, "{:?} {events:?}", case.target);
        other.finish().await;
        case.finish().await;
    }));
}

/// Cases: C-22
#[test]
fn the_new_account_is_taken_when_a_sync_is_requested() {
    run(at_each_api_verifying(async |case| {
        if case.target == Target::BasetenTeam {
            return;
        }
        let one = case.synced("keyed", &json!({})).await;
        let other = other(case.target).await;
        let writes = case.writes();
        case.secret("credential", &[("api-key", &other.key)]).await;
        wait_stalled(&case, "keyed").await;
        case.request_sync("keyed").await;
        case.wait_ready("keyed").await;
        other.assert_held(&[("A_KEY", &one)]);
        assert_eq!(case.writes(), writes, "{:?}", case.target);
        // What is in the old account stays there.
        case.assert_held(&[("A_KEY", &one)]);
        assert_eq!(other.writes().len(), 1, "{:?}", case.target);
        other.finish_leaving(&["A_KEY"]).await;
        case.finish().await;
    }));
}

/// Cases: C-22
#[test]
fn a_key_of_another_account_deletes_nothing_in_it() {
    run(at_each_api_verifying(async |case| {
        let delete = delete_policy();
        let one = case.synced("keyed", &delete).await;
        let other = other(case.target).await;
        match case.target {
            Target::BasetenTeam => other.foreign_secret_in(Some("team9"), "A_KEY"),
            // A set shows names only: one with the same key in it cannot be told from ours.
            Target::Pipecat => other.foreign_secret("OTHER_KEY"),
            _ => other.foreign_secret("A_KEY"),
        };
        case.secret("credential", &[("api-key", &other.key)]).await;
        wait_stalled(&case, "keyed").await;
        case.delete("keyed").await;
        // Until the end of its time: it cannot be done.
        case.wait_gone("keyed").await;
        let note = case.wait_event("DeletionSkipped").await;
        assert!(note.contains("A_KEY"), "{note}");
        assert_eq!(other.writes(), Vec::<String>::new(), "{:?}", case.target);
        case.assert_held(&[("A_KEY", &one)]);
        other.finish().await;
        case.finish_leaving(&["A_KEY"]).await;
    }));
}
