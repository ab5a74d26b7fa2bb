//! Entries that something stops: what is synced of the object is compared with the account and written again all the
//! same, and what is stopped is tried no sooner for that.

use std::time::Duration;

use rstest::rstest;
use serde_json::json;
use simulator::{Access, Fault};
use tokio::time::sleep;

use super::{
    listings::{listings, pages, unverified},
    provider_quirks::answered_with_nothing,
    races::at_each,
    store::{Part, Resource},
    world::{World, data, simulate, value},
};
use crate::harness::{CANARY, Target};

const MINUTE: Duration = Duration::from_mins(1);
/// As operators of the simulation have it, with the jitter and the time until it is noticed that it is over.
const INTERVAL: Duration = Duration::from_mins(12);

/// What stops an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stopped {
    /// Its Secret has no such key.
    Missing,
    /// Its Secret is of a type that is sent nowhere.
    Refused,
    /// The provider fails at its new value.
    Failing,
}

/// Two entries that are synced, and C_KEY that is stopped. Gives the reason that the object says.
async fn stopped(world: &mut World, stopped: Stopped) -> String {
    let mut entries = data(&[("A_KEY", "a"), ("B_KEY", "b"), ("C_KEY", "c")]);
    match stopped {
        Stopped::Missing => {}
        Stopped::Refused => {
            world.secret("release", &[("c", value("c1"))].into());
            world.change(Resource::Secrets, "release", Part::Main, |secret| {
                secret["type"] = "helm.sh/release.v1".into();
            });
            entries[2]["secretKeyRef"]["name"] = "release".into();
        }
        Stopped::Failing => world.source(&[("a", "a1"), ("b", "b1"), ("c", "c1")]),
    }
    world.spec(&json!({"data": entries}));
    world.quiet().await;
    if stopped == Stopped::Failing {
        let held = world.account.held(world.scope().as_deref());
        let id = held["C_KEY"].id.as_deref().expect("it has an id");
        let fault = Fault::status(500).method(world.target.update_method());
        world.account.add_fault(fault.path_contains(id).forever());
        world.source(&[("a", "a1"), ("b", "b1"), ("c", "c2")]);
        sleep(MINUTE).await;
    }
    let reason = match stopped {
        Stopped::Missing => "KeyNotFound",
        Stopped::Refused => "SourceRefused",
        Stopped::Failing => "ProviderUnavailable",
    };
    assert_eq!(world.ready_reason("object").as_deref(), Some(reason));
    reason.to_owned()
}

/// Whether one entry can be stopped so, while a provider takes the others.
fn is_possible(world: &World, stopped: Stopped) -> bool {
    // At Baseten no path tells which entry is written, and a set is one write.
    stopped != Stopped::Failing
        || matches!(world.target, Target::PrimeIntellect | Target::Braintrust)
}

fn delete(world: &World, name: &str) {
    let deleted = world.account.foreign_delete(world.scope().as_deref(), name);
    deleted.expect("it is deleted");
}

fn is_back(world: &World) -> bool {
    world.held().get("A_KEY") == Some(&value("a1"))
}

/// Takes the stopped entry away, so that the object is Ready.
fn end(world: &World) {
    world.account.clear_faults();
    world.entries(&[("A_KEY", "a"), ("B_KEY", "b")]);
}

/// Cases: P-36
#[rstest]
fn what_is_deleted_by_hand_comes_back_beside_an_entry_that_is_stopped(
    #[values(Stopped::Missing, Stopped::Refused, Stopped::Failing)] by: Stopped,
    #[values(false, true)] restarts: bool,
) {
    at_each(async |world| {
        if !is_possible(world, by) {
            world.entries(&[("A_KEY", "a")]);
            return;
        }
        let reason = stopped(world, by).await;
        if restarts {
            world.down().await;
        }
        delete(world, "A_KEY");
        world.up();
        world.wait("what is missing", INTERVAL, is_back).await;
        sleep(MINUTE).await;
        let said = world.ready_reason("object");
        assert_eq!(said, Some(reason), "{:?}", world.target);
        let notes = world.notes("DriftDetected");
        assert_eq!(notes.len(), 1, "{:?} {notes:?}", world.target);
        end(world);
    });
}

#[test]
fn a_rewrite_interval_counts_beside_an_entry_that_is_stopped() {
    at_each(async |world| {
        world.spec(&json!({"rewriteInterval": "1h"}));
        let reason = stopped(world, Stopped::Missing).await;
        world.foreign_write("A_KEY", "theirs");
        world.wait("the rewrite", MINUTE * 62, is_back).await;
        sleep(MINUTE).await;
        let said = world.ready_reason("object");
        assert_eq!(said, Some(reason), "{:?}", world.target);
        world.spec(&json!({"rewriteInterval": null}));
        end(world);
    });
}

#[rstest]
fn to_compare_what_is_beside_a_stopped_entry_costs_a_listing_and_nothing_else(
    #[values(Stopped::Missing, Stopped::Refused)] by: Stopped,
) {
    at_each(async |world| {
        stopped(world, by).await;
        sleep(INTERVAL).await;
        let others = |world: &World| {
            let of = ["PATCH ProviderSecrets", "GET Secrets"].map(|line| world.calls(line));
            (of, world.provider_writes())
        };
        let (before, listed) = (others(world), listings(world));
        sleep(MINUTE * 120).await;
        assert_eq!(others(world), before, "{:?}", world.target);
        let listed = (listings(world) - listed) / pages(world.target);
        assert!((10..=13).contains(&listed), "{:?} {listed}", world.target);
        end(world);
    });
}

#[test]
fn a_comparison_puts_off_no_try_of_an_entry_at_which_the_provider_fails() {
    at_each(async |world| {
        if !is_possible(world, Stopped::Failing) {
            world.entries(&[("A_KEY", "a")]);
            return;
        }
        stopped(world, Stopped::Failing).await;
        sleep(INTERVAL * 2).await;
        world.account.clear_faults();
        let is_rotated = |world: &World| world.held()["C_KEY"] == value("c2");
        // The longest wait within the first hour, and a bit.
        let most = Duration::from_secs(5 * 60 + 5);
        world.wait("the rotation", most, is_rotated).await;
        world.quiet().await;
        assert_eq!(world.ready_reason("object").as_deref(), Some("Synced"));
    });
}

#[test]
fn a_refused_key_is_tried_no_more_often_beside_an_entry_that_is_stopped() {
    at_each(async |world| {
        let reason = stopped(world, Stopped::Missing).await;
        let key = format!("{CANARY}-key");
        world.account.revoke_key(&key).expect("revoked");
        let before = world.account.requests().len();
        sleep(MINUTE * 360).await;
        let calls = world.account.requests().len() - before;
        assert!((3..=13).contains(&calls), "{:?} {calls}", world.target);
        let said = world.ready_reason("object");
        assert_eq!(said, Some(reason), "{:?}", world.target);
        let allowed = world.account.set_access(&key, Access::Full);
        allowed.expect("allowed");
        delete(world, "A_KEY");
        world.wait("what is missing", MINUTE * 80, is_back).await;
        end(world);
    });
}

#[test]
fn an_object_that_cannot_be_verified_beside_a_stopped_entry_is_counted() {
    at_each(async |world| {
        let reason = stopped(world, Stopped::Missing).await;
        let mut fault = Fault::status(500).method("GET").forever();
        if world.target == Target::Pipecat {
            // The listing of the sets is whole, and the set's own names are not shown.
            fault = fault.path_contains("/secrets/");
        }
        world.account.add_fault(fault);
        sleep(MINUTE * 45).await;
        assert_eq!(unverified(world), 1, "{:?}", world.target);
        let said = world.ready_reason("object");
        assert_eq!(said, Some(reason), "{:?}", world.target);
        world.account.clear_faults();
        sleep(INTERVAL).await;
        assert_eq!(unverified(world), 0, "{:?}", world.target);
        end(world);
    });
}

/// PrimeIntellect may answer a write with no data (docs/vendors.md#pi-9).
#[test]
fn what_our_write_left_is_looked_up_beside_an_entry_that_is_stopped() {
    simulate(async {
        let mut world = answered_with_nothing();
        // It would be Synced if the listing alone decided.
        let reason = stopped(&mut world, Stopped::Missing).await;
        let object = world.object().expect("the object");
        let entries = &object["status"]["entries"];
        for entry in [&entries[0], &entries[1]] {
            assert!(entry["record"]["remoteVersion"].is_string(), "{entry}");
        }
        world.foreign_write("A_KEY", "theirs");
        world.wait("the repair", INTERVAL, is_back).await;
        sleep(MINUTE).await;
        assert_eq!(world.ready_reason("object"), Some(reason));
        world.down().await;
    });
}
