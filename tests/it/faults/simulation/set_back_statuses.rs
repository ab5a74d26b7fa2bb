//! A status that another writer sets back while the operator runs: a backup tool restores it, or a user empties it. It is
//! put back as it was known, and nothing is foreign, forgotten or written twice.

use std::time::Duration;

use rstest::rstest;
use serde_json::{Value, json};

use super::{
    races::at_each,
    world::{World, data, value},
};

/// Longer than it takes to act on a change.
const SOON: Duration = Duration::from_secs(5);

/// What status is set back to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Backup {
    /// Nothing at all.
    Empty,
    /// As the API server makes a new object.
    New,
    /// Before the second entry came.
    FirstEntry,
    /// Before the last rotation.
    BeforeRotation,
}

fn status(world: &World) -> Value {
    world.object().expect("the object")["status"].clone()
}

fn set_back(world: &World, old: &Value) {
    world.change_status(|status| status.clone_from(old));
}

/// Cases: L-16, R-19
#[rstest]
fn a_status_that_is_set_back_is_put_back(
    #[values(Backup::Empty, Backup::New, Backup::FirstEntry, Backup::BeforeRotation)]
    backup: Backup,
    #[values("Overwrite", "Fail")] conflict: &str,
    #[values("Retain", "Delete")] deletion: &str,
    #[values(1, 3)] times: usize,
) {
    at_each(async |world| {
        world.without_foreign_set();
        let spec = |entries: &[(&str, &str)]| json!({"conflictPolicy": conflict, "deletionPolicy": deletion, "data": data(entries)});
        world.spec(&spec(&[("A_KEY", "a")]));
        world.quiet().await;
        let first = status(world);
        world.spec(&spec(&[("A_KEY", "a"), ("B_KEY", "b")]));
        world.quiet().await;
        let second = status(world);
        world.rotate("a2");
        world.quiet().await;
        world.with_foreign_secret();
        let (newest, before) = (status(world), world.provider_writes());
        let old = match backup {
            Backup::Empty => Value::Null,
            Backup::New => json!({"observedGeneration": -1}),
            Backup::FirstEntry => first,
            Backup::BeforeRotation => second,
        };
        for _ in 0..times {
            set_back(world, &old);
            let is_back = |world: &World| status(world)["entries"] == newest["entries"];
            world.wait("status as it was", SOON, is_back).await;
            world.quiet().await;
            assert_eq!(
                status(world)["entries"],
                newest["entries"],
                "{:?}",
                world.target
            );
            assert_eq!(world.ready_reason("object").as_deref(), Some("Synced"));
        }
        assert_eq!(world.provider_writes(), before, "{:?}", world.target);
        assert_eq!(world.notes("Conflict"), [""; 0], "{:?}", world.target);
        // The records are believed as before.
        world.rotate("a3");
        let is_rotated = |world: &World| world.held()["A_KEY"] == value("a3");
        world.wait("the rotation", SOON, is_rotated).await;
        world.quiet().await;
    });
}

/// A write of status by another operator of the same object is newer, and is no reason to put anything back.
/// Cases: M-07
#[test]
fn a_newer_status_of_another_operator_is_left() {
    at_each(async |world| {
        world.rotate("a1");
        world.entries(&[("A_KEY", "a")]);
        world.quiet().await;
        let mut newer = status(world);
        newer["entries"][0]["lastWriteTime"] = "2030-01-01T00:00:00Z".into();
        set_back(world, &newer);
        world.quiet().await;
        // Its seal does not fit, so the operator writes the name anew.
        assert_eq!(world.ready_reason("object").as_deref(), Some("Synced"));
        assert_eq!(world.held()["A_KEY"], value("a1"));
    });
}
