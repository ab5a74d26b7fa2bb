//! No right API key between two right ones: what was written under the first is still known under the last.

mod newcomers; // objects that come meanwhile
mod other_account; // the last key opens another account
mod refused; // the key is refused while nothing changes
mod removed; // what the spec or the user takes away meanwhile
mod unacknowledged; // a first write without an answer, before the key of another account
mod unwritten; // a rotation that could not be written before the key was exchanged

use std::{collections::BTreeMap, time::Duration};

use rstest::rstest;
use serde_json::json;
use tokio::time::sleep;

use super::{
    races::at_each,
    store::{Id, Resource},
    world::{World, value},
};
use crate::harness::CANARY;

/// How long each wrong key stays.
const WRONG: Duration = Duration::from_secs(20);
/// Longer than anything takes that follows a right key.
const SOON: Duration = Duration::from_secs(5);

/// Longer than an account is left alone that the provider refused a few times.
const LONG: Duration = Duration::from_hours(2);

/// Deletion and conflict policy.
type Policies = [&'static str; 2];
const MILD: Policies = ["Retain", "Overwrite"];
const STRICT: Policies = ["Delete", "Fail"];

/// What is in the place of the API key between the two right ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wrong {
    Typo,
    /// Two wrong keys, one after the other.
    Typos,
    /// The Secret is deleted.
    Nothing,
}

/// What is there between the two right keys, and whether the operator is restarted meanwhile: after the first typo, or
/// while the Secret is gone.
#[derive(Clone, Copy, Debug)]
struct Between {
    wrong: Wrong,
    restarts: bool,
}

impl Between {
    /// Whether the process that reads the last key has never used the first one.
    fn is_forgotten(self) -> bool {
        self.restarts
    }

    /// Whether no process and no status remembers which Secrets the entries were made from, so that another key costs one
    /// write of each.
    fn is_unknown(self, is_first_key: bool) -> bool {
        self.wrong == Wrong::Nothing && self.restarts && !is_first_key
    }

    /// Goes through it; `user` is what the user does at some moments of it.
    async fn pass(self, world: &mut World, user: impl Fn(&World, Moment)) {
        user(world, Moment::JustBefore);
        let reason = if self.wrong == Wrong::Nothing {
            let credential: Id = (
                Resource::Secrets,
                "team".to_owned(),
                "credential".to_owned(),
            );
            world.store.delete(&credential).expect("it is deleted");
            "CredentialNotFound"
        } else {
            mistype(world, 1);
            "AuthenticationFailed"
        };
        user(world, Moment::AtFirst);
        wait_refused(world, reason).await;
        user(world, Moment::Meanwhile);
        sleep(WRONG).await;
        if self.restarts {
            world.down().await;
            world.up();
            // What a process writes right after another is confirmed, and counted twice.
            sleep(WRONG * 2).await;
        }
        if self.wrong == Wrong::Typos {
            mistype(world, 2);
            wait_refused(world, reason).await;
        }
        user(world, Moment::InTheEnd);
    }
}

/// When the user does something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Moment {
    /// In the moment in which the key becomes wrong. The watches show this first.
    JustBefore,
    /// In the same moment. The watches show the key first.
    AtFirst,
    /// While it is wrong, and before the operator is restarted.
    Meanwhile,
    /// In the moment in which it is right again.
    InTheEnd,
}

/// Replaces the API key.
fn exchange(world: &World, key: &str) {
    world.secret("credential", &BTreeMap::from([("api-key", key.to_owned())]));
}

/// The key that comes in the end: the first again, or another one of the account.
fn last_key(world: &World, is_first: bool) -> String {
    if is_first {
        return world.data("credential")["api-key"].clone();
    }
    let key = format!("{CANARY}-second-key");
    world.account.add_key(&*key).expect("a key");
    key
}

/// Puts a wrong key there.
fn mistype(world: &World, number: usize) {
    exchange(world, &format!("{CANARY}-typo-{number}"));
}

async fn wait_refused(world: &World, reason: &str) {
    sleep(WRONG).await;
    let told = world.ready_reason("object");
    assert_eq!(told.as_deref(), Some(reason), "{:?}", world.target);
}

fn is_synced(world: &World) -> bool {
    world.ready_reason("object").as_deref() == Some("Synced")
}

/// Two entries that are synced.
async fn synced(world: &mut World, [deletion, conflict]: Policies) {
    world.spec(&json!({"deletionPolicy": deletion, "conflictPolicy": conflict}));
    world.without_foreign_set();
    world.entries(&[("A_KEY", "a"), ("B_KEY", "b")]);
    world.quiet().await;
    world.with_foreign_secret();
    assert!(is_synced(world), "{:?}", world.target);
}

/// Whether a name is gone at the provider, or an event says that it stays.
fn is_gone_or_named(world: &World, name: &str) -> bool {
    let notes = world.notes("DeletionSkipped");
    !world.held().contains_key(name) || notes.iter().any(|note| note.contains(name))
}

/// Waits until the provider holds a rotated value.
async fn wait_rotated(world: &mut World, text: &str) {
    let is_rotated = |world: &World| world.held()["A_KEY"] == value(text);
    world.wait("the rotation", SOON, is_rotated).await;
    world.quiet().await;
    assert!(is_synced(world), "{:?}", world.target);
}

/// Rotates one of the values, which costs one write.
async fn rotate(world: &mut World, text: &str) {
    let before = world.provider_writes();
    world.rotate(text);
    wait_rotated(world, text).await;
    assert_eq!(world.provider_writes(), before + 1, "{:?}", world.target);
}

/// Cases: C-21, C-28
#[rstest]
fn a_right_key_after_wrong_ones_costs_no_write(
    #[values(Wrong::Typo, Wrong::Typos, Wrong::Nothing)] wrong: Wrong,
    #[values(false, true)] restarts: bool,
    #[values(MILD, STRICT)] policies: Policies,
    #[values(false, true)] is_first_key: bool,
) {
    let between = Between { wrong, restarts };
    at_each(async |world| {
        synced(world, policies).await;
        let (writes, last) = (world.provider_writes(), last_key(world, is_first_key));
        between.pass(world, |_, _| ()).await;
        exchange(world, &last);
        world.wait("the right key", SOON, is_synced).await;
        world.quiet().await;
        let written = world.provider_writes() - writes;
        let most = if between.is_unknown(is_first_key) {
            2
        } else {
            0
        };
        assert!(written <= most, "{:?}: {written} writes", world.target);
        rotate(world, "a2").await;
        assert!(world.notes("DeletionSkipped").is_empty());
    });
}

/// Cases: C-21, C-28
#[rstest]
fn a_rotation_without_a_right_key_lands_with_the_right_one(
    #[values(Wrong::Typo, Wrong::Typos, Wrong::Nothing)] wrong: Wrong,
    #[values(false, true)] restarts: bool,
    #[values(
        Moment::JustBefore,
        Moment::AtFirst,
        Moment::Meanwhile,
        Moment::InTheEnd
    )]
    moment: Moment,
    #[values(false, true)] is_first_key: bool,
) {
    let between = Between { wrong, restarts };
    at_each(async |world| {
        synced(world, MILD).await;
        let (writes, last) = (world.provider_writes(), last_key(world, is_first_key));
        let rotate = |world: &World, now: Moment| {
            if moment == now {
                world.rotate("a2");
            }
        };
        between.pass(world, rotate).await;
        exchange(world, &last);
        wait_rotated(world, "a2").await;
        // A process that has never used the first key cannot tell which value of the Secret changed.
        let is_sure = is_first_key || !between.is_forgotten();
        let most = if is_sure { 1 } else { 3 };
        let written = world.provider_writes() - writes;
        assert!(written <= most, "{:?}: {written} writes", world.target);
    });
}
