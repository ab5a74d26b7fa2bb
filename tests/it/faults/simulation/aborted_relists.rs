//! A list that breaks off in its middle while objects change which Secrets they read: none of their readers is missed.

use std::{collections::BTreeMap, time::Duration};

use rstest::rstest;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::{
    races::writes,
    server::faults::{Does, later_pages},
    store::{Resource, Store},
    world::{World, simulate, value},
};
use crate::harness::{CANARY, Target};

/// More objects than a page of a list holds.
const MANY: usize = 550;
/// Longer than a watch that failed waits before it lists.
const BACKOFF: Duration = Duration::from_secs(30);
/// Longer than the operator's sweep takes, after which every object has been looked at.
const SWEPT: Duration = Duration::from_mins(12);
/// How long a rotation takes that the watch shows.
const AT_ONCE: Duration = Duration::from_secs(1);
/// The Secrets that the object reads, in turns.
const SECRETS: [&str; 2] = ["first", "second"];

/// Where the object names the Secret.
#[derive(Clone, Copy, Debug)]
enum Reference {
    Entry,
    Bulk,
    Credential,
}

impl Reference {
    /// The spec that reads a Secret.
    fn spec(self, world: &World, secret: &str) -> Value {
        match self {
            Self::Entry => {
                json!({"data": [{"name": "A_KEY", "secretKeyRef": {"name": secret, "key": "A_KEY"}}]})
            }
            Self::Bulk => json!({"dataFrom": [{"secretRef": {"name": secret}}]}),
            Self::Credential => {
                let mut provider = world.target.provider_spec("account");
                let members = provider.as_object_mut().expect("an object").values_mut();
                for member in members {
                    member["apiKeySecretRef"]["name"] = secret.into();
                }
                let entry =
                    json!({"name": "A_KEY", "secretKeyRef": {"name": "value", "key": "A_KEY"}});
                json!({"provider": provider, "data": [entry]})
            }
        }
    }

    /// Changes what a Secret holds.
    fn rotate(self, world: &World, secret: &str, text: &str) {
        if matches!(self, Self::Credential) {
            let key = format!("{CANARY}-key-{text}");
            world.account.add_key(&*key).expect("a key");
            world.secret(secret, &BTreeMap::from([("api-key", key)]));
        } else {
            world.secret(secret, &BTreeMap::from([("A_KEY", value(text))]));
        }
    }

    /// Whether what a Secret was changed to is in use.
    fn is_landed(self, world: &World, text: &str, former: &Value) -> bool {
        if matches!(self, Self::Credential) {
            world.get("object").expect("it is there")["status"]["keyFingerprint"] != *former
        } else {
            world.held().get("A_KEY") == Some(&value(text))
        }
    }
}

/// What the operator has read of Secrets and written anywhere.
fn moves(world: &World) -> usize {
    let lines = world.call_log.lines();
    let provider_reads = format!("GET {} ", world.account.provider());
    let moves = lines
        .iter()
        .filter(|line| !line.starts_with(&provider_reads));
    moves.count()
}

fn lists(world: &World) -> usize {
    world.store.faults.asked("LIST ProviderSecrets").len()
}

/// Cases
#[rstest]
fn a_rotation_lands_at_once_after_lists_that_broke_off(
    #[values(Reference::Entry, Reference::Bulk, Reference::Credential)] reference: Reference,
    #[values(1, 2, 3)] aborted: usize,
) {
    for target in Target::ALL {
        simulate(play(target, reference, aborted));
    }
}

/// Plays it at one API. What the Secrets hold is not what a test of [`at_each`](super::races::at_each) ends with.
async fn play(target: Target, reference: Reference, aborted: usize) {
    let world = &mut World::new(target);
    world.rotate("a1");
    world.up();
    // The same value, so that nothing need be written until one of them changes.
    for secret in SECRETS {
        let credential = world.data("credential");
        let data = match reference {
            Reference::Credential => ("api-key", credential["api-key"].clone()),
            Reference::Entry | Reference::Bulk => ("A_KEY", value("a1")),
        };
        world.secret(secret, &BTreeMap::from([data]));
    }
    world.secret("value", &BTreeMap::from([("A_KEY", value("a1"))]));
    world.spec(&reference.spec(world, SECRETS[0]));
    sleep(Duration::from_secs(2)).await;
    for number in 0..MANY {
        let name = format!("z-{number:03}");
        world.apply(&name, &json!({"suspend": true}));
    }
    world.quiet().await;
    world
        .store
        .faults
        .add(later_pages, Does::refuse(410), aborted);
    world.store.hold(Resource::ProviderSecrets);
    let read = |turn: usize| SECRETS[turn % 2];
    world.spec(&reference.spec(world, read(1)));
    let before = lists(world);
    Store::expire(&world.store, Resource::ProviderSecrets);
    for turn in 1..=aborted {
        // Its second page is refused.
        let asked = |world: &World| lists(world) == before + 2 * turn;
        world.wait("a list that breaks off", BACKOFF, asked).await;
        sleep(Duration::from_millis(10)).await;
        world.spec(&reference.spec(world, read(turn + 1)));
    }
    let asked = |world: &World| lists(world) == before + 2 * (aborted + 1);
    world.wait("the list", BACKOFF, asked).await;
    sleep(SWEPT).await;
    let written = writes(world, "A_KEY");
    for turn in 0..3 {
        let text = format!("r{turn}");
        let former = &world.get("object").expect("it is there")["status"]["keyFingerprint"];
        let before = moves(world);
        // A change of the one that it no longer reads is none.
        reference.rotate(world, read(aborted), &format!("other-{turn}"));
        sleep(AT_ONCE).await;
        assert_eq!(moves(world), before, "{:?}", world.target);
        reference.rotate(world, read(aborted + 1), &text);
        sleep(AT_ONCE).await;
        let is_landed = reference.is_landed(world, &text, former);
        assert!(
            is_landed,
            "{:?} {reference:?} after {aborted}",
            world.target
        );
    }
    let rotations = match reference {
        Reference::Credential => 0,
        Reference::Entry | Reference::Bulk => 3,
    };
    assert_eq!(
        writes(world, "A_KEY"),
        written + rotations,
        "{:?}",
        world.target
    );
    world.down().await;
}
