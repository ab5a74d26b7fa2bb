//! A plan: a workload at an API under a policy, and where the operator dies in it.

use std::fmt;

use super::{
    oracle::{self, State},
    provider::Counts,
    workload::{Policy, Step, Workload},
    world::{Ended, REST, World, simulate},
};
use crate::faults::call_log::{Crash, Effect};
use crate::harness::Target;

/// What is run.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) target: Target,
    pub(super) policy: Policy,
    pub(super) workload: Workload,
    pub(super) crashes: Vec<Crash>,
    /// Whether a second process stands by, and takes over when the first one is gone.
    pub(super) has_standby: bool,
}

/// What came of it.
pub(super) struct Run {
    /// Before the user acted.
    pub(super) before: State,
    /// In the end.
    pub(super) end: State,
    /// Writes at the provider by remote name.
    pub(super) counts: Counts,
    /// Calls after the last crash at which one more could matter.
    pub(super) calls: Vec<Effect>,
    /// Crashes that did not happen, because there were not so many calls.
    pub(super) pending_crashes: usize,
    /// What is wrong whatever the reference is.
    pub(super) faults: Vec<String>,
    /// Everything that the operator did.
    pub(super) lines: Vec<String>,
}

/// The name under which a plan can be run alone.
impl fmt::Display for Plan {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let crashes: Vec<String> = self.crashes.iter().map(Crash::to_string).collect();
        write!(
            formatter,
            "{:?}/{:?}/{}/{}",
            self.target,
            self.policy,
            self.workload.name,
            crashes.join("+")
        )
    }
}

impl Plan {
    /// Runs it in a world of its own.
    pub(super) fn run(&self) -> Run {
        simulate(self.play())
    }

    async fn play(&self) -> Run {
        let (mut world, mut faults) = (World::new(self.target), Vec::new());
        world.has_standby = self.has_standby;
        self.perform(&mut world, self.workload.setup(), &mut faults)
            .await;
        self.perform(&mut world, &[Step::Settle], &mut faults).await;
        let before = oracle::state(&world);
        world.call_log.arm(&self.crashes);
        self.perform(&mut world, self.workload.steps(), &mut faults)
            .await;
        let calls = world.call_log.calls();
        let end = oracle::state(&world);
        faults.extend(world.rest(self.policy, REST).await);
        faults.extend(world.calls_without_lease());
        let (pending_crashes, lines) = (world.call_log.pending_crashes(), world.call_log.lines());
        let counts = world.remote.counts();
        world.down().await;
        Run {
            before,
            end,
            counts,
            calls,
            pending_crashes,
            faults,
            lines,
        }
    }

    async fn perform(&self, world: &mut World, steps: &[Step], faults: &mut Vec<String>) {
        for step in steps {
            match step {
                Step::Down => world.down().await,
                Step::Work => {
                    if world.quiet().await == Ended::Restless {
                        faults.push("it does not come to rest".to_owned());
                    }
                }
                Step::Settle => loop {
                    world.up();
                    match world.quiet().await {
                        Ended::Quiet => break,
                        Ended::Crashed => {}
                        Ended::Restless => {
                            faults.push("it does not come to rest".to_owned());
                            break;
                        }
                    }
                },
                _ => step.perform(world, self.policy, &self.workload),
            }
        }
    }
}
