//! Plans that wait for a person: what is shown is what is done, and nothing is done before.

mod once; // an approval counts once
mod predicted; // what a plan says is what is sent
mod sources; // what is approved of whole Secrets

use std::time::Duration;

use rstest::rstest;
use serde_json::{Value, json};
use simulator::Fault;
use tokio::time::sleep;

use super::{
    races::at_each,
    world::{DELETION_TIMEOUT, World, value},
};
use crate::harness::Target;

/// How long the operator knows of a deletion from before its start before it trusts its clock, which is months ahead of
/// the API server's: then the time of that deletion is over.
const DOUBT: Duration = Duration::from_mins(1);

/// An object with these entries whose plans wait.
async fn awaiting(world: &mut World, approval: &str, entries: &[(&str, &str)]) {
    world.without_foreign_set();
    world.spec(&json!({"approval": approval, "deletionPolicy": "Delete"}));
    world.entries(entries);
    world.quiet().await;
}

/// The actions of the plan that waits, such as `Create A_KEY`; none where none waits.
fn actions(world: &World) -> Vec<String> {
    let plan = world.plan().unwrap_or_default();
    let actions = plan["actions"].as_array().cloned().unwrap_or_default();
    let text = |action: &Value, field: &str| action[field].as_str().unwrap_or_default().to_owned();
    actions
        .iter()
        .map(|action| format!("{} {}", text(action, "action"), text(action, "name")))
        .collect()
}

fn reason(world: &World) -> Option<String> {
    world.ready_reason("object")
}

/// Approves the plan that waits, and lets the operator work.
async fn approve(world: &mut World) {
    world.approve();
    world.quiet().await;
}

#[track_caller]
fn assert_waits(world: &World, expected: &[&str]) {
    let target = world.target;
    assert_eq!(
        reason(world).as_deref(),
        Some("AwaitingApproval"),
        "{target:?}"
    );
    assert_eq!(actions(world), expected, "{target:?}");
}

#[track_caller]
fn assert_synced(world: &World) {
    let target = world.target;
    assert_eq!(reason(world).as_deref(), Some("Synced"), "{target:?}");
    assert_eq!(world.plan(), None, "{target:?}");
}

#[test]
fn first_writes_and_deletions_wait_and_rotations_do_not() {
    at_each(async |world| {
        awaiting(world, "Manual", &[("A_KEY", "a")]).await;
        assert_waits(world, &["Create A_KEY"]);
        sleep(Duration::from_mins(30)).await;
        assert_eq!(world.provider_writes(), 0, "{:?}", world.target);
        approve(world).await;
        assert_synced(world);
        assert_eq!(world.held()["A_KEY"], value("a1"));

        world.rotate("a2");
        world.quiet().await;
        assert_synced(world);
        assert_eq!(world.held()["A_KEY"], value("a2"), "{:?}", world.target);

        world.entries(&[("A_KEY", "a"), ("B_KEY", "b")]);
        world.quiet().await;
        assert_waits(world, &["Create B_KEY"]);
        let before = world.provider_writes();
        world.rotate("a3");
        world.quiet().await;
        // The names are others than those that were approved.
        assert_waits(world, &["Update A_KEY", "Create B_KEY"]);
        assert_eq!(world.provider_writes(), before, "{:?}", world.target);
        approve(world).await;
        assert_synced(world);

        world.entries(&[("B_KEY", "b")]);
        world.quiet().await;
        assert_waits(world, &["Delete A_KEY"]);
        assert_eq!(world.held()["A_KEY"], value("a3"), "{:?}", world.target);
        approve(world).await;
        assert_synced(world);
        assert!(!world.held().contains_key("A_KEY"), "{:?}", world.target);
        world.with_foreign_secret();
    });
}

#[test]
fn every_change_waits_where_the_spec_says_so() {
    at_each(async |world| {
        awaiting(world, "ManualEveryChange", &[("A_KEY", "a")]).await;
        approve(world).await;
        assert_synced(world);
        world.rotate("a2");
        world.quiet().await;
        assert_waits(world, &["Update A_KEY"]);
        let first = world.plan().unwrap()["hash"].clone();
        world.rotate("a3");
        world.quiet().await;
        assert_ne!(world.plan().unwrap()["hash"], first, "another value");
        assert_eq!(world.held()["A_KEY"], value("a1"), "{:?}", world.target);
        world.approve_plan(&first);
        world.quiet().await;
        assert_waits(world, &["Update A_KEY"]);
        approve(world).await;
        assert_synced(world);
        assert_eq!(world.held()["A_KEY"], value("a3"), "{:?}", world.target);
        world.with_foreign_secret();
    });
}

/// A plan grows old: what is approved is what is still to be done, or nothing.
#[test]
fn an_approval_of_another_plan_sends_nothing() {
    at_each(async |world| {
        world.annotate();
        awaiting(world, "Manual", &[("A_KEY", "a")]).await;
        world.approve_plan(&json!("0123456789abcdef"));
        world.quiet().await;
        assert_waits(world, &["Create A_KEY"]);
        let old = world.plan().unwrap()["hash"].clone();
        // Between the look at the plan and its approval the spec asks for more.
        world.entries(&[("A_KEY", "a"), ("B_KEY", "b")]);
        world.approve_plan(&old);
        world.quiet().await;
        assert_waits(world, &["Create A_KEY", "Create B_KEY"]);
        assert_eq!(world.provider_writes(), 0, "{:?}", world.target);
        // And less again: this plan was approved.
        world.entries(&[("A_KEY", "a")]);
        world.quiet().await;
        assert_synced(world);
        world.with_foreign_secret();
    });
}

#[test]
fn another_writer_between_plan_and_approval_makes_another_plan() {
    at_each(async |world| {
        awaiting(world, "Manual", &[("A_KEY", "a"), ("B_KEY", "b")]).await;
        world.spec(&json!({"conflictPolicy": "Fail"}));
        world.quiet().await;
        assert_waits(world, &["Create A_KEY", "Create B_KEY"]);
        let hash = world.plan().unwrap()["hash"].clone();
        world.foreign_write("A_KEY", "theirs");
        world.approve_plan(&hash);
        world.quiet().await;
        let target = world.target;
        assert_eq!(world.held()["A_KEY"], "theirs", "{target:?}");
        assert_eq!(world.provider_writes(), 0, "{target:?}");
        if target == Target::Pipecat {
            // The set is another client's now.
            assert_eq!(actions(world), Vec::<String>::new());
        } else {
            assert_eq!(actions(world), ["Refuse A_KEY", "Create B_KEY"]);
            approve(world).await;
            assert_eq!(world.held()["B_KEY"], value("b1"), "{target:?}");
        }
        assert_eq!(reason(world).as_deref(), Some("Conflict"), "{target:?}");
        world.delete();
        sleep(DELETION_TIMEOUT + DOUBT).await;
        world.with_foreign_secret();
    });
}

/// What was refused when a person looked was not approved: it waits when it can be written.
#[test]
fn what_could_not_be_written_waits_when_it_can() {
    at_each(async |world| {
        world.source(&[("a", "a1")]);
        awaiting(world, "Manual", &[("A_KEY", "a"), ("B_KEY", "b")]).await;
        assert_waits(world, &["Create A_KEY", "Refuse B_KEY"]);
        approve(world).await;
        assert_eq!(world.held()["A_KEY"], value("a1"), "{:?}", world.target);
        world.source(&[("a", "a1"), ("b", "b1")]);
        world.quiet().await;
        assert_waits(world, &["Create B_KEY"]);
        assert!(!world.held().contains_key("B_KEY"), "{:?}", world.target);
        approve(world).await;
        assert_synced(world);
        world.with_foreign_secret();
    });
}

/// A provider that cannot be reached meanwhile approves nothing.
#[rstest]
fn an_outage_approves_no_deletion(
    #[values(503, 429, 401)] status: u16,
    #[values(false, true)] is_shown: bool,
) {
    at_each(async |world| {
        awaiting(world, "Manual", &[("A_KEY", "a"), ("B_KEY", "b")]).await;
        approve(world).await;
        assert_synced(world);
        if is_shown {
            world.entries(&[("B_KEY", "b")]);
            world.quiet().await;
            assert_waits(world, &["Delete A_KEY"]);
        }
        world.account.add_fault(Fault::status(status).forever());
        // The account is asked, and its circuit opens.
        world.request_sync("outage");
        sleep(DOUBT / 4).await;
        world.entries(&[("B_KEY", "b")]);
        world.annotate();
        sleep(DOUBT).await;
        world.account.clear_faults();
        sleep(Duration::from_hours(2)).await;
        assert_waits(world, &["Delete A_KEY"]);
        assert!(world.held().contains_key("A_KEY"), "{:?}", world.target);
        approve(world).await;
        assert_synced(world);
        assert!(!world.held().contains_key("A_KEY"), "{:?}", world.target);
        world.with_foreign_secret();
    });
}

/// A first deletion that fails, and another one that was not shown.
#[test]
fn an_approved_cleanup_goes_on_and_deletes_nothing_else() {
    at_each(async |world| {
        awaiting(world, "Manual", &[("A_KEY", "a"), ("B_KEY", "b")]).await;
        approve(world).await;
        world.delete();
        sleep(DOUBT / 6).await;
        assert_eq!(
            actions(world),
            ["Delete A_KEY", "Delete B_KEY"],
            "{:?}",
            world.target
        );
        world.account.add_fault(Fault::status(503));
        world.approve();
        // The wait for approval has made the waits between tries longer.
        sleep(2 * DOUBT).await;
        assert_eq!(world.object(), None, "{:?}", world.target);
        let held = world.held();
        assert!(
            !held.contains_key("A_KEY") && !held.contains_key("B_KEY"),
            "{:?}",
            world.target
        );
        world.with_foreign_secret();
    });
}

#[test]
fn a_restart_between_plan_and_approval_changes_nothing() {
    at_each(async |world| {
        awaiting(world, "Manual", &[("A_KEY", "a"), ("B_KEY", "b")]).await;
        let plan = world.plan();
        world.down().await;
        world.up();
        world.quiet().await;
        assert_eq!(world.plan(), plan, "{:?}", world.target);
        // It is approved while no operator runs.
        world.down().await;
        world.approve();
        world.up();
        world.quiet().await;
        assert_synced(world);
        world.down().await;
        world.up();
        world.rotate("a2");
        world.quiet().await;
        assert_synced(world);
        assert_eq!(world.held()["A_KEY"], value("a2"), "{:?}", world.target);
        world.with_foreign_secret();
    });
}

/// The API key is a part of what was approved.
#[test]
fn another_api_key_needs_another_approval() {
    at_each(async |world| {
        awaiting(world, "Manual", &[("A_KEY", "a")]).await;
        approve(world).await;
        assert_synced(world);
        let key = format!("{}-second-key", crate::harness::CANARY);
        world.account.add_key(&*key).expect("a key");
        world.secret("credential", &[("api-key", key)].into());
        world.quiet().await;
        assert_synced(world);
        world.rotate("a2");
        world.quiet().await;
        assert_waits(world, &["Update A_KEY"]);
        approve(world).await;
        assert_synced(world);
        world.with_foreign_secret();
    });
}

/// Cases: A-23
#[test]
fn a_deleted_object_waits_for_approval_and_not_for_ever() {
    at_each(async |world| {
        awaiting(world, "Manual", &[("A_KEY", "a")]).await;
        approve(world).await;
        world.delete();
        sleep(DOUBT / 2).await;
        assert!(
            world.message().contains("waits for approval: 1 to delete"),
            "{}",
            world.message()
        );
        assert_eq!(actions(world), ["Delete A_KEY"], "{:?}", world.target);
        assert!(world.held().contains_key("A_KEY"), "{:?}", world.target);
        // Half of the targets wait until the operator gives it up.
        let is_approved = matches!(
            world.target,
            Target::BasetenTeam | Target::Pipecat | Target::Braintrust
        );
        if is_approved {
            approve(world).await;
        } else {
            // The operator has seen the deletion begin, so its clock ends nothing early.
            sleep(DELETION_TIMEOUT.saturating_sub(DOUBT)).await;
            assert!(world.object().is_some(), "{:?}", world.target);
            sleep(DOUBT).await;
        }
        assert_eq!(world.object(), None, "{:?}", world.target);
        let is_held = world.held().contains_key("A_KEY");
        assert_eq!(is_held, !is_approved, "{:?}", world.target);
        let is_told = world
            .notes("DeletionSkipped")
            .iter()
            .any(|note| note.contains("A_KEY"));
        assert_eq!(is_told, !is_approved, "{:?}", world.target);
        world.with_foreign_secret();
    });
}

#[test]
fn a_suspended_object_shows_what_would_be_done() {
    at_each(async |world| {
        world.spec(&json!({"suspend": true}));
        world.entries(&[("A_KEY", "a")]);
        world.quiet().await;
        assert_eq!(reason(world).as_deref(), Some("Suspended"));
        assert_eq!(actions(world), ["Create A_KEY"], "{:?}", world.target);
        world.spec(&json!({"suspend": false}));
        world.quiet().await;
        assert_synced(world);
        world.spec(&json!({"suspend": true}));
        world.quiet().await;
        assert_eq!(world.plan(), None, "{:?}", world.target);
        world.spec(&json!({"suspend": false}));
    });
}
