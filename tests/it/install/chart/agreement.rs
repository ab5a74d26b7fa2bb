//! The schema takes of a value what the operator takes of the flag that the chart makes of it.

use std::process::Command;

use futures::{StreamExt as _, stream};
use serde_json::json;

use super::template;
use crate::harness::operator::binary;

/// Runs of Helm at once.
const AT_ONCE: usize = 4;

/// A value of the chart and its flag, with texts that both take and texts that both refuse.
struct Case {
    value: &'static str,
    flag: &'static str,
    taken: &'static [&'static str],
    refused: &'static [&'static str],
}

const CASES: [Case; 7] = [
    Case {
        value: "endpoints.baseten",
        flag: "--endpoint=baseten={}",
        taken: &[
            "https://a.example/base",
            "HTTPS://a.example:65535",
            "https://1.2.3.4",
            "https://[fd00::1]:444",
            "HTTP://localhost:4000/x",
            "http://127.0.0.2",
            "https://a.example/@x",
        ],
        refused: &[
            "https://user:hunter2@a.example",
            "https://user@a.example",
            "https://a.example?x",
            "https://a.example/#x",
            "https://a.example:65536",
            "https://999.1.1.1",
            "https://a,b",
            "https://:80",
            "http://127.0.0.1.example",
            "http://a.example",
            "",
        ],
    },
    Case {
        value: "metrics.address",
        flag: "--metrics-bind-address={}:8080",
        taken: &[
            "",
            "127.0.0.1",
            "[::]",
            "[FD00::1]",
            "[1:2:3:4:5:6:7:8]",
            "[::ffff:10.0.0.1]",
        ],
        refused: &[
            "999.1.1.1",
            "1.1.1",
            "::1",
            "[1::2::3]",
            "[1::3:4:5:6:7:8:9]",
            "localhost",
        ],
    },
    Case {
        value: "verifyInterval",
        flag: "--verify-interval={}",
        taken: &["10m", "10m0s", "1h30m", "0h90s", "1500ms"],
        refused: &["", "0s", "500ms", "0m999ms", "1m1h", "10", "1d", "10M"],
    },
    Case {
        value: "scope.secretPollInterval",
        flag: "--secret-poll-interval={}",
        taken: &["30s", "0m1s"],
        refused: &["0m0s", "1s1s"],
    },
    Case {
        value: "leaderElection.retryPeriod",
        flag: "--leader-election-retry-period={}",
        taken: &["2s", "500ms", "1s500ms"],
        refused: &["0s", "1s1m", "2"],
    },
    Case {
        value: "proxy.https",
        flag: "--https-proxy={}",
        taken: &["http://proxy:3128", "HTTPS://proxy.example/"],
        refused: &["http://user@proxy", "http://proxy:65536", "proxy:3128"],
    },
    Case {
        value: "proxy.noProxy",
        flag: "--no-proxy={}",
        taken: &["localhost, 127.0.0.0/8,::1", "*.corp.test,.a.b", "*"],
        refused: &["api.corp.test:443", "https://host", "a b"],
    },
];

/// Whether the operator takes a flag. With `--help` behind it no operator starts.
fn is_taken(flag: &str) -> bool {
    let run = Command::new(binary())
        .args(["run", flag, "--help"])
        .env_clear()
        .output();
    run.expect("it runs").status.success()
}

#[tokio::test]
async fn the_schema_takes_what_the_operator_takes() {
    let texts = CASES.into_iter().flat_map(|case| {
        let taken = case.taken.iter().map(|text| (*text, true));
        let refused = case.refused.iter().map(|text| (*text, false));
        let texts = taken.chain(refused);
        texts.map(move |(text, expected)| (case.value, case.flag, text, expected))
    });
    let judged = stream::iter(texts).map(async |(value, flag, text, expected)| {
        let flag = flag.replace("{}", text);
        assert_eq!(is_taken(&flag), expected, "{flag}");
        let set = format!("--set-json={value}={}", json!(text));
        let output = template(&[&set]).await;
        assert_eq!(output.success, expected, "{set}: {}", output.stderr);
    });
    let judged: Vec<()> = judged.buffer_unordered(AT_ONCE).collect().await;
    assert!(judged.len() > 50, "{}", judged.len());
}
