//! `/metrics` as monitoring reads it.

use std::{collections::BTreeSet, process::Stdio};

use serde_json::json;
use simulator::Fault;
use tokio::{io::AsyncWriteExt as _, process::Command};

use crate::harness::{Target, TestCase, TestEnv, condition, run, until};

/// What Prometheus' own linter says.
async fn lint(env: &TestEnv, metrics: &str) -> String {
    let promlint = env.cluster.tools().path(cluster::Tool::Promlint).await;
    let mut linter = Command::new(promlint.expect("promlint"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promlint starts");
    let mut input = linter.stdin.take().expect("its input");
    input.write_all(metrics.as_bytes()).await.expect("it reads");
    drop(input);
    let output = linter.wait_with_output().await.expect("promlint ends");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{metrics}");
    String::from_utf8(output.stdout).expect("a text")
}

/// Three objects: one is synced, one fails in part, one is suspended. The lines of `/metrics` about them, without
/// their labels `namespace` and `name`.
async fn three_objects(case: &TestCase<'_>) -> BTreeSet<String> {
    case.account.add_fault(Fault::status(429).times(1));
    case.synced("synced", &json!({})).await;
    case.put(
        "failing",
        &[("B_KEY", "source", "a"), ("C_KEY", "source", "missing")],
        &json!({}),
    )
    .await;
    case.wait_reason("failing", "KeyNotFound").await;
    case.put(
        "suspended",
        &[("D_KEY", "source", "a")],
        &json!({"suspend": true}),
    )
    .await;
    case.wait("suspended", "suspended", |object| {
        condition(object, "Suspended").is_some()
    })
    .await;
    let whose = format!("namespace=\"{}\",name=", case.namespace);
    until("all are in the metrics", async || {
        let (_, metrics) = case.env.operator.get("/metrics").await;
        let lines = metrics.lines().filter(|line| line.contains(&whose));
        let lines: BTreeSet<_> = lines
            .filter(|line| !line.contains("timestamp"))
            .map(|line| line.replace(&whose, ""))
            .collect();
        if lines
            .iter()
            .any(|line| line.contains("reason=\"Suspended\""))
        {
            Ok(lines)
        } else {
            Err(format!("{lines:#?}"))
        }
    })
    .await
}

#[test]
fn the_metrics_of_an_object_tell_its_state_and_that_of_its_entries() {
    run(async {
        let case = TestCase::new(TestEnv::shared().await, Target::Braintrust).await;
        let lines = three_objects(&case).await;
        let expected = [
            r#"ready{"synced",provider="braintrust",reason="Synced"} 1"#,
            r#"ready{"failing",provider="braintrust",reason="KeyNotFound"} 0"#,
            r#"ready{"suspended",provider="braintrust",reason="Suspended"} 0"#,
            r#"suspended{"synced"} 0"#,
            r#"suspended{"failing"} 0"#,
            r#"suspended{"suspended"} 1"#,
            r#"keys{"synced",state="Synced"} 1"#,
            r#"keys{"failing",state="Failed"} 1"#,
            r#"keys{"failing",state="Synced"} 1"#,
            r#"keys{"suspended",state="Pending"} 1"#,
        ];
        let expected = expected.map(|line| format!("provider_secrets_resource_{line}"));
        assert_eq!(lines, expected.into_iter().collect());
        case.finish_leaving(&["B_KEY"]).await;
    });
}

#[test]
fn prometheus_own_linter_finds_nothing_in_the_metrics() {
    run(async {
        let env = TestEnv::shared().await;
        let case = TestCase::new(env, Target::Braintrust).await;
        three_objects(&case).await;
        let (_, metrics) = env.operator.get("/metrics").await;
        assert_eq!(lint(env, &metrics).await, "", "{metrics}");
        // It is one that finds something.
        let bad = "# TYPE requestsCount counter\nrequestsCount 1\n";
        assert!(lint(env, bad).await.contains("requestsCount: "));
        case.finish_leaving(&["B_KEY"]).await;
    });
}
