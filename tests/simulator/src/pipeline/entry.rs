//! What the log keeps of a request, and its end also when the client goes away first.

use std::sync::Arc;

use axum::http::{HeaderName, HeaderValue, header, request::Parts};
use tokio::time::Instant;

use crate::{
    call::Payload,
    log::{Entry, Exchange, Outcome},
    provider::Provider,
    simulator::{Key, Shared},
};

/// Ends a log entry also when the client goes away and the future is dropped.
pub(super) struct Running<'a> {
    pub(super) shared: &'a Shared,
    pub(super) entry: Arc<Entry>,
}

impl Running<'_> {
    pub(super) fn end(&self, outcome: Outcome) {
        self.entry.end(outcome);
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.entry.end(Outcome::Abandoned);
        self.shared.changed();
    }
}

pub(super) fn describe(
    shared: &Shared,
    provider: Provider,
    head: &Parts,
    payload: &Payload,
    key: Option<&Key>,
    started: Instant,
) -> Exchange {
    Exchange {
        sequence: 0,
        provider,
        account: key.map(|key| key.cell.name.clone()),
        key: key.map(|key| key.ordinal),
        method: head.method.as_str().to_owned(),
        path: head.uri.path().to_owned(),
        query: head.uri.query().map(str::to_owned),
        headers: head
            .headers
            .iter()
            .map(|(name, value)| (name.as_str().to_owned(), masked(name, value)))
            .collect(),
        body: match payload {
            Payload::Json(value) | Payload::Form(value) => Some(Arc::clone(value)),
            _ => None,
        },
        time: shared.world.now(),
        started,
        ended: None,
        outcome: None,
    }
}

/// A header for the log: of a credential only the scheme is kept.
fn masked(name: &HeaderName, value: &HeaderValue) -> String {
    let text = String::from_utf8_lossy(value.as_bytes());
    if name == header::AUTHORIZATION || name == header::PROXY_AUTHORIZATION {
        return text
            .split_once(' ')
            .map_or_else(|| "***".to_owned(), |(scheme, _)| format!("{scheme} ***"));
    }
    if name == header::COOKIE
        || name.as_str().contains("api-key")
        || name.as_str().contains("token")
    {
        return "***".to_owned();
    }
    text.into_owned()
}
