//! The crash matrix with a second process: at each call of the leader it takes over, with the leader dead, stopped for
//! longer than its lease, or alive and cut off from the API server. And a call of a leader that is gone, which comes in
//! last.

use std::time::Duration;

use rstest::rstest;
use serde_json::json;
use tokio::time::sleep;

use super::{
    oracle,
    plan::Plan,
    provider::Slow,
    races::writes,
    store::Resource,
    workload::{self, Policy, Workload},
    world::{Ended, REST, World, data, simulate, value},
};
use crate::faults::call_log::{Crash, Effect, Variant};
use crate::harness::{LEASE, NAMESPACE, Target, say, setting};

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

/// How long the last write of a leader is on its way: the next one leads by then, and has written twice.
const ON_ITS_WAY: Duration = Duration::from_secs(29);

/// The next leader sends the same value as the one before, then a newer one; then the former's comes in. At the other
/// providers the next listing shows that.
/// Cases: L-06, L-07
#[rstest]
fn a_late_write_of_a_leader_that_is_gone_does_not_stay(
    #[values(Target::BasetenWorkspace, Target::BasetenTeam, Target::Pipecat)] target: Target,
    #[values("Overwrite", "Fail")] conflict: &str,
    #[values(false, true)] is_recorded: bool,
) {
    for policy in Policy::ALL {
        let spec = json!({
            "deletionPolicy": format!("{policy:?}"),
            "conflictPolicy": conflict,
            "data": data(&[("A_KEY", "a")]),
        });
        simulate(async {
            let mut world = World::new(target);
            world.has_standby = true;
            world.source(&[("a", "a0")]);
            world.without_foreign_set();
            world.up();
            if is_recorded {
                world.spec(&spec);
            }
            assert_eq!(world.quiet().await, Ended::Quiet);
            world.remote.slow_down(Slow {
                is_write: true,
                there: ON_ITS_WAY,
                back: Duration::ZERO,
            });
            let leader = world.leader().expect("one leads");
            let sent = world.call_log.sent().len();
            world.source(&[("a", "a1")]);
            world.spec(&spec);
            let second = Duration::from_secs(1);
            let is_sent = |world: &World| world.call_log.sent().len() > sent;
            world.wait("it is sent", second * 5, is_sent).await;
            world.call_log.end_incarnation(leader);
            let holds = |text| move |world: &World| world.held().get("A_KEY") == Some(&value(text));
            let wait = async |what, most, text| world.wait(what, most, holds(text)).await;
            let took = wait("it is sent again", ON_ITS_WAY, "a1").await;
            world.source(&[("a", "a2")]);
            wait("it is rotated", ON_ITS_WAY.saturating_sub(took), "a2").await;
            wait("the first comes in", ON_ITS_WAY, "a1").await;
            world.with_foreign_secret();
            let faults = world.rest(policy, REST).await;
            assert_eq!(
                faults,
                Vec::<String>::new(),
                "{:#?}",
                world.call_log.lines()
            );
            assert!(holds("a2")(&world), "{:?}", world.held());
            world.down().await;
        });
    }
}

/// By how much the clock of one leader is ahead.
const AHEAD: Duration = Duration::from_hours(3);

/// A leader follows one that was killed, so what it writes is to be confirmed; and the time that it records lies hours
/// ahead. The leader after it has a right clock: each runtime of the simulation begins at the machine's time.
/// Cases: A-23, L-06
#[rstest]
fn a_write_of_a_leader_whose_clock_was_ahead_is_confirmed_all_the_same(
    #[values(Target::BasetenWorkspace, Target::BasetenTeam)] target: Target,
) {
    let minute = Duration::from_mins(1);
    let holds = |world: &World, text| world.held().get("A_KEY") == Some(&value(text));
    let mut world = simulate(async {
        let mut world = World::new(target);
        world.has_standby = true;
        sleep(AHEAD).await;
        world.source(&[("a", "a0")]);
        world.entries(&[("A_KEY", "a")]);
        world.up();
        assert_eq!(world.quiet().await, Ended::Quiet);
        let leader = world.leader().expect("one leads");
        world.call_log.end_incarnation(leader);
        world.source(&[("a", "a1")]);
        let is_unconfirmed = |world: &World| {
            let object = world.object().unwrap_or_default();
            let entry = &object["status"]["entries"][0];
            let is_recorded =
                entry["state"] == "Synced" && entry["record"]["attempted"].is_string();
            is_recorded && holds(world, "a1")
        };
        world.wait("it is rotated", minute, is_unconfirmed).await;
        world.down().await;
        world
    });
    simulate(async move {
        let before = writes(&world, "A_KEY");
        world.up();
        let is_sent = |world: &World| writes(world, "A_KEY") > before;
        world.wait("it is sent again", minute, is_sent).await;
        // What the leader that was killed had sent comes in.
        world.foreign_write("A_KEY", &value("a0"));
        let is_confirmed = |world: &World| holds(world, "a1");
        world
            .wait("it is confirmed", minute * 2, is_confirmed)
            .await;
        assert_eq!(world.quiet().await, Ended::Quiet);
        assert_eq!(writes(&world, "A_KEY"), before + 2);
        world.down().await;
    });
}

/// A first installation follows nobody. Where a status is, a user may have deleted the Lease of a leader that hangs.
/// Cases: L-06
#[rstest]
fn what_a_process_without_a_lease_writes_is_confirmed_only_where_another_was(
    #[values(Target::BasetenWorkspace, Target::BasetenTeam, Target::Pipecat)] target: Target,
    #[values(false, true)] was_another: bool,
) {
    simulate(async {
        let mut world = World::new(target);
        world.has_standby = true;
        world.makes_lease = true;
        world.source(&[("a", "a1")]);
        if was_another {
            world.entries(&[("B_KEY", "a")]);
            world.up();
            assert_eq!(world.quiet().await, Ended::Quiet);
            world.down().await;
            let id = (Resource::Leases, NAMESPACE.to_owned(), LEASE.to_owned());
            world.store.delete(&id).expect("there is a lease");
        }
        world.entries(&[("A_KEY", "a")]);
        world.up();
        assert_eq!(world.quiet().await, Ended::Quiet);
        sleep(Duration::from_mins(5)).await;
        assert_eq!(writes(&world, "A_KEY") > 1, was_another);
        world.down().await;
    });
}

/// Whoever may write a status may write any number as that of its writer.
/// Cases: L-08
#[rstest]
#[case::that_a_lease_may_have(1_000, 1_001)]
#[case::that_a_lease_could_just_have(i64::from(i32::MAX), 1)]
#[case::that_no_lease_can_have(i64::MAX, 1)]
fn a_status_of_a_later_term_stops_no_rotation(#[case] shown: i64, #[case] term: i64) {
    simulate(async {
        let mut world = World::new(Target::PrimeIntellect);
        world.has_standby = true;
        world.source(&[("a", "a1")]);
        world.entries(&[("A_KEY", "a")]);
        world.up();
        assert_eq!(world.quiet().await, Ended::Quiet);
        world.change_status(|status| status["writer"]["epoch"] = shown.into());
        world.source(&[("a", "a2")]);
        let minute = Duration::from_mins(1);
        let is_rotated = |world: &World| world.held().get("A_KEY") == Some(&value("a2"));
        world.wait("it is rotated", minute, is_rotated).await;
        let faults = world.rest(Policy::Retain, REST).await;
        assert_eq!(faults, Vec::<String>::new());
        let leases = world.store.list(Resource::Leases, None);
        assert_eq!(leases[0]["spec"]["leaseTransitions"], term);
        let object = world.object().expect("the object");
        assert_eq!(object["status"]["writer"]["epoch"], term);
        world.down().await;
    });
}
