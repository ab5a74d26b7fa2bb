//! A finalizer that is missing under Delete: it is put back within seconds, whatever else keeps the object from being
//! synced, so that a later deletion takes with it what was written.

use std::time::Duration;

use provider_secrets::api::FINALIZER;
use rstest::rstest;
use serde_json::{Value, json};
use simulator::Fault;
use tokio::time::sleep;

use super::{
    races::{at_each, synced},
    store::{Id, Part, Resource, Store},
    world::World,
};

/// How long until it is back.
const SOON: Duration = Duration::from_secs(5);
/// How long a state lasts before the finalizer goes, so that the operator has come to rest in it.
const SETTLED: Duration = Duration::from_mins(3);

/// Why the object cannot be synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Well,
    KeyAway,
    KeyWrong,
    SourceAway,
    Suspended,
    ProviderDown,
    ProviderRefuses,
}

/// How the finalizer comes to be missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cause {
    /// The policy was Retain, and becomes Delete.
    Policy,
    /// The object is replaced by what a client has in a file.
    Replaced,
    /// The same while no operator runs.
    ReplacedWhileDown,
    /// The same, and only a list shows it.
    ReplacedUnseen,
}

fn secret(name: &str) -> Id {
    (Resource::Secrets, "team".to_owned(), name.to_owned())
}

/// Brings the world into a state; what undoes it is returned.
fn enter(world: &World, state: State) -> Vec<(Id, Value)> {
    let remove = |name: &str| {
        let object = world.store.get(&secret(name)).expect("a Secret");
        world.store.delete(&secret(name)).expect("it is deleted");
        vec![(secret(name), object)]
    };
    match state {
        State::Well => {}
        State::KeyAway => return remove("credential"),
        State::SourceAway => return remove("source"),
        State::KeyWrong => {
            let object = world.store.get(&secret("credential")).expect("a Secret");
            world.secret("credential", &[("api-key", "wrong".to_owned())].into());
            return vec![(secret("credential"), object)];
        }
        State::Suspended => world.spec(&json!({"suspend": true})),
        State::ProviderDown => world.account.add_fault(Fault::status(503).forever()),
        State::ProviderRefuses => world.account.add_fault(Fault::status(403).forever()),
    }
    Vec::new()
}

fn leave(world: &World, removed: Vec<(Id, Value)>) {
    for (id, object) in removed {
        let data = object["data"].clone();
        let replaced = world.store.update(&id, Part::Main, |object| {
            object["data"] = data;
            Ok(())
        });
        if replaced.is_err() {
            let mut object = object;
            object["metadata"] = json!({});
            world.store.create(&id, object).expect("it is made anew");
        }
    }
    world.account.clear_faults();
    world.spec(&json!({"suspend": false}));
}

/// What `kubectl replace` does: spec as in the file, and of metadata nothing that is not in it.
async fn lose(world: &mut World, cause: Cause) {
    match cause {
        Cause::Policy => world.spec(&json!({"deletionPolicy": "Delete"})),
        Cause::Replaced => world.finalizers(&[]),
        Cause::ReplacedWhileDown => {
            world.down().await;
            world.finalizers(&[]);
            world.up();
        }
        Cause::ReplacedUnseen => {
            world.watches(Store::hold);
            world.finalizers(&[]);
            world.watches(Store::expire);
        }
    }
}

fn finalizers(world: &World) -> Value {
    world.object().expect("the object")["metadata"]["finalizers"].clone()
}

fn is_back(world: &World) -> bool {
    finalizers(world) == json!([FINALIZER])
}

/// Cases: A-17, B-13, R-03
#[rstest]
fn a_missing_finalizer_is_back_within_seconds(
    #[values(
        State::Well,
        State::KeyAway,
        State::KeyWrong,
        State::SourceAway,
        State::Suspended,
        State::ProviderDown,
        State::ProviderRefuses
    )]
    state: State,
    #[values(
        Cause::Policy,
        Cause::Replaced,
        Cause::ReplacedWhileDown,
        Cause::ReplacedUnseen
    )]
    cause: Cause,
    #[values(Duration::ZERO, SETTLED)] after: Duration,
) {
    at_each(async |world| {
        if cause != Cause::Policy {
            world.spec(&json!({"deletionPolicy": "Delete"}));
        }
        synced(world).await;
        let writes = world.provider_writes();
        let removed = enter(world, state);
        sleep(after).await;
        lose(world, cause).await;
        world.wait("the finalizer", SOON, is_back).await;
        // It is not fought over: it was put there once.
        world.quiet().await;
        assert!(is_back(world), "{:?}", world.target);
        assert_eq!(world.provider_writes(), writes, "{:?}", world.target);
        leave(world, removed);
        world.quiet().await;
        world.delete();
        world.quiet().await;
        assert_eq!(world.object(), None, "{:?}", world.target);
        assert!(!world.held().contains_key("A_KEY"), "{:?}", world.target);
        assert!(world.notes("DeletionSkipped").is_empty());
    });
}

/// Cases
#[rstest]
fn a_finalizer_that_is_dropped_again_and_again_is_back_each_time(
    #[values(State::Well, State::KeyAway, State::Suspended)] state: State,
) {
    at_each(async |world| {
        world.spec(&json!({"deletionPolicy": "Delete"}));
        synced(world).await;
        let removed = enter(world, state);
        world.quiet().await;
        let writes = world.provider_writes();
        for _ in 0..10 {
            world.finalizers(&[]);
            world.wait("the finalizer", SOON, is_back).await;
        }
        // One of another controller stays where it is.
        world.finalizers(&["example.com/theirs"]);
        let both = json!(["example.com/theirs", FINALIZER]);
        let is_beside = |world: &World| finalizers(world) == both;
        world
            .wait("the finalizer beside another", SOON, is_beside)
            .await;
        world.finalizers(&[FINALIZER]);
        leave(world, removed);
        world.quiet().await;
        assert_eq!(world.provider_writes(), writes, "{:?}", world.target);
    });
}

/// Under Retain nothing holds the object, and what a user deletes meanwhile is not held either.
/// Cases: D-02, A-17
#[rstest]
fn no_finalizer_is_put_where_none_is_needed(
    #[values(State::Well, State::KeyAway, State::Suspended)] state: State,
) {
    at_each(async |world| {
        synced(world).await;
        let removed = enter(world, state);
        world.quiet().await;
        world.annotate();
        world.quiet().await;
        assert_eq!(finalizers(world), Value::Null);
        // The policy that it has when it is deleted counts.
        world.spec(&json!({"deletionPolicy": "Delete"}));
        world.wait("the finalizer", SOON, is_back).await;
        world.spec(&json!({"deletionPolicy": "Retain"}));
        leave(world, removed);
        world.quiet().await;
        world.delete();
        world.quiet().await;
        assert_eq!(world.object(), None);
        assert!(world.held().contains_key("A_KEY"), "{:?}", world.target);
    });
}
