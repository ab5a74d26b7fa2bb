//! The alerts of the chart, by Prometheus' own tool.

use cluster::Tool;

use super::chart::{program, read};
use crate::guards::ALERTS;

const TESTS: &str = "tests/it/install/alerts/rules_test.yaml";

async fn promtool(arguments: &[&str]) {
    let output = program(Tool::Promtool, arguments).await;
    let said = format!("{}{}", output.stdout, output.stderr);
    assert!(output.success && said.contains("SUCCESS"), "{said}");
}

#[tokio::test]
async fn prometheus_takes_the_rules() {
    promtool(&["check", "rules", "--lint=all", "--lint-fatal", ALERTS]).await;
}

#[tokio::test]
async fn each_alert_fires_when_it_should_and_only_then() {
    promtool(&["test", "rules", TESTS]).await;
    let (tests, rules) = (read(TESTS), read(ALERTS));
    for alert in rules
        .lines()
        .filter_map(|line| line.split("alert: ").nth(1))
    {
        let fires = format!("alertname=\"{alert}\"");
        assert!(tests.contains(&fires), "no test fires {alert}");
    }
}
