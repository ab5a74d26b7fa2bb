//! Listings of several pages that change while they are read, or that do not end. The suite cannot ask a service for
//! these.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use bytes::Bytes;
use provider_secrets::{
    api::{ProviderKind, ProviderSpec},
    http::{ApiClient, ErrorClass, Http, Transport, Unmonitored},
    leadership::Leadership,
    provider::{Choice, Provider, connect, rules},
    telemetry::Metrics,
};
use serde_json::json;
use simulator::Simulator;
use tower::{ServiceExt, service_fn, util::BoxCloneSyncService};

use crate::support::{APIS, Api, KEY};

/// The provider of an API over any transport, without the guard of a run.
fn provider(api: Api, transport: Transport) -> Box<dyn Provider> {
    let (member, scope) = match api.kind {
        ProviderKind::PrimeIntellect => ("primeIntellect", "teamId"),
        _ => ("braintrust", "orgName"),
    };
    let mut spec = json!({ member: { "apiKeySecretRef": { "name": "a", "key": "b" } } });
    if let Some(given) = api.scope {
        spec[member][scope] = json!(given);
    }
    let spec: ProviderSpec = serde_json::from_value(spec).expect("this is a provider");
    let base = "http://127.0.0.1/".parse().expect("this is a URL");
    let http = Http::new(transport, Metrics::default(), Leadership::unopposed());
    let scheme = rules(api.kind).scheme;
    let monitor = Arc::new(Unmonitored);
    let session = ApiClient::new(http, api.kind, base, scheme, &KEY.into(), monitor);
    let choice: Choice<'_> = spec.choice().expect("there is one provider");
    connect(choice, "a-set", session.expect("this is a key"))
}

/// The two that have pages.
fn with_pages() -> impl Iterator<Item = Api> {
    APIS.into_iter().filter(|api| {
        matches!(
            api.kind,
            ProviderKind::PrimeIntellect | ProviderKind::Braintrust
        )
    })
}

/// The simulator, with something that happens between the first answer and the second.
fn between(
    api: Api,
    simulator: &Simulator,
    change: impl Fn() + Send + Sync + 'static,
) -> Transport {
    let inner = api.target(simulator).transport;
    let (calls, change) = (Arc::new(AtomicUsize::new(0)), Arc::new(change));
    BoxCloneSyncService::new(service_fn(move |request: http::Request<Bytes>| {
        let (inner, calls, change) = (inner.clone(), Arc::clone(&calls), Arc::clone(&change));
        async move {
            if calls.fetch_add(1, Ordering::Relaxed) == 1 {
                change();
            }
            inner.oneshot(request).await
        }
    }))
}

/// The same body for each answer, with the number of the call for `%N%` and that of the call before for `%B%`.
fn scripted(body: String, calls: &Arc<AtomicUsize>) -> Transport {
    let calls = Arc::clone(calls);
    BoxCloneSyncService::new(service_fn(move |_: http::Request<Bytes>| {
        let number = calls.fetch_add(1, Ordering::Relaxed);
        let before = number.checked_sub(1);
        let before = before.map_or_else(|| "first".to_owned(), |before| before.to_string());
        let body = body.replace("%N%", &number.to_string());
        let mut answer = http::Response::new(Bytes::from(body.replace("%B%", &before)));
        answer.headers_mut().insert(
            http::header::CONTENT_TYPE,
            http::HeaderValue::from_static("application/json"),
        );
        async move { Ok(answer) }
    }))
}

/// Cases: P-25
#[tokio::test(start_paused = true)]
async fn what_vanishes_between_two_pages_never_makes_a_shorter_list() {
    for api in with_pages() {
        let simulator = Simulator::new();
        let account = api.account(&simulator);
        for number in 0..150 {
            account
                .foreign_write(api.scope, &format!("NUMBER_{number}"), "x")
                .unwrap();
        }
        // At PrimeIntellect one of the first page, at Braintrust the one that the first page ends with.
        let vanishing = match api.kind {
            ProviderKind::PrimeIntellect => "NUMBER_7",
            _ => "NUMBER_50",
        };
        let transport = between(api, &simulator, move || {
            account.foreign_delete(api.scope, vanishing).unwrap();
        });
        let provider = provider(api, transport);
        let error = provider.list().await.unwrap_err();
        assert_eq!(error.class, ErrorClass::Transient, "{api:?}");
        assert_eq!(error.what(), "changed while it was listed");
        let listed = provider.list().await.unwrap();
        assert_eq!(listed.remotes.len(), 150, "{api:?}");
    }
}

/// Cases: P-25
#[tokio::test(start_paused = true)]
async fn what_two_pages_show_is_listed_once() {
    let api = with_pages().next().unwrap();
    let calls = Arc::default();
    // Each page begins with what the one before ended with.
    let body = json!({
        "data": [{ "id": "n-%B%", "name": "N_%B%" }, { "id": "n-%N%", "name": "N_%N%" }],
        "total_count": 3,
    });
    let provider = provider(api, scripted(body.to_string(), &calls));
    let names: Vec<String> = provider
        .list()
        .await
        .unwrap()
        .remotes
        .into_iter()
        .map(|remote| remote.name)
        .collect();
    assert_eq!(names, ["N_first", "N_0", "N_1"]);
}

/// Cases: P-25
#[tokio::test(start_paused = true)]
async fn a_list_that_does_not_end_is_an_error_after_a_bounded_number_of_calls() {
    for api in with_pages() {
        let page = |id: &str, before: &str, count: usize| {
            let item = |id: &str| json!({ "id": id, "name": "A", "teamId": api.scope });
            let mut items = vec![item(id); count];
            items.insert(0, item(before));
            json!({ "data": items, "objects": items }).to_string()
        };
        // The same page again; a page of 10,000 for ever, up to 16 MiB of them; a new cursor for ever,
        // up to 16 MiB of pages that count as 16 KiB each.
        for (body, calls_made) in [
            (page("same", "same", 100), 2..=2),
            (page("number-%N%", "number-%B%", 10_000), 10..=30),
            (page("number-%N%", "number-%B%", 1), 1024..=1024),
        ] {
            let calls = Arc::default();
            let provider = provider(api, scripted(body, &calls));
            let error = provider.list().await.unwrap_err();
            assert_eq!(error.class, ErrorClass::Protocol, "{api:?}");
            let calls = calls.load(Ordering::Relaxed);
            assert!(calls_made.contains(&calls), "{api:?}: {calls}");
        }
    }
}
