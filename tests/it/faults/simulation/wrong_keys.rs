//! A wrong API key between two right ones: what was written under the first is still known under the last.

mod other_account; // the last key opens another account
mod removed; // what the spec or the user takes away meanwhile

use std::{collections::BTreeMap, time::Duration};

use rstest::rstest;
use serde_json::json;
use tokio::time::sleep;

use super::{
    races::at_each,
    world::{World, value},
};
use crate::harness::CANARY;

/// How long each wrong key stays.
const WRONG: Duration = Duration::from_secs(20);
/// Longer than anything takes that follows a right key.
const SOON: Duration = Duration::from_secs(5);

/// The wrong keys between the two right ones.
#[derive(Clone, Copy, Debug)]
enum Typos {
    One,
    Two,
    /// While the wrong key is there, the operator is restarted.
    OneAndRestart,
    /// Between the two wrong keys, the operator is restarted.
    TwoAndRestart,
}

impl Typos {
    /// Whether the process that reads the last key has never used the first one.
    fn is_forgotten(self) -> bool {
        matches!(self, Self::OneAndRestart | Self::TwoAndRestart)
    }
}

/// Replaces the API key.
fn exchange(world: &World, key: &str) {
    world.secret("credential", &BTreeMap::from([("api-key", key.to_owned())]));
}

/// The key that comes after the wrong ones: the first again, or another one of the account.
fn last_key(world: &World, is_first: bool) -> String {
    if is_first {
        return world.data("credential")["api-key"].clone();
    }
    let key = format!("{CANARY}-second-key");
    world.account.add_key(&*key).expect("a key");
    key
}

/// Puts a wrong key there.
async fn mistype(world: &World, number: usize) {
    exchange(world, &format!("{CANARY}-typo-{number}"));
    sleep(WRONG).await;
    let reason = world.ready_reason("object");
    assert_eq!(reason.as_deref(), Some("AuthenticationFailed"));
}

async fn restart(world: &mut World) {
    world.down().await;
    world.up();
    sleep(WRONG).await;
}

/// Puts wrong keys there; `meanwhile` is what the user does after the first one.
async fn mistype_each(world: &mut World, typos: Typos, meanwhile: impl Fn(&World)) {
    mistype(world, 1).await;
    meanwhile(world);
    if typos.is_forgotten() {
        restart(world).await;
    }
    if matches!(typos, Typos::Two | Typos::TwoAndRestart) {
        mistype(world, 2).await;
    }
}

/// Two entries that are synced under both policies.
async fn synced(world: &mut World, deletion: &str, conflict: &str) {
    world.spec(&json!({"deletionPolicy": deletion, "conflictPolicy": conflict}));
    world.without_foreign_set();
    world.entries(&[("A_KEY", "a"), ("B_KEY", "b")]);
    world.quiet().await;
    world.with_foreign_secret();
    assert_eq!(world.ready_reason("object").as_deref(), Some("Synced"));
}

/// Whether a name is gone at the provider, or an event says that it stays.
fn is_gone_or_named(world: &World, name: &str) -> bool {
    let notes = world.notes("DeletionSkipped");
    !world.held().contains_key(name) || notes.iter().any(|note| note.contains(name))
}

/// Rotates one of the values, which costs one write.
async fn rotate(world: &mut World, text: &str) {
    let before = world.provider_writes();
    world.rotate(text);
    world
        .wait("the rotation", SOON, |world| {
            world.held()["A_KEY"] == value(text)
        })
        .await;
    world.quiet().await;
    assert_eq!(world.provider_writes(), before + 1, "{:?}", world.target);
    assert_eq!(world.ready_reason("object").as_deref(), Some("Synced"));
}

/// Cases: C-21
#[rstest]
fn a_right_key_after_wrong_ones_costs_no_write(
    #[values(Typos::One, Typos::Two, Typos::OneAndRestart, Typos::TwoAndRestart)] typos: Typos,
    #[values("Retain", "Delete")] deletion: &str,
    #[values("Overwrite", "Fail")] conflict: &str,
    #[values(false, true)] is_first_key: bool,
) {
    at_each(async |world| {
        synced(world, deletion, conflict).await;
        let (writes, events) = (world.provider_writes(), world.notes("DeletionSkipped"));
        let last = last_key(world, is_first_key);
        mistype_each(world, typos, |_| ()).await;
        exchange(world, &last);
        world
            .wait("the key", SOON, |world| {
                world.ready_reason("object").as_deref() == Some("Synced")
            })
            .await;
        world.quiet().await;
        assert_eq!(world.provider_writes(), writes, "{:?}", world.target);
        rotate(world, "a2").await;
        assert_eq!(world.notes("DeletionSkipped"), events);
    });
}

/// Cases: C-21
#[rstest]
fn a_rotation_while_the_key_is_wrong_lands_with_the_right_one(
    #[values(Typos::One, Typos::Two, Typos::OneAndRestart, Typos::TwoAndRestart)] typos: Typos,
    #[values("Overwrite", "Fail")] conflict: &str,
    #[values(false, true)] is_first_key: bool,
) {
    at_each(async |world| {
        synced(world, "Retain", conflict).await;
        let writes = world.provider_writes();
        let last = last_key(world, is_first_key);
        let rotate = |world: &World| world.rotate("a2");
        mistype_each(world, typos, rotate).await;
        exchange(world, &last);
        world
            .wait("the rotation", SOON, |world| {
                world.held()["A_KEY"] == value("a2")
            })
            .await;
        world.quiet().await;
        // Who has never used the first key cannot tell which key of the Secret changed.
        let most = writes + if typos.is_forgotten() { 2 } else { 1 };
        assert!(world.provider_writes() <= most, "{:?}", world.target);
        assert_eq!(world.ready_reason("object").as_deref(), Some("Synced"));
    });
}
