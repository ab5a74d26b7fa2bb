//! The limits that all objects of an account share: pauses, the breaker, outages, and the calls in flight of all
//! accounts. What takes hours is tested in process, under simulated time.

mod hours; // breaker and outage, in simulated hours
mod process; // one account's objects in process

use std::time::Duration;

use futures::future::join_all;
use kube::api::{Patch, PatchParams};
use serde_json::json;
use simulator::{Action, Fault};
use tokio::time::Instant;

use crate::harness::{Bystander, SOON, Target, TestCase, TestEnv, condition, run, until};

/// Calls in flight of one account.
const OF_EACH: usize = 8;

fn name(number: usize) -> String {
    format!("object-{number}")
}

/// So many objects of one account that read one key of the Secret `source`.
async fn objects(case: &TestCase<'_>, count: usize) {
    join_all((0..count).map(async |number| {
        let mut provider = case.provider();
        if case.target == Target::Pipecat {
            // A set for each, named like the object.
            provider["pipecat"]
                .as_object_mut()
                .expect("a member")
                .remove("setName");
        }
        let entry = json!({
            "name": format!("KEY_{number}"),
            "secretKeyRef": {"name": "source", "key": "a"},
        });
        let spec = json!({"provider": provider, "data": [entry]});
        case.apply(&name(number), spec)
            .await
            .expect("an object is applied");
    }))
    .await;
}

/// A test case with so many objects that are synced.
async fn synced_objects(env: &TestEnv, target: Target, count: usize) -> TestCase<'_> {
    let case = TestCase::new(env, target).await;
    case.source("first").await;
    objects(&case, count).await;
    for number in 0..count {
        case.wait_ready(&name(number)).await;
    }
    case
}

/// Cases: C-24
#[test]
fn fifty_objects_with_one_bad_key_make_one_call() {
    run(async {
        let env = TestEnv::shared().await;
        let bystander = Bystander::new(env).await;
        join_all(Target::ALL.map(async |target| {
            let case = TestCase::new(env, target).await;
            case.account.revoke_key(&case.key).expect("revoked");
            case.source("a").await;
            let began = Instant::now();
            objects(&case, 50).await;
            for number in 0..50 {
                let object = case
                    .wait_reason(&name(number), "AuthenticationFailed")
                    .await;
                assert!(condition(&object, "Stalled").is_some(), "{target:?}");
            }
            let calls = case.account.requests().len();
            // The next probe is due a minute after the answer.
            let probes = usize::from(began.elapsed() > Duration::from_secs(54));
            // That the question for the scope is refused says nothing of the key, where the question is asked.
            let asked = [Target::BasetenWorkspace, Target::PrimeIntellect].contains(&target);
            let most = 1 + probes + usize::from(asked);
            assert!(calls <= most, "{target:?}: {calls} calls");
            case.finish().await;
        }))
        .await;
        bystander.rotate().await;
        bystander.finish().await;
    });
}

/// Cases: C-24
#[test]
fn a_key_that_turns_bad_while_in_use_makes_no_more_calls_than_were_in_flight() {
    run(async {
        let env = TestEnv::shared().await;
        join_all(Target::ALL.map(async |target| {
            let case = synced_objects(env, target, 20).await;
            let before = case.account.requests().len();
            case.account.revoke_key(&case.key).expect("revoked");
            case.source("rotated").await;
            for number in 0..20 {
                case.wait_reason(&name(number), "AuthenticationFailed")
                    .await;
            }
            let calls = case.account.requests().len() - before;
            assert!((1..=OF_EACH).contains(&calls), "{target:?}: {calls} calls");
            let (code, metrics) = env.operator.get("/metrics").await;
            let series = "provider_secrets_accounts_held_back{provider=";
            assert!(code == 200 && metrics.contains(series), "{metrics}");
            // Another key is another account and is used at once.
            let version = case.source("rotated").await;
            case.replace_key().await;
            for number in 0..20 {
                case.wait_current(&name(number), &version).await;
            }
            case.finish().await;
        }))
        .await;
    });
}

/// Cases: P-09
#[test]
fn a_429_pauses_the_whole_account_and_no_other() {
    const PAUSE: Duration = Duration::from_secs(7);
    run(async {
        let env = TestEnv::shared().await;
        let bystander = Bystander::new(env).await;
        let paused = join_all(Target::ALL.map(async |target| {
            let case = synced_objects(env, target, 20).await;
            case.secret("other", &[("a", &case.value("other"))]).await;
            let mut provider = case.provider();
            if target == Target::Pipecat {
                provider["pipecat"]["setName"] = "other".into();
            }
            let entry = json!({"name": "OTHER", "secretKeyRef": {"name": "other", "key": "a"}});
            let spec = json!({"provider": provider, "data": [entry]});
            case.apply("other", spec).await.expect("applied");
            let other = case.wait_ready("other").await;
            let fault = Fault::status(429).header("retry-after", "7");
            let before = case.account.requests().len();
            case.account.add_fault(fault.method(target.update_method()));
            let version = case.source("rotated").await;
            until("it is asked to slow down", async || {
                let requests = case.account.requests();
                let refused = requests[before..]
                    .iter()
                    .find(|one| one.status() == Some(429));
                refused.map(|_| ()).ok_or_else(|| "not yet".to_owned())
            })
            .await;
            (case, version, before, other)
        }))
        .await;
        let began = Instant::now();
        for (case, ..) in &paused {
            // News that needs no call: the same value under another version.
            let patch = json!({"metadata": {"annotations": {"a": "b"}}});
            let patch = Patch::Merge(&patch);
            let parameters = PatchParams::default();
            let secrets = case.secrets();
            let patched = secrets.patch("other", &parameters, &patch).await;
            patched.expect("a Secret is patched");
        }
        let latency = bystander.rotate().await;
        // Milliseconds where the machine has nothing else to do.
        assert!(latency < PAUSE, "{latency:?}");
        let is_during = began.elapsed() < PAUSE;
        join_all(
            paused
                .into_iter()
                .map(async |(case, version, before, other)| {
                    let target = case.target;
                    if is_during {
                        let now = case.wait_ready("other").await;
                        let before = condition(&other, "Ready")
                            .map(|ready| ready.last_transition_time.clone());
                        let after = condition(&now, "Ready")
                            .map(|ready| ready.last_transition_time.clone());
                        assert_eq!(before, after, "{target:?}: Ready flipped");
                    }
                    for number in 0..20 {
                        case.wait_current(&name(number), &version).await;
                    }
                    let requests = case.account.requests();
                    let refused = requests[before..]
                        .iter()
                        .find(|one| one.status() == Some(429));
                    let ended = refused.and_then(|one| one.ended).expect("an end");
                    // What was under way then may still arrive.
                    let calls = requests.iter().filter(|one| {
                        one.started > ended + Duration::from_secs(1) && one.started < ended + PAUSE
                    });
                    let calls: Vec<String> = calls.map(simulator::Exchange::line).collect();
                    assert_eq!(calls, Vec::<String>::new(), "{target:?}");
                    case.finish().await;
                }),
        )
        .await;
        let (_, metrics) = env.operator.get("/metrics").await;
        let series = "provider_secrets_provider_throttled_seconds_total{provider=\"pipecat\"}";
        let counter = metrics.lines().find_map(|line| line.strip_prefix(series));
        let seconds = counter.and_then(|counter| counter.trim().parse::<f64>().ok());
        assert!(seconds > Some(0.0), "{metrics}");
        bystander.finish().await;
    });
}

/// Cases: P-10
#[test]
fn four_429_without_a_time_cost_four_calls_and_all_objects_are_released() {
    run(async {
        let env = TestEnv::shared().await;
        join_all(Target::ALL.map(async |target| {
            let case = synced_objects(env, target, 20).await;
            let before = case.writes().len();
            let fault = Fault::status(429).method(target.update_method());
            case.account.add_fault(fault.times(4));
            let version = case.source("rotated").await;
            for number in 0..20 {
                case.wait_current(&name(number), &version).await;
            }
            assert_eq!(case.writes().len() - before, 24, "{target:?}");
            case.finish().await;
        }))
        .await;
    });
}

/// Cases: P-13
#[test]
fn one_server_error_costs_one_more_write() {
    run(async {
        let env = TestEnv::shared().await;
        join_all(Target::ALL.map(async |target| {
            for status in [500, 502, 503, 504] {
                let case = synced_objects(env, target, 1).await;
                let before = case.writes().len();
                let fault = Fault::status(status).method(target.update_method());
                case.account.add_fault(fault);
                let version = case.source("rotated").await;
                case.wait_current(&name(0), &version).await;
                assert_eq!(case.writes().len() - before, 2, "{target:?} {status}");
                case.finish().await;
            }
        }))
        .await;
    });
}

#[test]
fn five_accounts_that_hang_leave_capacity_for_the_sixth() {
    run(async {
        // Each of them would take eight of the slots, which are 32.
        let env = &TestEnv::fresh(&[]).await;
        let bystander = Bystander::new(env).await;
        let hanging =
            join_all(Target::ALL.map(async |target| synced_objects(env, target, 12).await)).await;
        for case in &hanging {
            case.account.add_fault(Fault::new(Action::Hang).forever());
            case.source("rotated").await;
        }
        let in_flight = || -> usize {
            let requests = hanging.iter().flat_map(|case| case.account.requests());
            requests.filter(|one| one.ended.is_none()).count()
        };
        until("many calls hang", async || match in_flight() {
            count if count >= 16 => Ok(()),
            count => Err(format!("{count} calls")),
        })
        .await;
        let mut latencies = Vec::new();
        for _ in 0..5 {
            latencies.push(bystander.rotate().await);
        }
        latencies.sort();
        assert!(latencies[2] < SOON, "{latencies:?}");
        assert!(in_flight() >= 16, "the calls no longer hung");
        for case in hanging {
            case.account.clear_faults();
            case.finish().await;
        }
        bystander.finish().await;
    });
}
