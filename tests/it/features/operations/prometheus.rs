//! A real Prometheus that scrapes the operator.

mod dashboard; // the queries of the dashboard

use std::{
    collections::BTreeSet, fmt::Write as _, net::SocketAddr, ops::RangeInclusive, time::Duration,
};

use cluster::{
    Tool,
    process::{Guarded, Program},
};
use kube::api::DeleteParams;
use serde_json::{Value, json};
use simulator::Fault;

use crate::{
    guards::ALERTS,
    harness::{Target, TestCase, TestEnv, operator::get, root, run, until},
};

/// What Prometheus logs with the address that it listens on.
const LISTENING: &str = "msg=\"Listening on\"";

/// The value of what is so.
const ONE: RangeInclusive<f64> = 1.0..=1.0;

/// The alerts of the chart, which fire without a wait.
fn hasty_alerts() -> String {
    let alerts = std::fs::read_to_string(root().join(ALERTS)).expect("the alerts are there");
    let mut alerts: Value = serde_saphyr::from_str(&alerts).expect("YAML");
    for rule in alerts["groups"][0]["rules"].as_array_mut().expect("rules") {
        rule["for"] = json!("0s");
    }
    alerts.to_string()
}

/// A Prometheus that scrapes an operator each second, until it is dropped.
struct Prometheus {
    address: SocketAddr,
    _process: Guarded,
    _directory: tempfile::TempDir,
}

impl Prometheus {
    async fn scraping(env: &TestEnv) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let (configuration, data) = (directory.path().join("configuration.yml"), "data");
        let text = json!({
            "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
            "rule_files": [directory.path().join("alerts.yaml").display().to_string()],
            "scrape_configs": [{
                "job_name": "provider-secrets",
                "static_configs": [{"targets": [env.operator.address().to_string()]}],
            }],
        });
        std::fs::write(&configuration, text.to_string()).expect("a file");
        std::fs::write(directory.path().join("alerts.yaml"), hasty_alerts()).expect("a file");
        let program = env.cluster.tools().path(Tool::Prometheus).await;
        let program = Program::new(program.expect("prometheus"))
            .arg(format!("--config.file={}", configuration.display()))
            .arg(format!(
                "--storage.tsdb.path={}",
                directory.path().join(data).display()
            ))
            .arg("--web.listen-address=127.0.0.1:0");
        let log = directory.path().join("log");
        let process = Guarded::spawn(program, &log).expect("prometheus starts");
        let waited = process
            .wait_for_log(LISTENING, Duration::from_mins(1))
            .await;
        waited.expect("prometheus listens");
        let log = process.log();
        let line = log.lines().find(|line| line.contains(LISTENING));
        let address = line.and_then(|line| line.split("address=").nth(1)?.split(' ').next());
        Self {
            address: address
                .and_then(|address| address.parse().ok())
                .expect("an address"),
            _process: process,
            _directory: directory,
        }
    }

    /// What it has now for an expression: one item for each series.
    async fn query(&self, expression: &str) -> Option<Vec<Value>> {
        let mut path = "/api/v1/query?query=".to_owned();
        for byte in expression.bytes() {
            let _ = write!(path, "%{byte:02x}");
        }
        let (_, body) = get(self.address, &path).await?;
        let body: Value = serde_json::from_str(&body).ok()?;
        body["data"]["result"].as_array().cloned()
    }

    /// Waits until exactly these alerts fire whose labels are meant.
    async fn wait_firing(&self, is_meant: impl Fn(&Value) -> bool, expected: &[&str]) {
        until(&format!("prometheus fires {expected:?}"), async || {
            let (_, body) = get(self.address, "/api/v1/alerts")
                .await
                .ok_or("no answer")?;
            let body: Value = serde_json::from_str(&body).map_err(|_| body)?;
            let alerts = body["data"]["alerts"].as_array().into_iter().flatten();
            let firing = alerts.filter(|alert| alert["state"] == "firing");
            let labels = firing.map(|alert| &alert["labels"]);
            let names = labels.filter(|labels| is_meant(labels));
            let names: BTreeSet<&str> = names
                .filter_map(|labels| labels["alertname"].as_str())
                .collect();
            if body["status"] == "success" && names.iter().eq(expected) {
                Ok(())
            } else {
                Err(format!("{names:?}"))
            }
        })
        .await;
    }

    /// Waits until a metric has a series with these labels and a value in `range`.
    async fn wait(&self, metric: &str, labels: &[(&str, &str)], range: RangeInclusive<f64>) {
        until(&format!("prometheus has {metric}"), async || {
            let series = self.query(metric).await.unwrap_or_default();
            let has_labels = |one: &&Value| {
                labels
                    .iter()
                    .all(|(name, value)| one["metric"][name] == *value)
            };
            let value = |one: &Value| one["value"][1].as_str()?.parse().ok();
            if series
                .iter()
                .filter(has_labels)
                .filter_map(value)
                .any(|value| range.contains(&value))
            {
                Ok(())
            } else {
                Err(format!("{series:#?}"))
            }
        })
        .await;
    }
}

#[test]
fn a_real_prometheus_has_the_series_of_an_object_while_it_lives() {
    run(async {
        let env = TestEnv::shared().await;
        let case = TestCase::new(env, Target::Braintrust).await;
        case.synced("watched", &json!({})).await;
        let prometheus = Prometheus::scraping(env).await;
        let job = ("job", "provider-secrets");
        prometheus.wait("up", &[job], ONE).await;
        prometheus
            .wait("provider_secrets_leader", &[job], ONE)
            .await;
        prometheus
            .wait(
                "provider_secrets_build_info",
                &[("version", env!("CARGO_PKG_VERSION"))],
                ONE,
            )
            .await;
        let provider = ("provider", "braintrust");
        for counter in [
            "provider_secrets_provider_requests_total",
            "provider_secrets_keys_written_total",
            "provider_secrets_provider_request_duration_seconds_count",
        ] {
            prometheus.wait(counter, &[provider], 1.0..=f64::MAX).await;
        }
        let whose = [("namespace", case.namespace.as_str()), ("name", "watched")];
        let of = |label: (&'static str, &'static str)| [whose[0], whose[1], label];
        let ready = "provider_secrets_resource_ready";
        prometheus.wait(ready, &of(("reason", "Synced")), ONE).await;
        prometheus
            .wait(
                "provider_secrets_resource_keys",
                &of(("state", "Synced")),
                ONE,
            )
            .await;
        prometheus
            .wait("provider_secrets_resource_suspended", &whose, 0.0..=0.0)
            .await;
        prometheus
            .wait(
                "provider_secrets_watch_last_event_timestamp_seconds",
                &[job],
                1e9..=f64::MAX,
            )
            .await;
        let deleted = case
            .objects()
            .delete("watched", &DeleteParams::default())
            .await;
        deleted.expect("the object is deleted");
        until("its series are stale", async || {
            let series = prometheus.query(ready).await.ok_or("no answer")?;
            match series
                .iter()
                .find(|one| one["metric"]["namespace"] == *case.namespace)
            {
                None => Ok(()),
                Some(one) => Err(one.to_string()),
            }
        })
        .await;
        // Its scrapes went on meanwhile.
        prometheus.wait("up", &[job], ONE).await;
        case.finish_leaving(&["A_KEY"]).await;
    });
}

#[test]
fn an_alert_fires_when_a_key_is_revoked_and_resolves_when_it_is_back() {
    run(async {
        // Its own: what other tests leave behind fires alerts of a provider.
        let env = &TestEnv::fresh(&[]).await;
        let case = TestCase::new(env, Target::Pipecat).await;
        case.synced("watched", &json!({})).await;
        let prometheus = Prometheus::scraping(env).await;
        let job = ("job", "provider-secrets");
        prometheus.wait("up", &[job], ONE).await;
        let of_object = |labels: &Value| labels["namespace"] == case.namespace.as_str();
        prometheus.wait_firing(of_object, &[]).await;

        // A listing that is counted a second time is an increase: metrics of objects and of calls name a
        // provider by the same word.
        case.request_sync("watched").await;
        let of_provider =
            |labels: &Value| labels["namespace"].is_null() && labels["provider"] == "pipecat";
        prometheus.wait_firing(of_provider, &[]).await;

        case.account.add_fault(Fault::status(401).forever());
        case.source("two").await;
        case.wait_reason("watched", "AuthenticationFailed").await;
        prometheus
            .wait_firing(
                of_object,
                &["ProviderSecretCredentialRefused", "ProviderSecretNotReady"],
            )
            .await;

        case.account.clear_faults();
        case.replace_key().await;
        case.wait_held(&[("A_KEY", &case.value("two"))]).await;
        case.wait_ready("watched").await;
        prometheus.wait_firing(of_object, &[]).await;
        case.finish().await;
    });
}
