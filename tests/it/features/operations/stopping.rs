//! SIGTERM: what is under way ends, and then the operator.

use std::time::Duration;

use futures::future::join_all;
use simulator::{Action, Fault};
use tokio::time::Instant;

use super::permissions::{get, without};
use crate::harness::{
    LEASE, NAMESPACE, RIGHTS, SHORT_LEASE, Target, TestCase, TestEnv, condition, run, until,
    wait_write,
};

/// How long a process waits for what is under way. One at rest has nothing to wait for.
const REST: Duration = Duration::from_secs(9);
/// The ten seconds that a process waits for a call that hangs, and what a busy machine adds to them. The call would
/// take thirty, and so does the chart's grace period, after which the kubelet kills.
const LEFT: Duration = Duration::from_secs(15);

/// Who holds the Lease, as its record says; empty where no process does.
async fn holder(env: &TestEnv) -> String {
    let shown = [
        "get",
        "lease",
        LEASE,
        "--namespace",
        NAMESPACE,
        "-o",
        "jsonpath={.spec.holderIdentity}",
    ];
    env.kubectl(&shown, None).await
}

/// Cases: L-05
#[test]
fn sigterm_lets_a_write_end_and_leaves_one_that_hangs() {
    run(async {
        let env = TestEnv::fresh(&SHORT_LEASE).await;
        // A write that takes two seconds ends, and status tells of it.
        let test_cases = join_all(Target::ALL.map(async |target| {
            let case = TestCase::new(&env, target).await;
            case.ready_at_once();
            for method in ["POST", "PUT"] {
                let slow = Fault::new(Action::Handle)
                    .delay(Duration::from_secs(2))
                    .method(method);
                case.account.add_fault(slow);
            }
            case.source("a").await;
            case.object("slow", &[("A_KEY", "source", "a")]).await;
            wait_write(&case, 0).await;
            case
        }))
        .await;
        let status = env.operator.terminate().await;
        assert_eq!(status.code(), Some(0));
        // Nothing is on its way any more, so the next process need not wait until the lease has expired.
        assert_eq!(holder(&env).await, "");
        for case in &test_cases {
            assert_eq!(
                case.held().get("A_KEY"),
                Some(&case.value("a")),
                "{:?}",
                case.target
            );
            let object = case.wait_ready("slow").await;
            assert!(condition(&object, "Stalled").is_none());
        }
        // A call that hangs is left.
        let operator = env.further(&SHORT_LEASE).await;
        let case = TestCase::new(&env, Target::Pipecat).await;
        case.account
            .add_fault(Fault::new(Action::Hang).method("PUT").forever());
        case.source("a").await;
        case.object("hangs", &[("A_KEY", "source", "a")]).await;
        wait_write(&case, 0).await;
        let since = Instant::now();
        let status = operator.terminate().await;
        assert_eq!(status.code(), Some(0));
        assert!(since.elapsed() < LEFT, "{:?}", since.elapsed());
        // What it sent may still arrive, so the lease was not released, and the next process waits for its end.
        assert_ne!(holder(&env).await, "");
        // At rest it is quick.
        case.account.clear_faults();
        let operator = env.further(&SHORT_LEASE).await;
        case.wait_ready("hangs").await;
        let since = Instant::now();
        assert_eq!(operator.terminate().await.code(), Some(0));
        assert!(since.elapsed() < REST, "{:?}", since.elapsed());
        assert_eq!(holder(&env).await, "");
        for case in test_cases.into_iter().chain([case]) {
            case.finish().await;
        }
    });
}

/// No reconcile waits for a list that may never come.
/// Cases: L-05
#[test]
fn a_process_that_may_not_list_secrets_ends_at_once_and_releases_its_lease() {
    run(async {
        let env = TestEnv::dedicated(&SHORT_LEASE).await;
        assert!(env.operator.terminate().await.success());
        let role = get(&env, &format!("clusterrole/{RIGHTS}")).await;
        let blind = without(&role, "secrets").to_string();
        let replace = ["replace", "-f", "-"];
        env.kubectl(&replace, Some(&blind)).await;
        let operator = env.further_unready(&SHORT_LEASE).await;
        until("it lacks the list of Secrets alone", async || {
            let (_, missing) = operator.get("/readyz").await;
            let is_it = missing.starts_with("secrets: the ServiceAccount may not list");
            is_it.then_some(()).ok_or(missing)
        })
        .await;
        let case = TestCase::new(&env, Target::Braintrust).await;
        case.source("a").await;
        case.object("waits", &[("A_KEY", "source", "a")]).await;
        until("the object has come to it", async || {
            let log = operator.log();
            let is_left = log.contains("the first lists are not complete");
            is_left.then_some(()).ok_or_else(|| "it has not".to_owned())
        })
        .await;
        assert_ne!(holder(&env).await, "");
        let since = Instant::now();
        assert_eq!(operator.terminate().await.code(), Some(0));
        assert!(since.elapsed() < REST, "{:?}", since.elapsed());
        assert_eq!(holder(&env).await, "");
        // What came before the lists is looked at after them.
        let operator = env.further_unready(&SHORT_LEASE).await;
        env.kubectl(&replace, Some(&role.to_string())).await;
        case.wait_ready("waits").await;
        assert_eq!(operator.terminate().await.code(), Some(0));
        case.finish().await;
    });
}
