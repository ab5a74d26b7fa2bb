//! How often things are read, written and said when much happens at once.

mod refused; // while the provider refuses what is written, or each write is a first one

use std::time::Duration;

use rstest::rstest;
use serde_json::{Value, json};
use simulator::Fault;
use tokio::time::sleep;

use super::{
    races::{at_each, writes},
    store::{Part, Resource},
    world::{SOURCE, World, data, value},
};
use crate::harness::{CANARY, Target};

/// Longer than it takes to act on a change.
const SOON: Duration = Duration::from_secs(5);
/// As operators of the simulation have it, and the jitter.
const VERIFY_INTERVAL: Duration = Duration::from_mins(11);

/// An object of its own name and entry, which reads the source.
fn reader(world: &World, number: usize) -> Value {
    let mut spec = json!({"data": data(&[(format!("KEY_{number}").as_str(), "a")])});
    if world.target == Target::Pipecat {
        spec["provider"]["pipecat"]["setName"] = format!("set-{number}").into();
    }
    spec
}

/// Cases: R-06, N-07
#[rstest]
fn a_change_of_a_secret_is_one_get_however_many_read_it(#[values(1, 30)] readers: usize) {
    at_each(async |world| {
        for number in 0..readers {
            world.apply(&format!("reader-{number}"), &reader(world, number));
        }
        world.quiet().await;
        let before = world.calls("GET Secrets source");
        world.rotate("a2");
        world.quiet().await;
        assert_eq!(
            world.calls("GET Secrets source"),
            before + 1,
            "{:?}",
            world.target
        );
        // An edit that changes no value too.
        world.label(SOURCE);
        world.quiet().await;
        assert_eq!(
            world.calls("GET Secrets source"),
            before + 2,
            "{:?}",
            world.target
        );
        world.entries(&[("A_KEY", "a")]);
        world.quiet().await;
    });
}

/// Cases: H-14
#[test]
fn a_hot_source_is_written_once_a_second_and_ends_with_the_newest() {
    at_each(async |world| {
        world.entries(&[("A_KEY", "a")]);
        world.quiet().await;
        let before = writes(world, "A_KEY");
        for number in 0..1000 {
            world.rotate(&format!("hot-{number}"));
            sleep(Duration::from_millis(10)).await;
        }
        let is_last = |world: &World| world.held()["A_KEY"] == value("hot-999");
        world.wait("the newest value", SOON, is_last).await;
        let written = writes(world, "A_KEY") - before;
        assert!(
            (5..=12).contains(&written),
            "{written} writes in 10 s, {:?}",
            world.target
        );
        world.quiet().await;
        // A single rotation is acted on at once.
        world.rotate("single");
        let is_written = |world: &World| world.held()["A_KEY"] == value("single");
        let took = world.wait("the rotation", SOON, is_written).await;
        assert!(
            took < Duration::from_millis(500),
            "{took:?} {:?}",
            world.target
        );
        world.rotate("a1");
        world.quiet().await;
    });
}

/// Cases: P-09
#[rstest]
fn a_short_pause_is_not_said_to_those_who_wait(#[values(1, 20)] seconds: u64) {
    at_each(async |world| {
        world.entries(&[("A_KEY", "a")]);
        world.quiet().await;
        let pause = Fault::status(429).header("retry-after", &seconds.to_string());
        world.account.add_fault(pause);
        let count = 20;
        for number in 0..count {
            world.apply(&format!("reader-{number}"), &reader(world, number));
        }
        let patches = |world: &World| world.calls("PATCH ProviderSecrets");
        let before = patches(world);
        world.quiet().await;
        for number in 0..count {
            let name = format!("reader-{number}");
            assert_eq!(
                world.ready_reason(&name).as_deref(),
                Some("Synced"),
                "{:?}",
                world.target
            );
        }
        // One of them met the pause and says so; a set at Pipecat settles besides.
        let written = patches(world) - before;
        let each = if world.target == Target::Pipecat {
            2
        } else {
            1
        };
        assert!(
            written <= each * count + 4,
            "{written} writes of status, {:?}",
            world.target
        );
    });
}

/// Cases: P-03, R-02
#[test]
fn a_refused_write_of_one_name_holds_up_no_other() {
    at_each(async |world| {
        if world.target == Target::Pipecat {
            // A set is one write.
            world.entries(&[("A_KEY", "a")]);
            world.quiet().await;
            return;
        }
        world.account.add_fault(
            Fault::status(403).method(if world.target == Target::Braintrust {
                "PUT"
            } else {
                "POST"
            }),
        );
        world.entries(&[("A_KEY", "a"), ("B_KEY", "b"), ("C_KEY", "b")]);
        let are_written = |world: &World| {
            let held = world.held();
            held.contains_key("B_KEY") && held.contains_key("C_KEY")
        };
        world.wait("the others", SOON, are_written).await;
        assert!(!world.held().contains_key("A_KEY"), "{:?}", world.target);
        // Another object of the account goes on too.
        world.apply("other", &reader(world, 1));
        let is_written = |world: &World| world.held().contains_key("KEY_1");
        world.wait("another object", SOON, is_written).await;
        world.quiet().await;
        assert_eq!(
            world.ready_reason("object").as_deref(),
            Some("Synced"),
            "{:?}",
            world.target
        );
    });
}

/// Cases: P-03
#[test]
fn a_key_that_may_not_write_costs_no_more_calls_than_are_in_flight() {
    at_each(async |world| {
        world.entries(&[("A_KEY", "a")]);
        world.quiet().await;
        for method in ["POST", "PUT", "PATCH"] {
            world
                .account
                .add_fault(Fault::status(403).method(method).forever());
        }
        let before = world.provider_writes();
        for number in 0..20 {
            world.apply(&format!("reader-{number}"), &reader(world, number));
        }
        sleep(Duration::from_secs(30)).await;
        let calls = world.provider_writes() - before;
        assert!(calls <= 10, "{calls} calls, {:?}", world.target);
        world.account.clear_faults();
        sleep(Duration::from_hours(3)).await;
        world.quiet().await;
        assert_eq!(world.ready_reason("reader-0").as_deref(), Some("Synced"));
    });
}

/// Cases: P-01, P-04
#[rstest]
fn a_minute_of_refusals_delays_a_rotation_by_minutes(#[values(400, 403, 404)] code: u16) {
    at_each(async |world| {
        world.entries(&[("A_KEY", "a")]);
        world.quiet().await;
        world.account.add_fault(Fault::status(code).forever());
        world.rotate("a2");
        sleep(Duration::from_mins(1)).await;
        world.account.clear_faults();
        let is_written = |world: &World| world.held()["A_KEY"] == value("a2");
        let most = Duration::from_mins(4);
        world.wait("the rotation", most, is_written).await;
        world.quiet().await;
    });
}

/// Cases: R-22
#[rstest]
fn a_secret_that_is_back_within_two_seconds_was_never_gone(
    #[values(SOURCE, "credential")] name: &str,
    #[values(20, 1900)] milliseconds: u64,
) {
    at_each(async |world| {
        world.entries(&[("A_KEY", "a")]);
        world.quiet().await;
        let key = world.data("credential")["api-key"].clone();
        let (before, written) = (world.notes("Synced").len(), world.provider_writes());
        let patches = |world: &World| world.calls("PATCH");
        let patched = patches(world);
        for _ in 0..5 {
            let id = (Resource::Secrets, "team".to_owned(), name.to_owned());
            world.store.delete(&id).expect("it is deleted");
            sleep(Duration::from_millis(milliseconds)).await;
            match name {
                SOURCE => world.rotate("a1"),
                _ => world.secret("credential", &[("api-key", key.clone())].into()),
            }
            sleep(Duration::from_secs(4)).await;
        }
        world.quiet().await;
        assert_eq!(patches(world), patched, "{:?}", world.target);
        assert_eq!(world.notes("Synced").len(), before, "{:?}", world.target);
        assert_eq!(world.provider_writes(), written, "{:?}", world.target);
        // One that stays away is missed.
        let id = (Resource::Secrets, "team".to_owned(), SOURCE.to_owned());
        world.store.delete(&id).expect("it is deleted");
        let is_missed =
            |world: &World| world.ready_reason("object").as_deref() == Some("SecretNotFound");
        world.wait("the source is missed", SOON, is_missed).await;
        world.rotate("a1");
        world.quiet().await;
        // It is as it was, and the last event does not say that it is missing.
        assert_eq!(
            world.notes("Synced").len(),
            before + 1,
            "{:?}",
            world.target
        );
    });
}

/// Cases: C-25
#[rstest]
fn a_power_over_the_cluster_is_no_api_key(
    #[values(
        "kubernetes.io/service-account-token",
        "bootstrap.kubernetes.io/token",
        "helm.sh/release.v1"
    )]
    kind: &str,
) {
    at_each(async |world| {
        set_type(world, kind);
        world.entries(&[("A_KEY", "a")]);
        world.quiet().await;
        assert_eq!(
            world.ready_reason("object").as_deref(),
            Some("SourceRefused")
        );
        assert_eq!(world.account.requests().len(), 0, "{:?}", world.target);
        set_type(world, "Opaque");
        world.quiet().await;
    });
}

/// Cases: P-36
#[rstest]
fn a_sync_that_is_requested_soon_after_a_write_repairs_what_is_missing(
    #[values(1, 10, 25)] seconds: u64,
) {
    at_each(async |world| {
        world.entries(&[("A_KEY", "a"), ("B_KEY", "b")]);
        world.quiet().await;
        world.rotate("a2");
        let is_rotated = |world: &World| world.held()["A_KEY"] == value("a2");
        world.wait("the rotation", SOON, is_rotated).await;
        sleep(Duration::from_secs(seconds)).await;
        let deleted = world
            .account
            .foreign_delete(world.scope().as_deref(), "A_KEY");
        deleted.expect("it is deleted");
        world.request_sync("now");
        let is_back = |world: &World| world.held().get("A_KEY") == Some(&value("a2"));
        let most = Duration::from_secs(40);
        world.wait("what was missing", most, is_back).await;
        let is_handled = |world: &World| {
            let object = world.object().unwrap_or_default();
            object["status"]["lastHandledSyncRequest"] == "now"
        };
        world.wait("the echo", SOON, is_handled).await;
        world.rotate("a1");
        sleep(VERIFY_INTERVAL).await;
    });
}

/// Gives the credential another type.
fn set_type(world: &World, kind: &str) {
    world.change(Resource::Secrets, "credential", Part::Main, |secret| {
        secret["type"] = kind.into();
    });
}

#[test]
fn a_suspended_object_waits_behind_nobodys_calls() {
    at_each(async |world| {
        let count = 60;
        for number in 0..count {
            world.apply(&format!("reader-{number}"), &reader(world, number));
        }
        world.quiet().await;
        world.account.set_latency(Duration::from_secs(25));
        world.rotate("a2");
        // Each object is at work, or waits for a permit.
        sleep(SOON).await;
        for number in 0..count {
            let suspended = json!({"suspend": true});
            world.apply(&format!("reader-{number}"), &suspended);
        }
        let is_suspended = |world: &World| {
            let reason = |number: &usize| world.ready_reason(&format!("reader-{number}"));
            let is_said = |number: &usize| reason(number).as_deref() == Some("Suspended");
            let said = (0..count).filter(is_said).count();
            // Those that call when they are suspended end first.
            said >= count - 8
        };
        let took = world.wait("suspended", SOON, is_suspended).await;
        assert!(took < SOON, "{took:?} {:?}", world.target);
        world.quiet().await;
        world.account.set_latency(Duration::from_millis(20));
        for number in 0..count {
            world.apply(&format!("reader-{number}"), &json!({"suspend": false}));
        }
        world.quiet().await;
        world.entries(&[("A_KEY", "a")]);
        world.quiet().await;
    });
}

/// Cases: C-21
#[rstest]
fn a_key_that_is_exchanged_while_suspended_is_not_tried_until_the_object_goes_on(
    #[values(false, true)] is_restarted: bool,
) {
    at_each(async |world| {
        world.entries(&[("A_KEY", "a")]);
        world.quiet().await;
        world.spec(&json!({"suspend": true}));
        world.quiet().await;
        if is_restarted {
            world.down().await;
        }
        let (calls, written) = (world.account.requests().len(), writes(world, "A_KEY"));
        let key = format!("{CANARY}-another-key");
        let added = world.account.add_key(key.as_str());
        added.expect("a key of the account");
        world.secret("credential", &[("api-key", key)].into());
        world.up();
        world.quiet().await;
        assert_eq!(world.account.requests().len(), calls, "{:?}", world.target);
        // It held everything, and still does.
        let object = world.object().expect("the object");
        let ready = &object["status"]["conditions"][0];
        assert_eq!(
            [&ready["type"], &ready["status"], &ready["reason"]],
            ["Ready", "True", "Suspended"],
            "{:?}",
            world.target
        );
        world.spec(&json!({"suspend": false}));
        world.quiet().await;
        // Nothing remembers the former key after a restart, so an edited spec is written again.
        let again = writes(world, "A_KEY") - written;
        assert!(again <= usize::from(is_restarted), "{:?}", world.target);
        assert_eq!(world.ready_reason("object").as_deref(), Some("Synced"));
    });
}
