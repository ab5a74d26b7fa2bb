//! Generated sequences: edits, foreign writes, failures and crashes in any order and at any pace. When they stop, the
//! operator must end in the state of a fresh install with the last spec, and rest.

mod failure;
mod operation;

use std::time::Instant;

use proptest::{
    collection::vec,
    test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner},
};
use rstest::rstest;
use serde_json::Value;

use self::operation::{Operation, Play, operation};
use super::{
    oracle::{self, State},
    workload::Policy,
    world::{REST, World, simulate},
};
use crate::harness::{SCALE, Target, say, setting};

/// Sequences at each API, and how long they are at most.
const CASES: u32 = 40;
const LONGEST: usize = 14;

#[rstest]
#[case(Target::BasetenWorkspace)]
#[case(Target::BasetenTeam)]
#[case(Target::PrimeIntellect)]
#[case(Target::Pipecat)]
#[case(Target::Braintrust)]
fn whatever_happens_it_ends_as_a_fresh_install_would(#[case] target: Target) {
    let started = Instant::now();
    let scale = setting(SCALE).and_then(|scale| scale.parse().ok());
    let config = Config {
        cases: CASES * scale.unwrap_or(1),
        failure_persistence: None,
        ..Config::default()
    };
    let cases = config.cases;
    // The same sequences in every run, and more of them at a larger scale.
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(config, rng);
    let outcome = runner.run(&vec(operation(), 1..LONGEST), |operations| {
        let faults = play(target, &operations);
        if faults.is_empty() {
            Ok(())
        } else {
            Err(TestCaseError::fail(faults.join("\n")))
        }
    });
    if let Err(TestError::Fail(why, operations)) = &outcome {
        let why = why.message();
        assert!(outcome.is_ok(), "{target:?}: {operations:?}\n{why}");
    }
    assert!(outcome.is_ok(), "{target:?}: {outcome:?}");
    say(&format!(
        "{target:?}: {cases} generated sequences in {:.1?}",
        started.elapsed()
    ));
}

/// What is wrong in the end.
fn play(target: Target, operations: &[Operation]) -> Vec<String> {
    let (mut faults, end, last, lines) = simulate(async {
        let mut world = World::new(target);
        let mut play = Play::new(&mut world);
        play.begin();
        for operation in operations {
            play.run(operation).await;
        }
        let last = play.end().await;
        let faults = world.rest(Policy::Retain, 3 * REST).await;
        let (end, lines) = (oracle::state(&world), world.call_log.lines());
        world.down().await;
        (faults, end, last, lines)
    });
    let (fresh_faults, fresh) = simulate(async {
        let mut world = World::new(target);
        last.install(&world);
        world.up();
        let faults = world.rest(Policy::Retain, 3 * REST).await;
        let fresh = oracle::state(&world);
        world.down().await;
        (faults, fresh)
    });
    faults.extend(
        fresh_faults
            .into_iter()
            .map(|fault| format!("fresh: {fault}")),
    );
    faults.extend(differences(&end, &fresh));
    if !faults.is_empty() {
        faults.extend(lines);
    }
    faults
}

/// What differs from a fresh install, apart from secrets that the operator retains.
fn differences(end: &State, fresh: &State) -> Vec<String> {
    let mut differences = Vec::new();
    let (is, should) = (timeless(end), timeless(fresh));
    if is != should {
        differences.push(format!("the object is\n{is:#}\nand fresh\n{should:#}"));
    }
    for (name, value) in &fresh.secrets {
        if end.secrets.get(name) != Some(value) {
            let is = end.secrets.get(name);
            differences.push(format!("{name} is {is:?} and fresh {value:?}"));
        }
    }
    differences
}

/// An object without its history: digests depend on the uid, generations count edits, and the scope is known since the
/// first write.
fn timeless(state: &State) -> Value {
    fn strip(value: &mut Value) {
        match value {
            Value::Object(fields) => {
                for field in [
                    "generation",
                    "observedGeneration",
                    "digest",
                    "lastSyncTime",
                    "scope",
                ] {
                    fields.remove(field);
                }
                fields.values_mut().for_each(strip);
            }
            Value::Array(items) => items.iter_mut().for_each(strip),
            _ => {}
        }
    }
    let mut object = state.object.clone().unwrap_or_default();
    strip(&mut object);
    object
}
