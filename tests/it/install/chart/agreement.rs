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

const CASES: [Case; 9] = [
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
            "https://xn--bcher-kva.example",
            "https://[::ffff:1.2.3.4]",
            "https://a.example/x.0x1",
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
            "https://[1:2:3]",
            "https://[1::2::3]",
            "https://xn--.test",
            "https://a.0x1",
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
            "[1:2:3:4:5:6:7::]",
            "[1:2:3:4:5::1.2.3.4]",
        ],
        refused: &[
            "999.1.1.1",
            "1.1.1",
            "::1",
            "[1::2::3]",
            "[1::3:4:5:6:7:8:9]",
            "[1::3:4:5:6:7:1.2.3.4]",
            "[::1]:80",
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
        value: "removalGrace",
        flag: "--removal-grace={}",
        taken: &["999999999999999h"],
        refused: &["99999999999999999h", "99999999999999999999s"],
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
        refused: &["0s", "1s1m", "2", "99999999999999999h"],
    },
    Case {
        value: "log.level",
        flag: "--log-level={}",
        taken: &[
            "",
            "INFO",
            "Info",
            "off",
            "info,hyper-util=warn",
            "info, provider_secrets::http=Debug,",
            "warn,[reconcile]=debug",
            "provider_secrets[{provider=a.*}]=trace",
        ],
        refused: &[
            "loud",
            "info;debug",
            "provider_secrets",
            "provider_secrets=",
            "=info",
            "a=b=info",
            "a[b=info",
            "a[{b,c}]=info",
        ],
    },
    Case {
        value: "proxy.https",
        flag: "--https-proxy={}",
        taken: &["http://proxy:3128", "HTTPS://proxy.example/"],
        refused: &[
            "http://user@proxy",
            "http://proxy:65536",
            "http://[1:2:3]:80",
            "proxy:3128",
        ],
    },
    Case {
        value: "proxy.noProxy",
        flag: "--no-proxy={}",
        taken: &[
            "localhost, 127.0.0.0/8,::1",
            "*.corp.test,.a.b",
            "*",
            "",
            "a.1b,,10.0.0.0/32,0.0.0.0/0",
            "fd00::/128,::/0,::ffff:1.2.3.4/96",
        ],
        refused: &[
            "api.corp.test:443",
            "https://host",
            "a b",
            "localhost,10.0.0.0/33",
            "10.0.0.0/08",
            "10.0.0",
            "10.0.0.256",
            "fd00::/129",
            "1:2:3",
            "1::3:4:5:6:7:8:9",
            "a.1",
        ],
    },
];

/// Whether the operator takes a flag: it reads all of them before it finds that there is no cluster.
fn is_taken(flag: &str) -> bool {
    let run = Command::new(binary())
        .args(["run", flag])
        .env_clear()
        .env("KUBECONFIG", "/dev/null")
        .output();
    let said = run.expect("it runs").stderr;
    String::from_utf8_lossy(&said).contains("no cluster")
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
