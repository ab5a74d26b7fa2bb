//! The crash matrix: the operator crashes at each of its calls, before the effect or with the answer lost or in flight,
//! and the next incarnation ends in the same state as a run without a crash.

use std::time::Instant;

use rstest::rstest;

use super::{
    oracle,
    plan::{Plan, Run},
    workload::{self, Policy, Workload},
};
use crate::faults::call_log::{Crash, Effect, Variant};
use crate::harness::{SCALE, Target, say, setting};

/// Only this plan is run: the name that a failure shows.
const ONLY: &str = "PROVIDER_SECRETS_TEST_PLAN";
/// Failures that are shown in full.
const SHOWN: usize = 5;

/// Cases: L-01, L-02, L-03, L-04
#[rstest]
#[case(Target::BasetenWorkspace)]
#[case(Target::BasetenTeam)]
#[case(Target::PrimeIntellect)]
#[case(Target::Pipecat)]
#[case(Target::Braintrust)]
fn a_crash_at_any_call_changes_nothing_in_the_end(#[case] target: Target) {
    let started = Instant::now();
    let mut matrix = Matrix::new();
    for policy in Policy::ALL {
        for workload in workload::all(target) {
            matrix.workload(target, policy, &workload);
        }
    }
    let Matrix { plans, failed, .. } = &matrix;
    say(&format!(
        "{target:?}: {plans} plans in {:.1?}, {} failed",
        started.elapsed(),
        failed.len()
    ));
    let names: Vec<&str> = failed
        .iter()
        .filter_map(|failed| failed.lines().next())
        .collect();
    let shown: Vec<&str> = failed.iter().take(SHOWN).map(String::as_str).collect();
    assert!(
        failed.is_empty(),
        "{}\n\n{}",
        names.join("\n"),
        shown.join("\n\n")
    );
}

/// A case by itself, so that the targets run beside each other; none may be forgotten.
#[test]
fn each_target_has_its_crash_matrix() {
    let cases = include_str!("crash.rs");
    for target in Target::ALL {
        let case = format!("\n#[case(Target::{target:?})]\n");
        assert!(cases.contains(&case), "{target:?}");
    }
}

struct Matrix {
    only: Option<String>,
    scale: usize,
    plans: usize,
    failed: Vec<String>,
}

impl Matrix {
    fn new() -> Self {
        let scale = setting(SCALE).and_then(|scale| scale.parse().ok());
        Self {
            only: setting(ONLY),
            scale: scale.unwrap_or(1),
            plans: 0,
            failed: Vec::new(),
        }
    }

    /// Every plan of a workload.
    fn workload(&mut self, target: Target, policy: Policy, workload: &Workload) {
        let plan = |crashes: &[Crash]| Plan {
            target,
            policy,
            workload: workload.clone(),
            crashes: crashes.to_vec(),
            has_standby: false,
        };
        let (before, undisturbed) = (self.plans, plan(&[]));
        if self
            .only
            .as_ref()
            .is_some_and(|only| !only.starts_with(&undisturbed.to_string()))
        {
            return;
        }
        let reference = undisturbed.run();
        self.note(&undisturbed, &reference, &reference);
        for (index, effect) in reference.calls.iter().enumerate() {
            let late = match effect {
                Effect::Read => None,
                Effect::Record => Some(Variant::Late),
                Effect::Send => workload.is_healed(policy).then_some(Variant::Late),
            };
            for variant in Variant::BOTH.into_iter().chain(late) {
                let first = Crash {
                    call: index + 1,
                    variant,
                };
                let Some(run) = self.play(&plan(&[first]), &reference) else {
                    continue;
                };
                for second in self.seconds(&run) {
                    self.play(&plan(&[first, second]), &reference);
                }
            }
        }
        say(&format!(
            "{target:?}, {policy:?}, {}: {} calls, {} plans",
            workload.name,
            reference.calls.len(),
            self.plans - before
        ));
    }

    fn play(&mut self, plan: &Plan, reference: &Run) -> Option<Run> {
        if self
            .only
            .as_ref()
            .is_some_and(|only| !only.starts_with(&plan.to_string()))
        {
            return None;
        }
        let run = plan.run();
        self.note(plan, &run, reference);
        Some(run)
    }

    fn note(&mut self, plan: &Plan, run: &Run, reference: &Run) {
        self.plans += 1;
        let mut faults = oracle::compare(plan, run, reference);
        if run.pending_crashes > 0 {
            faults.push(format!("{} crashes did not happen", run.pending_crashes));
        }
        if !faults.is_empty() {
            self.failed.push(format!(
                "{ONLY}='{plan}'\n{}\n  {}",
                faults.join("\n"),
                run.lines.join("\n  ")
            ));
        }
    }

    /// Some of the points at which the successor may die too, others for each plan.
    fn seconds(&self, run: &Run) -> Vec<Crash> {
        let calls = run.calls.len();
        (0..calls.min(self.scale))
            .map(|number| {
                let point = self.plans.wrapping_mul(7) + number;
                Crash {
                    call: point % calls + 1,
                    variant: Variant::BOTH[(point / calls) % 2],
                }
            })
            .collect()
    }
}
