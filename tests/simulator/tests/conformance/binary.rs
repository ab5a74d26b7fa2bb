//! The binary: its flags, its port file and its end on SIGTERM.

use std::{path::Path, process::Stdio, time::Duration};

use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
    time::timeout,
};

use crate::sockets::exchange;

const WITHIN: Duration = Duration::from_secs(20);

fn start(arguments: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_simulator"))
        .args(arguments)
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("the binary starts")
}

async fn urls(child: &mut Child) -> Value {
    let stdout = child.stdout.take().expect("a piped stdout");
    let line = timeout(WITHIN, BufReader::new(stdout).lines().next_line())
        .await
        .expect("in time");
    serde_json::from_str(&line.expect("readable").expect("one line")).expect("JSON")
}

async fn terminate(mut child: Child) {
    let id = child.id().expect("a running child").to_string();
    Command::new("kill")
        .args(["-TERM", &id])
        .status()
        .await
        .expect("kill runs");
    let status = timeout(WITHIN, child.wait())
        .await
        .expect("it ends")
        .expect("a status");
    assert!(status.success());
}

#[tokio::test]
async fn it_prints_its_urls_has_an_account_each_and_ends_on_sigterm() {
    let mut child = start(&["--account", "pipecat=mine"]);
    let urls = urls(&mut child).await;
    for (provider, scheme, key, path) in [
        ("baseten", "Api-Key", "baseten-demo-key", "/v1/secrets"),
        (
            "primeintellect",
            "Bearer",
            "primeintellect-demo-key",
            "/api/v1/secrets/",
        ),
        ("pipecat", "Bearer", "mine", "/v1/secrets"),
        (
            "braintrust",
            "Bearer",
            "braintrust-demo-key",
            "/v1/ai_secret",
        ),
        ("admin", "", "", "/healthz"),
    ] {
        let address = urls[provider]
            .as_str()
            .unwrap()
            .strip_prefix("http://")
            .unwrap()
            .parse()
            .unwrap();
        let head = format!("GET {path} HTTP/1.1\r\nauthorization: {scheme} {key}");
        let answer = exchange(address, &head, "").await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{provider}: {answer}");
    }
    terminate(child).await;
}

#[tokio::test]
async fn it_writes_its_urls_into_a_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("urls.json");
    let mut child = start(&["--port-file", path.to_str().unwrap()]);
    let urls = timeout(WITHIN, read(&path, &mut child))
        .await
        .expect("in time");
    assert!(urls["admin"].is_string());
    terminate(child).await;
}

/// The file appears whole or not at all.
async fn read(path: &Path, child: &mut Child) -> Value {
    loop {
        if let Ok(text) = tokio::fs::read_to_string(path).await {
            return serde_json::from_str(&text).expect("JSON");
        }
        assert!(
            child.try_wait().expect("a status").is_none(),
            "the binary ended"
        );
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_wrong_flag_is_refused() {
    for arguments in [
        ["--account", "pipecat"],
        ["--account", "other=key"],
        ["--account", "pipecat="],
    ] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_simulator"))
            .args(arguments)
            .stderr(Stdio::null())
            .spawn()
            .expect("the binary starts");
        assert!(
            !timeout(WITHIN, child.wait())
                .await
                .expect("it ends")
                .expect("a status")
                .success()
        );
    }
}
