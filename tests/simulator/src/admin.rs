//! The admin API: what the library handles do, for a demo or a test in another process. Documented in README.md.

mod mask;
mod view;

use std::time::Duration;

use axum::{
    Json, Router,
    extract::{Query, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{account::Account, fault::Fault, provider::Provider, simulator::Simulator};

/// Why the admin API refuses.
#[derive(Debug)]
struct Refused(StatusCode, String);

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        (self.0, Json(json!({ "error": self.1 }))).into_response()
    }
}

type Answer = Result<Json<Value>, Refused>;

pub(crate) fn router(simulator: Simulator) -> Router {
    Router::new()
        .route("/healthz", get(async || "ok"))
        .route("/state", get(state))
        .route("/requests", get(requests).delete(clear_requests))
        .route("/accounts", post(accounts))
        .route("/keys", post(keys))
        .route("/variants", post(variants))
        .route("/faults", post(faults).delete(clear_faults))
        .route("/latency", post(latency))
        .route("/foreign/write", post(foreign_write))
        .route("/foreign/delete", post(foreign_delete))
        .with_state(simulator)
}

/// Names an account in a request body.
#[derive(Debug, Deserialize)]
struct Target {
    provider: Provider,
    account: String,
}

impl Target {
    fn find(&self, simulator: &Simulator) -> Result<Account, Refused> {
        let account = simulator.account(self.provider, &self.account);
        account.ok_or_else(|| {
            Refused(
                StatusCode::NOT_FOUND,
                format!("no account {:?} at {}", self.account, self.provider),
            )
        })
    }
}

#[derive(Debug, Deserialize)]
struct StateQuery {
    #[serde(default = "masked")]
    mask: bool,
    provider: Option<Provider>,
    account: Option<String>,
}

fn masked() -> bool {
    true
}

async fn state(State(simulator): State<Simulator>, Query(query): Query<StateQuery>) -> Json<Value> {
    let StateQuery {
        mask,
        provider,
        account,
    } = query;
    Json(view::state(&simulator, provider, account.as_deref(), mask))
}

#[derive(Debug, Deserialize)]
struct RequestsQuery {
    provider: Option<Provider>,
    account: Option<String>,
    #[serde(default)]
    writes: bool,
    #[serde(default)]
    after: u64,
    limit: Option<usize>,
}

async fn requests(
    State(simulator): State<Simulator>,
    Query(query): Query<RequestsQuery>,
) -> Json<Value> {
    let RequestsQuery {
        provider,
        account,
        writes,
        after,
        limit,
    } = query;
    let mut requests = simulator.requests();
    requests.retain(|exchange| {
        provider.is_none_or(|provider| provider == exchange.provider)
            && account
                .as_ref()
                .is_none_or(|account| exchange.account.as_ref() == Some(account))
            && (!writes || exchange.is_write())
            && exchange.sequence > after
    });
    requests.truncate(limit.unwrap_or(usize::MAX));
    let requests: Vec<Value> = requests.iter().map(view::request).collect();
    Json(json!({ "requests": requests, "dropped": simulator.dropped_requests() }))
}

async fn clear_requests(State(simulator): State<Simulator>) -> StatusCode {
    simulator.clear_requests();
    StatusCode::NO_CONTENT
}

#[derive(Debug, Deserialize)]
struct NewAccount {
    provider: Provider,
    account: Value,
}

async fn accounts(State(simulator): State<Simulator>, Json(body): Json<NewAccount>) -> Answer {
    let account = simulator
        .add_account_json(body.provider, body.account)
        .map_err(bad_request)?;
    Ok(Json(
        json!({ "provider": account.provider(), "account": account.name() }),
    ))
}

#[derive(Debug, Deserialize)]
struct KeyChange {
    #[serde(flatten)]
    target: Target,
    key: String,
    #[serde(default)]
    access: crate::account::Access,
}

/// Adds a key, or changes what a known one may do.
async fn keys(State(simulator): State<Simulator>, Json(body): Json<KeyChange>) -> Answer {
    let account = body.target.find(&simulator)?;
    if account.set_access(&body.key, body.access).is_err() {
        let mut key = crate::account::NewKey::new(body.key);
        key.access = body.access;
        account.add_key(key).map_err(bad_request)?;
    }
    Ok(Json(json!({ "access": body.access })))
}

#[derive(Debug, Deserialize)]
struct VariantsChange {
    #[serde(flatten)]
    target: Target,
    variants: Value,
}

async fn variants(State(simulator): State<Simulator>, Json(body): Json<VariantsChange>) -> Answer {
    let account = body.target.find(&simulator)?;
    account
        .merge_variants(&body.variants)
        .map_err(bad_request)?;
    Ok(Json(account.variants()))
}

#[derive(Debug, Deserialize)]
struct NewFault {
    #[serde(flatten)]
    target: Target,
    fault: Fault,
}

async fn faults(State(simulator): State<Simulator>, Json(body): Json<NewFault>) -> Answer {
    let account = body.target.find(&simulator)?;
    account.add_fault(body.fault);
    Ok(Json(json!({ "faults": account.faults() })))
}

async fn clear_faults(State(simulator): State<Simulator>, Query(target): Query<Target>) -> Answer {
    let account = target.find(&simulator)?;
    account.clear_faults();
    Ok(Json(json!({ "faults": [] })))
}

#[derive(Debug, Deserialize)]
struct Latency {
    #[serde(flatten)]
    target: Target,
    milliseconds: u64,
}

async fn latency(State(simulator): State<Simulator>, Json(body): Json<Latency>) -> Answer {
    body.target
        .find(&simulator)?
        .set_latency(Duration::from_millis(body.milliseconds));
    Ok(Json(json!({ "milliseconds": body.milliseconds })))
}

#[derive(Debug, Deserialize)]
struct Foreign {
    #[serde(flatten)]
    target: Target,
    scope: Option<String>,
    name: String,
    #[serde(default)]
    value: String,
}

async fn foreign_write(State(simulator): State<Simulator>, Json(body): Json<Foreign>) -> Answer {
    let account = body.target.find(&simulator)?;
    account
        .foreign_write(body.scope.as_deref(), &body.name, &body.value)
        .map_err(bad_request)?;
    Ok(Json(json!({ "written": body.name })))
}

async fn foreign_delete(State(simulator): State<Simulator>, Json(body): Json<Foreign>) -> Answer {
    let account = body.target.find(&simulator)?;
    account
        .foreign_delete(body.scope.as_deref(), &body.name)
        .map_err(bad_request)?;
    Ok(Json(json!({ "deleted": body.name })))
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "the signature that map_err wants"
)]
fn bad_request(error: impl ToString) -> Refused {
    Refused(StatusCode::BAD_REQUEST, error.to_string())
}
