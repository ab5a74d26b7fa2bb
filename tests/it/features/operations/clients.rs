//! Clients of the probe and metrics server that mean no good.

use std::collections::VecDeque;

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::harness::{Target, TestCase, TestEnv, run};

/// The connections that the operator holds at most for one of its addresses.
const CONNECTIONS: usize = 64;

/// The files of a process that are open.
fn open_files(process: u32) -> usize {
    let files = std::fs::read_dir(format!("/proc/{process}/fd"));
    files.expect("the process runs").count()
}

/// Cases: K-08
#[test]
fn a_thousand_silent_clients_and_a_slow_one_keep_neither_probes_nor_work_waiting() {
    run(async {
        let env = &TestEnv::fresh(&[]).await;
        let case = TestCase::new(env, Target::Braintrust).await;
        let before = open_files(env.operator.process().id());
        let mut held = VecDeque::new();
        for number in 0..1000 {
            let mut client = env.operator.connect().await;
            if number % 2 == 0 {
                let begun = client.write_all(b"GET /metrics HTTP/1.1\r\nX: ").await;
                begun.expect("the operator reads");
            }
            held.push_back(client);
            if held.len() > CONNECTIONS {
                let mut oldest = held.pop_front().expect("there are some");
                let mut answer = Vec::new();
                let _ = oldest.read_to_end(&mut answer).await;
                assert_eq!(String::from_utf8_lossy(&answer), "");
            }
        }
        assert_eq!(env.operator.get("/healthz").await.0, 200);
        assert_eq!(env.operator.get("/readyz").await.0, 200);
        assert_eq!(env.operator.get("/metrics").await.0, 200);
        case.synced("served", &json!({})).await;
        let more = open_files(env.operator.process().id()).saturating_sub(before);
        // The connections to the API server and the providers come and go.
        assert!(more < CONNECTIONS + 32, "{more}");
        case.finish_leaving(&["A_KEY"]).await;
    });
}
