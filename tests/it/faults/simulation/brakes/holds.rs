//! What is held while the object says something else: an edit or a request confirms only what the object says.

use std::{collections::BTreeMap, time::Duration};

use rstest::rstest;
use serde_json::{Value, json};
use simulator::Fault;
use tokio::time::sleep;

use super::{assert_goes_when_asked, at_each, bulk, end, held, keys, set_keys, synced, value};
use crate::faults::simulation::{
    store::Resource,
    world::{SOURCE, World},
};
use crate::harness::CANARY;

/// The keys of the source before and after most of them are gone.
const BEFORE: usize = 20;
const AFTER: usize = 5;
/// Longer than the grace time, and than an account is left alone whose calls have failed.
const LONG: Duration = Duration::from_hours(2);

/// What a user does while the object says something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meanwhile {
    Sync,
    Edit,
}

/// What the object says instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Instead {
    /// The provider refuses the API key.
    Refused,
    /// The Secret of the API key is gone.
    NoKey,
}

async fn hold(world: &mut World) {
    synced(world, BEFORE).await;
    set_keys(world, AFTER);
    world.quiet().await;
    assert_still_held(world, BEFORE);
}

fn assert_still_held(world: &World, count: usize) {
    assert_eq!(held(world), count, "{:?}", world.target);
    let said = world.ready_reason("object");
    assert_eq!(said.as_deref(), Some("RemovalHeld"), "{:?}", world.target);
}

/// Asserts that nothing goes, and that the next request, or the next edit, is the one that confirms it.
async fn assert_held_until_confirmed(world: &mut World, confirmed: Meanwhile) {
    world.quiet().await;
    sleep(LONG).await;
    assert_still_held(world, BEFORE);
    match confirmed {
        Meanwhile::Sync => world.request_sync("yes"),
        Meanwhile::Edit => world.spec(&json!({"rewriteInterval": "2000h"})),
    }
    world.quiet().await;
    assert_eq!(held(world), AFTER, "{:?}", world.target);
    end(world).await;
}

fn set_api_key(world: &World, key: &str) {
    world.secret("credential", &BTreeMap::from([("api-key", key.to_owned())]));
}

/// Cases: R-09
#[rstest]
fn what_is_asked_while_the_object_says_something_else_confirms_nothing(
    #[values(Instead::Refused, Instead::NoKey)] instead: Instead,
    #[values(Meanwhile::Sync, Meanwhile::Edit)] meanwhile: Meanwhile,
    #[values(false, true)] restarts: bool,
) {
    at_each(async |world| {
        hold(world).await;
        let key = world.data("credential")["api-key"].clone();
        match instead {
            Instead::Refused => set_api_key(world, &format!("{CANARY}-typo")),
            Instead::NoKey => {
                let id = (
                    Resource::Secrets,
                    "team".to_owned(),
                    "credential".to_owned(),
                );
                world.store.delete(&id).expect("it is deleted");
            }
        }
        world.quiet().await;
        let said = world.ready_reason("object");
        assert_ne!(said.as_deref(), Some("RemovalHeld"), "{:?}", world.target);
        if restarts {
            world.down().await;
        }
        match meanwhile {
            Meanwhile::Sync => world.request_sync("early"),
            Meanwhile::Edit => world.spec(&json!({"rewriteInterval": "1000h"})),
        }
        world.quiet().await;
        set_api_key(world, &key);
        world.up();
        assert_held_until_confirmed(world, meanwhile).await;
    });
}

/// Two keys come to one name, and the user leaves one of them out.
/// Cases: R-09
#[rstest]
fn an_edit_that_heals_something_else_confirms_nothing(
    #[values(Meanwhile::Sync, Meanwhile::Edit)] confirmed: Meanwhile,
) {
    at_each(async |world| {
        hold(world).await;
        let mut few = keys(AFTER);
        for key in ["new-key", "new.key"] {
            few.insert(key.to_owned(), value("new"));
        }
        let few = few.iter().map(|(key, value)| (key.as_str(), value.clone()));
        world.secret(SOURCE, &few.collect());
        world.quiet().await;
        let said = world.ready_reason("object");
        assert_eq!(said.as_deref(), Some("Conflict"), "{:?}", world.target);
        let source = json!({
            "secretRef": {"name": SOURCE},
            "nameTransform": "UpperSnake",
            "exclude": ["new.key"],
        });
        world.spec(&bulk(&json!({"dataFrom": [source]})));
        assert_held_until_confirmed(world, confirmed).await;
    });
}

/// Nothing tells the operator that the spec was another one meanwhile, but for its generation.
/// Cases: R-09
#[test]
fn to_suspend_and_to_resume_unseen_confirms_nothing() {
    at_each(async |world| {
        hold(world).await;
        world.down().await;
        world.spec(&json!({"suspend": true}));
        world.spec(&json!({"suspend": null}));
        world.up();
        assert_held_until_confirmed(world, Meanwhile::Edit).await;
    });
}

/// The object is suspended after it has said it, and goes on while the provider is down.
/// Cases: R-09
#[rstest]
fn a_hold_outlives_a_suspension_that_ends_in_an_outage(#[values(false, true)] restarts: bool) {
    at_each(async |world| {
        hold(world).await;
        world.spec(&json!({"suspend": true}));
        world.quiet().await;
        world.account.add_fault(Fault::status(503).forever());
        // A rotation that fails, so that the object says that.
        let mut few = keys(AFTER);
        few.insert("k00".to_owned(), value("rotated"));
        let few = few.iter().map(|(key, value)| (key.as_str(), value.clone()));
        world.secret(SOURCE, &few.collect());
        world.spec(&json!({"suspend": null}));
        sleep(Duration::from_mins(2)).await;
        // Few of them stay away.
        set_keys(world, BEFORE - 2);
        sleep(Duration::from_mins(2)).await;
        if restarts {
            world.down().await;
            world.up();
        }
        world.account.clear_faults();
        world.quiet().await;
        sleep(LONG).await;
        assert_still_held(world, BEFORE);
        assert_goes_when_asked(world, BEFORE - 2).await;
    });
}

/// What another writer makes of the status of an object that holds the removal of two keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Edit {
    /// The two wait like what is not held.
    Reasons,
    /// As before anything was held.
    Older,
    /// As it was before the newest, when more was held.
    Former,
}

/// Cases
#[rstest]
fn an_edit_of_status_confirms_nothing(
    #[values(Edit::Reasons, Edit::Older, Edit::Former)] edit: Edit,
) {
    at_each(async |world| {
        synced(world, BEFORE).await;
        let older = status(world);
        set_keys(world, AFTER);
        world.quiet().await;
        let former = status(world);
        set_keys(world, BEFORE - 2);
        world.quiet().await;
        assert_still_held(world, BEFORE);
        world.change_status(|status| match edit {
            Edit::Reasons => {
                for entry in status["entries"].as_array_mut().into_iter().flatten() {
                    if entry["reason"] == "RemovalHeld" {
                        entry["reason"] = "Progressing".into();
                    }
                }
            }
            Edit::Older => *status = older,
            Edit::Former => *status = former,
        });
        world.quiet().await;
        sleep(LONG).await;
        assert_still_held(world, BEFORE);
        assert_goes_when_asked(world, BEFORE - 2).await;
    });
}

/// The operator wrote that one too, right before its newest.
/// Cases
#[test]
fn the_status_of_right_before_a_hold_ends_it_no_more_than_an_older_one() {
    at_each(async |world| {
        synced(world, BEFORE).await;
        let before = status(world);
        set_keys(world, AFTER);
        world.quiet().await;
        assert_still_held(world, BEFORE);
        world.change_status(|status| *status = before);
        world.quiet().await;
        assert_still_held(world, BEFORE);
        // Few of them stay away.
        set_keys(world, BEFORE - 2);
        world.quiet().await;
        sleep(LONG).await;
        assert_still_held(world, BEFORE);
        end(world).await;
    });
}

fn status(world: &World) -> Value {
    world.object().expect("the object")["status"].clone()
}

/// What waits is counted as a deletion, because it goes when the object goes on.
#[rstest]
#[case::held(AFTER, true, [0, 15, 0])]
#[case::gone_while_suspended(AFTER, false, [0, 15, 0])]
#[case::waiting(BEFORE - 2, false, [2, 0, 2])]
fn a_suspended_object_shows_what_its_source_took_away(
    #[case] left: usize,
    #[case] is_held_before: bool,
    #[case] expected: [usize; 3],
) {
    at_each(async |world| {
        synced(world, BEFORE).await;
        if is_held_before {
            set_keys(world, left);
            world.quiet().await;
        }
        world.spec(&json!({"suspend": true}));
        world.quiet().await;
        set_keys(world, left);
        world.quiet().await;
        let plan = world.plan().expect("a plan");
        let shown = json!([plan["delete"], plan["refuse"], plan["calls"]]);
        assert_eq!(shown, json!(expected), "{:?}", world.target);
        let before = world.provider_writes();
        world.spec(&json!({"suspend": null}));
        world.quiet().await;
        let sent = world.provider_writes() - before;
        assert_eq!(sent, expected[2], "{:?}", world.target);
        if left == AFTER {
            assert_still_held(world, BEFORE);
            world.request_sync("yes");
            world.quiet().await;
        }
        assert_eq!(held(world), left, "{:?}", world.target);
        end(world).await;
    });
}
