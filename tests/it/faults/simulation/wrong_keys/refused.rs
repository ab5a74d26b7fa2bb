//! A key that the provider refuses from one moment on, while nothing changes: status says so until the provider takes the
//! key again.

use rstest::rstest;
use simulator::{Access, Fault};
use tokio::time::Instant;

use super::*;
use crate::faults::simulation::listings::{listings, pages};

const MINUTE: Duration = Duration::from_mins(1);

/// How often it is looked whether something still holds.
const LOOK: Duration = Duration::from_secs(5);

fn is_refused(world: &World) -> bool {
    world.ready_reason("object").as_deref() == Some("AuthenticationFailed")
}

/// An object that was synced, and whose verification finds the key revoked. Gives the key.
async fn revoked(world: &mut World) -> String {
    world.spec(&json!({"verifyInterval": "1m"}));
    synced(world, MILD).await;
    let key = world.data("credential")["api-key"].clone();
    world.account.revoke_key(&key).expect("it is revoked");
    world.wait("the refusal", MINUTE * 3, is_refused).await;
    key
}

/// Asserts that something holds through many intervals and several waits for the next try.
async fn assert_stays(world: &World, holds: impl Fn(&World) -> bool) {
    let end = Instant::now() + LONG;
    while Instant::now() < end {
        sleep(LOOK).await;
        let said = world.ready_reason("object");
        assert!(holds(world), "{:?} {said:?}", world.target);
    }
}

/// Cases: C-28
#[rstest]
fn a_revoked_key_is_said_until_the_provider_takes_it_again(#[values(false, true)] restarts: bool) {
    at_each(async |world| {
        let key = revoked(world).await;
        let events = world.notes("Synced").len();
        assert_stays(world, is_refused).await;
        if restarts {
            world.down().await;
            world.up();
            assert_stays(world, is_refused).await;
        }
        assert_eq!(world.notes("Synced").len(), events, "{:?}", world.target);
        let taken = world.account.set_access(&key, Access::Full);
        taken.expect("the key is taken again");
        world.wait("the key", LONG, is_synced).await;
    });
}

/// Cases: C-28
#[test]
fn an_outage_after_a_refusal_does_not_say_that_the_key_is_taken() {
    at_each(async |world| {
        let key = revoked(world).await;
        world.account.add_fault(Fault::status(503).forever());
        let taken = world.account.set_access(&key, Access::Full);
        taken.expect("the key is taken again");
        assert_stays(world, |world| !is_synced(world)).await;
        world.account.clear_faults();
        world.wait("the key", LONG, is_synced).await;
    });
}

/// The write itself shows whether the key may write. What is synced beside it is compared once an interval.
/// Cases: R-02
#[test]
fn a_write_that_is_refused_is_tried_again_without_a_listing() {
    at_each(async |world| {
        synced(world, MILD).await;
        for method in ["POST", "PUT", "PATCH"] {
            let fault = Fault::status(403).method(method).forever();
            world.account.add_fault(fault);
        }
        let (listed, sent) = (listings(world), world.provider_writes());
        world.rotate("a2");
        assert_stays(world, |world| !is_synced(world)).await;
        let intervals = LONG.as_secs() / (MINUTE * 10).as_secs() + 1;
        let listed = (listings(world) - listed) / pages(world.target);
        assert!(listed as u64 <= intervals, "{:?} {listed}", world.target);
        let tries = world.provider_writes() - sent;
        assert!(tries > 3, "{:?} {tries}", world.target);
        world.account.clear_faults();
        let is_rotated = |world: &World| world.held()["A_KEY"] == value("a2") && is_synced(world);
        world.wait("the rotation", LONG, is_rotated).await;
    });
}
