//! What a source takes away: under Delete it waits, and much of it is held until a user confirms it. What the spec takes
//! away goes at once.

mod edits; // edits and requests beside it
mod holds; // what is held while the object says something else
mod new_sources; // a source that the spec names anew

use std::{collections::BTreeMap, time::Duration};

use rstest::rstest;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::{
    races::at_each,
    world::{SOURCE, World, data, value},
};
use crate::harness::Target;

/// As operators of the simulation have it.
const GRACE: Duration = Duration::from_mins(1);
/// Longer than it takes to act on a change.
const SOON: Duration = Duration::from_secs(5);

/// Keys `k00`, `k01` and so on, as many as `count`.
fn keys(count: usize) -> BTreeMap<String, String> {
    let key = |number| format!("k{number:02}");
    (0..count)
        .map(|number| (key(number), value(&key(number))))
        .collect()
}

fn set_keys(world: &World, count: usize) {
    let keys = keys(count);
    let keys = keys
        .iter()
        .map(|(key, value)| (key.as_str(), value.clone()));
    world.secret(SOURCE, &keys.collect());
}

/// The object, with every key of the source as an entry.
fn bulk(changes: &Value) -> Value {
    let mut spec = json!({
        "deletionPolicy": "Delete",
        "dataFrom": [{"secretRef": {"name": SOURCE}, "nameTransform": "UpperSnake"}],
    });
    json_patch::merge(&mut spec, changes);
    spec
}

/// How many of the keys the provider holds.
fn held(world: &World) -> usize {
    let names = world.held().into_keys();
    names.filter(|name| name.starts_with('K')).count()
}

async fn synced(world: &mut World, count: usize) {
    set_keys(world, count);
    world.spec(&bulk(&json!({})));
    world.quiet().await;
    assert_eq!(held(world), count, "{:?}", world.target);
}

/// Ends with entries that the oracle can read.
/// Asserts that nothing goes before a user confirms what the object says, and that `left` stay then.
async fn assert_held_until_asked(world: &mut World, before: usize, left: usize) {
    world.quiet().await;
    sleep(2 * GRACE).await;
    assert_eq!(held(world), before, "{:?}", world.target);
    assert_eq!(world.ready_reason("object").as_deref(), Some("RemovalHeld"));
    assert_goes_when_asked(world, left).await;
}

/// Asserts that `left` stay once a user has confirmed what is held.
async fn assert_goes_when_asked(world: &mut World, left: usize) {
    world.request_sync("yes");
    world.quiet().await;
    assert_eq!(held(world), left, "{:?}", world.target);
    end(world).await;
}

async fn end(world: &mut World) {
    world.source(&[("a", "a1"), ("b", "b1")]);
    world.spec(
        &json!({"dataFrom": null, "deletionPolicy": "Retain", "data": data(&[("A_KEY", "a")])}),
    );
    world.quiet().await;
}

/// Cases: R-09
#[rstest]
fn few_keys_that_go_away_are_deleted_after_the_grace(
    #[values((10, 9), (10, 5), (6, 1), (3, 1))] (before, after): (usize, usize),
    #[values(false, true)] restarts: bool,
) {
    at_each(async |world| {
        synced(world, before).await;
        set_keys(world, after);
        sleep(GRACE / 2).await;
        assert_eq!(held(world), before, "{:?}", world.target);
        assert_eq!(world.ready_reason("object").as_deref(), Some("Progressing"));
        if restarts {
            world.down().await;
            world.up();
        }
        let is_gone = |world: &World| held(world) == after;
        world.wait("the deletion", 2 * GRACE, is_gone).await;
        world.quiet().await;
        assert_eq!(world.ready_reason("object").as_deref(), Some("Synced"));
        end(world).await;
    });
}

/// Cases: R-09
#[rstest]
fn keys_that_come_back_within_the_grace_cost_no_call(#[values(1, 40)] gone: usize) {
    at_each(async |world| {
        synced(world, 50).await;
        let before = world.provider_writes();
        for _ in 0..3 {
            set_keys(world, 50 - gone);
            sleep(GRACE / 2).await;
            set_keys(world, 50);
            sleep(GRACE / 2).await;
        }
        world.quiet().await;
        assert_eq!(world.provider_writes(), before, "{:?}", world.target);
        assert_eq!(world.ready_reason("object").as_deref(), Some("Synced"));
        end(world).await;
    });
}

/// How a user confirms that what is held may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Confirmed {
    Sync,
    Edit,
    /// The keys come back instead.
    Keys,
    /// The source is removed from the spec.
    Source,
}

/// Cases: R-09
#[rstest]
fn much_that_goes_away_is_held_until_a_user_confirms_it(
    #[values(Confirmed::Sync, Confirmed::Edit, Confirmed::Keys, Confirmed::Source)]
    confirmed: Confirmed,
    #[values((7, 1), (50, 24))] (before, after): (usize, usize),
    #[values(false, true)] restarts: bool,
    #[values(false, true)] is_provider_down: bool,
) {
    at_each(async |world| {
        synced(world, before).await;
        set_keys(world, after);
        sleep(Duration::from_hours(2)).await;
        assert_eq!(held(world), before, "{:?}", world.target);
        assert_eq!(world.ready_reason("object").as_deref(), Some("RemovalHeld"));
        let count = format!("{} of {before} entries", before - after);
        assert!(world.message().contains(&count), "{}", world.message());
        if restarts {
            world.down().await;
            world.up();
            world.quiet().await;
            assert_eq!(held(world), before, "{:?}", world.target);
        }
        if is_provider_down {
            world
                .account
                .add_fault(simulator::Fault::status(503).forever());
        }
        match confirmed {
            Confirmed::Sync => world.request_sync("yes"),
            Confirmed::Edit => world.spec(&json!({"rewriteInterval": "1000h"})),
            Confirmed::Keys => set_keys(world, before),
            Confirmed::Source => {
                world.secret("other", &[("a", value("a1"))].into());
                let other = json!({"name": "A_KEY", "secretKeyRef": {"name": "other", "key": "a"}});
                world.spec(&json!({"dataFrom": null, "data": [other]}));
            }
        }
        if is_provider_down {
            sleep(GRACE).await;
            assert_eq!(held(world), before, "{:?}", world.target);
            world.account.clear_faults();
        }
        let left = match confirmed {
            Confirmed::Sync | Confirmed::Edit => after,
            Confirmed::Keys => before,
            Confirmed::Source => 0,
        };
        world.quiet().await;
        assert_eq!(held(world), left, "{:?}", world.target);
        assert_eq!(world.ready_reason("object").as_deref(), Some("Synced"));
        end(world).await;
    });
}

/// As of a script that asks for a sync after each edit of the Secret, and `rotated --wait`.
/// Cases: R-09
#[rstest]
fn a_request_of_before_it_was_said_confirms_nothing(
    #[values((50, 24), (10, 9))] (before, after): (usize, usize),
    #[values(false, true)] is_provider_slow_down: bool,
) {
    at_each(async |world| {
        synced(world, before).await;
        if is_provider_slow_down {
            // The first look fails, so the request is not answered by it.
            let fault = simulator::Fault::status(503);
            world.account.add_fault(fault.method("GET"));
        }
        world.request_sync("before");
        set_keys(world, after);
        sleep(GRACE / 2).await;
        assert_eq!(held(world), before, "{:?}", world.target);
        world.quiet().await;
        let object = world.object().expect("the object");
        assert_eq!(object["status"]["lastHandledSyncRequest"], "before");
        if 2 * after > before {
            // Few go after the grace.
            assert_eq!(held(world), after, "{:?}", world.target);
        } else {
            sleep(Duration::from_hours(2)).await;
            assert_eq!(held(world), before, "{:?}", world.target);
            assert_eq!(world.ready_reason("object").as_deref(), Some("RemovalHeld"));
            world.request_sync("yes");
            world.quiet().await;
            assert_eq!(held(world), after, "{:?}", world.target);
        }
        assert_eq!(world.ready_reason("object").as_deref(), Some("Synced"));
        end(world).await;
    });
}

/// Cases: R-09
#[rstest]
fn what_the_spec_takes_away_goes_at_once(
    #[values(1, 40)] gone: usize,
    #[values(false, true)] is_labelled: bool,
) {
    at_each(async |world| {
        set_keys(world, 50);
        let entries = |count: usize| {
            let entries = keys(count).into_keys();
            let entries = entries.map(|key| json!({"name": key.to_uppercase(), "secretKeyRef": {"name": SOURCE, "key": key}}));
            json!({"deletionPolicy": "Delete", "data": entries.collect::<Vec<_>>()})
        };
        world.spec(&entries(50));
        world.quiet().await;
        if is_labelled {
            // The version of the Secret moves, and what it holds does not.
            world.label(SOURCE);
            world.quiet().await;
        }
        world.spec(&entries(50 - gone));
        let is_gone = |world: &World| held(world) == 50 - gone;
        world.wait("the deletion", SOON, is_gone).await;
        end(world).await;
    });
}

/// Another cluster takes a name over, and the old object is deleted: what was written since stays, where it shows.
/// Cases: M-06, R-10
#[rstest]
fn what_another_writer_has_written_since_is_not_deleted(
    #[values(false, true)] is_whole_object: bool,
    #[values(false, true)] is_made_anew: bool,
) {
    at_each(async |world| {
        world.source(&[("a", "a1"), ("b", "b1")]);
        let spec =
            |entries: &[(&str, &str)]| json!({"deletionPolicy": "Delete", "data": data(entries)});
        world.spec(&spec(&[("A_KEY", "a"), ("B_KEY", "b")]));
        world.quiet().await;
        if is_made_anew {
            let deleted = world
                .account
                .foreign_delete(world.scope().as_deref(), "A_KEY");
            deleted.expect("it is deleted");
        }
        world.foreign_write("A_KEY", "of-another-cluster");
        if is_whole_object {
            world.delete();
        } else {
            world.spec(&spec(&[("B_KEY", "b")]));
        }
        sleep(SOON).await;
        let is_shown = match world.target {
            Target::PrimeIntellect | Target::Braintrust => true,
            Target::BasetenWorkspace | Target::BasetenTeam => is_made_anew,
            Target::Pipecat => false,
        };
        let left = world.held().get("A_KEY").cloned();
        let expected = is_shown.then(|| "of-another-cluster".to_owned());
        assert_eq!(left, expected, "{:?}", world.target);
        let notes = world.notes("DeletionSkipped");
        assert_eq!(
            notes.len(),
            usize::from(is_shown),
            "{:?} {notes:?}",
            world.target
        );
        assert!(
            notes
                .iter()
                .all(|note| note.contains("A_KEY") && note.contains("another writer")),
            "{notes:?}"
        );
        if is_whole_object {
            assert!(!world.held().contains_key("B_KEY"), "{:?}", world.target);
        }
        end(world).await;
    });
}

/// What makes a source give nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Nothing {
    Empty,
    Include,
    Exclude,
}

/// Cases: R-08
#[rstest]
fn a_source_that_gives_nothing_is_never_ready_and_deletes_nothing(
    #[values(Nothing::Empty, Nothing::Include, Nothing::Exclude)] nothing: Nothing,
    #[values("Retain", "Delete")] policy: &str,
    #[values(false, true)] was_synced: bool,
) {
    at_each(async |world| {
        set_keys(world, 3);
        if was_synced {
            world.spec(&bulk(&json!({"deletionPolicy": policy})));
            world.quiet().await;
        }
        let mut source = json!({"secretRef": {"name": SOURCE}, "nameTransform": "UpperSnake"});
        match nothing {
            Nothing::Empty => set_keys(world, 0),
            Nothing::Include => source["include"] = json!(["typo-*"]),
            Nothing::Exclude => source["exclude"] = json!(["*"]),
        }
        world.spec(&bulk(
            &json!({"deletionPolicy": policy, "dataFrom": [source]}),
        ));
        world.quiet().await;
        assert_eq!(world.ready_reason("object").as_deref(), Some("KeyNotFound"));
        let (text, pattern) = (
            world.message(),
            match nothing {
                Nothing::Empty => "holds no keys",
                Nothing::Include => "typo-*",
                Nothing::Exclude => "exclude [*]",
            },
        );
        assert!(text.contains(pattern) && text.contains(SOURCE), "{text}");
        assert_eq!(
            held(world),
            if was_synced { 3 } else { 0 },
            "{:?}",
            world.target
        );
        // It heals when the source changes.
        if nothing == Nothing::Empty {
            set_keys(world, 4);
            let is_held = |world: &World| held(world) == 4;
            world.wait("the keys", SOON, is_held).await;
        }
        end(world).await;
    });
}

/// A value, or an API key, that is empty for now, as a placeholder of another controller is.
/// Cases: R-11
#[rstest]
fn a_placeholder_is_waited_for(#[values(false, true)] is_key: bool) {
    at_each(async |world| {
        let key = world.data("credential")["api-key"].clone();
        if is_key {
            world.secret("credential", &[("api-key", String::new())].into());
        } else {
            world.secret(SOURCE, &[("a", String::new()), ("b", value("b1"))].into());
        }
        world.entries(&[("A_KEY", "a")]);
        world.quiet().await;
        let object = world.object().expect("the object");
        let conditions = object["status"]["conditions"].to_string();
        assert!(conditions.contains("\"EmptyValue\""), "{conditions}");
        assert!(
            conditions.contains("Reconciling") && !conditions.contains("Stalled"),
            "{conditions}"
        );
        world.secret("credential", &[("api-key", key)].into());
        world.rotate("a1");
        let is_held = |world: &World| world.held().get("A_KEY") == Some(&value("a1"));
        world.wait("the value", SOON, is_held).await;
        world.quiet().await;
    });
}
