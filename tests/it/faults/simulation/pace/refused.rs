//! A source that changes all the time while the provider refuses what is written, or with a new name each time.

use std::time::Duration;

use rstest::rstest;
use serde_json::json;
use simulator::Fault;
use tokio::time::sleep;

use crate::faults::simulation::{
    races::at_each,
    world::{SOURCE, World, data, value},
};

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
