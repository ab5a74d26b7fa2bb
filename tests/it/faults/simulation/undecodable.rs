//! Objects that do not decode, because another version of the definition let them in: the others go on, and a deleted one
//! goes when its time is over or a user lets it go.

use std::time::Duration;

use rstest::rstest;
use serde_json::json;
use tokio::time::sleep;

use super::{
    races::at_each,
    store::{Part, Resource},
    world::{DELETION_TIMEOUT, Ended, World, data, simulate, value},
};
use crate::harness::Target;

/// The API server's clock is months behind the operator's. So the time of a deletion from before the operator's start
/// is over as soon as the operator has known of it for as long as it doubts its own clock.
const DOUBT: Duration = Duration::from_mins(1);

/// How the object ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Timeout,
    Override,
}

/// Cases: A-23, B-08
#[rstest]
fn a_deleted_object_that_does_not_decode_goes_in_the_end(
    #[values(End::Timeout, End::Override)] end: End,
    #[values(false, true)] restarts: bool,
) {
    at_each(async |world| {
        world.spec(&json!({"deletionPolicy": "Delete", "data": data(&[("A_KEY", "a")])}));
        world.quiet().await;
        world.change(Resource::ProviderSecrets, "object", Part::Main, |object| {
            object["spec"]["data"] = "of another version".into();
        });
        sleep(Duration::from_secs(5)).await;
        world.delete();
        if restarts {
            world.down().await;
            world.up();
        }
        let timeout = if restarts { DOUBT } else { DELETION_TIMEOUT };
        sleep(timeout / 2).await;
        assert!(world.object().is_some(), "{:?}", world.target);
        if end == End::Override {
            world.release();
        }
        let most = if end == End::Override {
            Duration::from_secs(5)
        } else {
            timeout * 2
        };
        let is_gone = |world: &World| world.object().is_none();
        world.wait("the object goes", most, is_gone).await;
        // What it wrote is not known: nothing is deleted, and that is said.
        assert_eq!(world.held()["A_KEY"], value("a1"), "{:?}", world.target);
        assert_eq!(
            world.notes("DeletionSkipped").len(),
            1,
            "{:?}",
            world.target
        );
        world.entries(&[("A_KEY", "a")]);
        world.quiet().await;
    });
}

/// A standby sends no event, and the watch shows the object only once.
/// Cases: B-08
#[test]
fn an_object_that_stopped_to_decode_without_a_leader_is_told_by_the_next_one() {
    simulate(async {
        let mut world = World::new(Target::Braintrust);
        world.has_standby = true;
        world.source(&[("a", "a1")]);
        world.entries(&[("A_KEY", "a")]);
        world.up();
        assert_eq!(world.quiet().await, Ended::Quiet);
        let leader = world.leader().expect("one leads");
        world.call_log.end_incarnation(leader);
        world.change(Resource::ProviderSecrets, "object", Part::Main, |object| {
            object["spec"]["data"] = "of another version".into();
        });
        let is_told = |world: &World| !world.notes("InvalidSpec").is_empty();
        let minute = Duration::from_mins(1);
        world.wait("it is told", minute, is_told).await;
        // Each look at the object would tell it again.
        sleep(minute * 30).await;
        assert_eq!(world.notes("InvalidSpec").len(), 1);
        world.down().await;
    });
}
