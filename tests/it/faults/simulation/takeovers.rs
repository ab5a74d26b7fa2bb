//! The crash matrix with a second process: at each call of the leader it takes over, with the leader dead, stopped for
//! longer than its lease, or alive and cut off from the API server.

use rstest::rstest;

use super::{
    oracle,
    plan::Plan,
    workload::{self, Policy, Workload},
};
use crate::faults::call_log::{Crash, Effect, Variant};
use crate::harness::{Target, say, setting};

/// Only this plan is run: the name that a failure shows.
const ONLY: &str = "PROVIDER_SECRETS_TEST_TAKEOVER";
/// What users do meanwhile: something of each kind of write.
const WORKLOADS: [&str; 4] = ["create", "rotate", "remove an entry", "rotate, then delete"];

/// Cases: L-06, L-07
#[rstest]
#[case(Target::BasetenWorkspace)]
#[case(Target::BasetenTeam)]
#[case(Target::PrimeIntellect)]
#[case(Target::Pipecat)]
#[case(Target::Braintrust)]
fn a_takeover_at_any_call_changes_nothing_in_the_end(#[case] target: Target) {
    let (mut plans, mut failed) = (0, Vec::new());
    for policy in Policy::ALL {
        let all = workload::all(target).into_iter();
        for workload in all.filter(|workload| WORKLOADS.contains(&workload.name)) {
            takeovers(target, policy, &workload, &mut plans, &mut failed);
        }
    }
    say(&format!(
        "{target:?}: {plans} takeovers, {} failed",
        failed.len()
    ));
    let first = failed.first().map(String::as_str).unwrap_or_default();
    let names = failed.iter().filter_map(|failed| failed.lines().next());
    let names: Vec<&str> = names.collect();
    assert!(failed.is_empty(), "{}\n\n{first}", names.join("\n"));
}

fn takeovers(
    target: Target,
    policy: Policy,
    workload: &Workload,
    plans: &mut usize,
    failed: &mut Vec<String>,
) {
    let plan = |crashes: &[Crash]| Plan {
        target,
        policy,
        workload: workload.clone(),
        crashes: crashes.to_vec(),
        has_standby: true,
    };
    let only = setting(ONLY);
    let reference = Plan {
        has_standby: false,
        ..plan(&[])
    };
    let reference = reference.run();
    for (index, effect) in reference.calls.iter().enumerate() {
        let stopped = match effect {
            Effect::Read | Effect::Record => Some(Variant::Stopped),
            Effect::Send => workload.is_healed(policy).then_some(Variant::Stopped),
        };
        let variants = [Variant::Before, Variant::After, Variant::CutOff];
        for variant in variants.into_iter().chain(stopped) {
            let plan = plan(&[Crash {
                call: index + 1,
                variant,
            }]);
            if only.as_ref().is_some_and(|only| *only != plan.to_string()) {
                continue;
            }
            *plans += 1;
            let run = plan.run();
            let mut faults = oracle::compare(&plan, &run, &reference);
            if run.pending_crashes > 0 {
                faults.push("the leader went on".to_owned());
            }
            if !faults.is_empty() {
                failed.push(format!(
                    "{ONLY}='{plan}'\n{}\n  {}",
                    faults.join("\n"),
                    run.lines.join("\n  ")
                ));
            }
        }
    }
}
