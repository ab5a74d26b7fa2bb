//! Without a watch of Secrets: each that an object names is asked for by its name, and no right but `get` is used.

use std::time::Duration;

use provider_secrets::controller::SecretAccess;
use serde_json::json;
use tokio::time::sleep;

use super::{
    races::writes,
    request::Asked,
    server::faults::Does,
    store::{Id, Resource},
    workload::Policy,
    world::{REST, SOURCE, World, data, simulate, value},
};
use crate::harness::Target;

/// How often each Secret is asked for.
const OFTEN: Duration = Duration::from_mins(1);
/// Longer than that, with the tries of a question.
const ROUND: Duration = Duration::from_secs(75);
/// Longer than it takes to act on what is known.
const SOON: Duration = Duration::from_secs(5);

/// Runs `play` at each API, in a world where the operator asks for Secrets.
fn at_each(play: impl AsyncFn(&mut World) + Copy) {
    for target in Target::ALL {
        simulate(async {
            let mut world = World::new(target);
            world.choices.secret_access = SecretAccess::GetOnly(OFTEN);
            world.source(&[("a", "a1"), ("b", "b1")]);
            world.entries(&[("A_KEY", "a")]);
            world.up();
            play(&mut world).await;
            let faults = world.rest(Policy::Retain, REST).await;
            let lines = world.call_log.lines();
            assert!(faults.is_empty(), "{target:?} {faults:#?} {lines:#?}");
            for verb in ["LIST Secrets", "WATCH Secrets", "STREAM Secrets"] {
                assert!(world.store.faults.asked(verb).is_empty(), "{verb}");
            }
            world.down().await;
        });
    }
}

fn secret(name: &str) -> Id {
    (Resource::Secrets, "team".to_owned(), name.to_owned())
}

fn is_of_the_source(asked: &Asked) -> bool {
    asked.resource == Resource::Secrets && asked.name.as_deref() == Some(SOURCE)
}

/// How often a Secret was asked for or read.
fn questions(world: &World, name: &str) -> usize {
    world
        .store
        .faults
        .asked(&format!("GET Secrets {name}"))
        .len()
}

/// Cases: K-02
#[test]
fn a_rotation_lands_within_a_round_and_rest_costs_a_question_for_each_secret() {
    at_each(async |world| {
        sleep(SOON).await;
        assert_eq!(world.ready_reason("object").as_deref(), Some("Synced"));
        world.rotate("a2");
        sleep(ROUND).await;
        assert_eq!(world.held()["A_KEY"], value("a2"), "{:?}", world.target);

        let before = [SOURCE, "credential"].map(|name| questions(world, name));
        sleep(10 * OFTEN).await;
        let after = [SOURCE, "credential"].map(|name| questions(world, name));
        for (before, after) in before.into_iter().zip(after) {
            assert!((8..=13).contains(&(after - before)), "{before} {after}");
        }
        assert_eq!(writes(world, "A_KEY"), 2, "{:?}", world.target);
    });
}

/// Also what an edit begins to name is asked for at once.
#[test]
fn a_new_object_and_an_edit_wait_for_no_round() {
    at_each(async |world| {
        sleep(SOON).await;
        world.secret("more", &[("m", value("m1"))].into());
        let more = json!([
            {"name": "A_KEY", "secretKeyRef": {"name": SOURCE, "key": "a"}},
            {"name": "M_KEY", "secretKeyRef": {"name": "more", "key": "m"}},
        ]);
        world.spec(&json!({"data": more}));
        sleep(SOON).await;
        assert_eq!(world.held()["M_KEY"], value("m1"), "{:?}", world.target);
        world.spec(&json!({"data": data(&[("A_KEY", "a")])}));
        sleep(2 * OFTEN).await;
        let before = questions(world, "more");
        sleep(5 * OFTEN).await;
        assert_eq!(questions(world, "more"), before, "nobody names it");
    });
}

#[test]
fn a_secret_that_comes_late_is_used_and_one_that_goes_is_missed() {
    at_each(async |world| {
        sleep(SOON).await;
        let deleted = world.store.delete(&secret(SOURCE));
        deleted.expect("it was there");
        sleep(ROUND + SOON).await;
        assert_eq!(
            world.ready_reason("object").as_deref(),
            Some("SecretNotFound"),
            "{:?}",
            world.target
        );
        assert_eq!(world.held()["A_KEY"], value("a1"), "{:?}", world.target);
        world.rotate("a2");
        sleep(ROUND).await;
        assert_eq!(world.held()["A_KEY"], value("a2"), "{:?}", world.target);
    });
}

/// Cases: R-22
#[test]
fn a_secret_that_one_question_misses_was_never_gone() {
    at_each(async |world| {
        sleep(SOON).await;
        let before = world.calls("PATCH");
        let faults = &world.store.faults;
        faults.add(is_of_the_source, Does::refuse(404), 1);
        sleep(ROUND).await;
        assert_eq!(world.calls("PATCH"), before, "{:?}", world.target);
        // It is asked for again soon, and then as often as before.
        assert!(questions(world, SOURCE) >= 4, "{:?}", world.target);
        assert_eq!(world.ready_reason("object").as_deref(), Some("Synced"));
    });
}

/// A right that is bound to names is no reason to stop with the others.
#[test]
fn a_secret_that_may_not_be_read_is_said_at_its_object_and_used_when_it_may() {
    at_each(async |world| {
        sleep(SOON).await;
        let faults = &world.store.faults;
        faults.always(is_of_the_source, Does::refuse(403));
        sleep(ROUND).await;
        assert_eq!(world.ready_reason("object").as_deref(), Some("Forbidden"));
        world.store.faults.clear();
        world.rotate("a2");
        sleep(ROUND).await;
        assert_eq!(world.ready_reason("object").as_deref(), Some("Synced"));
        assert_eq!(world.held()["A_KEY"], value("a2"), "{:?}", world.target);
    });
}

/// One that the API server cannot decrypt, for instance.
#[test]
fn a_secret_that_is_not_given_holds_up_no_other_and_no_start() {
    at_each(async |world| {
        sleep(SOON).await;
        world.down().await;
        let faults = &world.store.faults;
        faults.always(is_of_the_source, Does::refuse(500));
        world.secret("other", &[("o", value("o1"))].into());
        let other = json!([{"name": "O_KEY", "secretKeyRef": {"name": "other", "key": "o"}}]);
        let mut other = json!({"data": other});
        if world.target == Target::Pipecat {
            other["provider"]["pipecat"]["setName"] = "other".into();
        }
        world.apply("other", &other);
        world.up();
        sleep(4 * SOON).await;
        assert_eq!(world.ready_reason("other").as_deref(), Some("Synced"));
        assert_eq!(
            world.ready_reason("object").as_deref(),
            Some("SecretUnavailable")
        );
        world.store.faults.clear();
        // The longest wait after failures.
        sleep(Duration::from_mins(6)).await;
        assert_eq!(world.ready_reason("object").as_deref(), Some("Synced"));
    });
}

#[test]
fn a_thousand_readers_are_one_question_in_each_round() {
    simulate(async {
        let mut world = World::new(Target::Braintrust);
        world.choices.secret_access = SecretAccess::GetOnly(OFTEN);
        world.source(&[("a", "a1")]);
        for number in 0..1_000 {
            let name = format!("A_KEY_{number}");
            world.apply(
                &format!("object-{number}"),
                &json!({"data": data(&[(&name, "a")])}),
            );
        }
        world.up();
        world.quiet().await;
        let before = questions(&world, "credential");
        // The credential is read again for no object.
        assert!(before < 12, "{before}");
        sleep(10 * OFTEN).await;
        let asked = questions(&world, "credential") - before;
        assert!((8..=13).contains(&asked), "{asked}");
        world.down().await;
    });
}
