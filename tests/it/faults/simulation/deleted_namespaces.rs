//! D-06 by the clock: an object, its source and its credential are deleted in any order, as when their namespace goes.

use std::time::Duration;

use rstest::rstest;
use serde_json::json;
use simulator::Fault;

use super::{
    races::{at_each, synced},
    store::{Id, Resource},
    world::{DELETION_TIMEOUT, World},
};

/// Longer than it takes to act on a change.
const SOON: Duration = Duration::from_secs(5);

fn secret(name: &str) -> Id {
    (Resource::Secrets, "team".to_owned(), name.to_owned())
}

fn is_gone(world: &World) -> bool {
    world.object().is_none()
}

/// The operator had the key, so it can do without the Secret. What cannot be deleted is given up in the end.
/// Cases: D-06
#[rstest]
#[case::the_provider_is_up(None, SOON)]
#[case::the_provider_is_down(Some(Fault::status(503)), DELETION_TIMEOUT + SOON)]
#[case::the_provider_refuses(Some(Fault::status(409).method("DELETE")), DELETION_TIMEOUT + SOON)]
fn whatever_goes_first_the_object_is_gone_within_the_timeout(
    #[case] fault: Option<Fault>,
    #[case] most: Duration,
    #[values(
        ["object", "source", "credential"],
        ["object", "credential", "source"],
        ["source", "object", "credential"],
        ["source", "credential", "object"],
        ["credential", "object", "source"],
        ["credential", "source", "object"]
    )]
    order: [&str; 3],
) {
    at_each(async |world| {
        world.spec(&json!({"deletionPolicy": "Delete"}));
        synced(world).await;
        if let Some(fault) = fault.clone() {
            world.account.add_fault(fault.forever());
        }
        for what in order {
            match what {
                "object" => world.delete(),
                name => {
                    let deleted = world.store.delete(&secret(name));
                    deleted.expect("it is deleted");
                }
            }
        }
        world.wait("the object is gone", most, is_gone).await;
        let is_held = world.held().contains_key("A_KEY");
        assert_eq!(is_held, fault.is_some(), "{:?}", world.target);
        let is_told = !world.notes("DeletionSkipped").is_empty();
        assert_eq!(is_told, fault.is_some(), "{:?}", world.target);
    });
}
