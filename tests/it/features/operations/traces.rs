//! Traces, as a collector of OpenTelemetry gets them.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{Router, body::Bytes, http::HeaderMap, routing::post};
use serde_json::json;
use simulator::Fault;
use tokio::{net::TcpListener, time::Instant};

use crate::harness::{DEADLINE, LEASE, NAMESPACE, Target, TestCase, TestEnv, run, traces, until};

/// The bodies that a collector got.
#[derive(Clone, Default)]
struct Collector(Arc<Mutex<Vec<Bytes>>>);

impl Collector {
    /// Listens on loopback; its base URL.
    async fn serve(&self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let bodies = Arc::clone(&self.0);
        let take = post(move |headers: HeaderMap, body: Bytes| async move {
            assert_eq!(headers["content-type"], "application/x-protobuf");
            bodies.lock().expect("the lock is not poisoned").push(body);
        });
        let routes = Router::new().route("/v1/traces", take);
        tokio::spawn(async move { axum::serve(listener, routes).await });
        format!("http://{address}")
    }

    fn bodies(&self) -> Vec<Bytes> {
        self.0.lock().expect("the lock is not poisoned").clone()
    }

    /// The spans of `ExportTraceServiceRequest{1: ResourceSpans{2: ScopeSpans{2: Span}}}`.
    fn spans(&self) -> Vec<Span> {
        let bodies = self.bodies();
        let resources = bodies.iter().flat_map(|body| members(body, 1));
        let scopes = resources.flat_map(|resource| members(resource, 2));
        let spans = scopes.flat_map(|scope| members(scope, 2));
        spans.map(Span::read).collect()
    }
}

/// What the test reads of a span.
#[derive(Debug)]
struct Span {
    name: String,
    id: Vec<u8>,
    parent: Vec<u8>,
    attributes: BTreeMap<String, String>,
}

impl Span {
    fn read(span: &[u8]) -> Self {
        let bytes = |field| members(span, field).next().unwrap_or_default().to_vec();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        // KeyValue{1: key, 2: AnyValue{1: text}}
        let attributes = members(span, 9).map(|pair| {
            let [key, value] = [1, 2].map(|field| members(pair, field).next().unwrap_or_default());
            let value = members(value, 1).next().unwrap_or_default();
            (text(key), text(value))
        });
        Self {
            name: text(&bytes(5)),
            id: bytes(2),
            parent: bytes(4),
            attributes: attributes.collect(),
        }
    }

    fn get(&self, attribute: &str) -> &str {
        self.attributes.get(attribute).map_or("", String::as_str)
    }
}

/// The members of a protobuf message that have this number and a length.
fn members(mut message: &[u8], number: u64) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        while !message.is_empty() {
            let tag = varint(&mut message);
            let length = match tag & 7 {
                0 => {
                    varint(&mut message);
                    continue;
                }
                1 => 8,
                2 => usize::try_from(varint(&mut message)).expect("a length"),
                _ => 4,
            };
            let (member, rest) = message.split_at(length);
            message = rest;
            if tag & 7 == 2 && tag >> 3 == number {
                return Some(member);
            }
        }
        None
    })
}

fn varint(message: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = message.split_first().expect("a whole message");
        *message = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            break;
        }
    }
    value
}

#[test]
fn a_collector_gets_the_span_of_a_reconcile_with_its_calls_and_no_value() {
    run(async {
        let collector = Collector::default();
        let url = collector.serve().await;
        let env = &TestEnv::fresh(&["--otlp-endpoint", &url]).await;
        let case = TestCase::new(env, Target::Braintrust).await;
        case.account.add_fault(Fault::status(503).times(1));
        case.synced("traced", &json!({})).await;
        let value = case.value("one");
        // What is left is sent at the end.
        assert!(env.operator.terminate().await.success());
        let spans = collector.spans();
        let of_case = |span: &&Span| span.get("namespace") == case.namespace;
        let reconciles: Vec<_> = spans.iter().filter(of_case).collect();
        let synced = reconciles
            .iter()
            .find(|span| span.get("result") == "synced");
        let synced = synced.unwrap_or_else(|| panic!("{spans:#?}"));
        assert_eq!(synced.name, "reconcile");
        assert_eq!(synced.get("controller"), "providersecret");
        assert_eq!(synced.get("name"), "traced");
        assert_eq!(synced.get("reconcileID").len(), 36);
        let calls: Vec<_> = spans.iter().filter(|span| span.name == "call").collect();
        let succeeded = calls.iter().find(|call| call.parent == synced.id);
        let succeeded = succeeded.unwrap_or_else(|| panic!("{spans:#?}"));
        assert_eq!(succeeded.get("provider"), "Braintrust");
        assert_eq!(succeeded.get("status"), "200");
        let failed = calls.iter().find(|call| call.get("status") == "503");
        let failed = failed.unwrap_or_else(|| panic!("{spans:#?}"));
        assert_eq!(failed.get("error.kind"), "transient");
        for body in collector.bodies() {
            let text = String::from_utf8_lossy(&body);
            assert_eq!(traces(&text), Vec::<String>::new());
            assert!(!text.contains(&value));
        }
    });
}

#[test]
fn a_collector_that_is_down_keeps_no_work_waiting_and_is_logged_once() {
    run(async {
        // Nothing listens there.
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        drop(listener);
        let env = &TestEnv::fresh(&["--otlp-endpoint", &url]).await;
        let case = TestCase::new(env, Target::Braintrust).await;
        case.synced("traced", &json!({})).await;
        let dropped = || {
            let log = case.env.operator.log();
            log.lines()
                .filter(|line| line.contains("does not take traces"))
                .count()
        };
        until(
            "the log says that traces are dropped",
            async || match dropped() {
                1 => Ok(()),
                count => Err(count.to_string()),
            },
        )
        .await;
        case.rotate("traced", "two").await;
        case.finish_leaving(&["A_KEY"]).await;
        assert!(env.operator.terminate().await.success());
    });
}

/// Another process leads then, and this one is to be started anew.
#[test]
fn a_collector_that_hangs_keeps_no_process_that_has_lost_the_lease() {
    run(async {
        // It takes connections and answers nothing.
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let env = &TestEnv::fresh(&["--otlp-endpoint", &url]).await;
        let case = TestCase::new(env, Target::Braintrust).await;
        case.synced("traced", &json!({})).await;
        let patch = r#"--patch={"spec":{"holderIdentity":"another"}}"#;
        let taken = [
            "patch",
            "lease",
            LEASE,
            "--namespace",
            NAMESPACE,
            "--type=merge",
            patch,
        ];
        env.kubectl(&taken, None).await;
        let process = env.operator.process();
        let lost = process.wait_for_log("the lease was lost", DEADLINE).await;
        lost.expect("the operator says why it ends");
        let lost = Instant::now();
        let ended = process.wait().await.expect("it ends");
        assert!(!ended.success());
        assert!(lost.elapsed() < Duration::from_secs(1), "{lost:?}");
    });
}
