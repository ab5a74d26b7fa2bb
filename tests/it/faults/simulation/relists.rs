//! What only a list shows, because the watch missed it: it is acted on at once, however many objects the list holds.

use std::time::Duration;

use rstest::rstest;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::{
    races::at_each,
    store::{Id, Resource, Store},
    world::{World, data, value},
};
use crate::harness::Target;

/// Objects in one page of a list.
const PAGE: usize = 500;
/// Longer than a watch that failed waits before it lists.
const BACKOFF: Duration = Duration::from_secs(10);
/// How long it takes from the list until the provider holds what it asks for.
const AT_ONCE: Duration = Duration::from_secs(1);

/// What the list shows and the watch did not.
const NEWS: [&str; 6] = [
    "an edit",
    "a new object",
    "a deletion",
    "the end of an owner",
    "an object made anew",
    "a rotation",
];

/// Makes or changes an object that shares no name: at Pipecat, where a set has one owner, it has a set of its own.
fn apply(world: &World, name: &str, set: &str, changes: &Value) {
    let mut changes = changes.clone();
    if world.target == Target::Pipecat {
        changes["provider"]["pipecat"]["setName"] = set.into();
    }
    world.apply(name, &changes);
}

/// The text of a remote name, whatever set it is in.
fn held(world: &World, set: &str, name: &str) -> Option<String> {
    if world.target == Target::Pipecat {
        return world.account.values(Some(set)).remove(name);
    }
    world.held().remove(name)
}

fn id(name: &str) -> Id {
    (
        Resource::ProviderSecrets,
        "team".to_owned(),
        name.to_owned(),
    )
}

/// Objects that are synced, and many others.
async fn crowd(world: &mut World, others: usize) {
    world.secret("rotated", &[("c", value("c1"))].into());
    let rotated = json!([{"name": "C_KEY", "secretKeyRef": {"name": "rotated", "key": "c"}}]);
    apply(
        world,
        "edited",
        "edited",
        &json!({"data": data(&[("A_KEY", "a")])}),
    );
    let deleted = json!({"deletionPolicy": "Delete", "data": data(&[("DELETED_KEY", "a")])});
    apply(world, "deleted", "deleted", &deleted);
    apply(
        world,
        "ending",
        "shared",
        &json!({"data": data(&[("SHARED_KEY", "a")])}),
    );
    apply(
        world,
        "made-anew",
        "made-anew",
        &json!({"data": data(&[("OLD_KEY", "a")])}),
    );
    apply(world, "rotating", "rotating", &json!({"data": rotated}));
    sleep(Duration::from_secs(2)).await;
    apply(
        world,
        "next",
        "shared",
        &json!({"data": data(&[("SHARED_KEY", "b")])}),
    );
    for number in 0..others {
        // In the order of names before and after those of the test.
        let name = format!("{}-{number:03}", ["a", "z"][number % 2]);
        apply(world, &name, &name, &json!({"suspend": true}));
    }
    world.quiet().await;
    assert_eq!(held(world, "shared", "SHARED_KEY"), Some(value("a1")));
}

/// What happens while the watches show nothing.
fn change(world: &World) {
    let both = json!({"data": data(&[("A_KEY", "a"), ("B_KEY", "b")])});
    apply(world, "edited", "edited", &both);
    apply(
        world,
        "new",
        "new",
        &json!({"data": data(&[("NEW_KEY", "a")])}),
    );
    for name in ["deleted", "ending", "made-anew"] {
        world.store.delete(&id(name)).expect("it is deleted");
    }
    apply(
        world,
        "made-anew",
        "made-anew",
        &json!({"data": data(&[("ANEW_KEY", "b")])}),
    );
    world.secret("rotated", &[("c", value("c2"))].into());
}

/// What was acted on.
fn done(world: &World) -> Vec<&'static str> {
    let is_held = |set, name, text| held(world, set, name) == Some(value(text));
    let is_done = |news: &&str| match *news {
        "an edit" => is_held("edited", "B_KEY", "b1"),
        "a new object" => is_held("new", "NEW_KEY", "a1"),
        "a deletion" => {
            held(world, "deleted", "DELETED_KEY").is_none() && world.get("deleted").is_none()
        }
        "the end of an owner" => is_held("shared", "SHARED_KEY", "b1"),
        "an object made anew" => is_held("made-anew", "ANEW_KEY", "b1"),
        _ => is_held("rotating", "C_KEY", "c2"),
    };
    NEWS.into_iter().filter(|news| is_done(news)).collect()
}

/// Cases
#[rstest]
fn what_only_a_list_shows_is_acted_on_within_a_second(
    #[values(0, 50, 490, 550, 1100)] others: usize,
) {
    at_each(async |world| {
        crowd(world, others).await;
        world.watches(Store::hold);
        change(world);
        let lists = |world: &World| {
            let faults = &world.store.faults;
            ["LIST ProviderSecrets", "LIST Secrets"].map(|list| faults.asked(list).len())
        };
        let objects = world.store.list(Resource::ProviderSecrets, None).len();
        let [of_objects, of_secrets] = lists(world);
        let after = [of_objects + objects.div_ceil(PAGE), of_secrets + 1];
        world.watches(Store::expire);
        world
            .wait("the lists", BACKOFF, |world| lists(world) == after)
            .await;
        sleep(AT_ONCE).await;
        assert_eq!(
            done(world),
            NEWS,
            "{:?} beside {others} others",
            world.target
        );
        let uid = &world.get("made-anew").expect("it is there")["metadata"]["uid"];
        assert!(uid.is_string());
        // The lists were the only ones.
        assert_eq!(lists(world), after);
    });
}
