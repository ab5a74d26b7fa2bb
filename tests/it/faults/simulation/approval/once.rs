//! An approval counts once, for the plan that was shown; and what began without one waits under a stricter `approval`.

use std::time::Duration;

use rstest::rstest;
use serde_json::json;
use simulator::Fault;

use super::{DOUBT, actions, approve, assert_synced, assert_waits, awaiting, reason};
use crate::faults::simulation::{
    races::at_each,
    world::{World, data, value},
};

const A: (&str, &str) = ("A_KEY", "a");
const B: (&str, &str) = ("B_KEY", "b");

/// Whether status says that a name is being deleted.
fn is_leaving(world: &World, name: &str) -> bool {
    let object = world.object().unwrap_or_default();
    let mut entries = object["status"]["entries"].as_array().into_iter().flatten();
    entries.any(|entry| entry["name"] == name && entry["record"]["leaving"] == true)
}

/// Waits until a deletion has begun that the provider does not answer.
async fn leaves(world: &World, name: &str) {
    let what = "a deletion that has begun";
    let begun = |world: &World| is_leaving(world, name);
    world.wait(what, DOUBT / 6, begun).await;
}

/// The annotation stays on the object, as GitOps keeps it, and the same would be done again.
#[test]
fn an_approval_is_used_up_by_its_plan() {
    at_each(async |world| {
        awaiting(world, "Manual", &[A, B]).await;
        approve(world).await;
        world.entries(&[B]);
        world.quiet().await;
        assert_waits(world, &["Delete A_KEY"]);
        approve(world).await;
        assert_synced(world);
        assert!(!world.held().contains_key("A_KEY"), "{:?}", world.target);

        world.spec(&json!({"approval": "Automatic", "data": data(&[A, B])}));
        world.quiet().await;
        assert_synced(world);
        world.spec(&json!({"approval": "Manual", "data": data(&[B])}));
        world.quiet().await;
        assert_waits(world, &["Delete A_KEY"]);
        assert!(world.held().contains_key("A_KEY"), "{:?}", world.target);
        approve(world).await;
        assert_synced(world);
        assert!(!world.held().contains_key("A_KEY"), "{:?}", world.target);
        world.with_foreign_secret();
    });
}

/// Under `Retain` no plan waits when a name goes, and under `Automatic` no plan at all.
#[rstest]
#[case::that_was_left("Retain", "Manual")]
#[case::that_was_deleted("Delete", "Automatic")]
fn a_name_that_was_forgotten_waits_again(#[case] deletion: &str, #[case] meanwhile: &str) {
    at_each(async |world| {
        world.without_foreign_set();
        let policies = json!({"approval": "Manual", "deletionPolicy": deletion});
        world.spec(&policies);
        world.entries(&[A, B]);
        world.quiet().await;
        approve(world).await;
        assert_synced(world);
        world.spec(&json!({"approval": meanwhile, "data": data(&[B])}));
        world.quiet().await;
        assert_synced(world);
        // Another client has the name now.
        world.foreign_write("A_KEY", "theirs");
        world.spec(&json!({"approval": "Manual", "data": data(&[A, B])}));
        world.quiet().await;
        let target = world.target;
        assert_eq!(
            reason(world).as_deref(),
            Some("AwaitingApproval"),
            "{target:?}"
        );
        assert_eq!(world.held()["A_KEY"], "theirs", "{target:?}");
        approve(world).await;
        assert_synced(world);
        assert_eq!(world.held()["A_KEY"], value("a1"), "{target:?}");
        world.with_foreign_secret();
    });
}

/// A deletion that the provider does not answer is stopped by a stricter `approval`.
#[test]
fn a_deletion_that_began_without_approval_waits() {
    at_each(async |world| {
        // The names that stay were approved before.
        awaiting(world, "Manual", &[B]).await;
        approve(world).await;
        world.spec(&json!({"approval": "Automatic", "data": data(&[A, B])}));
        world.quiet().await;
        assert_synced(world);
        world.account.add_fault(Fault::status(503).forever());
        world.entries(&[B]);
        leaves(world, "A_KEY").await;
        world.spec(&json!({"approval": "Manual"}));
        world.account.clear_faults();
        let waits = |world: &World| world.plan().is_some();
        world
            .wait("a plan that waits", Duration::from_hours(2), waits)
            .await;
        world.quiet().await;
        assert_waits(world, &["Delete A_KEY"]);
        assert!(!is_leaving(world, "A_KEY"), "{:?}", world.target);
        assert!(world.held().contains_key("A_KEY"), "{:?}", world.target);
        approve(world).await;
        assert_synced(world);
        assert!(!world.held().contains_key("A_KEY"), "{:?}", world.target);
        world.with_foreign_secret();
    });
}

/// The same of a deleted object, within the minute in which it is cleaned up.
#[test]
fn a_cleanup_that_began_without_approval_waits() {
    at_each(async |world| {
        awaiting(world, "Automatic", &[A]).await;
        assert_synced(world);
        world.account.add_fault(Fault::status(503).forever());
        world.delete();
        leaves(world, "A_KEY").await;
        world.spec(&json!({"approval": "Manual"}));
        world.account.clear_faults();
        let waits = |world: &World| world.plan().is_some();
        world.wait("a plan that waits", DOUBT / 3, waits).await;
        assert_eq!(actions(world), ["Delete A_KEY"], "{:?}", world.target);
        assert!(world.held().contains_key("A_KEY"), "{:?}", world.target);
        world.approve();
        let is_gone = |world: &World| world.object().is_none();
        world.wait("that it is gone", DOUBT / 3, is_gone).await;
        assert!(!world.held().contains_key("A_KEY"), "{:?}", world.target);
        world.with_foreign_secret();
    });
}
