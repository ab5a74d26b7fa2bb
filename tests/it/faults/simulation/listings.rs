//! Listings that show less than there is: nothing is made of what they lack, and it is said.

use std::time::Duration;

use rstest::rstest;
use serde_json::{Value, json};
use simulator::{Action, Answer, Fault};
use tokio::time::sleep;

use super::{
    races::{at_each, synced, writes},
    world::{World, value},
};
use crate::harness::Target;

const MINUTE: Duration = Duration::from_mins(1);
/// Longer than it takes to act on a change.
const SOON: Duration = Duration::from_secs(5);

/// How often the account was listed.
pub(super) fn listings(world: &World) -> usize {
    let listing = world.target.listing(&Target::team(world.account.name()));
    let requests = world.account.requests();
    let listings = requests.iter().filter(|request| request.line() == listing);
    listings.count()
}

/// Of how many requests a listing is that shows something.
pub(super) fn pages(target: Target) -> usize {
    // An empty page ends it (docs/vendors.md#bt-6).
    if target == Target::Braintrust { 2 } else { 1 }
}

/// Whether status says that changes of other writers go unseen.
fn is_blind(world: &World) -> bool {
    world.message().contains("is not seen")
}

/// A listing of nothing that tells of more.
fn first_of_more(target: Target) -> Value {
    let items = match target {
        Target::BasetenTeam | Target::BasetenWorkspace => "secrets",
        Target::PrimeIntellect => "data",
        Target::Pipecat => "sets",
        Target::Braintrust => "objects",
    };
    json!({items: [], "pagination": {"has_more": true, "cursor": "abc"}})
}

/// How listings fail, and the reason for it.
#[derive(Clone, Copy, Debug)]
enum Fails {
    With(u16, &'static str),
    /// An item lacks what all of them have.
    Undecodable,
}

impl Fails {
    fn fault(self, target: Target) -> Fault {
        let fault = match self {
            Self::With(status, _) => Fault::status(status),
            Self::Undecodable => {
                let mut body = first_of_more(target);
                if let Some(members) = body.as_object_mut() {
                    // Nothing in it tells of more.
                    members.retain(|_, list| list.is_array());
                    members
                        .values_mut()
                        .for_each(|list| *list = json!([{"name": 5}]));
                }
                Fault::new(Action::Answer(Answer {
                    status: 200,
                    body: body.to_string(),
                    ..Answer::default()
                }))
            }
        };
        fault.method("GET").forever()
    }

    fn reason(self) -> &'static str {
        match self {
            Self::With(_, reason) => reason,
            Self::Undecodable => "UnexpectedResponse",
        }
    }
}

#[rstest]
#[case(Fails::With(400, "Rejected"), true)]
#[case(Fails::With(404, "TargetNotFound"), true)]
#[case(Fails::Undecodable, true)]
#[case(Fails::With(503, "ProviderUnavailable"), false)]
fn a_listing_that_fails_for_good_or_for_long_is_said(
    #[case] fails: Fails,
    #[case] is_for_good: bool,
) {
    at_each(async |world| {
        synced(world).await;
        let before = listings(world);
        world.account.add_fault(fails.fault(world.target));
        sleep(MINUTE * 15).await;
        assert_eq!(is_blind(world), is_for_good, "{:?}", world.target);
        sleep(MINUTE * 40).await;
        assert!(is_blind(world), "{:?} {}", world.target, world.message());
        // Once an interval, and what passes perhaps is asked for a few times more in the first one.
        let listed = listings(world) - before;
        let most = if is_for_good { 6 } else { 8 };
        assert!((5..=most).contains(&listed), "{:?} {listed}", world.target);
        assert_eq!(world.ready_reason("object").as_deref(), Some("Synced"));
        let notes = world.notes(fails.reason());
        assert_eq!(notes.len(), 1, "{:?} {notes:?}", world.target);
        world.account.clear_faults();
        sleep(MINUTE * 15).await;
        assert!(!is_blind(world), "{:?} {}", world.target, world.message());
        assert_eq!(world.ready_reason("object").as_deref(), Some("Synced"));
    });
}

/// A write by a known id, or of a known name, needs no listing.
/// Cases: P-13
#[rstest]
fn a_request_that_waits_for_a_listing_holds_up_no_rotation(#[values(500, 400)] status: u16) {
    at_each(async |world| {
        synced(world).await;
        let before = listings(world);
        let fault = Fault::status(status).method("GET").forever();
        world.account.add_fault(fault);
        world.request_sync("now");
        world.wait("what is not seen", SOON, is_blind).await;
        assert_eq!(world.ready_reason("object").as_deref(), Some("Synced"));
        world.rotate("a2");
        let is_held = |world: &World| world.held()["A_KEY"] == value("a2");
        world.wait("the rotation", SOON, is_held).await;
        sleep(MINUTE * 15).await;
        let is_answered = |world: &World| {
            let object = world.object().unwrap_or_default();
            object["status"]["lastHandledSyncRequest"] == "now"
        };
        assert!(!is_answered(world), "{:?}", world.target);
        if world.target != Target::Pipecat {
            // There it is asked besides whether the new value is applied.
            assert_eq!(world.ready_reason("object").as_deref(), Some("Synced"));
            let listed = listings(world) - before;
            assert!(listed <= 40, "{:?} {listed}", world.target);
        }
        world.account.clear_faults();
        let most = MINUTE * 90;
        world.wait("the answer", most, is_answered).await;
        assert!(!is_blind(world), "{:?}", world.target);
        assert_eq!(writes(world, "A_KEY"), 2, "{:?}", world.target);
    });
}

/// Cases: R-17
#[test]
fn a_listing_that_begins_to_be_paged_is_no_drift_and_is_said() {
    at_each(async |world| {
        synced(world).await;
        let before = writes(world, "A_KEY");
        world.account.add_fault(
            Fault::new(Action::Answer(Answer {
                status: 200,
                body: first_of_more(world.target).to_string(),
                ..Answer::default()
            }))
            .method("GET")
            .forever(),
        );
        sleep(MINUTE * 45).await;
        assert_eq!(writes(world, "A_KEY"), before, "{:?}", world.target);
        assert!(world.notes("DriftDetected").is_empty());
        assert_eq!(world.ready_reason("object").as_deref(), Some("Synced"));
        let said = world.message();
        assert!(
            said.contains("is not seen") && said.contains("not whole"),
            "{said}"
        );
        let notes = world.notes("UnexpectedResponse");
        assert_eq!(notes.len(), 1, "{notes:?}");
        world.account.clear_faults();
        sleep(MINUTE * 15).await;
        assert!(
            !world.message().contains("is not seen"),
            "{}",
            world.message()
        );
        assert_eq!(world.ready_reason("object").as_deref(), Some("Synced"));
    });
}

/// The first listing of nothing proves nothing. The next one comes as soon as it may count, and not an interval later.
#[test]
fn an_account_that_was_emptied_is_filled_again_soon_after_the_first_look() {
    at_each(async |world| {
        synced(world).await;
        // Until absence counts.
        sleep(MINUTE).await;
        let (before, written) = (listings(world), writes(world, "A_KEY"));
        if world.target == Target::Pipecat {
            world.without_foreign_set();
        } else {
            let scope = world.scope();
            for name in world.held().keys() {
                let deleted = world.account.foreign_delete(scope.as_deref(), name);
                deleted.expect("it is deleted");
            }
        }
        let is_listed = |world: &World| listings(world) > before;
        world.wait("the first look", MINUTE * 15, is_listed).await;
        let is_back = |world: &World| writes(world, "A_KEY") > written;
        // With the scan for what is due.
        world.wait("the value", MINUTE, is_back).await;
        assert!(listings(world) <= before + 3, "{:?}", world.target);
        world.foreign_write("FOREIGN_KEY", "foreign");
    });
}

/// How many objects the operator says that it could not verify.
pub(super) fn unverified(world: &World) -> usize {
    let text = world.metrics.render();
    let series = "provider_secrets_objects_unverified{";
    let counts = text.lines().filter(|line| line.starts_with(series));
    let count = |line: &str| line.rsplit(' ').next()?.parse::<usize>().ok();
    counts.filter_map(count).sum()
}

#[test]
fn an_object_that_cannot_be_verified_for_three_intervals_is_counted() {
    at_each(async |world| {
        synced(world).await;
        let mut fault = Fault::status(500).method("GET").forever();
        if world.target == Target::Pipecat {
            // The listing of the sets is whole, and the set's own names are not shown.
            fault = fault.path_contains("/secrets/");
        }
        world.account.add_fault(fault.clone());
        sleep(MINUTE * 15).await;
        assert_eq!(unverified(world), 0, "{:?}", world.target);
        sleep(MINUTE * 30).await;
        assert_eq!(unverified(world), 1, "{:?}", world.target);
        assert_eq!(world.ready_reason("object").as_deref(), Some("Synced"));
        world.account.clear_faults();
        // It is looked at again an interval after the last failure.
        sleep(MINUTE * 12).await;
        assert_eq!(unverified(world), 0, "{:?}", world.target);
        // A suspended object is not verified, and no alert tells of it.
        world.account.add_fault(fault);
        sleep(MINUTE * 45).await;
        assert_eq!(unverified(world), 1, "{:?}", world.target);
        world.spec(&json!({"suspend": true}));
        sleep(MINUTE).await;
        assert_eq!(unverified(world), 0, "{:?}", world.target);
        world.account.clear_faults();
        world.spec(&json!({"suspend": false}));
    });
}

/// A rotation puts the comparison of the other entries off no further.
#[test]
fn what_is_deleted_by_hand_comes_back_beside_an_entry_that_is_rotated_all_the_time() {
    at_each(async |world| {
        world.entries(&[("A_KEY", "a"), ("B_KEY", "b")]);
        world.quiet().await;
        let deleted = world
            .account
            .foreign_delete(world.scope().as_deref(), "B_KEY");
        deleted.expect("it is deleted");
        for round in 0..5 {
            world.rotate(&format!("r{round}"));
            sleep(MINUTE * 4).await;
        }
        assert_eq!(world.held().get("B_KEY"), Some(&value("b1")));
    });
}
