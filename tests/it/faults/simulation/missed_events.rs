//! Events that the operator misses: watches stand still while objects come and go, and then show every step at once, or
//! only what is left.

use std::time::Duration;

use provider_secrets::api::FINALIZER;
use rstest::rstest;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::{
    races::{at_each, slow, synced, writes},
    store::{Resource, Store},
    world::{World, data, value},
};
use crate::harness::Target;

/// Finalizers of others.
const THEIRS: &str = "example.com/theirs";
const OTHER: &str = "example.com/other";

/// How the operator gets the missed events.
#[derive(Clone, Copy, Debug)]
enum Delivery {
    /// The watch shows every step.
    StepByStep,
    /// A list shows what is left.
    Relisted,
}

async fn deliver(world: &mut World, delivery: Delivery) {
    world.watches(match delivery {
        Delivery::StepByStep => Store::release,
        Delivery::Relisted => Store::expire,
    });
    world.quiet().await;
}

#[rstest]
#[case(Delivery::StepByStep)]
#[case(Delivery::Relisted)]
fn a_rotation_and_back_again_writes_nothing(#[case] delivery: Delivery) {
    at_each(async |world| {
        synced(world).await;
        world.watches(Store::hold);
        world.rotate("a2");
        world.rotate("a1");
        deliver(world, delivery).await;
        assert_eq!(world.held()["A_KEY"], value("a1"));
        assert_eq!(writes(world, "A_KEY"), 1);
    });
}

#[rstest]
#[case(Delivery::StepByStep)]
#[case(Delivery::Relisted)]
fn many_rotations_write_the_last_value_only(#[case] delivery: Delivery) {
    at_each(async |world| {
        synced(world).await;
        world.watches(Store::hold);
        for text in ["a2", "a3", "a4", "a5"] {
            world.rotate(text);
        }
        deliver(world, delivery).await;
        assert_eq!(world.held()["A_KEY"], value("a5"));
        assert_eq!(writes(world, "A_KEY"), 2);
    });
}

#[rstest]
#[case(Delivery::StepByStep)]
#[case(Delivery::Relisted)]
fn an_entry_that_comes_and_goes_is_written_at_most_once(#[case] delivery: Delivery) {
    at_each(async |world| {
        synced(world).await;
        world.watches(Store::hold);
        world.entries(&[("A_KEY", "a"), ("B_KEY", "b")]);
        world.entries(&[("A_KEY", "a")]);
        world.spec(&json!({"suspend": true}));
        world.spec(&json!({"suspend": false}));
        deliver(world, delivery).await;
        let is_set = world.target == Target::Pipecat;
        assert!(writes(world, "B_KEY") <= if is_set { 2 } else { 1 });
        assert!(writes(world, "A_KEY") <= if is_set { 2 } else { 1 });
    });
}

#[rstest]
#[case(Delivery::StepByStep)]
#[case(Delivery::Relisted)]
fn an_object_that_comes_and_goes_leaves_nothing_behind(#[case] delivery: Delivery) {
    at_each(async |world| {
        world.watches(Store::hold);
        world.entries(&[("A_KEY", "a")]);
        world.delete();
        deliver(world, delivery).await;
        assert_eq!(world.object(), None);
    });
}

#[rstest]
#[case(Delivery::StepByStep)]
#[case(Delivery::Relisted)]
fn a_namesake_is_its_own_object(#[case] delivery: Delivery) {
    at_each(async |world| {
        synced(world).await;
        let first = world.object().expect("the object");
        world.watches(Store::hold);
        world.delete();
        world.entries(&[("B_KEY", "b")]);
        deliver(world, delivery).await;
        let second = world.object().expect("the object");
        assert_ne!(first["metadata"]["uid"], second["metadata"]["uid"]);
        assert_eq!(second["status"]["summary"], "1/1");
        assert_eq!(second["status"]["entries"][0]["name"], "B_KEY");
        // What the first wrote is retained.
        assert_eq!(world.held()["A_KEY"], value("a1"));
        assert_eq!(world.held()["B_KEY"], value("b1"));
    });
}

#[rstest]
#[case(Delivery::StepByStep)]
#[case(Delivery::Relisted)]
fn a_namesake_that_comes_during_a_reconcile_does_not_get_its_status(#[case] delivery: Delivery) {
    at_each(async |world| {
        synced(world).await;
        // The Secret moves and is seen; of the object nothing is seen, so the reconcile is the first's.
        world.store.hold(Resource::ProviderSecrets);
        world.delete();
        world.entries(&[("B_KEY", "b")]);
        world.rotate("a2");
        world.quiet().await;
        let second = world.object().expect("the object");
        assert_eq!(second["status"], json!({"observedGeneration": -1}));
        deliver(world, delivery).await;
        let second = world.object().expect("the object");
        assert_eq!(second["status"]["entries"][0]["name"], "B_KEY");
        assert_eq!(world.held()["B_KEY"], value("b1"));
    });
}

/// Cases: A-02
#[rstest]
#[case(&[])]
#[case(&[THEIRS])]
fn a_finalizer_that_meets_those_of_others_is_set_and_they_stay(#[case] before: &[&str]) {
    at_each(async |world| {
        world.source(&[("b", "b1")]);
        world.spec(&json!({"deletionPolicy": "Delete", "data": data(&[("A_KEY", "a")])}));
        world.finalizers(before);
        world.quiet().await;
        // The operator sees no change of the object; the value comes, and before its first write the finalizer.
        world.store.hold(Resource::ProviderSecrets);
        world.finalizers(&[OTHER, THEIRS]);
        world.rotate("a1");
        world.quiet().await;
        assert_eq!(listed(world), json!([OTHER, THEIRS, FINALIZER]));
        assert_eq!(writes(world, "A_KEY"), 1);
        world.store.release(Resource::ProviderSecrets);
        world.quiet().await;
        // While what it wrote is being deleted, ours moves to another index in the list.
        world.remote.slow_down(slow(true, 5, 0));
        world.delete();
        sleep(Duration::from_secs(2)).await;
        world.store.hold(Resource::ProviderSecrets);
        world.finalizers(&[THEIRS, FINALIZER]);
        world.quiet().await;
        assert_eq!(listed(world), json!([THEIRS]));
        world.store.release(Resource::ProviderSecrets);
        world.finalizers(&[]);
        assert_eq!(world.object(), None);
    });
}

/// The finalizers of the object.
fn listed(world: &World) -> Value {
    let object = world.object().expect("the object");
    object["metadata"]["finalizers"].clone()
}
