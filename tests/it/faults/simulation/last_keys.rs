//! Pipecat sets whose last key the vendor does not delete alone.

use std::time::Duration;

use rstest::rstest;
use serde_json::json;
use simulator::Fault;
use tokio::time::sleep;

use super::world::{DELETION_TIMEOUT, World, data, simulate};
use crate::harness::Target;

const MINUTE: Duration = Duration::from_mins(1);
/// What another client writes into the set.
const OTHER: &str = "OTHER_KEY";

/// docs/vendors.md#pc-9
#[rstest]
fn a_set_that_the_object_made_goes_with_a_last_key_that_cannot_go_alone(
    #[values("/A_KEY", "/B_KEY")] refused: &str,
    #[values(false, true)] is_shared: bool,
) {
    simulate(async {
        let mut world = World::new(Target::Pipecat);
        world.source(&[("a", "a1"), ("b", "b1")]);
        world.without_foreign_set();
        world.up();
        let entries = data(&[("A_KEY", "a"), ("B_KEY", "b")]);
        world.spec(&json!({"data": entries, "deletionPolicy": "Delete"}));
        world.quiet().await;
        assert_eq!(world.ready_reason("object").as_deref(), Some("Synced"));
        if is_shared {
            world.foreign_write(OTHER, "other");
        }
        let fault = Fault::status(400).method("DELETE").path_contains(refused);
        world.account.add_fault(fault.forever());
        world.delete();
        sleep(MINUTE).await;
        // What another client has in the set keeps it, and the key that is refused.
        assert_eq!(world.object().is_some(), is_shared);
        sleep(DELETION_TIMEOUT).await;
        assert!(world.object().is_none());
        let held = world.held();
        let left = [OTHER, refused.trim_start_matches('/')];
        assert_eq!(held.len(), if is_shared { left.len() } else { 0 });
        assert!(held.keys().all(|name| left.contains(&name.as_str())));
        let skipped = world.notes("DeletionSkipped");
        assert_eq!(skipped.len(), usize::from(is_shared), "{skipped:?}");
        let deleted = world.notes("RemoteDeleted").concat();
        assert_eq!(deleted.contains(left[1]), !is_shared, "{deleted}");
        world.down().await;
    });
}
