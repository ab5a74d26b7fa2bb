//! Events that the API server does not take for a while: what is left at the provider is told before the object goes, and
//! once; what can never be told holds up nothing.

use std::time::Duration;

use rstest::rstest;
use serde_json::json;
use simulator::Fault;
use tokio::time::sleep;

use super::{
    races::at_each,
    request::Asked,
    server::faults::Does,
    store::Resource,
    world::{World, data},
};

/// Longer than it takes to act on a change.
const SOON: Duration = Duration::from_secs(5);

fn events(asked: &Asked) -> bool {
    asked.resource == Resource::Events
}

fn finalizers(asked: &Asked) -> bool {
    asked.resource == Resource::ProviderSecrets && asked.method == "PATCH" && !asked.is_status
}

/// The object under Delete, deleted while the provider is down.
async fn blocked(world: &mut World) {
    world.spec(
        &json!({"deletionPolicy": "Delete", "data": data(&[("A_KEY", "a"), ("B_KEY", "b")])}),
    );
    world.quiet().await;
    world.account.add_fault(Fault::status(503).forever());
    world.delete();
    sleep(SOON).await;
}

/// Ends with an object that the oracle can read.
async fn end(world: &mut World) {
    world.account.clear_faults();
    world.spec(&json!({"data": data(&[("A_KEY", "a"), ("B_KEY", "b")])}));
    world.quiet().await;
}

/// Cases: A-22
#[rstest]
#[case(Does::refuse(500))]
#[case(Does::refuse(503))]
#[case(Does::refuse(429))]
#[case(Does::Stray(404))]
#[case(Does::Stray(403))]
fn what_is_left_behind_is_told_before_the_object_goes(#[case] does: Does) {
    at_each(async |world| {
        blocked(world).await;
        world.store.faults.always(events, does);
        world.release();
        sleep(Duration::from_secs(90)).await;
        assert!(
            world.object().is_some(),
            "{:?}: it went untold",
            world.target
        );
        assert_eq!(world.notes("DeletionSkipped"), [""; 0]);
        world.store.faults.clear();
        let is_gone = |world: &World| world.object().is_none();
        world
            .wait("the object goes", Duration::from_mins(6), is_gone)
            .await;
        let notes = world.notes("DeletionSkipped");
        assert_eq!(notes.len(), 1, "{notes:?}");
        assert!(
            notes[0].contains("A_KEY") && notes[0].contains("B_KEY"),
            "{notes:?}"
        );
        end(world).await;
    });
}

/// Cases: A-22, D-07
#[test]
fn an_event_that_is_never_taken_holds_up_nothing() {
    at_each(async |world| {
        blocked(world).await;
        world.store.faults.always(events, Does::refuse(403));
        world.release();
        let is_gone = |world: &World| world.object().is_none();
        world.wait("the object goes", SOON, is_gone).await;
        world.store.faults.clear();
        end(world).await;
    });
}

/// The longest that five more waits may be after those of a cleanup that was blocked, each twice the last.
const WAITS: Duration = Duration::from_mins(25);

/// Cases: A-02
#[test]
fn a_finalizer_that_is_patched_again_repeats_no_event() {
    at_each(async |world| {
        blocked(world).await;
        world.store.faults.add(finalizers, Does::refuse(500), 5);
        world.release();
        let is_gone = |world: &World| world.object().is_none();
        world.wait("the object goes", WAITS, is_gone).await;
        let notes = world.notes("DeletionSkipped");
        assert_eq!(notes.len(), 1, "{notes:?}");
        end(world).await;
    });
}
