//! What a provider that refuses or fails costs: with a source that changes all the time, and with many entries.

use std::time::Duration;

use rstest::rstest;
use serde_json::json;
use simulator::Fault;
use tokio::time::sleep;

use crate::{
    faults::simulation::{
        races::at_each,
        world::{SOURCE, World, data, value},
    },
    harness::Target,
};

/// Longer than two tries take.
const SOON: Duration = Duration::from_secs(10);
const HOUR: Duration = Duration::from_hours(1);

/// Writes that the provider has received, whatever it answered.
fn received(world: &World) -> usize {
    let requests = world.account.requests();
    let is_write = |line: &str| {
        ["POST", "PUT", "PATCH"]
            .iter()
            .any(|verb| line.starts_with(verb))
    };
    requests.iter().filter(|one| is_write(&one.line())).count()
}

/// Cases: H-14
#[rstest]
fn a_hot_source_is_tried_once_a_second_while_it_is_refused(#[values(500, 422)] status: u16) {
    at_each(async |world| {
        world.entries(&[("A_KEY", "a")]);
        world.quiet().await;
        for method in ["POST", "PUT", "PATCH"] {
            let refusal = Fault::status(status).method(method).forever();
            world.account.add_fault(refusal);
        }
        let before = received(world);
        for number in 0..1000 {
            world.rotate(&format!("hot-{number}"));
            sleep(Duration::from_millis(10)).await;
        }
        let tried = received(world) - before;
        assert!(
            (1..=12).contains(&tried),
            "{tried} writes in 10 s, {:?}",
            world.target
        );
        world.account.clear_faults();
        world.rotate("last");
        world.quiet().await;
        assert_eq!(world.held()["A_KEY"], value("last"), "{:?}", world.target);
    });
}

/// Cases: P-09, S-07
#[test]
fn a_limit_that_lasts_is_told_by_one_event() {
    at_each(async |world| {
        world.entries(&[("A_KEY", "a")]);
        world.quiet().await;
        let limit = Fault::status(429).header("retry-after", "60").forever();
        world.account.add_fault(limit);
        world.rotate("a2");
        sleep(Duration::from_mins(4)).await;
        let target = world.target;
        assert_eq!(
            world.ready_reason("object").as_deref(),
            Some("RateLimited"),
            "{target:?}"
        );
        assert_eq!(world.notes("RateLimited"), [""; 0], "{target:?}");
        sleep(Duration::from_mins(16)).await;
        let notes = world.notes("RateLimited");
        assert_eq!(notes.len(), 1, "{target:?} {notes:?}");
        assert!(world.message().contains(&notes[0]), "{}", world.message());
        world.account.clear_faults();
        let is_written = |world: &World| world.held()["A_KEY"] == value("a2");
        world.wait("the rotation", 20 * SOON, is_written).await;
        world.quiet().await;
    });
}

/// Each change is another plan.
/// Cases: H-14
#[test]
fn a_hot_source_that_waits_for_approval_is_acted_on_once_a_second() {
    at_each(async |world| {
        world.spec(&json!({"approval": "ManualEveryChange"}));
        world.entries(&[("A_KEY", "a")]);
        world.quiet().await;
        let before = world.calls("PATCH ProviderSecrets");
        for number in 0..500 {
            world.rotate(&format!("hot-{number}"));
            sleep(Duration::from_millis(10)).await;
        }
        let patches = world.calls("PATCH ProviderSecrets") - before;
        assert!(
            (1..=8).contains(&patches),
            "{patches} in 5 s, {:?}",
            world.target
        );
        world.spec(&json!({"approval": "Automatic"}));
        world.quiet().await;
        assert_eq!(world.held()["A_KEY"], value("hot-499"));
    });
}

/// Each change brings a name of its own, so that every write is a first one.
/// Cases: H-14
#[test]
fn a_source_that_grows_all_the_time_is_acted_on_once_a_second() {
    at_each(async |world| {
        let source = json!({"secretRef": {"name": SOURCE}, "nameTransform": "UpperSnake"});
        world.spec(&json!({"dataFrom": [source], "data": null}));
        world.quiet().await;
        let before = world.calls("PATCH ProviderSecrets");
        let keys: Vec<String> = (0..200).map(|number| format!("k{number}")).collect();
        for count in 1..=keys.len() {
            let data = keys[..count].iter().map(|key| (key.as_str(), "a1"));
            world.source(&data.collect::<Vec<_>>());
            sleep(Duration::from_millis(25)).await;
        }
        let patches = world.calls("PATCH ProviderSecrets") - before;
        assert!(
            (1..=18).contains(&patches),
            "{patches} in 5 s, {:?}",
            world.target
        );
        world.quiet().await;
        assert!(world.held().contains_key("K199"), "{:?}", world.target);
        world.source(&[("a", "a1"), ("b", "b1")]);
        world.spec(&json!({"dataFrom": null, "data": data(&[("A_KEY", "a")])}));
        world.quiet().await;
    });
}

/// Names of so many entries.
fn names(count: usize) -> Vec<String> {
    let names = (0..count).map(|number| format!("KEY_{number:02}"));
    names.collect()
}

/// The entries of an object that has these names and one of its own.
fn entries(names: &[String]) -> Vec<(&str, &str)> {
    let entries = names.iter().map(|name| (name.as_str(), "a"));
    entries.chain([("A_KEY", "b")]).collect()
}

/// What the path of a request for a name has of it, where it has anything.
fn in_path(world: &World, name: &str) -> String {
    let held = world.account.held(world.scope().as_deref());
    match world.target {
        Target::PrimeIntellect | Target::Braintrust => held[name].id.clone().expect("an id"),
        Target::BasetenWorkspace | Target::BasetenTeam | Target::Pipecat => name.to_owned(),
    }
}

/// Cases: P-14
#[test]
fn a_provider_that_fails_for_a_day_costs_three_calls_a_try_of_twenty_entries() {
    at_each(async |world| {
        let names = names(20);
        world.entries(&entries(&names));
        world.quiet().await;
        for method in ["POST", "PUT", "PATCH"] {
            let fault = Fault::status(500).method(method);
            world.account.add_fault(fault.forever());
        }
        world.rotate("a2");
        sleep(HOUR).await;
        // What is synced beside them is listed in each interval all the same.
        let before = received(world);
        sleep(23 * HOUR).await;
        let calls = received(world) - before;
        assert!(
            (15..=3 * 26).contains(&calls),
            "{calls}, {:?}",
            world.target
        );
        let said = world.notes("ProviderUnavailable");
        assert_eq!(said.len(), 1, "{:?} {said:?}", world.target);
        assert!(world.message().contains("19 more"), "{}", world.message());
        world.account.clear_faults();
        let is_rotated = |world: &World| names.iter().all(|name| world.held()[name] == value("a2"));
        world.wait("all of them", 2 * HOUR, is_rotated).await;
        world.quiet().await;
        world.entries(&[("A_KEY", "b")]);
    });
}

/// Each of them fails for ever. At Baseten no path tells which one it is, so that each fails once.
/// Cases: P-14, R-02
#[rstest]
fn names_at_which_the_provider_fails_hold_up_no_others(#[values(1, 3, 4, 7)] failing: usize) {
    at_each(async |world| {
        if world.target == Target::Pipecat {
            // A set is one write.
            world.entries(&[("A_KEY", "b")]);
            return;
        }
        let names = names(10);
        world.entries(&entries(&names));
        world.quiet().await;
        let is_for_ever = matches!(world.target, Target::PrimeIntellect | Target::Braintrust);
        for name in &names[..failing] {
            let fault = Fault::status(500).method(world.target.update_method());
            world.account.add_fault(if is_for_ever {
                fault.path_contains(&in_path(world, name)).forever()
            } else {
                fault
            });
        }
        world.rotate("a2");
        let are_rotated = |world: &World, names: &[String]| {
            let held = world.held();
            names.iter().all(|name| held[name] == value("a2"))
        };
        let others = |world: &World| are_rotated(world, &names[failing..]);
        world.wait("the others", SOON, others).await;
        assert!(!is_for_ever || !are_rotated(world, &names[..failing]));
        world.account.clear_faults();
        let all = |world: &World| are_rotated(world, &names);
        world.wait("all of them", HOUR, all).await;
        world.quiet().await;
        world.entries(&[("A_KEY", "b")]);
    });
}

/// Cases: P-14
#[rstest]
fn deletions_at_which_the_provider_fails_hold_up_no_others(
    #[values(1, 3, 4, 7, 10)] failing: usize,
) {
    at_each(async |world| {
        let names = names(10);
        world.spec(&json!({"deletionPolicy": "Delete", "data": data(&entries(&names))}));
        world.quiet().await;
        for name in &names[..failing] {
            let fault = Fault::status(500).method("DELETE");
            let fault = fault.path_contains(&in_path(world, name));
            world.account.add_fault(fault.forever());
        }
        world.entries(&[("A_KEY", "b")]);
        let left = |world: &World| {
            let held = world.held();
            names.iter().filter(|name| held.contains_key(*name)).count()
        };
        let are_gone = |world: &World| left(world) == failing;
        world.wait("the others", SOON, are_gone).await;
        sleep(HOUR).await;
        let before = world.account.writes().len();
        sleep(10 * HOUR).await;
        let tried = world.account.writes().len() - before;
        assert!(tried <= 3 * 11, "{tried} in ten hours, {:?}", world.target);
        world.account.clear_faults();
        let is_done = |world: &World| left(world) == 0;
        world.wait("all of them", 2 * HOUR, is_done).await;
    });
}

/// As with another prefix, of which the provider takes no name: the former names are all that works.
#[rstest]
fn nothing_is_deleted_while_no_new_name_is_taken(#[values(400, 503)] status: u16) {
    at_each(async |world| {
        let old = names(6);
        world.spec(&json!({"deletionPolicy": "Delete", "data": data(&entries(&old))}));
        world.quiet().await;
        for method in ["POST", "PUT", "PATCH"] {
            let fault = Fault::status(status).method(method);
            world.account.add_fault(fault.forever());
        }
        let new: Vec<String> = old.iter().map(|name| format!("NEW_{name}")).collect();
        world.entries(&entries(&new));
        sleep(SOON).await;
        let are_held = |world: &World, names: &[String]| {
            let held = world.held();
            names.iter().all(|name| held.contains_key(name))
        };
        assert!(are_held(world, &old), "{:?}", world.target);
        world.account.clear_faults();
        let are_renamed = |world: &World| {
            let held = world.held();
            are_held(world, &new) && old.iter().all(|name| !held.contains_key(name))
        };
        world.wait("the new names", HOUR, are_renamed).await;
        world.quiet().await;
    });
}

#[test]
fn a_name_stays_until_the_one_in_its_place_has_a_value() {
    at_each(async |world| {
        world.spec(&json!({"deletionPolicy": "Delete", "data": data(&[("A_KEY", "a")])}));
        world.quiet().await;
        world.entries(&[("B_KEY", "missing")]);
        world.quiet().await;
        assert_eq!(world.ready_reason("object").as_deref(), Some("KeyNotFound"));
        assert_eq!(world.held()["A_KEY"], value("a1"), "{:?}", world.target);
        world.source(&[("missing", "b1")]);
        let is_renamed = |world: &World| {
            let held = world.held();
            held.contains_key("B_KEY") && !held.contains_key("A_KEY")
        };
        world.wait("the new name", SOON, is_renamed).await;
        world.quiet().await;
    });
}
