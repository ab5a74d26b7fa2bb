//! The crash matrix against a real API server: the test kills the operator's process at its calls. The binary is the
//! released one, without fail points, because its calls go through proxies of the test.

mod lifecycle;
mod recording_proxies;

use futures::future::join_all;

use self::lifecycle::{Lifecycle, Outcome, Reference};
use crate::{
    faults::call_log::{Crash, Variant},
    harness::{SCALE, Target, TestEnv, run, say, setting},
};

/// The operator of the environment itself does nothing.
const IDLE: &str = "--watch-namespaces=no-such-namespace";

/// Cases: L-01, L-04
#[test]
fn a_process_killed_at_any_call_changes_nothing_in_the_end() {
    run(async {
        let env = TestEnv::fresh(&[IDLE]).await;
        let lanes = Target::ALL.into_iter().enumerate();
        let plans = join_all(lanes.map(|(lane, target)| lane_of(&env, target, lane))).await;
        let plans: usize = plans.into_iter().sum();
        say(&format!("process_crash: {plans} plans"));
    });
}

/// Kills at some calls, at others in each lane, so that all lanes together cover every kind of call before and after
/// its effect. A larger scale kills at every call.
async fn lane_of(env: &TestEnv, target: Target, lane: usize) -> usize {
    let undisturbed = Lifecycle::new(env, target, &[]).await.run(None).await;
    let Outcome { calls, .. } = undisturbed;
    let reference = Reference::from(undisturbed);
    let is_everything = setting(SCALE).is_some();
    let mut plans = 0;
    for call in 1..=calls {
        let sides = [Variant::Before, Variant::After];
        for (side, variant) in sides.into_iter().enumerate() {
            if is_everything || (call + lane).is_multiple_of(4) && (call + lane) / 4 % 2 == side {
                let crash = Crash { call, variant };
                Lifecycle::new(env, target, &[crash])
                    .await
                    .run(Some(&reference))
                    .await;
                plans += 1;
            }
        }
    }
    say(&format!(
        "process_crash: {target:?}: {calls} calls, {plans} plans"
    ));
    plans
}
