//! An API server that restarts, or stands still.

use std::time::Duration;

use simulator::{Action, Fault};

use crate::harness::{Target, TestCase, TestEnv, run, wait_write};

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
