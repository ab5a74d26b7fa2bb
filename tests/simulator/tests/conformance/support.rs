//! A client in process, and rows of requests with what is expected of their answers.

use axum::{
    body::Body,
    http::{HeaderMap, Request, StatusCode},
};
use serde_json::Value;
use simulator::{ConnectionCut, Provider, Simulator};

/// Sends requests in process with one credential.
#[derive(Clone)]
pub(crate) struct Client {
    simulator: Simulator,
    provider: Provider,
    authorization: String,
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).expect("the answer is JSON")
    }

    /// A string in the answer's JSON.
    pub(crate) fn at(&self, pointer: &str) -> String {
        self.json()
            .pointer(pointer)
            .and_then(Value::as_str)
            .expect("the answer has this string")
            .to_owned()
    }
}

impl Client {
    pub(crate) fn new(simulator: &Simulator, provider: Provider, authorization: &str) -> Self {
        Self {
            simulator: simulator.clone(),
            provider,
            authorization: authorization.to_owned(),
        }
    }

    /// Sends `METHOD /path?query`, with a JSON body unless it is null.
    pub(crate) async fn send(&self, line: &str, body: Value) -> Answer {
        self.try_send(line, body)
            .await
            .expect("the connection is not cut")
    }

    pub(crate) async fn try_send(&self, line: &str, body: Value) -> Result<Answer, ConnectionCut> {
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        self.raw(line, "application/json", body).await
    }

    pub(crate) async fn raw(
        &self,
        line: &str,
        content_type: &str,
        body: String,
    ) -> Result<Answer, ConnectionCut> {
        let (method, path) = line.split_once(' ').expect("method and path");
        let mut request = Request::builder().method(method).uri(path);
        if !self.authorization.is_empty() {
            request = request.header("authorization", &self.authorization);
        }
        if !body.is_empty() {
            request = request.header("content-type", content_type);
        }
        let request = request.body(Body::from(body)).expect("a valid request");
        let (head, body) = self
            .simulator
            .call(self.provider, request)
            .await?
            .into_parts();
        let bytes = axum::body::to_bytes(body, usize::MAX)
            .await
            .map_err(|_| ConnectionCut)?;
        let text = String::from_utf8(bytes.to_vec()).expect("UTF-8");
        Ok(Answer {
            status: head.status,
            headers: head.headers,
            text,
        })
    }

    /// Sends the rows in order: line, body, expected status, and what the answer's JSON must contain.
    pub(crate) async fn check(&self, rows: &[(&str, Value, u16, Value)]) {
        for (line, body, status, expected) in rows {
            let answer = self.send(line, body.clone()).await;
            assert_eq!(
                answer.status.as_u16(),
                *status,
                "{line} {body}: {}",
                answer.text
            );
            if !expected.is_null() {
                let json = answer.json();
                assert!(
                    contains(&json, expected),
                    "{line} {body}: {json} lacks {expected}"
                );
            }
        }
    }
}

/// Whether a value has everything that is expected: objects may have more fields, lists must have the same length.
pub(crate) fn contains(actual: &Value, expected: &Value) -> bool {
    match (actual, expected) {
        (Value::Object(actual), Value::Object(expected)) => expected.iter().all(|(name, value)| {
            actual
                .get(name)
                .is_some_and(|actual| contains(actual, value))
        }),
        (Value::Array(actual), Value::Array(expected)) => {
            actual.len() == expected.len()
                && actual
                    .iter()
                    .zip(expected)
                    .all(|(actual, value)| contains(actual, value))
        }
        _ => actual == expected,
    }
}

/// One account named `test` with the key `key` at each provider, and a client for it.
pub(crate) fn client(simulator: &Simulator, provider: Provider) -> (simulator::Account, Client) {
    let description = serde_json::json!({ "name": "test", "keys": [{ "key": "key" }] });
    let account = simulator
        .add_account_json(provider, description)
        .expect("a new account");
    let scheme = scheme_of(provider);
    (
        account,
        Client::new(simulator, provider, &format!("{scheme} key")),
    )
}

/// The scheme of `Authorization` that the vendor takes.
pub(crate) fn scheme_of(provider: Provider) -> &'static str {
    match provider {
        Provider::Baseten => "Api-Key",
        Provider::PrimeIntellect | Provider::Pipecat | Provider::Braintrust => "Bearer",
    }
}

/// A write, and the path that lists, for tests that treat the vendors alike.
pub(crate) fn write_of(provider: Provider) -> (&'static str, Value) {
    use serde_json::json;
    match provider {
        Provider::Baseten => (
            "POST /v1/secrets",
            json!({ "name": "NAME", "value": "value" }),
        ),
        Provider::PrimeIntellect => (
            "POST /api/v1/secrets/",
            json!({ "name": "NAME", "value": "value" }),
        ),
        Provider::Pipecat => (
            "PUT /v1/secrets/set",
            json!({ "secrets": [{ "secretKey": "NAME", "secretValue": "value" }] }),
        ),
        Provider::Braintrust => (
            "PUT /v1/ai_secret",
            json!({ "name": "NAME", "secret": "value" }),
        ),
    }
}

/// The status of an answer to [`write_of`].
pub(crate) fn written_of(provider: Provider) -> u16 {
    match provider {
        Provider::Pipecat => 202,
        Provider::Baseten | Provider::PrimeIntellect | Provider::Braintrust => 200,
    }
}

pub(crate) fn list_of(provider: Provider) -> &'static str {
    match provider {
        Provider::Baseten | Provider::Pipecat => "GET /v1/secrets",
        Provider::PrimeIntellect => "GET /api/v1/secrets/",
        Provider::Braintrust => "GET /v1/ai_secret",
    }
}

/// The scope that [`write_of`] writes to.
pub(crate) fn scope_of(provider: Provider) -> Option<&'static str> {
    (provider == Provider::Pipecat).then_some("set")
}
