//! A source that the spec names anew, as where a Secret is named by a hash of what it holds: what it lacks was taken
//! away by who made it shorter, and not by who wrote its name into the spec.

use rstest::rstest;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::{
    GRACE, SOON, assert_held_until_asked, at_each, bulk, data, end, held, keys, synced, value,
};
use crate::faults::simulation::world::{SOURCE, World};

/// The Secret that takes the place of the source.
const NEXT: &str = "source-7k2m";

/// The object with every key of a Secret.
fn of(secret: &str) -> Value {
    bulk(&json!({"dataFrom": [{"secretRef": {"name": secret}, "nameTransform": "UpperSnake"}]}))
}

/// Makes the Secret with the first keys of the source, and names it in the place of the source.
async fn replace(world: &mut World, count: usize, restarts: bool) {
    if restarts {
        world.down().await;
    }
    let keys = keys(count);
    let keys = keys
        .iter()
        .map(|(key, value)| (key.as_str(), value.clone()));
    world.secret(NEXT, &keys.collect());
    world.spec(&of(NEXT));
    world.up();
}

/// Cases: R-09
#[rstest]
fn much_that_a_source_of_another_name_lacks_is_held(#[values(false, true)] restarts: bool) {
    at_each(async |world| {
        synced(world, 10).await;
        replace(world, 2, restarts).await;
        assert_held_until_asked(world, 10, 2).await;
    });
}

/// Cases: R-09
#[rstest]
fn little_that_a_source_of_another_name_lacks_waits(#[values(false, true)] restarts: bool) {
    at_each(async |world| {
        synced(world, 10).await;
        replace(world, 9, restarts).await;
        sleep(GRACE / 2).await;
        assert_eq!(held(world), 10, "{:?}", world.target);
        let is_gone = |world: &World| held(world) == 9;
        world.wait("the deletion", 2 * GRACE, is_gone).await;
        end(world).await;
    });
}

/// Cases: R-09
#[test]
fn a_narrower_filter_and_an_entry_of_the_spec_go_at_once_beside_a_new_source() {
    at_each(async |world| {
        synced(world, 10).await;
        world.secret("more", &[("m0", value("m0"))].into());
        let few = json!({"secretRef": {"name": SOURCE}, "nameTransform": "UpperSnake", "include": ["k0[0-1]"]});
        let more =
            json!({"secretRef": {"name": "more"}, "nameTransform": "UpperSnake", "prefix": "M_"});
        world.spec(&json!({"data": data(&[("A_KEY", "k00")]), "dataFrom": [few, more]}));
        let is_gone = |world: &World| held(world) == 2;
        world.wait("the deletion", SOON, is_gone).await;
        world.quiet().await;
        world.spec(&json!({"data": null}));
        let is_gone = |world: &World| !world.held().contains_key("A_KEY");
        world.wait("the deletion", SOON, is_gone).await;
        end(world).await;
    });
}
