//! A restarted operator relies on status: it writes nothing and reads no source Secret until something changes.

use cluster::AuditEvent;
use jiff::Timestamp;
use serde_json::json;
use simulator::{Account, Exchange};

use super::one_entry;
use crate::harness::{NO_VERIFICATION, Target, TestCase, TestEnv, calls, run};

/// A test case whose environment may change meanwhile.
struct Parked {
    target: Target,
    identity: (String, Account, String),
    requests: usize,
}

impl Parked {
    fn new(case: &TestCase<'_>) -> Self {
        Self {
            target: case.target,
            identity: case.identity(),
            requests: case.account.requests().len(),
        }
    }

    fn resume<'a>(&self, env: &'a TestEnv) -> TestCase<'a> {
        TestCase::resume(env, self.target, &self.identity)
    }

    fn new_requests(&self) -> Vec<String> {
        let requests = self.identity.1.requests();
        requests[self.requests..]
            .iter()
            .map(Exchange::line)
            .collect()
    }
}

fn is_write(event: &AuditEvent) -> bool {
    !matches!(event.verb.as_str(), "get" | "list" | "watch")
}

fn is_source_read(event: &AuditEvent) -> bool {
    event.resource == "secrets" && event.verb == "get" && event.name == "source"
}

/// Cases: L-10
#[test]
fn a_restart_writes_nothing_reads_no_source_and_misses_no_rotation() {
    run(async {
        let mut env = TestEnv::fresh(&[]).await;
        let mut test_cases = Vec::new();
        for target in Target::ALL {
            let case = TestCase::new(&env, target).await;
            one_entry(&case).await;
            test_cases.push(case);
        }
        assert!(env.operator.terminate().await.success());
        let parked: Vec<Parked> = test_cases.iter().map(Parked::new).collect();
        drop(test_cases);
        let restarted = Timestamp::now();
        env.restart(&[NO_VERIFICATION]).await;
        let (unchanged, all) = env.operator.wait_unchanged(5).await;
        assert_eq!(unchanged, all, "a reconcile found something to do");
        for parked in &parked {
            assert_eq!(
                parked.new_requests(),
                Vec::<String>::new(),
                "{:?}",
                parked.target
            );
        }
        for parked in &parked {
            let calls = calls(&env, &parked.identity.0).await;
            let since = calls
                .iter()
                .filter(|call| call.request_received >= restarted);
            let moved: Vec<_> = since
                .filter(|call| is_write(call) || is_source_read(call))
                .collect();
            assert!(moved.is_empty(), "{:?}: {moved:#?}", parked.target);
        }
        for parked in parked {
            let case = parked.resume(&env);
            let rotated = case.value("rotated");
            case.secret("source", &[("a", &rotated)]).await;
            case.wait_held(&[("A_KEY", &rotated)]).await;
            case.wait_ready("lifecycle").await;
            let calls = calls(&env, &case.namespace).await;
            let since = calls
                .iter()
                .filter(|call| call.request_received >= restarted);
            let reads = since.filter(|call| is_source_read(call)).count();
            assert_eq!(reads, 1, "a rotated source is read once");
            case.finish().await;
        }
    });
}

#[test]
fn what_changed_while_the_operator_was_away_is_sent_when_it_is_back() {
    run(async {
        let mut env = TestEnv::fresh(&[]).await;
        let mut test_cases = Vec::new();
        for target in Target::ALL {
            let case = TestCase::new(&env, target).await;
            one_entry(&case).await;
            test_cases.push(case);
        }
        assert!(env.operator.terminate().await.success());
        let parked: Vec<Parked> = test_cases.iter().map(Parked::new).collect();
        drop(test_cases);
        for parked in &parked {
            let case = parked.resume(&env);
            case.source("away").await;
        }
        env.restart(&[]).await;
        for parked in parked {
            let before = parked.requests;
            let case = parked.resume(&env);
            case.wait_held(&[("A_KEY", &case.value("away"))]).await;
            case.wait_ready("lifecycle").await;
            let requests = case.account.requests();
            let writes = requests[before..]
                .iter()
                .filter(|request| request.is_write())
                .count();
            assert_eq!(writes, 1, "{:?}", case.target);
            case.finish().await;
        }
    });
}

/// Cases: L-16
#[test]
fn what_has_lost_its_status_is_taken_again_and_nothing_is_made_twice() {
    run(async {
        let mut env = TestEnv::fresh(&[]).await;
        let mut parked = Vec::new();
        for target in Target::ALL {
            let case = TestCase::new(&env, target).await;
            one_entry(&case).await;
            let held = case.account.held(case.scope().as_deref());
            parked.push((Parked::new(&case), held["A_KEY"].id.clone()));
        }
        assert!(env.operator.terminate().await.success());
        for (parked, _) in &parked {
            // As a backup that is restored without the subresource.
            let case = parked.resume(&env);
            let nothing = json!([{"op": "remove", "path": "/status"}]);
            let arguments = [
                "patch",
                "psec",
                "lifecycle",
                "--subresource=status",
                "--type=json",
            ];
            let patch = format!("--patch={nothing}");
            case.kubectl(&[&arguments[..], &[&patch]].concat()).await;
            let status = case.get("lifecycle").await.status.unwrap_or_default();
            assert!(status.entries.is_empty() && status.conditions.is_empty());
        }
        env.restart(&[]).await;
        for (parked, id) in parked {
            let case = parked.resume(&env);
            let one = case.value("one");
            case.wait_ready("lifecycle").await;
            case.assert_held(&[("A_KEY", &one)]);
            let held = case.account.held(case.scope().as_deref());
            assert_eq!(held["A_KEY"].id, id, "{:?}", case.target);
            let writes = case.account.requests().split_off(parked.requests);
            let writes = writes.iter().filter(|request| request.is_write()).count();
            assert_eq!(writes, 1, "{:?}", case.target);
            case.finish().await;
        }
    });
}
