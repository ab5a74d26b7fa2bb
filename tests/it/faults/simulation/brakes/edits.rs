//! Edits of the spec, and requests for a sync, beside what sources take away.

use std::time::Duration;

use rstest::rstest;
use serde_json::{Value, json};
use simulator::{Action, Fault};
use tokio::time::sleep;

use super::{
    GRACE, SOON, assert_goes_when_asked, assert_held_until_asked, at_each, bulk, end, held, keys,
    set_keys, synced, value,
};
use crate::faults::simulation::{
    store::Resource,
    world::{SOURCE, World},
};

/// What a user does while the operator is at work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meanwhile {
    Sync,
    Edit,
}

/// The request is there, or the spec is edited, before status says that something is held: it is no answer to that.
/// Cases: R-09
#[rstest]
fn what_a_user_does_before_it_was_said_confirms_nothing(
    #[values(Meanwhile::Sync, Meanwhile::Edit)] meanwhile: Meanwhile,
) {
    at_each(async |world| {
        synced(world, 50).await;
        world.secret("other", &[("a", value("a1"))].into());
        let other = json!({"name": "A_KEY", "secretKeyRef": {"name": "other", "key": "a"}});
        world.spec(&bulk(&json!({"data": [other]})));
        world.quiet().await;
        // The reconcile that finds the keys gone also writes a value, which takes its time.
        let slow = Fault::new(Action::Handle).delay(4 * SOON / 5);
        world.account.add_fault(slow);
        set_keys(world, 24);
        world.secret("other", &[("a", value("a2"))].into());
        sleep(SOON / 2).await;
        match meanwhile {
            Meanwhile::Sync => world.request_sync("meanwhile"),
            Meanwhile::Edit => world.spec(&json!({"rewriteInterval": "1000h"})),
        }
        world.quiet().await;
        sleep(2 * GRACE).await;
        assert_eq!(held(world), 50, "{:?}", world.target);
        assert_eq!(world.held()["A_KEY"], value("a2"), "{:?}", world.target);
        assert_eq!(world.ready_reason("object").as_deref(), Some("RemovalHeld"));
        assert_goes_when_asked(world, 24).await;
    });
}

/// Why the object says nothing of what it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Silent {
    /// It is suspended when the keys go.
    Suspended,
    /// It is suspended after it has said it.
    SuspendedThen,
    /// The provider refuses the API key.
    Refused,
}

/// The keys of the source, of which the first has another value.
fn set_rotated_keys(world: &World, count: usize, text: &str) {
    let mut keys = keys(count);
    keys.insert("k00".to_owned(), value(text));
    let keys = keys.iter();
    let keys = keys.map(|(key, value)| (key.as_str(), value.clone()));
    world.secret(SOURCE, &keys.collect());
}

/// An edit or a request confirms what the object says that it holds, and not what it holds in silence.
/// Cases: R-09
#[rstest]
fn what_is_held_in_silence_is_confirmed_by_nothing(
    #[values(Silent::Suspended, Silent::SuspendedThen, Silent::Refused)] silent: Silent,
    #[values(Meanwhile::Sync, Meanwhile::Edit)] meanwhile: Meanwhile,
) {
    at_each(async |world| {
        synced(world, 50).await;
        match silent {
            Silent::Suspended => {
                world.spec(&json!({"suspend": true}));
                world.quiet().await;
                set_keys(world, 24);
                world.quiet().await;
            }
            Silent::SuspendedThen => {
                set_keys(world, 24);
                world.quiet().await;
                world.spec(&json!({"suspend": true}));
                world.quiet().await;
            }
            Silent::Refused => {
                world.account.add_fault(Fault::status(401).forever());
                set_rotated_keys(world, 50, "refused");
                sleep(SOON).await;
                // The key is not tried again before a minute has passed.
                set_rotated_keys(world, 24, "refused-again");
                sleep(SOON).await;
            }
        }
        let said = match silent {
            Silent::Suspended | Silent::SuspendedThen => "Suspended",
            Silent::Refused => "AuthenticationFailed",
        };
        assert_eq!(world.ready_reason("object").as_deref(), Some(said));
        let mut shown = world.object().expect("the object");
        // What would be done is shown to whoever looks for it.
        shown["status"]["plan"].take();
        let shown = shown.to_string();
        assert!(!shown.contains("RemovalHeld"), "{:?} {shown}", world.target);
        match meanwhile {
            Meanwhile::Sync => world.request_sync("early"),
            Meanwhile::Edit => world.spec(&json!({"rewriteInterval": "1000h"})),
        }
        world.account.clear_faults();
        world.spec(&json!({"suspend": null}));
        sleep(Duration::from_hours(2)).await;
        assert_eq!(held(world), 50, "{:?}", world.target);
        assert_eq!(world.ready_reason("object").as_deref(), Some("RemovalHeld"));
        assert_goes_when_asked(world, 24).await;
    });
}

/// What a user does about that entry would confirm it.
/// Cases: R-09
#[test]
fn what_is_held_is_said_although_another_entry_is_refused() {
    at_each(async |world| {
        synced(world, 50).await;
        let mut few = keys(24);
        // No text, so no provider takes it.
        few.insert("bad".to_owned(), value("\0"));
        let few = few.iter().map(|(key, value)| (key.as_str(), value.clone()));
        world.secret(SOURCE, &few.collect());
        world.quiet().await;
        sleep(2 * GRACE).await;
        assert_eq!(held(world), 50, "{:?}", world.target);
        assert_eq!(world.ready_reason("object").as_deref(), Some("RemovalHeld"));
        let message = world.message();
        assert!(message.contains("One more is not synced"), "{message}");
        assert_goes_when_asked(world, 24).await;
    });
}

/// An item of `dataFrom`.
fn source(name: &str) -> Value {
    json!({"secretRef": {"name": name}, "nameTransform": "UpperSnake"})
}

/// The object with so many keys of the source, and one of another Secret.
async fn synced_with_another(world: &mut World, count: usize) {
    set_keys(world, count);
    set_another(world);
    world.spec(&bulk(
        &json!({"dataFrom": [source(SOURCE), source("another")]}),
    ));
    world.quiet().await;
    assert_eq!(held(world), count, "{:?}", world.target);
    assert!(world.held().contains_key("M0"), "{:?}", world.target);
}

fn set_another(world: &World) {
    world.secret("another", &[("m0", value("m0"))].into());
}

async fn delete_secret(world: &mut World, name: &str) {
    let id = (Resource::Secrets, "team".to_owned(), name.to_owned());
    world.store.delete(&id).expect("it is deleted");
    world.quiet().await;
}

/// Which of two sources took the keys away is not known while one of them cannot be read.
/// Cases: R-09
#[rstest]
fn what_goes_while_another_source_is_away_does_not_go_with_that_one(
    #[values(false, true)] restarts: bool,
) {
    at_each(async |world| {
        synced_with_another(world, 10).await;
        delete_secret(world, "another").await;
        assert_eq!(
            world.ready_reason("object").as_deref(),
            Some("SecretNotFound")
        );
        set_keys(world, 2);
        world.quiet().await;
        if restarts {
            world.down().await;
            world.up();
        }
        world.spec(&json!({"dataFrom": [source(SOURCE)]}));
        assert_held_until_asked(world, 10, 2).await;
    });
}

/// Cases: R-09
#[rstest]
fn a_hold_outlives_the_absence_of_another_source(#[values(false, true)] restarts: bool) {
    at_each(async |world| {
        synced_with_another(world, 50).await;
        set_keys(world, 24);
        world.quiet().await;
        assert_eq!(world.ready_reason("object").as_deref(), Some("RemovalHeld"));
        delete_secret(world, "another").await;
        assert_eq!(world.ready_reason("object").as_deref(), Some("RemovalHeld"));
        set_keys(world, 44);
        world.quiet().await;
        if restarts {
            world.down().await;
            world.up();
        }
        set_another(world);
        assert_held_until_asked(world, 50, 44).await;
    });
}

/// One `kubectl apply` makes the Secret anew with fewer keys, and edits the object.
/// Cases: R-09
#[test]
fn an_edit_beside_a_source_that_comes_back_shorter_confirms_nothing() {
    at_each(async |world| {
        synced(world, 10).await;
        delete_secret(world, SOURCE).await;
        world.down().await;
        set_keys(world, 2);
        world.spec(&json!({"rewriteInterval": "1000h"}));
        world.up();
        assert_held_until_asked(world, 10, 2).await;
    });
}

/// Cases
#[test]
fn an_explicit_entry_goes_while_a_source_that_never_gave_it_is_away() {
    at_each(async |world| {
        set_keys(world, 2);
        world.secret("another", &[("X_1", value("x1"))].into());
        let entry = |name: &str, key: &str| json!({"name": name, "secretKeyRef": {"name": SOURCE, "key": key}});
        let spec = |entries: &[Value]| {
            json!({
                "deletionPolicy": "Delete",
                "data": entries,
                "dataFrom": [{"secretRef": {"name": "another"}, "include": ["X_*"]}],
            })
        };
        world.spec(&spec(&[entry("K_A", "k00"), entry("K_B", "k01")]));
        world.quiet().await;
        assert_eq!(world.ready_reason("object").as_deref(), Some("Synced"));
        delete_secret(world, "another").await;
        world.spec(&spec(&[entry("K_A", "k00")]));
        let is_gone = |world: &World| held(world) == 1;
        world.wait("the deletion", SOON, is_gone).await;
        world.quiet().await;
        assert!(world.held().contains_key("X_1"), "{:?}", world.target);
        assert_eq!(
            world.ready_reason("object").as_deref(),
            Some("SecretNotFound")
        );
        end(world).await;
    });
}

/// Cases: R-09
#[rstest]
fn an_edit_of_something_else_does_not_end_the_grace(#[values(false, true)] restarts: bool) {
    at_each(async |world| {
        synced(world, 10).await;
        set_keys(world, 8);
        sleep(GRACE / 4).await;
        if restarts {
            world.down().await;
            world.up();
        }
        world.spec(&json!({"rewriteInterval": "1000h"}));
        sleep(GRACE / 2).await;
        assert_eq!(held(world), 10, "{:?}", world.target);
        let is_gone = |world: &World| held(world) == 8;
        world.wait("the deletion", 2 * GRACE, is_gone).await;
        end(world).await;
    });
}

/// The names that come instead are in status before they are written, and nothing that stays.
/// Cases: R-09
#[rstest]
fn what_other_keys_take_the_place_of_is_held(#[values(false, true)] restarts: bool) {
    at_each(async |world| {
        synced(world, 20).await;
        if restarts {
            // No listing is known then.
            world.down().await;
            world.up();
            world.quiet().await;
        }
        let fault = Fault::status(500).method("GET");
        world.account.add_fault(fault.forever());
        let others = keys(20).into_keys();
        let others: Vec<String> = others.map(|key| format!("m{key}")).collect();
        let others = others.iter().map(|key| (key.as_str(), value("other")));
        world.secret(SOURCE, &others.collect());
        sleep(2 * GRACE).await;
        world.account.clear_faults();
        world.quiet().await;
        sleep(Duration::from_hours(2)).await;
        assert_eq!(held(world), 20, "{:?}", world.target);
        assert_eq!(world.ready_reason("object").as_deref(), Some("RemovalHeld"));
        let message = world.message();
        assert!(message.contains("20 of "), "{message}");
        world.request_sync("yes");
        world.quiet().await;
        assert_eq!(held(world), 0, "{:?}", world.target);
        assert!(world.held().contains_key("MK00"), "{:?}", world.target);
        end(world).await;
    });
}

/// It is the spec that takes away what only a source gave that it names no more.
/// Cases: R-09
#[rstest]
fn what_goes_with_a_source_of_the_spec_goes_at_once(
    #[values(3, 40)] gone: usize,
    #[values(false, true)] restarts: bool,
    #[values(false, true)] is_labelled: bool,
) {
    at_each(async |world| {
        set_keys(world, 4);
        let more = (0..gone).map(|number| (format!("m{number}"), value("more")));
        let more: Vec<(String, String)> = more.collect();
        let more = more
            .iter()
            .map(|(key, value)| (key.as_str(), value.clone()));
        world.secret("more", &more.collect());
        world.spec(&bulk(
            &json!({"dataFrom": [source(SOURCE), source("more")]}),
        ));
        world.quiet().await;
        let left = |world: &World| {
            let names = world.held().into_keys();
            names.filter(|name| name.starts_with('M')).count()
        };
        assert_eq!(left(world), gone, "{:?}", world.target);
        if restarts {
            world.down().await;
            world.up();
        }
        if is_labelled {
            // The version of the Secret moves, and what it holds does not.
            world.label(SOURCE);
            world.quiet().await;
        }
        world.spec(&json!({"dataFrom": [source(SOURCE)]}));
        let is_gone = |world: &World| left(world) == 0;
        world.wait("the deletion", SOON, is_gone).await;
        assert_eq!(held(world), 4, "{:?}", world.target);
        end(world).await;
    });
}

/// As an empty loop of a Helm chart leaves it. The schema refuses it; an object may be older than the rule.
/// Cases: R-08
#[rstest]
fn a_spec_without_an_entry_is_never_ready_and_deletes_nothing(
    #[values("Retain", "Delete")] policy: &str,
) {
    at_each(async |world| {
        synced(world, 7).await;
        world.spec(&json!({"deletionPolicy": policy, "data": [], "dataFrom": []}));
        world.quiet().await;
        assert_eq!(world.ready_reason("object").as_deref(), Some("InvalidSpec"));
        assert_eq!(held(world), 7, "{:?}", world.target);
        end(world).await;
    });
}
