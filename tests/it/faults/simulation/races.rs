//! Orders of calls and answers that a real cluster shows once in a year.

use std::time::Duration;

use rstest::rstest;
use serde_json::json;
use tokio::time::sleep;

use super::{
    provider::Slow,
    store::Resource,
    workload::Policy,
    world::{REST, World, data, simulate, value},
};
use crate::harness::Target;

/// Runs `play` at each API, in a world where the operator runs.
pub(super) fn at_each(play: impl AsyncFn(&mut World) + Copy) {
    for target in Target::ALL {
        simulate(async {
            let mut world = World::new(target);
            world.source(&[("a", "a1"), ("b", "b1")]);
            world.up();
            play(&mut world).await;
            let faults = world.rest(Policy::Retain, REST).await;
            let lines = world.call_log.lines();
            assert!(faults.is_empty(), "{target:?} {faults:#?} {lines:#?}");
            world.down().await;
        });
    }
}

/// The object with one entry, synced.
pub(super) async fn synced(world: &mut World) {
    world.entries(&[("A_KEY", "a")]);
    world.quiet().await;
    assert_eq!(world.held()["A_KEY"], value("a1"));
}

/// An exchange that takes so many seconds there and back.
pub(super) fn slow(is_write: bool, there: u64, back: u64) -> Slow {
    Slow {
        is_write,
        there: Duration::from_secs(there),
        back: Duration::from_secs(back),
    }
}

/// Writes of a name at the provider, or of the set that it is in.
pub(super) fn writes(world: &World, name: &str) -> usize {
    let counted = if world.target == Target::Pipecat {
        "agents"
    } else {
        name
    };
    world
        .remote
        .counts()
        .get(counted)
        .copied()
        .unwrap_or_default()
}

#[test]
fn an_answer_that_comes_after_newer_news_does_not_hide_it() {
    at_each(async |world| {
        synced(world).await;
        world.remote.slow_down(slow(true, 0, 20));
        world.rotate("a2");
        sleep(Duration::from_secs(10)).await;
        assert_eq!(world.held()["A_KEY"], value("a2"));
        world.rotate("a3");
        world.quiet().await;
        assert_eq!(world.held()["A_KEY"], value("a3"));
        assert_eq!(writes(world, "A_KEY"), 3);
    });
}

#[test]
fn a_write_whose_answer_comes_too_late_is_made_once_more() {
    at_each(async |world| {
        synced(world).await;
        world.remote.slow_down(slow(true, 0, 40));
        world.rotate("a2");
        world.quiet().await;
        assert_eq!(world.held()["A_KEY"], value("a2"));
        assert_eq!(writes(world, "A_KEY"), 3);
    });
}

/// Cases: C-17
#[test]
fn there_and_back_at_once_costs_two_writes_at_most() {
    for pause in [0, 5, 20, 50] {
        at_each(async |world| {
            synced(world).await;
            world.rotate("a2");
            sleep(Duration::from_millis(pause)).await;
            world.rotate("a1");
            world.quiet().await;
            assert_eq!(world.held()["A_KEY"], value("a1"));
            let writes = writes(world, "A_KEY");
            assert!(writes <= 3, "{:?} after {pause} ms: {writes}", world.target);
        });
    }
}

#[test]
fn a_listing_that_began_before_a_write_of_another_object_creates_nothing_twice() {
    at_each(async |world| {
        // The first object creates slowly, the second lists meanwhile, and its listing ends last.
        world.remote.slow_down(slow(true, 4, 0));
        world.entries(&[("A_KEY", "a")]);
        sleep(Duration::from_secs(1)).await;
        world.remote.slow_down(slow(false, 0, 8));
        world.apply("other", &json!({"data": data(&[("A_KEY", "a")])}));
        world.quiet().await;
        assert_eq!(world.held()["A_KEY"], value("a1"));
        let created = world
            .account
            .writes()
            .into_iter()
            .filter(|write| write.line() == "POST /api/v1/secrets/");
        assert!(created.count() <= 1, "{:?}", world.call_log.lines());
    });
}

#[test]
fn a_store_that_lags_behind_our_own_status_writes_costs_nothing() {
    at_each(async |world| {
        synced(world).await;
        world.store.hold(Resource::ProviderSecrets);
        let known = world.call_log.lines().len();
        for text in ["a2", "a3", "a4"] {
            world.rotate(text);
            world.quiet().await;
            assert_eq!(world.held()["A_KEY"], value(text));
        }
        world.store.release(Resource::ProviderSecrets);
        world.quiet().await;
        let lines = world.call_log.lines().split_off(known);
        assert_eq!(writes(world, "A_KEY"), 4, "{:?} {lines:#?}", world.target);
        let of = |what: &str| lines.iter().filter(|line| line.starts_with(what)).count();
        // A conflict would cost a read; each rotation costs the write-ahead and the outcome.
        assert_eq!(of("GET ProviderSecrets"), 0, "{lines:#?}");
        let patches = if world.target == Target::Pipecat {
            9
        } else {
            6
        };
        assert_eq!(of("PATCH ProviderSecrets"), patches, "{lines:#?}");
    });
}

#[test]
fn a_write_that_arrives_after_a_newer_one_does_not_stay() {
    at_each(async |world| {
        synced(world).await;
        // Longer than the operator waits for an answer.
        world.remote.slow_down(slow(true, 45, 0));
        world.rotate("a2");
        sleep(Duration::from_secs(10)).await;
        world.rotate("a3");
    });
}

#[test]
fn a_write_of_the_dead_that_arrives_after_a_newer_one_does_not_stay() {
    at_each(async |world| {
        synced(world).await;
        world.remote.slow_down(slow(true, 5, 0));
        world.rotate("a2");
        sleep(Duration::from_secs(1)).await;
        world.down().await;
        world.rotate("a3");
        world.up();
    });
}

/// Cases: B-12
#[rstest]
fn no_further_value_leaves_when_a_user_suspends_or_deletes_the_object_meanwhile(
    #[values(true, false)] suspends: bool,
) {
    at_each(async |world| {
        let names: Vec<String> = (0..10).map(|number| format!("KEY_{number}")).collect();
        let entries: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "a")).collect();
        let held = |world: &World| {
            let held = world.held();
            names.iter().filter(|name| held.contains_key(*name)).count()
        };
        let sent = |world: &World| {
            let mut writes = world.account.writes();
            writes.retain(|write| write.method != "DELETE");
            writes.len()
        };
        let is_set = world.target == Target::Pipecat;
        world.account.set_latency(Duration::from_secs(1));
        world.spec(&json!({"deletionPolicy": "Delete", "data": data(&entries)}));
        let is_at_work = |world: &World| held(world) >= 2;
        let most = Duration::from_secs(15);
        world.wait("the second value", most, is_at_work).await;
        let before = sent(world);
        if suspends {
            world.spec(&json!({"suspend": true}));
            world.quiet().await;
            assert_eq!(world.ready_reason("object").as_deref(), Some("Suspended"));
            let object = world.object().expect("the object");
            let kind = &object["status"]["conditions"][0]["type"];
            assert!(is_set || kind == "Suspended", "{kind}");
            assert!(is_set || (2..=4).contains(&held(world)), "{}", held(world));
            assert!(sent(world) <= before + 1, "{:?}", world.target);
        }
        world.delete();
        world.quiet().await;
        assert!(sent(world) <= before + 1, "{:?}", world.target);
        assert!(world.object().is_none(), "{:?}", world.target);
        assert_eq!(held(world), 0, "{:?}", world.target);
        world.account.set_latency(Duration::from_millis(20));
    });
}
