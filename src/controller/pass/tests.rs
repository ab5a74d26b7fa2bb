//! Which objects a pass leaves alone, whatever brought them to it.

use std::sync::atomic::{AtomicUsize, Ordering};

use kube::{Client, client::Body};
use rstest::rstest;
use tokio::sync::mpsc;
use tower::{service_fn, util::BoxCloneSyncService};

use super::*;
use crate::{
    account::{Accounts, Allocator, Credentials, Endpoints},
    controller::{
        claims::Claims, events::Events, memo::Memos, namespaces::Namespaces,
        references::References, secrets::SecretVersions,
    },
    http::{Http, TransportError},
    telemetry::Metrics,
};

/// A context whose calls, to providers and to the Kubernetes API, are counted and fail.
fn context(namespaces: &str, calls: &Arc<AtomicUsize>) -> Context {
    let namespaces: Namespaces = namespaces.parse().unwrap();
    let count = {
        let calls = Arc::clone(calls);
        move || calls.fetch_add(1, Ordering::Relaxed)
    };
    let kubernetes = {
        let count = count.clone();
        service_fn(move |_: ::http::Request<Body>| {
            count();
            std::future::ready(Err::<::http::Response<Body>, _>(std::io::Error::other(
                "no",
            )))
        })
    };
    let client = Client::new(kubernetes, "default");
    let transport = service_fn(move |_| {
        count();
        std::future::ready(Err(TransportError::Connect))
    });
    let metrics = Metrics::default();
    let http = Http::new(BoxCloneSyncService::new(transport), metrics.clone());
    let allocator = Allocator::new(1, 1, mpsc::unbounded_channel().0, metrics.clone());
    let (events, _) = Events::new(client.clone(), metrics.clone(), "test".to_owned());
    let secrets = SecretVersions::new(&namespaces);
    secrets.set_complete();
    Context {
        client,
        secrets,
        namespaces,
        accounts: Accounts::new(http, Endpoints::new([]), allocator),
        credentials: Credentials::default(),
        references: References::default(),
        claims: Claims::default(),
        memos: Memos::default(),
        nudge: mpsc::unbounded_channel().0,
        epoch: Instant::now(),
        verify_interval: Duration::from_mins(10),
        deletion_timeout: Duration::from_mins(15),
        events,
        metrics,
    }
}

fn object(namespace: &str) -> Arc<ProviderSecret> {
    let object = serde_json::json!({
        "apiVersion": "providersecrets.dev/v1alpha1",
        "kind": "ProviderSecret",
        "metadata": {"namespace": namespace, "name": "object", "uid": "1", "generation": 1},
        "spec": {
            "provider": {"baseten": {"apiKeySecretRef": {"name": "key", "key": "key"}}},
            "data": [{"name": "A", "secretKeyRef": {"name": "source", "key": "a"}}],
        },
    });
    Arc::new(serde_json::from_value(object).unwrap())
}

/// The last case is the control: there is something to do, and the call for it is counted.
#[rstest]
#[case::not_watched("ml", "web", true, 0)]
#[case::secrets_not_listed("ml,web", "web", false, 0)]
#[case::watched("ml,web", "web", true, 1)]
#[tokio::test]
async fn h_03_what_is_not_the_operators_business_costs_no_call(
    #[case] watched: &str,
    #[case] namespace: &str,
    #[case] is_listed: bool,
    #[case] least: usize,
) {
    let calls = Arc::default();
    let context = context(watched, &calls);
    if is_listed {
        context.secrets.set_whole(namespace);
    }
    let (result, _) = pass(&context, &object(namespace)).await;
    let made = calls.load(Ordering::Relaxed);
    assert_eq!(result == PassResult::Unchanged, least == 0);
    assert!(if least == 0 { made == 0 } else { made >= least }, "{made}");
}
