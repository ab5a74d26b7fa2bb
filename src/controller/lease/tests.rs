//! The calls for the Lease: what becomes of them in the process, and what `/readyz` tells of them.

use std::{
    io,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use kube::client::Body;
use rstest::rstest;
use tokio::time::Instant;
use tower::service_fn;
use tracing_subscriber::layer::SubscriberExt as _;

use super::*;

const TIMING: Timing = Timing {
    lease_duration: Duration::from_secs(11),
    renew_deadline: Duration::from_secs(10),
    retry_period: Duration::from_secs(2),
};

/// A Lease that another process holds.
const OTHERS: &str = r#"{"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "operator", "resourceVersion": "7"},
    "spec": {"holderIdentity": "other", "leaseDurationSeconds": 11, "leaseTransitions": 3}}"#;
/// One that its holder gave up.
const RELEASED: &str = r#"{"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "operator", "resourceVersion": "7"},
    "spec": {"leaseDurationSeconds": 1, "leaseTransitions": 3}}"#;

const NOT_FOUND: &str = r#"{"apiVersion": "v1", "kind": "Status", "status": "Failure", "reason": "NotFound", "code": 404}"#;

/// What is answered with which status and body: GET, POST, PATCH, TRY for a PATCH that is a dry run, or WATCH for the
/// list that a watch begins with. Nothing else is answered.
type Answers = &'static [(&'static str, u16, &'static str)];

/// The Lease `operator` at an API server that answers so, so many times each, what `/readyz` tells, and the calls.
fn lease(answers: Answers, times: usize) -> (Lease, Health, Arc<Mutex<Vec<String>>>) {
    let calls: Arc<Mutex<Vec<String>>> = Arc::default();
    let counted = Arc::clone(&calls);
    let service = service_fn(move |request: ::http::Request<Body>| {
        let is_named = request.uri().path().ends_with("/operator");
        let query = request.uri().query().unwrap_or_default();
        let call = match request.method().as_str() {
            "GET" if !is_named => "WATCH",
            "PATCH" if query.contains("dryRun=All") => "TRY",
            method => method,
        };
        let mut counted = counted.lock().unwrap();
        counted.push(call.to_owned());
        let number = counted.iter().filter(|of| **of == call).count();
        let answer = answers.iter().find(|(of, ..)| *of == call);
        let answer = answer.filter(|_| number <= times);
        async move {
            let Some((_, status, body)) = answer else {
                return pending().await;
            };
            let answer = ::http::Response::builder().status(*status);
            let body = Body::from(body.as_bytes().to_vec());
            Ok::<_, io::Error>(answer.body(body).unwrap())
        }
    });
    let settings = LeaseSettings {
        namespace: "system".to_owned(),
        name: "operator".to_owned(),
        pod_name: "pod".to_owned(),
        timing: TIMING,
    };
    let health = Health::default();
    let client = Client::new(service, "default");
    let (lease, _) = Lease::new(client, settings, Metrics::default(), health.clone());
    (lease, health, calls)
}

/// A renewal that hangs and a read that hangs after it take longer than what is left of the term.
/// Cases: A-07
#[tokio::test(start_paused = true)]
async fn a_leader_whose_calls_hang_ends_with_its_deadline() {
    let (mut lease, _, calls) = lease(&[("GET", 404, NOT_FOUND), ("POST", 201, OTHERS)], 1);
    let began = Instant::now();
    assert_eq!(lease.keep().await, Lost);
    let took = began.elapsed().as_millis();
    let calls = calls.lock().unwrap();
    assert!((10_000..10_100).contains(&took), "{took} ms, {calls:?}");
}

/// Counts the lines of the log that name a leader: those that say for whom the process stands by.
#[derive(Clone, Default)]
struct StandBys(Arc<AtomicUsize>);

impl<S: tracing::Subscriber> tracing_subscriber::Layer<S> for StandBys {
    fn on_event(&self, event: &tracing::Event<'_>, _: tracing_subscriber::layer::Context<'_, S>) {
        if event.metadata().fields().field("leader").is_some() {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// It waits for another process, leads, and loses the lease to that one again.
#[tokio::test(start_paused = true)]
async fn a_leader_that_loses_the_lease_does_not_say_that_it_stands_by() {
    let stand_bys = StandBys::default();
    let log = tracing_subscriber::registry().with(stand_bys.clone());
    let _log = tracing::subscriber::set_default(log);
    // The second renewal is not answered, and the Lease that is read after it names the other process.
    let answers: Answers = &[
        ("GET", 200, OTHERS),
        ("TRY", 200, OTHERS),
        ("PATCH", 200, RELEASED),
    ];
    let (mut lease, _, calls) = lease(answers, 2);
    assert_eq!(lease.keep().await, Lost);
    let lines = stand_bys.0.load(Ordering::Relaxed);
    assert_eq!(lines, 1, "{:?}", calls.lock());
}

/// Cases: A-11
#[rstest]
#[case::it_may_not_read(
    &[("GET", 403, ""), ("POST", 403, "")],
    &["lease: it could not be read: grant the verbs get, list, watch and patch for it"]
)]
#[case::it_may_not_take_it_over(
    &[("GET", 200, RELEASED), ("PATCH", 403, "")],
    &["lease: it could not be written: grant the verbs create for leases, and patch for it"]
)]
#[case::it_may_not_write_while_another_leads(
    &[("GET", 200, OTHERS), ("TRY", 403, "")],
    &["lease: it could not be written: grant the verbs create for leases, and patch for it"]
)]
#[case::it_may_not_create(
    &[("GET", 404, NOT_FOUND), ("POST", 403, "")],
    &["lease: it could not be written: grant the verbs create for leases, and patch for it"]
)]
#[case::the_namespace_is_missing(
    &[("GET", 404, NOT_FOUND), ("POST", 404, NOT_FOUND)],
    &["lease: namespace system does not exist"]
)]
#[case::it_may_not_watch(
    &[("GET", 200, OTHERS), ("WATCH", 403, "")],
    &["watch of the lease: it could not be watched: grant the verbs get, list, watch and patch for it"]
)]
#[case::nothing_is_heard(&[], &["lease: not read yet"])]
#[case::another_leads(&[("GET", 200, OTHERS), ("TRY", 200, OTHERS)], &[])]
#[case::no_answer_says_whether_it_may_write(&[("GET", 200, OTHERS)], &[])]
#[case::it_leads(&[("GET", 404, NOT_FOUND), ("POST", 201, OTHERS), ("PATCH", 200, OTHERS)], &[])]
#[tokio::test(start_paused = true)]
async fn a_process_that_could_not_lead_is_not_ready_and_tries_it_now_and_then(
    #[case] answers: Answers,
    #[case] missing: &[&str],
) {
    let (mut lease, health, calls) = lease(answers, usize::MAX);
    let kept = timeout(Duration::from_secs(7), lease.keep()).await;
    assert!(kept.is_err(), "it takes part");
    assert_eq!(health.missing(), missing);
    let calls = calls.lock().unwrap();
    let is_write = |call: &&String| matches!(call.as_str(), "POST" | "PATCH" | "TRY");
    let writes = calls.iter().filter(is_write).count();
    // At once, and after each wait between two tries.
    assert!(writes <= 4, "{calls:?}");
}
