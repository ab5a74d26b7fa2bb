//! A proxy that answers for the API server for a while: what it does not find is not gone.

use std::time::Duration;

use rstest::rstest;
use serde_json::json;
use tokio::time::sleep;

use super::{
    races::{at_each, synced},
    server::faults::{self, Does},
    store::{Part, Resource},
    world::{World, value},
};

/// How long the proxy answers.
const WHILE: Duration = Duration::from_secs(8);
/// Longer than the waits have grown by then, and shorter than the wait for the look at every object.
const SOON: Duration = Duration::from_mins(2);

/// What the user does meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    Rotation,
    Deletion,
    /// Of an object that does not decode.
    Release,
}

#[rstest]
fn what_a_write_does_not_find_and_the_watch_shows_is_not_gone(
    #[values(Change::Rotation, Change::Deletion, Change::Release)] change: Change,
    // The latter as the API server says it.
    #[values(Does::Stray(404), Does::refuse(404))] does: Does,
) {
    at_each(async |world| {
        world.spec(&json!({"deletionPolicy": "Delete"}));
        synced(world).await;
        if change == Change::Release {
            world.change(Resource::ProviderSecrets, "object", Part::Main, |object| {
                object["spec"]["data"] = "of another version".into();
            });
            sleep(WHILE).await;
        }
        world.store.faults.always(faults::patches, does);
        if change == Change::Rotation {
            world.rotate("a2");
        } else {
            world.delete();
        }
        if change == Change::Release {
            world.release();
        }
        sleep(WHILE).await;
        world.store.faults.clear();
        let is_done = |world: &World| match change {
            Change::Rotation => world.held().get("A_KEY") == Some(&value("a2")),
            Change::Deletion | Change::Release => world.object().is_none(),
        };
        world.wait("it is done", SOON, is_done).await;
        // So that all that is held is an object's.
        world.entries(&[("A_KEY", "a")]);
        world.quiet().await;
    });
}
