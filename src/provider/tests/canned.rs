//! Providers whose answers a test has written.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use bytes::Bytes;
use http::{Method, Request, Response, header};
use secrecy::SecretString;
use serde_json::{Value, json};
use tower::{service_fn, util::BoxCloneSyncService};

use super::*;
use crate::{
    http::{ApiClient, Http, Scheme, Transport, Unmonitored},
    leadership::Leadership,
    telemetry::Metrics,
};

/// The provider of a member of the spec over a transport.
pub(super) fn connected(spec: &Value, transport: Transport) -> Box<dyn Provider> {
    let spec: ProviderSpec = serde_json::from_value(spec.clone()).unwrap();
    let choice = spec.choice().unwrap();
    let client = ApiClient::new(
        Http::new(transport, Metrics::default(), Leadership::unopposed()),
        choice.kind(),
        "https://provider.example".parse().unwrap(),
        Scheme::Bearer,
        &SecretString::from("key"),
        Arc::new(Unmonitored),
    );
    connect(choice, "object", client.unwrap())
}

/// What a request is answered with: status, content type and body.
pub(super) type Answer<'a> = (u16, &'static str, &'a str);

/// The provider of a member of the spec, whose requests are all answered so. Gives also the number of requests.
pub(super) fn answering(spec: &Value, answer: Answer<'_>) -> (Box<dyn Provider>, Arc<AtomicUsize>) {
    answering_each(spec, answer, answer)
}

/// The provider of a member of the spec, whose reads and other requests are answered so. Gives also the number of requests.
pub(super) fn answering_each(
    spec: &Value,
    read: Answer<'_>,
    other: Answer<'_>,
) -> (Box<dyn Provider>, Arc<AtomicUsize>) {
    let owned = |(status, content_type, body): Answer<'_>| {
        (status, content_type, Bytes::from(body.to_owned()))
    };
    let (read, other) = (owned(read), owned(other));
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let transport = BoxCloneSyncService::new(service_fn(move |request: Request<Bytes>| {
        count.fetch_add(1, Ordering::SeqCst);
        let is_read = request.method() == Method::GET;
        let (status, content_type, body) = if is_read { &read } else { &other };
        let answer = Response::builder()
            .status(*status)
            .header(header::CONTENT_TYPE, *content_type)
            .body(body.clone());
        async move { Ok(answer.unwrap()) }
    }));
    (connected(spec, transport), asked)
}

pub(super) fn spec_of(kind: ProviderKind) -> Value {
    json!({kind.member(): {"apiKeySecretRef": {"name": "s", "key": "k"}}})
}

/// The spec of an image pull secret.
pub(super) fn image_pull() -> Value {
    let mut spec = spec_of(ProviderKind::Pipecat);
    let source = json!({"host": "ghcr.io", "secretKeyRef": {"name": "s", "key": "k"}});
    spec["pipecat"]["imagePullSecret"] = source;
    spec
}

/// The spec of each provider, and that of an image pull secret.
pub(super) fn specs() -> Vec<Value> {
    let specs = ProviderKind::ALL.into_iter().map(spec_of);
    specs.chain([image_pull()]).collect()
}

/// An object with further members.
pub(super) fn with(mut object: Value, members: &Value) -> Value {
    let own = object.as_object_mut().unwrap();
    own.extend(members.as_object().unwrap().clone());
    object
}
