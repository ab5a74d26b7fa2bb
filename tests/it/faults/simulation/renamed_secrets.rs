//! Secrets that another client renames at the provider: the name that the object asks for is written all the same.

use std::time::Duration;

use super::{
    races::synced,
    workload::Policy,
    world::{REST, World, simulate, value},
};
use crate::harness::Target;

/// Longer than it takes to act on a change, and less than until the next verification.
const SOON: Duration = Duration::from_secs(5);

/// The provider takes the change by the id, and holds nothing under the name.
#[test]
fn a_rotation_of_a_renamed_secret_makes_its_name_anew() {
    for target in [Target::PrimeIntellect, Target::Braintrust] {
        simulate(async {
            let mut world = World::new(target);
            world.source(&[("a", "a1"), ("b", "b1")]);
            world.up();
            synced(&mut world).await;
            world.foreign_rename("A_KEY", "THEIR_KEY").await;
            let before = world.provider_writes();
            world.rotate("a2");
            let is_written = |world: &World| world.held().get("A_KEY") == Some(&value("a2"));
            world.wait("the name is written", SOON, is_written).await;
            world.quiet().await;
            assert_eq!(world.ready_reason("object").as_deref(), Some("Synced"));
            // One by the id of before, and one that makes the name.
            assert_eq!(world.provider_writes(), before + 2, "{target:?}");
            world.rotate("a3");
            world.quiet().await;
            assert_eq!(world.held()["A_KEY"], value("a3"), "{target:?}");
            assert_eq!(world.provider_writes(), before + 3, "{target:?}");
            let faults = world.rest(Policy::Retain, REST).await;
            assert!(faults.is_empty(), "{target:?} {faults:#?}");
            world.down().await;
        });
    }
}
