//! Guarded processes obey, and none is left behind.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use cluster::process::{Guarded, Program};
use cluster::{Error, Tools};

use crate::support::{DEADLINE, eventually, is_running, state};

#[tokio::test]
async fn a_killed_process_leaves_no_cluster_behind() {
    Tools::from_environment()
        .kube_controller_manager()
        .await
        .unwrap();
    let mut parent = Command::new(env!("CARGO_BIN_EXE_cluster"))
        .arg("start")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(parent.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    // Standard error has all its lines before standard output has one, so
    // this much is there to read without waiting for the end.
    let stderr = BufReader::new(parent.stderr.take().unwrap()).lines();
    let processes: Vec<u32> = stderr
        .map(Result::unwrap)
        .take_while(|line| !line.starts_with("the cluster is ready"))
        .filter_map(|line| line.split_once(" runs as process ")?.1.parse().ok())
        .collect();
    assert_eq!(processes.len(), 3);
    let kubeconfig = PathBuf::from(line.trim().strip_prefix("export KUBECONFIG=").unwrap());
    let directory = kubeconfig.parent().unwrap();
    assert!(kubeconfig.is_file());
    assert!(processes.iter().all(|&process| is_running(process)));

    // SIGKILL, which the process cannot notice.
    parent.kill().unwrap();
    parent.wait().unwrap();
    eventually("nothing is left", async || {
        !directory.exists() && !processes.iter().any(|&process| is_running(process))
    })
    .await;
}

#[tokio::test]
async fn a_guarded_process_can_be_steered() {
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("log");
    let script = "trap 'echo ending; exit 7' TERM; echo begun; while :; do sleep 0.01; done";
    let process = Guarded::spawn(Program::new("sh").args(["-c", script]), &log).unwrap();
    assert_eq!(
        process.wait_for_log("begun", DEADLINE).await.unwrap(),
        "begun"
    );
    assert_eq!(process.try_wait().unwrap(), None);
    process.pause().unwrap();
    eventually("it is paused", async || state(process.id()) == Some('T')).await;
    process.resume().unwrap();
    let status = process.terminate(DEADLINE).await.unwrap();
    assert_eq!(status.code(), Some(7));
    assert_eq!(process.log(), "begun\nending\n");
    assert!(matches!(process.pause(), Err(Error::NotRunning { .. })));
}

#[tokio::test]
async fn a_guarded_process_that_ignores_sigterm_is_reported_and_killed() {
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("log");
    let script = "trap '' TERM; echo begun; while :; do sleep 0.01; done";
    let process = Guarded::spawn(Program::new("sh").args(["-c", script]), &log).unwrap();
    process.wait_for_log("begun", DEADLINE).await.unwrap();
    let error = process
        .terminate(Duration::from_millis(100))
        .await
        .unwrap_err()
        .to_string();
    assert!(error.contains("sh was not ended by SIGTERM"), "{error}");
    assert!(error.ends_with("begun"), "{error}");
    let status = process.kill().await.unwrap();
    assert_eq!(status.code(), None);
}
