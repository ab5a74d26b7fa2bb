//! An API server that restarts, or stands still.

use std::time::Duration;

use cluster::{AuditEvent, Cluster};
use simulator::{Action, Fault};

use crate::harness::{Target, TestCase, TestEnv, run, wait_write};

/// Whether the operator asked for pages of a resource, and for a stream of it.
fn begins(env: &TestEnv, resource: &str) -> (bool, bool) {
    let calls = env.cluster.calls();
    let is_begin = |call: &&AuditEvent, verb: &str, parameter: &str| {
        call.user == TestEnv::user()
            && (call.resource.as_str(), call.verb.as_str()) == (resource, verb)
            && call.request_uri.contains(parameter)
    };
    let asked = |verb, parameter| {
        let mut calls = calls.iter().map(AsRef::as_ref);
        calls.any(|call| is_begin(&call, verb, parameter))
    };
    let page = if resource == "secrets" {
        "limit=100"
    } else {
        "limit=500"
    };
    (
        asked("list", page),
        asked("watch", "sendInitialEvents=true"),
    )
}

/// Kubernetes 1.33 does not stream lists by default, later versions do.
#[test]
fn an_api_server_that_does_not_stream_lists_is_asked_for_pages() {
    run(async {
        for (gate, pages, streams) in [(true, false, true), (false, true, true)] {
            let cluster = Cluster::builder()
                .api_server_flag(format!("--feature-gates=WatchList={gate}"))
                .start()
                .await
                .expect("the cluster starts");
            let env = TestEnv::on(cluster, &[]).await;
            for resource in ["providersecrets", "secrets"] {
                assert_eq!(
                    begins(&env, resource),
                    (pages, streams),
                    "{resource} {gate}"
                );
            }
            let case = TestCase::new(&env, Target::Braintrust).await;
            case.source("a").await;
            case.object("synced", &[("A_KEY", "source", "a")]).await;
            case.wait_ready("synced").await;
            case.rotate("synced", "b").await;
            case.finish().await;
        }
    });
}

/// Cases
#[test]
fn an_outage_of_the_api_server_loses_no_rotation_and_writes_nothing_else() {
    run(async {
        let env = TestEnv::dedicated(&[]).await;
        let (mut test_cases, mut writes) = (Vec::new(), Vec::new());
        for target in Target::ALL {
            let case = TestCase::new(&env, target).await;
            case.source("a").await;
            case.object("synced", &[("A_KEY", "source", "a")]).await;
            case.wait_ready("synced").await;
            writes.push(case.writes().len());
            test_cases.push(case);
        }
        let rotated = &test_cases[0];
        // A restart, and a rotation as soon as it is over.
        env.cluster
            .restart_api_server()
            .await
            .expect("the API server restarts");
        rotated.rotate("synced", "restarted").await;
        // A rotation just before the server goes.
        let value = rotated.value("before");
        rotated.secret("source", &[("a", &value)]).await;
        env.cluster
            .kill_api_server()
            .await
            .expect("the API server is killed");
        env.cluster
            .start_api_server()
            .await
            .expect("the API server starts");
        rotated.wait_held(&[("A_KEY", &value)]).await;
        rotated.wait_ready("synced").await;
        // It stands still while status is due: the write-ahead is there, what came after is not.
        let slow = Fault::new(Action::Handle)
            .delay(Duration::from_millis(500))
            .method("POST");
        rotated.account.add_fault(slow);
        let before = rotated.writes().len();
        let value = rotated.value("still");
        rotated.secret("source", &[("a", &value)]).await;
        wait_write(rotated, before).await;
        env.cluster
            .pause_api_server()
            .expect("the API server stands still");
        // Longer than the operator waits for an answer.
        tokio::time::sleep(Duration::from_secs(15)).await;
        env.cluster
            .resume_api_server()
            .expect("the API server goes on");
        rotated.wait_held(&[("A_KEY", &value)]).await;
        let is_synced = |object: &provider_secrets::api::ProviderSecret| {
            object.status.as_ref().expect("a status").entries[0]
                .digest
                .is_some()
        };
        rotated.wait("synced", "synced", is_synced).await;
        rotated.rotate("synced", "after").await;
        for (case, writes) in test_cases.iter().zip(&writes).skip(1) {
            assert_eq!(case.writes().len(), *writes, "{:?}", case.target);
        }
        env.operator.wait_until_ready().await;
        assert!(!env.operator.log().contains("panicked"));
        for case in test_cases {
            case.finish().await;
        }
    });
}
