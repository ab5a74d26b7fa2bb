//! One kind of request fails for good, while all others are answered as ever: at each API, each kind, in each way. The
//! answers to the others must not make the operator believe that the failure is over.

mod kubernetes;

use std::{collections::BTreeSet, time::Duration};

use rstest::rstest;
use serde_json::json;
use simulator::Fault;
use tokio::time::sleep;

use super::world::{DELETION_TIMEOUT, World, simulate, value};
use crate::harness::Target;

/// Long enough for waits to have doubled to their longest, and for verifications.
const FAILING_FOR: Duration = Duration::from_hours(8);
/// Longer than the longest wait.
const AFTER: Duration = Duration::from_hours(8);
/// More than so many calls, or writes of status, are no waits that double: to five minutes while it fails, with 192 tries
/// of five calls in an average run, and to ten seconds while the object is being deleted, with 90 tries.
const MOST: (u64, u64) = (1_000, 450);

/// A method, and what the paths of the requests have in common.
type Kind = (String, String);

/// An object that was synced and has something to create, to rewrite and to delete since `fault` began.
async fn changed(target: Target, fault: Option<Fault>) -> World {
    let mut world = World::new(target);
    world.source(&[("a", "a1"), ("b", "b1")]);
    world.up();
    world.spec(&json!({"deletionPolicy": "Delete"}));
    world.entries(&[("A_KEY", "a"), ("B_KEY", "b"), ("C_KEY", "b")]);
    world.quiet().await;
    if let Some(fault) = fault {
        world.account.add_fault(fault.forever());
    }
    world.rotate("a2");
    world.entries(&[("A_KEY", "a"), ("B_KEY", "b"), ("D_KEY", "b")]);
    world
}

/// The kinds of requests that such an object costs where nothing fails.
fn kinds(target: Target) -> BTreeSet<Kind> {
    simulate(async {
        let mut world = changed(target, None).await;
        sleep(FAILING_FOR).await;
        let requests = world.account.requests();
        let kinds = requests.iter().map(|request| {
            let path = request.path.as_str();
            let at = ["_KEY", "/secret-"].iter().find_map(|part| path.find(part));
            let end = at.and_then(|at| path[..=at].rfind('/'));
            let path = end.map_or(path, |end| &path[..=end]);
            (request.method.clone(), path.to_owned())
        });
        let kinds = kinds.collect();
        world.down().await;
        kinds
    })
}

/// What `wait` costs of calls, and of writes of status.
async fn cost(world: &World, wait: Duration) -> (u64, u64) {
    let so_far = || {
        let patches = world.calls("PATCH ProviderSecrets") as u64;
        (world.remote.simulator().last_sequence(), patches)
    };
    let before = so_far();
    sleep(wait).await;
    let after = so_far();
    (after.0 - before.0, after.1 - before.1)
}

/// Cases: H-14, P-09
#[rstest]
#[case::the_key_is_refused(Fault::status(401))]
#[case::it_is_forbidden(Fault::status(403))]
#[case::it_is_not_found(Fault::status(404))]
#[case::it_is_in_conflict(Fault::status(409))]
#[case::it_is_invalid(Fault::status(422))]
#[case::it_asks_to_slow_down(Fault::status(429))]
#[case::it_asks_for_a_second(Fault::status(429).header("retry-after", "1"))]
#[case::it_fails(Fault::status(500))]
#[case::it_is_down_for_a_second(Fault::status(503).header("retry-after", "1"))]
fn what_fails_alone_is_tried_ever_more_seldom(#[case] fault: Fault) {
    let mut dear = Vec::new();
    for target in Target::ALL {
        for (method, path) in kinds(target) {
            let fault = fault.clone().method(&method).path_contains(&path);
            let (failing, deleting) = simulate(async {
                let mut world = changed(target, Some(fault.clone())).await;
                let failing = cost(&world, FAILING_FOR).await;
                world.account.clear_faults();
                sleep(AFTER).await;
                let held = world.held();
                assert_eq!(held["A_KEY"], value("a2"), "{target:?} {method} {path}");
                assert_eq!(held["D_KEY"], value("b1"), "{target:?} {method} {path}");
                world.account.add_fault(fault.forever());
                world.delete();
                let deleting = cost(&world, DELETION_TIMEOUT).await;
                world.down().await;
                (failing, deleting)
            });
            let is_dear = |(calls, patches), most| calls > most || patches > most;
            if is_dear(failing, MOST.0) || is_dear(deleting, MOST.1) {
                dear.push(format!(
                    "{target:?} {method} {path}: {failing:?}, {deleting:?}"
                ));
            }
        }
    }
    assert!(dear.is_empty(), "calls, writes of status: {dear:#?}");
}
