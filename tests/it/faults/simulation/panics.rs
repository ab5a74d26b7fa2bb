//! A panic in the middle of a reconcile that holds a value.

use std::{process::Command, time::Duration};

use provider_secrets::telemetry;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::{
    provider::CUT,
    races::{at_each, synced, writes},
    world::{data, value},
};
use crate::harness::{Target, setting, traces};

/// Set where this binary runs a test as the operator would: with its log.
const LOGGED: &str = "PROVIDER_SECRETS_TEST_LOGGED";

/// Cases: L-12
#[test]
fn a_panic_in_one_reconcile_ends_that_reconcile_and_nothing_else() {
    at_each(async |world| {
        synced(world).await;
        // A set of Pipecat has one owner.
        let has_other = world.target != Target::Pipecat;
        if has_other {
            world.apply("other", &json!({"data": data(&[("B_KEY", "b")])}));
            world.quiet().await;
        }
        world.remote.set_panicking(true);
        let cut = CUT.to_string();
        world.source(&[("a", &cut), ("b", "b1")]);
        sleep(Duration::from_secs(10)).await;
        if has_other {
            world.source(&[("a", &cut), ("b", "b2")]);
            sleep(Duration::from_secs(10)).await;
            assert_eq!(world.held()["B_KEY"], value("b2"), "{:?}", world.target);
        }
        assert_eq!(world.held()["A_KEY"], value("a1"), "{:?}", world.target);
        // It is tried again with each news, and without any only after a while.
        let panics = world.remote.panics();
        assert!(
            (1..=4).contains(&panics),
            "{:?}: {panics} panics",
            world.target
        );
        world.remote.set_panicking(false);
        world.quiet().await;
        assert_eq!(world.held()["A_KEY"], value(&cut), "{:?}", world.target);
        assert_eq!(writes(world, "A_KEY"), 2, "{:?}", world.target);
    });
}

/// Cases: S-03
#[test]
fn a_panic_shows_where_it_was_and_nothing_of_what_it_had_at_hand() {
    let this =
        "faults::simulation::panics::a_panic_shows_where_it_was_and_nothing_of_what_it_had_at_hand";
    if setting(LOGGED).is_some() {
        let started = telemetry::init("trace", telemetry::Format::Json, false, None);
        started.expect("logging starts");
        return a_panic_in_one_reconcile_ends_that_reconcile_and_nothing_else();
    }
    let program = std::env::current_exe().expect("this is a program");
    let ended = Command::new(program)
        .args(["--exact", this, "--nocapture"])
        .env(LOGGED, "1")
        .env("RUST_BACKTRACE", "full")
        .output()
        .expect("it runs");
    let log = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "{log}");
    assert_eq!(traces(&log), Vec::<String>::new());
    assert_eq!(
        traces(&String::from_utf8_lossy(&ended.stdout)),
        Vec::<String>::new()
    );
    let lines = log
        .lines()
        .map(|line| serde_json::from_str(line).expect("a line is JSON"));
    let of = |message: &'static str| {
        let lines: Vec<Value> = lines.clone().collect();
        lines
            .into_iter()
            .filter(move |line: &Value| line["msg"] == message)
    };
    let panics: Vec<Value> = of("panicked; this is a bug").collect();
    assert!(panics.len() >= Target::ALL.len(), "{panics:#?}");
    for panic in &panics {
        assert!(
            panic["at"]
                .as_str()
                .is_some_and(|at| at.contains("provider.rs:")),
            "{panic}"
        );
        assert_eq!(panic["what"], "a message that is not shown");
    }
    // Both lines say which reconcile it was.
    let reconciles = |lines: &mut dyn Iterator<Item = Value>| -> Vec<_> {
        let whose =
            |line: Value| ["namespace", "name", "reconcileID"].map(|name| line[name].clone());
        lines.map(whose).collect()
    };
    let caught = reconciles(&mut of("a reconcile panicked; this is a bug"));
    assert_eq!(caught, reconciles(&mut panics.into_iter()));
    let has_names = |whose: &[Value; 3]| whose.iter().all(Value::is_string);
    assert!(caught.iter().all(has_names), "{caught:#?}");
}
