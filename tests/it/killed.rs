//! The operator as a process, killed at its calls to the outside: the crash matrix against a real
//! API server (reliability.md 1.4, T1, level B). The binary is the one that people run; its calls go
//! through doors that the test holds, so it needs no fail points.

mod doors;
mod life;

use futures::future::join_all;

use self::life::{Killed, Life, Reference};
use crate::{
    ledger::{Crash, Variant},
    support::{SCALE, Stage, Target, run, say, setting},
};

/// The operator of the stage itself has nothing to do.
const NOBODY: &str = "--watch-namespaces=nobody-lives-here";

/// Cases: L-01, L-04
#[test]
fn a_process_killed_at_any_call_changes_nothing_in_the_end() {
    run(async {
        let stage = Stage::fresh(&[NOBODY]).await;
        let lanes = Target::ALL.into_iter().enumerate();
        let plans = join_all(lanes.map(|(lane, target)| lane_of(&stage, target, lane))).await;
        let plans: usize = plans.into_iter().sum();
        say(&format!("killed: {plans} plans"));
    });
}

/// Kills at some calls, others in each lane, so that every kind of call is met on both sides; with a
/// larger scale at every call.
async fn lane_of(stage: &Stage, target: Target, lane: usize) -> usize {
    let undisturbed = Life::new(stage, target, &[]).await.live(None).await;
    let Killed { calls, .. } = undisturbed;
    let reference = Reference::from(undisturbed);
    let is_everything = setting(SCALE).is_some();
    let mut plans = 0;
    for call in 1..=calls {
        let sides = [Variant::Before, Variant::After];
        for (side, variant) in sides.into_iter().enumerate() {
            if is_everything || (call + lane).is_multiple_of(4) && (call + lane) / 4 % 2 == side {
                let crash = Crash { call, variant };
                Life::new(stage, target, &[crash])
                    .await
                    .live(Some(&reference))
                    .await;
                plans += 1;
            }
        }
    }
    say(&format!("killed: {target:?}: {calls} calls, {plans} plans"));
    plans
}
