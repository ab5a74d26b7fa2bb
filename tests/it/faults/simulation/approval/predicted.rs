//! What a plan says is what the provider gets once it is approved.

use rstest::rstest;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::DOUBT;
use crate::{
    faults::simulation::{
        workload::{self, Policy, Step, Workload},
        world::{Ended, REST, World, simulate},
    },
    harness::{Target, say},
};

/// Lets the operator work; a deletion from before its start is given up after a minute here.
async fn worked(world: &mut World, faults: &mut Vec<String>) {
    let is_deleted = |object: Value| !object["metadata"]["deletionTimestamp"].is_null();
    if world.object().is_some_and(is_deleted) {
        sleep(DOUBT / 4).await;
    } else if world.quiet().await == Ended::Restless {
        faults.push("it does not come to rest".to_owned());
    }
}

/// Lets the operator work; each time a plan waits it is approved, and what is sent then is held against it. Gives how
/// many plans waited.
async fn settled(world: &mut World, faults: &mut Vec<String>) -> usize {
    let mut plans = 0;
    world.up();
    worked(world, faults).await;
    while let Some(plan) = world.plan().filter(|_| !is_suspended(world)) {
        let before = world.provider_writes();
        world.approve();
        worked(world, faults).await;
        let sent = world.provider_writes() - before;
        if plan["calls"] != sent {
            faults.push(format!("{sent} calls, and the plan was {plan}"));
        }
        if world.plan().as_ref() == Some(&plan) {
            faults.push(format!("it waits on, approved: {plan}"));
            break;
        }
        plans += 1;
    }
    plans
}

fn is_suspended(world: &World) -> bool {
    world
        .object()
        .is_some_and(|object| object["spec"]["suspend"] == true)
}

/// How many plans were carried out in a workload, and what is wrong.
async fn play(target: Target, policy: Policy, workload: &Workload) -> (usize, Vec<String>) {
    let (mut world, mut faults) = (World::new(target), Vec::new());
    let mut plans = 0;
    for step in workload.setup().iter().chain(workload.steps()) {
        match step {
            Step::Down => world.down().await,
            Step::Work | Step::Settle => {
                plans += settled(&mut world, &mut faults).await;
            }
            step => step.perform(&world, policy, workload),
        }
    }
    plans += settled(&mut world, &mut faults).await;
    faults.extend(world.rest(policy, REST).await);
    let lines = world.call_log.lines();
    world.down().await;
    if !faults.is_empty() {
        faults.push(format!("{lines:#?}"));
    }
    (plans, faults)
}

/// What a plan says is what the provider gets once it is approved, in every workload of the crash matrix.
#[rstest]
#[case(Target::BasetenWorkspace)]
#[case(Target::BasetenTeam)]
#[case(Target::PrimeIntellect)]
#[case(Target::Pipecat)]
#[case(Target::Braintrust)]
fn a_plan_predicts_the_calls(#[case] target: Target) {
    let mut all = 0;
    for policy in Policy::ALL {
        for workload in workload::all(target) {
            let workload = workload.awaiting("ManualEveryChange");
            let (plans, faults) = simulate(play(target, policy, &workload));
            assert!(
                faults.is_empty(),
                "{target:?} {policy:?} {}: {faults:#?}",
                workload.name
            );
            all += plans;
        }
    }
    say(&format!("{target:?}: {all} plans"));
    assert!(all >= 60, "{all} plans");
}

/// What a plan of a deletion says of the calls, of a set that the object made and that another client may write into.
#[rstest]
#[case::alone(false, 2)]
#[case::shared(true, 1)]
fn a_plan_counts_the_set_that_goes_with_the_last_key(#[case] is_shared: bool, #[case] calls: u32) {
    simulate(async {
        let (mut world, mut faults) = (World::new(Target::Pipecat), Vec::new());
        world.without_foreign_set();
        world.source(&[("a", "a1")]);
        world.spec(&json!({"approval": "Manual", "deletionPolicy": "Delete"}));
        world.entries(&[("A_KEY", "a")]);
        assert_eq!(settled(&mut world, &mut faults).await, 1);
        if is_shared {
            world.with_foreign_secret();
        }
        world.delete();
        worked(&mut world, &mut faults).await;
        assert_eq!(world.plan().unwrap()["calls"], calls);
        assert_eq!(settled(&mut world, &mut faults).await, 1);
        assert_eq!(world.object(), None);
        world.with_foreign_secret();
        faults.extend(world.rest(Policy::Delete, REST).await);
        let lines = world.call_log.lines();
        assert!(faults.is_empty(), "{faults:#?} {lines:#?}");
        world.down().await;
    });
}
