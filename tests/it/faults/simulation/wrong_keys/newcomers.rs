//! Objects that come while the key is refused: each says so, whenever in the wait for the next try it came.

use std::time::Duration;

use serde_json::json;
use tokio::time::sleep;

use super::{MILD, SOON, exchange, is_synced, last_key, mistype, synced, wait_refused};
use crate::{faults::simulation::races::at_each, harness::Target};

/// Often enough for one to come at each stage of the waits, of one and of two minutes, between two tries.
const OFTEN: Duration = Duration::from_secs(4);

/// A wait that is shorter is not said, and its last try may take as long as a call.
const SAID: Duration = Duration::from_secs(90);

#[test]
fn an_object_that_comes_while_the_key_is_refused_says_so() {
    at_each(async |world| {
        synced(world, MILD).await;
        let right = last_key(world, true);
        mistype(world, 1);
        wait_refused(world, "AuthenticationFailed").await;
        let reference = json!({"name": "source", "key": "a"});
        let names: Vec<String> = (0..40).map(|number| format!("newcomer-{number}")).collect();
        for name in &names {
            let data =
                json!([{"name": name.to_uppercase().replace('-', "_"), "secretKeyRef": reference}]);
            world.apply(name, &json!({"data": data}));
            sleep(OFTEN).await;
        }
        sleep(SAID).await;
        // At Pipecat the set that they name is the first object's.
        let expected = match world.target {
            Target::Pipecat => "Conflict",
            _ => "AuthenticationFailed",
        };
        for name in &names {
            let told = world.ready_reason(name);
            assert_eq!(told.as_deref(), Some(expected), "{name} {:?}", world.target);
        }
        exchange(world, &right);
        world.wait("the right key", SOON, is_synced).await;
        world.quiet().await;
    });
}
