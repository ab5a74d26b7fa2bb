//! An approval counts once: for the plan that was shown, and for what that plan leaves to be done.

use rstest::rstest;
use serde_json::json;

use super::{approve, assert_synced, assert_waits, awaiting, reason};
use crate::faults::simulation::{
    races::at_each,
    world::{data, value},
};

const A: (&str, &str) = ("A_KEY", "a");
const B: (&str, &str) = ("B_KEY", "b");

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
