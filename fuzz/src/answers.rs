//! Every answer of every provider to every call, through the operator's own session.

mod judge;
mod scenario;

use std::{
    cell::LazyCell,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use http::Response;
use provider_secrets::{
    http::{ApiClient, Http, Transport, Unmonitored},
    leadership::Leadership,
    provider::{Provider, connect, rules},
    telemetry::Metrics,
};
use tokio::runtime::{Builder, Runtime};
use tower::{service_fn, util::BoxCloneSyncService};

use self::scenario::Scenario;

/// What no error may repeat. No id or time could look like it.
const CANARY: &str = "C4n4ry In Th3 M1ne";
/// More than this is not read from a connection either.
const LONGEST_BODY: usize = 1024 * 1024;
/// Calls of one operation: the 1,024 smallest pages of a listing, and one or two around them.
const MOST_CALLS: usize = 1027;

thread_local! {
    static RUNTIME: LazyCell<Runtime> = LazyCell::new(|| {
        Builder::new_current_thread()
            .enable_time()
            .build()
            .expect("a runtime starts")
    });
}

/// The first five letters choose what is asked and how it is answered (see [`Scenario`]); the rest is the body of
/// every answer. In it, `%N%` becomes the number of the call, so that a cursor can be endless, and `%C%` the canary.
///
/// # Panics
/// When an operation panics, calls without end, or ends in something that is not sane.
pub fn answers(input: &[u8]) {
    let (scenario, body) = Scenario::read(input);
    let body = &body[..body.len().min(LONGEST_BODY)];
    let calls = Arc::new(AtomicUsize::new(0));
    let transport = answering(&scenario, body, Arc::clone(&calls));
    let outcome = RUNTIME.with(|runtime| runtime.block_on(operate(&scenario, transport)));
    judge::judge(&scenario, body.is_empty(), &outcome);
}

async fn operate(scenario: &Scenario, transport: Transport) -> scenario::Outcome {
    let spec = scenario.spec();
    let choice = spec.choice().expect("a scenario has one provider");
    let session = ApiClient::new(
        Http::new(transport, Metrics::default(), Leadership::unopposed()),
        choice.kind(),
        "https://provider.example/base"
            .parse()
            .expect("this is a URL"),
        rules(choice.kind()).scheme,
        &"key".into(),
        Arc::new(Unmonitored),
    );
    let provider: Box<dyn Provider> = connect(choice, "a-set", session.expect("this is a key"));
    scenario.operate(provider.as_ref()).await
}

/// A service that answers everything alike.
fn answering(scenario: &Scenario, body: &[u8], calls: Arc<AtomicUsize>) -> Transport {
    let (body, scenario) = (Arc::<[u8]>::from(body), scenario.clone());
    BoxCloneSyncService::new(service_fn(move |request: http::Request<Bytes>| {
        let number = calls.fetch_add(1, Ordering::Relaxed);
        assert!(number < MOST_CALLS, "calls without end");
        let uri = request.uri();
        assert_eq!(uri.host(), Some("provider.example"), "a foreign host");
        assert!(uri.path().starts_with("/base/"), "another path");
        let mut answer = Response::new(filled(&body, number));
        *answer.status_mut() = scenario.status(number);
        *answer.headers_mut() = scenario.headers();
        async move { Ok(answer) }
    }))
}

/// The body of one answer.
fn filled(body: &[u8], number: usize) -> Bytes {
    let mut filled = Vec::with_capacity(body.len());
    let mut rest = body;
    while let Some((&byte, tail)) = rest.split_first() {
        if let Some(tail) = rest.strip_prefix(b"%N%") {
            filled.extend(number.to_string().bytes());
            rest = tail;
        } else if let Some(tail) = rest.strip_prefix(b"%C%") {
            filled.extend(CANARY.bytes());
            rest = tail;
        } else {
            filled.push(byte);
            rest = tail;
        }
    }
    filled.into()
}
