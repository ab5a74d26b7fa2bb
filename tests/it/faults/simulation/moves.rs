//! An object that moves to another cluster, in the order of docs/operations.md#move-to-another-cluster.

use std::time::Duration;

use serde_json::json;
use tokio::time::sleep;

use super::{
    races::at_each,
    world::{data, value},
};

/// Longer than it takes to act on a change.
const SOON: Duration = Duration::from_secs(5);
/// Longer than the time after which an object is compared with its account.
const VERIFIED: Duration = Duration::from_mins(12);

/// Two operators that write equal values repair each other where the provider shows who wrote last.
/// Cases: M-04
#[test]
fn an_object_that_is_handed_over_is_neither_repaired_nor_deleted() {
    at_each(async |world| {
        let entries = data(&[("A_KEY", "a")]);
        world.spec(&json!({"deletionPolicy": "Delete", "data": entries}));
        world.quiet().await;
        world.spec(&json!({"deletionPolicy": "Retain", "suspend": true}));
        world.quiet().await;
        assert_eq!(world.ready_reason("object").as_deref(), Some("Suspended"));
        let before = world.provider_writes();

        // The operator of the new cluster writes each entry once.
        world.foreign_write("A_KEY", &value("a1"));
        sleep(VERIFIED).await;
        world.delete();
        sleep(SOON).await;
        assert_eq!(world.object(), None, "{:?}", world.target);
        assert_eq!(world.held()["A_KEY"], value("a1"), "{:?}", world.target);
        assert_eq!(world.provider_writes(), before, "{:?}", world.target);
    });
}
