//! Something between the operator and a provider answers deletions by itself: nothing is said to be deleted that is
//! there.

use std::time::Duration;

use serde_json::json;
use simulator::{Action, Answer, Fault};
use tokio::time::sleep;

use super::{
    races::{at_each, synced},
    world::{World, value},
};
use crate::harness::Target;

const MINUTE: Duration = Duration::from_mins(1);

fn answer(status: u16, body: &str) -> Fault {
    let answer = Answer {
        status,
        headers: [("content-type".to_owned(), "text/html".to_owned())].into(),
        body: body.to_owned(),
    };
    Fault::new(Action::Answer(answer)).forever()
}

/// Nothing is deleted, and nobody says so; then the way is free, and it is.
async fn is_deleted_later(world: &World) {
    world.delete();
    sleep(MINUTE).await;
    let target = world.target;
    assert!(world.object().is_some(), "{target:?}");
    assert_eq!(world.held()["A_KEY"], value("a1"), "{target:?}");
    assert_eq!(world.notes("RemoteDeleted"), [""; 0], "{target:?}");
    world.account.clear_faults();
    let is_gone = |world: &World| world.object().is_none();
    world.wait("the object is gone", MINUTE * 10, is_gone).await;
    assert!(!world.held().contains_key("A_KEY"), "{target:?}");
}

/// A proxy that routes reads and writes, and no deletions.
#[test]
fn a_404_for_what_is_shown_deletes_nothing() {
    at_each(async |world| {
        world.spec(&json!({"deletionPolicy": "Delete"}));
        synced(world).await;
        let page = || answer(404, "<html>no route</html>");
        world.account.add_fault(page().method("DELETE"));
        if world.target == Target::Pipecat {
            // Nor does it route what asks for a set.
            let set = page().method("GET").path_contains("/v1/secrets/");
            world.account.add_fault(set);
        }
        is_deleted_later(world).await;
    });
}

/// A request that has lost its key on the way is that of somebody without one.
#[test]
fn a_400_and_an_empty_listing_delete_nothing() {
    at_each(async |world| {
        world.spec(&json!({"deletionPolicy": "Delete"}));
        synced(world).await;
        let items = match world.target {
            Target::PrimeIntellect => "data",
            Target::Braintrust => "objects",
            // They delete by name, and what no listing shows is gone.
            Target::BasetenTeam | Target::BasetenWorkspace | Target::Pipecat => return,
        };
        let nothing = json!({items: [], "total_count": 0}).to_string();
        world.account.add_fault(answer(400, "").method("DELETE"));
        world.account.add_fault(answer(200, &nothing).method("GET"));
        is_deleted_later(world).await;
    });
}
