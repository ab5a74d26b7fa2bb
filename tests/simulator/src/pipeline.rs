//! The path of every request: read, log, scripted fault, latency, key, effect, answer.
//!
//! Order where the documents are silent: the credential is looked at before path and body, so that a stranger learns
//! nothing; only a redirect to the exact path comes first, at a vendor whose framework routes first.

mod answer;
mod entry;
mod half_body;

use std::{sync::Arc, time::Duration};

use axum::{
    body::Body,
    extract::Request,
    http::{HeaderMap, header, request::Parts},
    response::Response,
};
use serde_json::Value;
use tokio::time::Instant;

use crate::{
    account::Access,
    call::{Call, Kind, Payload, Refusal, Reply, is_write},
    fault::{self, Action, ConnectionCut},
    log::Outcome,
    provider::Provider,
    simulator::{Key, Shared},
    tenant::Tenant,
};

pub(crate) use self::answer::cut_answer;
use self::{
    answer::scripted,
    entry::{Running, describe},
    half_body::HalfBody,
};

/// The documents name no bound for a request; this one is above every documented value.
const BODY_LIMIT: usize = 1024 * 1024;

pub(crate) async fn run(
    shared: &Arc<Shared>,
    provider: Provider,
    request: Request,
) -> Result<Response, ConnectionCut> {
    let started = Instant::now();
    let (head, body) = request.into_parts();
    let payload = read(&head.headers, body).await;
    let credential = credential(&head.headers);
    let key = credential
        .as_ref()
        .and_then(|(_, token)| shared.directory(provider).key(token));

    let exchange = describe(shared, provider, &head, &payload, key.as_deref(), started);
    let running = Running {
        shared,
        entry: shared.log.begin(exchange),
    };
    shared.changed();

    let answer = match &key {
        Some(key) => {
            let scheme = credential
                .as_ref()
                .map_or("", |(scheme, _)| scheme.as_str());
            authenticated(shared, key, scheme, &head, &payload).await
        }
        None => Ok(redirect(provider, &head)
            .unwrap_or_else(|| (provider.vendor().refuse)(&Refusal::unauthorized()))
            .into_response()),
    };
    running.end(match &answer {
        Ok(response) => Outcome::Answered(response.status().as_u16()),
        Err(ConnectionCut) => Outcome::Cut,
    });
    answer
}

async fn authenticated(
    shared: &Shared,
    key: &Key,
    scheme: &str,
    head: &Parts,
    payload: &Payload,
) -> Result<Response, ConnectionCut> {
    let method = head.method.as_str();
    let segments = segments(head.uri.path());
    let query: Vec<(String, String)> =
        url::form_urlencoded::parse(head.uri.query().unwrap_or_default().as_bytes())
            .into_owned()
            .collect();
    let call = Call {
        method,
        segments: &segments,
        query: &query,
        payload,
        access: key.access(),
        primary_team: key.primary_team.as_deref(),
        world: &shared.world,
    };

    let (latency, fault, occupied) = {
        let mut inner = key.cell.lock();
        let fault = fault::take(&mut inner.faults, method, head.uri.path());
        (inner.latency, fault, inner.tenant.occupies(&call))
    };
    let (delay, action) = fault.unwrap_or_default();
    // Held until the answer, so that a slow write keeps its set busy.
    let busy = occupied.map(|resource| key.cell.occupy(resource));
    let wait = latency.saturating_add(delay);
    if wait > Duration::ZERO {
        tokio::time::sleep(wait).await;
    }

    match action {
        Action::CutBeforeEffect => return Err(ConnectionCut),
        Action::Hang => return std::future::pending().await,
        Action::Answer(answer) => return Ok(scripted(&answer)),
        _ => {}
    }
    let reply = {
        let mut inner = key.cell.lock();
        let tenant = inner.tenant.as_mut();
        if let Some(redirect) = redirect(key.cell.provider, head) {
            redirect
        } else if busy.as_ref().is_some_and(Option::is_none) {
            tenant.refuse(&Refusal::new(
                Kind::Conflict,
                "The resource is being modified by another request",
            ))
        } else {
            effect(tenant, scheme, &call)
        }
    };
    shared.changed();
    match action {
        Action::CutAfterEffect => Err(ConnectionCut),
        Action::HangAfterEffect => std::future::pending().await,
        Action::AnswerAfterEffect(answer) => Ok(scripted(&answer)),
        Action::TruncateBody => Ok(reply.with_body(|whole| HalfBody::of(&whole))),
        _ => Ok(reply.into_response()),
    }
}

/// Does what was asked, if the key may.
fn effect(tenant: &mut dyn Tenant, scheme: &str, call: &Call<'_>) -> Reply {
    let result = if !tenant.accepts_scheme(scheme)
        || matches!(call.access, Access::Revoked | Access::Public)
    {
        Err(Refusal::unauthorized())
    } else if call.access == Access::ReadOnly && is_write(call.method) {
        Err(Refusal::new(
            Kind::Forbidden,
            "The API key does not have permission to perform the request",
        ))
    } else if matches!(call.payload, Payload::TooLarge) {
        Err(Refusal::new(Kind::TooLarge, "Request body too large"))
    } else {
        tenant.respond(call)
    };
    result.unwrap_or_else(|refusal| tenant.refuse(&refusal))
}

fn redirect(provider: Provider, head: &Parts) -> Option<Reply> {
    provider
        .vendor()
        .redirect
        .and_then(|redirect| redirect(head))
}

async fn read(headers: &HeaderMap, body: Body) -> Payload {
    let Ok(bytes) = axum::body::to_bytes(body, BODY_LIMIT).await else {
        return Payload::TooLarge;
    };
    if bytes.is_empty() {
        return Payload::Empty;
    }
    let content_type = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    let json = serde_json::from_slice::<Value>(&bytes).ok().map(Arc::new);
    match essence.to_ascii_lowercase().as_str() {
        "application/json" => json.map_or(Payload::NotJson, Payload::Json),
        "application/x-www-form-urlencoded" => {
            json.map_or(Payload::WrongContentType, Payload::Form)
        }
        _ => Payload::WrongContentType,
    }
}

/// Splits `Authorization` into scheme and token.
fn credential(headers: &HeaderMap) -> Option<(String, String)> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    Some((scheme.to_owned(), token.to_owned()))
}

fn segments(path: &str) -> Vec<String> {
    let decode = |segment: &str| {
        percent_encoding::percent_decode_str(segment)
            .decode_utf8_lossy()
            .into_owned()
    };
    path.strip_prefix('/')
        .unwrap_or(path)
        .split('/')
        .map(decode)
        .collect()
}
