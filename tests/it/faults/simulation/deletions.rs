//! What is deleted where a listing does not show it: not yet, not any more, or by mistake. And what another client has made
//! after a write without an answer, which stays.

use std::time::Duration;

use rstest::rstest;
use serde_json::json;
use simulator::{Action, Answer, Fault};
use tokio::time::sleep;

use super::{
    provider::Quirk,
    races::slow,
    world::{World, data, simulate, value},
};
use crate::harness::Target;

const MINUTE: Duration = Duration::from_mins(1);
/// Longer than it takes to act on a change.
const SOON: Duration = Duration::from_secs(5);
/// Longer than a call without an answer takes.
const GIVEN_UP: Duration = Duration::from_secs(45);
/// Longer than it takes to delete what is in doubt, and shorter than the operator tries it.
const GONE: Duration = Duration::from_mins(5);

/// A world with the Secret of the values, where the operator runs.
fn started(mut world: World) -> World {
    world.source(&[("a", "a1"), ("b", "b1")]);
    world.up();
    world
}

fn apply(world: &World) {
    world.spec(&json!({"deletionPolicy": "Delete", "data": data(&[("A_KEY", "a")])}));
}

async fn synced(world: &World) {
    apply(world);
    let is_synced = |world: &World| {
        let object = world.object().unwrap_or_default();
        object["status"]["entries"][0]["state"] == "Synced"
    };
    world.wait("the first write", MINUTE, is_synced).await;
}

fn is_gone(world: &World) -> bool {
    world.object().is_none()
}

fn assert_deleted(world: &World) {
    let target = world.target;
    assert!(!world.held().contains_key("A_KEY"), "{target:?}");
    let skipped = world.notes("DeletionSkipped");
    assert!(skipped.is_empty(), "{target:?} {skipped:?}");
}

/// Writes get no answer from now on, whether they come in or not.
fn hang_writes(world: &World, comes_in: bool) {
    let action = if comes_in {
        Action::HangAfterEffect
    } else {
        Action::Hang
    };
    for method in ["POST", "PUT", "PATCH"] {
        let fault = Fault::new(action.clone()).method(method);
        world.account.add_fault(fault.forever());
    }
}

/// The first write gets no answer, and the object is suspended. Hours later a user makes the name by hand.
/// Cases: D-04, R-10
#[rstest]
fn what_is_made_by_hand_after_a_write_without_an_answer_stays(
    #[values(
        Target::BasetenWorkspace,
        Target::BasetenTeam,
        Target::PrimeIntellect,
        Target::Braintrust
    )]
    target: Target,
    #[values(false, true)] comes_in: bool,
    #[values(false, true)] restarts: bool,
) {
    simulate(async {
        let mut world = started(World::with_one_clock(target));
        hang_writes(&world, comes_in);
        apply(&world);
        sleep(GIVEN_UP).await;
        world.spec(&json!({"suspend": true}));
        sleep(2 * MINUTE).await;
        world.account.clear_faults();
        if restarts {
            world.down().await;
            world.up();
        }
        sleep(120 * MINUTE).await;
        if !comes_in {
            world.foreign_write("A_KEY", "by-hand");
        }
        world.delete();
        world.wait("the end of the object", GONE, is_gone).await;
        if comes_in {
            assert_deleted(&world);
        } else {
            assert_eq!(world.held()["A_KEY"], "by-hand");
            let skipped = world.notes("DeletionSkipped").join(" ");
            assert!(skipped.contains("A_KEY"), "{skipped}");
        }
        world.down().await;
    });
}

/// A rotation gets no answer, and another cluster takes the name over.
/// Cases: M-06, R-10
#[rstest]
fn what_another_cluster_writes_after_a_rotation_without_an_answer_stays(
    #[values(Target::PrimeIntellect, Target::Braintrust)] target: Target,
    #[values(false, true)] is_taken_over: bool,
) {
    simulate(async {
        let mut world = started(World::with_one_clock(target));
        synced(&world).await;
        sleep(2 * MINUTE).await;
        hang_writes(&world, true);
        world.rotate("a2");
        sleep(GIVEN_UP).await;
        world.spec(&json!({"suspend": true}));
        sleep(10 * MINUTE).await;
        world.account.clear_faults();
        assert_eq!(world.held()["A_KEY"], value("a2"));
        if is_taken_over {
            world.foreign_write("A_KEY", "of-another-cluster");
        }
        world.delete();
        world.wait("the end of the object", GONE, is_gone).await;
        if is_taken_over {
            assert_eq!(world.held()["A_KEY"], "of-another-cluster");
            let skipped = world.notes("DeletionSkipped").join(" ");
            assert!(skipped.contains("another writer"), "{skipped}");
        } else {
            assert_deleted(&world);
        }
        world.down().await;
    });
}

/// The listing before the first write was rightly empty, and the next one is so by mistake.
/// Cases: P-25
#[rstest]
fn one_wrong_empty_listing_leaves_nothing_behind(
    #[values(Target::BasetenWorkspace, Target::BasetenTeam)] target: Target,
) {
    simulate(async {
        let mut world = World::new(target);
        let foreign = world.held().into_keys().next().expect("a foreign secret");
        let deleted = world
            .account
            .foreign_delete(world.scope().as_deref(), &foreign);
        deleted.expect("it is deleted");
        world = started(world);
        synced(&world).await;
        sleep(2 * MINUTE).await;
        let nothing = Answer {
            status: 200,
            body: json!({"secrets": []}).to_string(),
            ..Answer::default()
        };
        let fault = Fault::new(Action::Answer(nothing)).method("GET");
        world.account.add_fault(fault.path_contains("/secrets"));
        world.delete();
        world.wait("the end of the object", GONE, is_gone).await;
        assert_deleted(&world);
        world.down().await;
    });
}

/// Cases: D-10, P-34
#[rstest]
fn what_is_deleted_before_the_provider_shows_it_is_deleted_when_it_does(
    #[values(false, true)] is_whole_object: bool,
) {
    for target in Target::ALL {
        simulate(async {
            let mut world = World::new(target);
            world.remote.set_quirk(Quirk::Lags(Duration::from_secs(15)));
            world = started(world);
            synced(&world).await;
            sleep(Duration::from_secs(2)).await;
            if is_whole_object {
                world.delete();
                world.wait("the end of the object", GONE, is_gone).await;
            } else {
                world.entries(&[("B_KEY", "b")]);
                let is_deleted = |world: &World| !world.held().contains_key("A_KEY");
                world.wait("the deletion", GONE, is_deleted).await;
                world.quiet().await;
                assert_eq!(world.ready_reason("object").as_deref(), Some("Synced"));
            }
            assert_deleted(&world);
            world.down().await;
        });
    }
}

/// The operator gives a call up after 30 s.
/// Cases: D-10
#[test]
fn a_first_write_that_comes_in_after_the_deletion_began_is_deleted() {
    for target in Target::ALL {
        simulate(async {
            let mut world = started(World::new(target));
            world.remote.slow_down(slow(true, 45, 0));
            apply(&world);
            sleep(Duration::from_secs(20)).await;
            world.delete();
            world.wait("the end of the object", GONE, is_gone).await;
            sleep(MINUTE).await;
            assert_deleted(&world);
            world.down().await;
        });
    }
}

/// Where it is deleted by its name, its absence counts half a minute after the write.
/// Cases: D-12
#[rstest]
fn what_was_deleted_by_hand_lets_its_object_go(#[values(1, 120)] seconds: u64) {
    for target in Target::ALL {
        simulate(async {
            let mut world = started(World::new(target));
            synced(&world).await;
            sleep(Duration::from_secs(seconds)).await;
            let scope = world.scope();
            let deleted = world.account.foreign_delete(scope.as_deref(), "A_KEY");
            deleted.expect("it is deleted");
            world.delete();
            let most = Duration::from_secs(30).saturating_sub(Duration::from_secs(seconds));
            world
                .wait("the end of the object", most + SOON, is_gone)
                .await;
            assert_deleted(&world);
            world.down().await;
        });
    }
}
