//! The operator as a process: probes, metrics, logs, events, its permissions, and how it stops.

mod clients; // of probes and metrics that mean no good
mod egress; // a proxy on the way to a provider, and a CA of one's own
mod kubernetes; // an API server that restarts or stands still
mod logs; // whose a line is
mod metrics; // as monitoring reads them
mod permissions; // what is missing at the start, or taken away
mod prometheus; // a real one that scrapes the operator
mod stopping; // SIGTERM
mod token; // a token that is replaced
#[cfg(feature = "otlp")]
mod traces; // as a collector gets them

use std::collections::BTreeSet;

use provider_secrets::api::ProviderSecret;
use serde_json::Value;
use simulator::Fault;

use crate::harness::{Bystander, Target, TestCase, TestEnv, condition, run, until};

/// The events about an object, oldest first.
async fn events(case: &TestCase<'_>, object: &str) -> Vec<Value> {
    let arguments = ["get", "events.events.k8s.io", "-o", "json"];
    let list: Value = serde_json::from_str(&case.kubectl(&arguments).await).expect("JSON");
    let mut events = list["items"].as_array().expect("a list").clone();
    events.retain(|event| event["regarding"]["name"] == object);
    events.sort_by_key(|event| event["eventTime"].as_str().map(str::to_owned));
    events
}

/// Waits until there are so many events about an object.
async fn wait_events(case: &TestCase<'_>, object: &str, count: usize) -> Vec<Value> {
    until("the events are there", async || {
        let events = events(case, object).await;
        if events.len() >= count {
            Ok(events)
        } else {
            Err(format!("{events:#?}"))
        }
    })
    .await
}

fn reasons(events: &[Value]) -> Vec<(&str, &str)> {
    events
        .iter()
        .map(|event| {
            (
                event["type"].as_str().unwrap_or(""),
                event["reason"].as_str().unwrap_or(""),
            )
        })
        .collect()
}

/// Cases: S-07
#[test]
fn events_report_transitions_and_nothing_else() {
    run(async {
        // In a shared environment the operator drops some events.
        let env = &TestEnv::fresh(&[]).await;
        let bystander = Bystander::new(env).await;
        let case = TestCase::new(env, Target::BasetenTeam).await;
        case.object("reported", &[("A_KEY", "source", "a")]).await;
        case.wait_reason("reported", "SecretNotFound").await;
        case.source("0").await;
        case.wait_ready("reported").await;
        wait_events(&case, "reported", 2).await;
        // A metadata edit, a label on the object and a spec that asks for the same are no news.
        case.kubectl(&["label", "secret", "source", "team=a"]).await;
        case.kubectl(&["annotate", "psec", "reported", "note=a"])
            .await;
        case.source("1").await;
        case.wait_held(&[("A_KEY", &case.value("1"))]).await;
        wait_events(&case, "reported", 3).await;
        // A failure that repeats is one event.
        case.account.add_fault(Fault::status(500).times(3));
        let before = case.account.requests().len();
        case.source("2").await;
        case.wait_held(&[("A_KEY", &case.value("2"))]).await;
        case.wait_ready("reported").await;
        assert_eq!(case.account.requests().len(), before + 4);
        wait_events(&case, "reported", 5).await;
        bystander.rotate().await;
        let events = events(&case, "reported").await;
        let expected = [
            ("Warning", "SecretNotFound"),
            ("Normal", "Synced"),
            ("Normal", "Synced"),
            ("Warning", "ProviderUnavailable"),
            ("Normal", "Synced"),
        ];
        assert_eq!(reasons(&events), expected);
        let object = case.objects().get("reported").await.expect("the object");
        for event in &events {
            assert_eq!(
                event["reportingController"],
                "providersecrets.dev/controller"
            );
            assert_eq!(event["regarding"]["kind"], "ProviderSecret");
            assert_eq!(
                event["regarding"]["uid"],
                object.metadata.uid.clone().expect("a uid")
            );
            let action = event["action"].as_str().expect("an action");
            assert!(
                action.starts_with(|letter: char| letter.is_ascii_uppercase()),
                "{action}"
            );
            assert!(
                event["note"]
                    .as_str()
                    .is_some_and(|note| note.ends_with('.')),
                "{event:#}"
            );
        }
        case.finish().await;
        bystander.finish().await;
    });
}

/// Cases: S-08
#[test]
fn the_series_of_an_object_live_as_long_as_it_does() {
    run(async {
        let env = TestEnv::shared().await;
        let case = TestCase::new(env, Target::Braintrust).await;
        case.source("a").await;
        case.object(
            "counted",
            &[("A_KEY", "source", "a"), ("B_KEY", "source", "b")],
        )
        .await;
        case.wait_reason("counted", "KeyNotFound").await;
        let labels = format!("{{namespace=\"{}\",name=\"counted\"", case.namespace);
        let series = async || -> Vec<String> {
            let (status, text) = env.operator.get("/metrics").await;
            assert_eq!(status, 200);
            text.lines()
                .filter(|line| line.contains(&labels))
                .map(str::to_owned)
                .collect()
        };
        let ready = |lines: &[String], rest: &str| lines.iter().any(|line| line.ends_with(rest));
        until("it is not ready", async || {
            let lines = series().await;
            let is_there = ready(&lines, "provider=\"braintrust\",reason=\"KeyNotFound\"} 0");
            if is_there {
                Ok(())
            } else {
                Err(format!("{lines:#?}"))
            }
        })
        .await;
        case.secret(
            "source",
            &[("a", &case.value("a")), ("b", &case.value("b"))],
        )
        .await;
        case.wait_ready("counted").await;
        until("it is ready", async || {
            let lines = series().await;
            let is_there = ready(&lines, "provider=\"braintrust\",reason=\"Synced\"} 1");
            // One series each, not one for every reason there ever was.
            if is_there && lines.len() == 4 {
                Ok(())
            } else {
                Err(format!("{lines:#?}"))
            }
        })
        .await;
        let text = env.operator.get("/metrics").await.1;
        for name in ["A_KEY", "B_KEY", "source", "credential"] {
            assert!(
                !text.contains(&format!("\"{name}\"")),
                "a label has the name {name}"
            );
        }
        let delete = kube::api::DeleteParams::default();
        case.objects()
            .delete("counted", &delete)
            .await
            .expect("the object is deleted");
        until("its series are gone", async || {
            let lines = series().await;
            if lines.is_empty() {
                Ok(())
            } else {
                Err(format!("{lines:#?}"))
            }
        })
        .await;
        case.finish_leaving(&["A_KEY", "B_KEY"]).await;
    });
}

/// Cases: K-08
#[test]
fn probes_answer_and_metrics_have_their_names() {
    run(async {
        let env = TestEnv::shared().await;
        let bystander = Bystander::new(env).await;
        assert_eq!(env.operator.get("/healthz").await.0, 200);
        assert_eq!(env.operator.get("/readyz").await.0, 200);
        let (status, text) = env.operator.get("/metrics").await;
        assert_eq!(status, 200);
        for name in [
            "provider_secrets_build_info{version=",
            "provider_secrets_reconcile_total{kind=\"ProviderSecret\",result=\"synced\"} ",
            "provider_secrets_reconcile_duration_seconds_bucket{le=",
            "provider_secrets_provider_requests_total{provider=\"baseten\",operation=\"upsert\",code=\"200\"} ",
            "provider_secrets_provider_request_duration_seconds_count{provider=\"baseten\"} ",
            "provider_secrets_keys_written_total{provider=\"baseten\",operation=",
            // An alert reads it, so it is there before a watch is deaf.
            "provider_secrets_watch_deaf_total{kind=\"ProviderSecret\"} ",
            "provider_secrets_watch_deaf_total{kind=\"Secret\"} ",
            "provider_secrets_resource_ready{namespace=",
            "provider_secrets_resource_last_sync_timestamp_seconds{namespace=",
        ] {
            assert!(text.contains(name), "{name} is not in\n{text}");
        }
        // Nothing acts on a request.
        for path in ["/", "/debug", "/reload", "/metrics/../healthz"] {
            assert_eq!(env.operator.get(path).await.0, 404, "{path}");
        }
        bystander.finish().await;
    });
}

/// Cases: A-13
#[test]
fn each_log_line_is_one_json_object_and_others_are_capped_whatever_rust_log_says() {
    run(async {
        let env = TestEnv::shared().await;
        let case = TestCase::new(env, Target::Pipecat).await;
        case.source("a").await;
        case.object("logged", &[("A_KEY", "source", "a")]).await;
        let object: ProviderSecret = case.wait_ready("logged").await;
        assert!(condition(&object, "Ready").is_some());
        // Status is written before the line about it.
        let field = format!("\"namespace\":\"{}\"", case.namespace);
        let log = until("a line names the object", async || {
            let log = env.operator.log();
            if log.contains(&field) {
                Ok(log)
            } else {
                Err("none does".to_owned())
            }
        })
        .await;
        let whole = log.rfind('\n').map_or("", |end| &log[..end]);
        let mut levels = BTreeSet::new();
        for line in whole.lines() {
            let line: Value =
                serde_json::from_str(line).unwrap_or_else(|_| panic!("not JSON: {line}"));
            let time = line["ts"].as_str().expect("ts");
            assert!(time.parse::<jiff::Timestamp>().is_ok(), "{time}");
            assert!(line["msg"].is_string(), "{line}");
            let level = line["level"].as_str().expect("level").to_owned();
            match line["logger"].as_str() {
                None => {}
                Some(logger) if logger.starts_with("kube") => assert_eq!(level, "error", "{line}"),
                Some(_) => assert!(["error", "warn", "info"].contains(&&*level), "{line}"),
            }
            levels.insert(level);
        }
        // RUST_LOG asked for everything, and our own lines are there.
        assert!(levels.contains("debug"), "{levels:?}");
        case.finish().await;
    });
}
