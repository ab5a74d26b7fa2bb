//! What is at the provider when the operator dies in the middle of a write.

use std::time::Duration;

use futures::future::join_all;
use provider_secrets::api::{EntryState, ProviderSecret};
use simulator::{Action, Fault};

use super::{count, wait_synced};
use crate::harness::{
    NO_VERIFICATION, Operator, SHORT_LEASE, Target, TestCase, TestEnv, condition, run, traces,
};

/// Cases: L-01, L-03
#[test]
fn a_crash_between_there_and_back_again_leaves_no_stale_value_that_looks_synced() {
    run(async {
        let env = TestEnv::fresh(&SHORT_LEASE).await;
        let mut test_cases = Vec::new();
        for target in Target::ALL {
            test_cases.push(TestCase::with_synced_target(&env, target).await);
        }
        let (mut running, mut ended): (Option<Operator>, Vec<Operator>) = (None, Vec::new());
        for action in [Action::HangAfterEffect, Action::CutAfterEffect] {
            // A → B, and B arrives.
            join_all(test_cases.iter().map(async |case| {
                let fault = Fault::new(action.clone()).method(case.target.update_method());
                case.account.add_fault(fault.forever());
                let b = case.value("b");
                case.secret("source", &[("a", &b)]).await;
                case.wait_held(&[("A_KEY", &b)]).await;
                let object = case.objects().get("target").await.expect("the object");
                let entry = &object.status.as_ref().expect("a status").entries[0];
                let known = (entry.state, entry.digest.as_ref());
                assert_eq!(
                    known,
                    (EntryState::Pending, None),
                    "{:?} {action:?}",
                    case.target
                );
            }))
            .await;
            // Crash, back to A, and on.
            let operator = running.take();
            operator.as_ref().unwrap_or(&env.operator).kill().await;
            ended.extend(operator);
            join_all(test_cases.iter().map(async |case| {
                case.account.clear_faults();
                case.source("one").await;
            }))
            .await;
            running = Some(env.further(&SHORT_LEASE).await);
            join_all(test_cases.iter().map(async |case| {
                let a = case.value("one");
                case.wait_held(&[("A_KEY", &a)]).await;
                wait_synced(case).await;
                assert_eq!(case.held()["A_KEY"], a);
            }))
            .await;
        }
        let operator = running.expect("an operator runs");
        rests(&env, &test_cases, &operator).await;
        for log in ended.iter().chain([&operator]).map(Operator::log) {
            assert_eq!(traces(&log), Vec::<String>::new());
        }
        for case in test_cases {
            case.finish().await;
        }
    });
}

/// A restart with nothing to do writes nothing and reads no source.
async fn rests(env: &TestEnv, test_cases: &[TestCase<'_>], running: &Operator) {
    join_all(test_cases.iter().map(wait_confirmed)).await;
    assert!(running.terminate().await.success());
    let counts = async || {
        let mut counts = Vec::new();
        for case in test_cases {
            let patches = count(case, "patch", "providersecrets", "").await;
            let reads = count(case, "get", "secrets", "source").await;
            counts.push((patches, reads, case.writes().len()));
        }
        counts
    };
    let before = counts().await;
    let operator = env.further(&[NO_VERIFICATION]).await;
    let bystander = TestCase::new(env, Target::BasetenTeam).await;
    bystander.secret("source", &[("a", "1")]).await;
    bystander.object("later", &[("A_KEY", "source", "a")]).await;
    bystander.wait_ready("later").await;
    operator.wait_unchanged(test_cases.len()).await;
    assert_eq!(counts().await, before);
    assert_eq!(traces(&operator.log()), Vec::<String>::new());
    bystander.finish().await;
}

/// Waits until no write may be on its way any more, and all is said: a minute after the last one the operator makes it
/// once more.
async fn wait_confirmed(case: &TestCase<'_>) {
    let is_confirmed = |object: &ProviderSecret| {
        let entry = &object.status.as_ref().expect("a status").entries[0];
        condition(object, "Ready").is_some_and(|ready| ready.status == "True")
            && entry.state == EntryState::Synced
            && entry.attempted.is_none()
    };
    let limit = Duration::from_mins(3);
    case.wait_within(limit, "target", "confirmed", is_confirmed)
        .await;
}
