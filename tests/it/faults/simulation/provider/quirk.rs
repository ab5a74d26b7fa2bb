//! Behaviour of providers that their documents do not mention.

use std::{collections::BTreeMap, time::Duration};

use axum::{
    body::{Body, Bytes, to_bytes},
    http::{Method, Request, Response, header, request::Parts},
};
use serde_json::Value;
use simulator::{ConnectionCut, Provider, Simulator};
use tokio::time::Instant;

/// One such behaviour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::faults::simulation) enum Quirk {
    /// Stores names with one underscore for two in a row.
    CollapsesUnderscores,
    /// Shows the current time as the time of every change.
    TouchesTimestamps,
    /// Answers reads with the state of so long ago.
    Lags(Duration),
}

/// The quirk, and the reads that it has recorded.
#[derive(Default)]
pub(super) struct QuirkState {
    pub(super) quirk: Option<Quirk>,
    /// The reads so far, repeated before each write.
    known: BTreeMap<String, Parts>,
    /// The answers to them before each write.
    history: Vec<(Instant, BTreeMap<String, Response<Bytes>>)>,
}

impl QuirkState {
    /// The request as the provider takes it.
    pub(super) fn transform_request(&self, request: Request<Bytes>) -> Request<Bytes> {
        if self.quirk != Some(Quirk::CollapsesUnderscores) || request.method() == Method::GET {
            return request;
        }
        request.map(|body| {
            edited(body, &mut |name, text| {
                if matches!(name, "name" | "secretKey") {
                    *text = text.replace("__", "_");
                }
            })
        })
    }

    /// The answer as the provider shows it.
    pub(super) fn transform_answer(
        &self,
        is_read: bool,
        answer: Response<Bytes>,
        now: &str,
    ) -> Response<Bytes> {
        if self.quirk != Some(Quirk::TouchesTimestamps) || !is_read {
            return answer;
        }
        let mut answer = answer.map(|body| {
            edited(body, &mut |name, text| {
                if name.ends_with("_at") || name.ends_with("At") {
                    now.clone_into(text);
                }
            })
        });
        answer.headers_mut().remove(header::CONTENT_LENGTH);
        answer
    }

    /// The former answer to show in place of the current one.
    pub(super) fn stale_answer(&mut self, request: &Request<Bytes>) -> Option<Response<Bytes>> {
        let Some(Quirk::Lags(lag)) = self.quirk else {
            return None;
        };
        let uri = request.uri().to_string();
        let mut parts = Request::builder().uri(&uri).body(()).ok()?.into_parts().0;
        parts.headers = request.headers().clone();
        self.known.insert(uri.clone(), parts);
        self.history.retain(|(at, _)| at.elapsed() < lag);
        self.history
            .iter()
            .find_map(|(_, shown)| shown.get(&uri))
            .cloned()
    }

    /// The reads that a write will change.
    pub(super) fn known_reads(&self) -> Vec<(String, Parts)> {
        let known = self.known.iter();
        known
            .map(|(uri, parts)| (uri.clone(), parts.clone()))
            .collect()
    }

    /// Stores the answers before a write.
    pub(super) fn remember(&mut self, shown: BTreeMap<String, Response<Bytes>>) {
        self.history.push((Instant::now(), shown));
    }
}

/// Sends a request to the simulator.
pub(super) async fn answer(
    simulator: &Simulator,
    provider: Provider,
    request: Request<Bytes>,
) -> Result<Response<Bytes>, ConnectionCut> {
    let answer = simulator.call(provider, request.map(Body::from)).await?;
    let (head, body) = answer.into_parts();
    let body = to_bytes(body, usize::MAX)
        .await
        .map_err(|_| ConnectionCut)?;
    Ok(Response::from_parts(head, body))
}

/// JSON after `edit` of each text, by the name of its field.
fn edited(body: Bytes, edit: &mut impl FnMut(&str, &mut String)) -> Bytes {
    match serde_json::from_slice::<Value>(&body) {
        Ok(mut value) => {
            visit("", &mut value, edit);
            value.to_string().into()
        }
        Err(_) => body,
    }
}

fn visit(name: &str, value: &mut Value, edit: &mut impl FnMut(&str, &mut String)) {
    match value {
        Value::String(text) => edit(name, text),
        Value::Array(items) => items.iter_mut().for_each(|item| visit(name, item, edit)),
        Value::Object(fields) => fields
            .iter_mut()
            .for_each(|(name, value)| visit(name, value, edit)),
        _ => {}
    }
}
