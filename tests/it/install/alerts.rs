//! The alerts of the chart, by Prometheus' own tool.

use cluster::{Tool, Tools};
use tokio::process::Command;

use crate::{guards::ALERTS, harness::root};

const TESTS: &str = "tests/it/install/alerts/rules_test.yaml";

async fn promtool(arguments: &[&str]) {
    let promtool = Tools::from_environment().path(Tool::Promtool).await;
    let output = Command::new(promtool.expect("promtool"))
        .args(arguments)
        .current_dir(root())
        .output()
        .await
        .expect("promtool runs");
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("SUCCESS"), "{said}");
}

#[tokio::test]
async fn prometheus_takes_the_rules() {
    promtool(&["check", "rules", "--lint=all", "--lint-fatal", ALERTS]).await;
}

#[tokio::test]
async fn each_alert_fires_when_it_should_and_only_then() {
    promtool(&["test", "rules", TESTS]).await;
    let tests = std::fs::read_to_string(root().join(TESTS)).expect("the tests are there");
    let rules = std::fs::read_to_string(root().join(ALERTS)).expect("the rules are there");
    for alert in rules
        .lines()
        .filter_map(|line| line.split("alert: ").nth(1))
    {
        let fires = format!("alertname=\"{alert}\"");
        assert!(tests.contains(&fires), "no test fires {alert}");
    }
}
