//! Bounds that change while the operator runs: when they hold, and what no watch tells.

use std::{collections::BTreeMap, time::Duration};

use rstest::rstest;
use serde_json::json;
use tokio::time::sleep;

use super::{
    races::{at_each, synced, writes},
    request::Asked,
    server::faults::Does,
    store::{Resource, Store},
    workload::Policy,
    world::{DELETION_TIMEOUT, REST, World, data, simulate, value},
};
use crate::harness::{CANARY, Target};

/// How old what the operator knows of a namespace may be.
const AGE: Duration = Duration::from_secs(30);
/// Longer than it takes to act on a change.
const SOON: Duration = Duration::from_secs(5);

fn is_of_namespaces(asked: &Asked) -> bool {
    asked.resource == Resource::Namespaces
}

/// How often the namespace was read.
fn reads(world: &World) -> usize {
    world.store.faults.asked("GET Namespaces").len()
}

#[test]
fn a_bound_holds_within_half_a_minute_and_ends_within_a_minute() {
    at_each(async |world| {
        synced(world).await;
        // What the operator knows of the namespace is as new as can be.
        world.rotate("a2");
        sleep(SOON).await;
        assert_eq!(world.held()["A_KEY"], value("a2"), "{:?}", world.target);
        world.allow_providers(Some(""));
        sleep(AGE).await;
        let before = writes(world, "A_KEY");
        world.rotate("a3");
        sleep(SOON).await;
        assert_eq!(
            world.ready_reason("object").as_deref(),
            Some("ProviderNotAllowed")
        );
        assert_eq!(writes(world, "A_KEY"), before, "{:?}", world.target);

        // While it is refused it costs a look at the namespace now and then, and nothing else.
        let (read, asked) = (reads(world), world.store.faults.asked("").len());
        sleep(10 * AGE).await;
        assert!(
            (8..=10).contains(&(reads(world) - read)),
            "{}",
            reads(world) - read
        );
        let others = world.store.faults.asked("").len() - asked - (reads(world) - read);
        // Watches are opened anew.
        assert!(others <= 6, "{others} other calls");

        world.allow_providers(None);
        sleep(2 * AGE + SOON).await;
        assert_eq!(world.held()["A_KEY"], value("a3"), "{:?}", world.target);
        assert_eq!(world.ready_reason("object").as_deref(), Some("Synced"));
    });
}

/// Nothing wakes it but the time at which it is compared with its account anyway.
#[test]
fn an_object_at_rest_says_that_it_may_not_use_its_provider_any_more() {
    at_each(async |world| {
        synced(world).await;
        world.allow_providers(Some("other"));
        sleep(Duration::from_mins(12)).await;
        assert_eq!(
            world.ready_reason("object").as_deref(),
            Some("ProviderNotAllowed")
        );
        assert_eq!(world.held()["A_KEY"], value("a1"), "{:?}", world.target);
        world.allow_providers(None);
        sleep(2 * AGE + SOON).await;
        assert_eq!(world.ready_reason("object").as_deref(), Some("Synced"));
        assert_eq!(writes(world, "A_KEY"), 1, "{:?}", world.target);
    });
}

#[test]
fn while_a_namespace_cannot_be_read_nothing_is_sent_and_nothing_is_said() {
    at_each(async |world| {
        synced(world).await;
        sleep(2 * AGE).await;
        world
            .store
            .faults
            .always(is_of_namespaces, Does::refuse(500));
        let (object, before) = (world.object(), writes(world, "A_KEY"));
        world.rotate("a2");
        sleep(Duration::from_mins(15)).await;
        assert_eq!(world.object(), object, "{:?}", world.target);
        assert_eq!(writes(world, "A_KEY"), before, "{:?}", world.target);
        world.store.faults.clear();
        // The longest wait after failures.
        sleep(Duration::from_mins(6)).await;
        assert_eq!(world.held()["A_KEY"], value("a2"), "{:?}", world.target);
    });
}

/// Has the object name this Secret as that of its API key.
fn name_key(world: &World, secret: &str) {
    let object = world.object().expect("the object");
    let mut provider = object["spec"]["provider"].clone();
    for settings in provider.as_object_mut().expect("a provider").values_mut() {
        settings["apiKeySecretRef"]["name"] = secret.into();
    }
    world.spec(&json!({"provider": provider}));
}

/// A user who may not read a Secret could else send it there: by naming it as the key and deleting the object.
#[rstest]
fn a_cleanup_sends_no_other_key_where_the_bound_refuses(
    #[values(false, true)] is_unreadable: bool,
    #[values(false, true)] is_put_back: bool,
) {
    at_each(async |world| {
        let entries = data(&[("A_KEY", "a")]);
        world.spec(&json!({"deletionPolicy": "Delete", "data": entries}));
        world.quiet().await;
        assert_eq!(world.held()["A_KEY"], value("a1"), "{:?}", world.target);
        let victim = BTreeMap::from([("api-key", format!("{CANARY}-victim"))]);
        world.secret("victim", &victim);
        world.allow_providers(Some("other"));
        sleep(AGE).await;
        name_key(world, "victim");
        sleep(SOON).await;
        let reason = world.ready_reason("object");
        assert_eq!(reason.as_deref(), Some("ProviderNotAllowed"));
        let requests = || world.remote.simulator().requests().len();
        let before = requests();
        let faults = &world.store.faults;
        if is_unreadable {
            sleep(AGE).await;
            faults.always(is_of_namespaces, Does::refuse(500));
        }
        world.delete();
        sleep(2 * AGE).await;
        assert_eq!(requests(), before, "{:?}", world.target);
        let words = "is not the one that this object wrote with";
        assert!(world.message().contains(words), "{}", world.message());
        if is_put_back {
            name_key(world, "credential");
            sleep(SOON).await;
            assert_eq!(world.held().get("A_KEY"), None, "{:?}", world.target);
        } else {
            sleep(DELETION_TIMEOUT).await;
            assert_eq!(requests(), before, "{:?}", world.target);
            assert!(world.notes("DeletionSkipped")[0].contains("A_KEY"));
        }
        assert_eq!(world.object(), None, "{:?}", world.target);
        faults.clear();
    });
}

/// The watch lags, and what the API server answers counts.
/// Cases: H-05
#[test]
fn a_label_that_is_gone_counts_before_the_watch_shows_it() {
    for target in Target::ALL {
        simulate(async {
            let mut world = World::new(target);
            world.choices.opt_in.sources = true;
            world.source(&[("a", "a1"), ("b", "b1")]);
            for secret in ["source", "credential"] {
                world.allow(secret, true);
            }
            world.up();
            synced(&mut world).await;
            let before = writes(&world, "A_KEY");

            world.store.hold(Resource::Secrets);
            world.rotate("a2");
            world.allow("source", false);
            // The object is read for something else.
            world.entries(&[("A_KEY", "a"), ("B_KEY", "b")]);
            sleep(SOON).await;
            let reason = world.ready_reason("object");
            assert_eq!(reason.as_deref(), Some("SourceNotAllowed"), "{target:?}");
            assert_eq!(writes(&world, "A_KEY"), before, "{target:?}");
            assert_eq!(world.held().get("B_KEY"), None, "{target:?}");
            world.watches(Store::release);
            sleep(SOON).await;
            assert_eq!(writes(&world, "A_KEY"), before, "{target:?}");

            world.allow("source", true);
            let faults = world.rest(Policy::Retain, REST).await;
            assert!(faults.is_empty(), "{target:?} {faults:#?}");
            world.down().await;
        });
    }
}
