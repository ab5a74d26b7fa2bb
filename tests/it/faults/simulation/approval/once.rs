//! An approval counts once: for the plan that was shown, and for what that plan leaves to be done.

use serde_json::json;

use super::{approve, assert_synced, assert_waits, awaiting};
use crate::faults::simulation::{races::at_each, world::data};

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
