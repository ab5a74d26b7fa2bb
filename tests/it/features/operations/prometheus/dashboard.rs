//! The dashboard of the chart: each of its queries gives series, of a real Prometheus that scrapes a real operator.

use std::collections::BTreeSet;

use provider_secrets::api::DELETION_OVERRIDE;
use serde_json::{Value, json};
use simulator::Fault;

use super::{ONE, Prometheus};
use crate::harness::{Target, TestCase, TestEnv, condition, delete_policy, root, run, say, until};

/// What a panel asks.
struct Query {
    panel: String,
    /// With Grafana's variables.
    expression: String,
}

impl Query {
    /// The expression for everything there is, and for the last minute.
    fn resolved(&self) -> String {
        let mut expression = self.expression.clone();
        for (variable, value) in [
            ("$namespace", ".*"),
            ("$provider", ".*"),
            ("$__rate_interval", "1m"),
        ] {
            expression = expression.replace(variable, value);
        }
        assert!(!expression.contains('$'), "{expression}");
        expression
    }

    /// The metrics that it names.
    fn metrics(&self) -> BTreeSet<&str> {
        let is_of_name = |character: char| character.is_ascii_alphanumeric() || character == '_';
        let words = self.expression.split(|character| !is_of_name(character));
        let is_metric =
            |word: &&str| word.starts_with("provider_secrets_") || word.starts_with("process_");
        words.filter(is_metric).collect()
    }
}

fn queries() -> Vec<Query> {
    let path = root().join("charts/provider-secrets/files/grafana/dashboard.json");
    let text = std::fs::read_to_string(path).expect("the dashboard is there");
    let dashboard: Value = serde_json::from_str(&text).expect("JSON");
    let mut queries = Vec::new();
    for panel in dashboard["panels"].as_array().expect("panels") {
        let title = panel["title"].as_str().expect("a title");
        for target in panel["targets"].as_array().into_iter().flatten() {
            let expression = target["expr"].as_str().expect("an expression");
            queries.push(Query {
                panel: title.to_owned(),
                expression: expression.to_owned(),
            });
        }
    }
    for variable in dashboard["templating"]["list"]
        .as_array()
        .expect("variables")
    {
        let Some(query) = variable["query"]["query"].as_str() else {
            continue;
        };
        let metric = query.trim_start_matches("label_values(").split(',').next();
        queries.push(Query {
            panel: format!("variable {}", variable["name"]),
            expression: metric.expect("a metric").to_owned(),
        });
    }
    queries
}

/// Whether the reference, which a unit test holds equal to `/metrics`, has a metric: also one that has no series yet.
fn is_documented(metric: &str) -> bool {
    let path = root().join("docs/reference.md");
    let reference = std::fs::read_to_string(path).expect("the reference is there");
    let ends = ["_bucket", "_count", "_sum", ""];
    let mut names = ends.iter().filter_map(|end| metric.strip_suffix(end));
    names.any(|name| reference.contains(&format!("`{name}`")))
}

/// Has something happen for each panel.
async fn play(cases: [&TestCase<'_>; 3]) {
    let [synced, left_behind, throttled] = cases;
    let one = synced.synced("watched", &delete_policy()).await;
    synced.foreign_write("A_KEY", "foreign");
    synced.wait_held(&[("A_KEY", &one)]).await;
    synced.wait_event("DriftDetected").await;
    synced.rotate("watched", "two").await;
    synced.rotate("watched", "three").await;
    let suspended = json!({"suspend": true});
    synced
        .put("suspended", &[("D_KEY", "source", "a")], &suspended)
        .await;
    synced
        .wait("suspended", "suspended", |object| {
            condition(object, "Suspended").is_some()
        })
        .await;
    synced.delete("watched").await;
    synced.wait_gone("watched").await;
    synced.synced("again", &json!({})).await;

    left_behind.synced("gone", &delete_policy()).await;
    left_behind.account.add_fault(Fault::status(503).forever());
    left_behind.delete("gone").await;
    left_behind.wait_reason("gone", "DeletionBlocked").await;
    left_behind
        .annotate("gone", DELETION_OVERRIDE, "orphan")
        .await;
    left_behind.wait_gone("gone").await;

    throttled.account.add_fault(Fault::status(429).forever());
    throttled.source("one").await;
    throttled
        .put("waits", &[("A_KEY", "source", "a")], &json!({}))
        .await;
    throttled.wait_reason("waits", "RateLimited").await;
}

#[test]
fn each_metric_of_the_reference_is_in_a_panel() {
    let path = root().join("docs/reference.md");
    let reference = std::fs::read_to_string(path).expect("the reference is there");
    let queries = queries();
    let rows = reference
        .lines()
        .filter_map(|line| line.strip_prefix("| `"));
    let metrics = rows.filter_map(|row| row.split('`').next());
    for metric in metrics.filter(|metric| metric.starts_with("provider_secrets_")) {
        let mut queries = queries.iter();
        let is_shown = queries.any(|query| query.expression.contains(metric));
        assert!(is_shown, "{metric} is in no panel");
    }
}

#[test]
fn each_query_of_the_dashboard_gives_series() {
    run(async {
        let env = &TestEnv::fresh(&["--verify-interval=1s"]).await;
        let synced = TestCase::new(env, Target::Braintrust).await;
        let left_behind = TestCase::new(env, Target::BasetenTeam).await;
        let throttled = TestCase::new(env, Target::PrimeIntellect).await;
        let prometheus = Prometheus::scraping(env).await;
        let job = ("job", "provider-secrets");
        prometheus.wait("up", &[job], ONE).await;
        play([&synced, &left_behind, &throttled]).await;

        let queries = queries();
        for query in &queries {
            for metric in query.metrics() {
                assert!(is_documented(metric), "{}: no {metric}", query.panel);
            }
        }
        until("each query gives series", async || {
            let mut without = Vec::new();
            for query in &queries {
                let series = prometheus.query(&query.resolved()).await;
                if series.is_none_or(|series| series.is_empty()) {
                    without.push(format!("{}: {}", query.panel, query.expression));
                }
            }
            let (all, empty) = (queries.len(), without.len());
            if empty == 0 {
                say(&format!("dashboard: {all} of {all} queries give series"));
                Ok(())
            } else {
                Err(format!("{empty} of {all} do not: {without:#?}"))
            }
        })
        .await;
        left_behind.finish_leaving(&["A_KEY"]).await;
        throttled.finish().await;
        synced.finish_leaving(&["A_KEY"]).await;
    });
}
