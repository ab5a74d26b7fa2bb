//! What is asked, and what of an answer is not its body.

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use provider_secrets::{
    api::{BraintrustOptions, ProviderSpec},
    http::ProviderError,
    provider::{
        DeleteAnswer, DeleteRequest, Listing, Options, Provider, Remote, SetKeys, Settled, Write,
        Written,
    },
};
use serde_json::{Value, json};

/// The five APIs, with and without a scope.
const PROVIDERS: [&str; 7] = [
    r#"{"baseten":{"apiKeySecretRef":{"name":"a","key":"b"}}}"#,
    r#"{"baseten":{"apiKeySecretRef":{"name":"a","key":"b"},"teamId":"team"}}"#,
    r#"{"primeIntellect":{"apiKeySecretRef":{"name":"a","key":"b"}}}"#,
    r#"{"primeIntellect":{"apiKeySecretRef":{"name":"a","key":"b"},"teamId":"team"}}"#,
    r#"{"pipecat":{"apiKeySecretRef":{"name":"a","key":"b"},"region":"us-west"}}"#,
    r#"{"braintrust":{"apiKeySecretRef":{"name":"a","key":"b"}}}"#,
    r#"{"braintrust":{"apiKeySecretRef":{"name":"a","key":"b"},"orgName":"org"}}"#,
];
const STATUSES: [u16; 22] = [
    200, 201, 202, 204, 206, 299, 301, 307, 400, 401, 403, 404, 408, 409, 410, 413, 422, 429, 500,
    501, 503, 599,
];
/// Names and values of headers; several lines of one name are several headers.
const HEADERS: [&[(&str, &str)]; 9] = [
    &[("content-type", "application/json")],
    &[("content-type", "application/json; charset=utf-8")],
    &[("content-type", "text/html")],
    &[("content-type", "text/plain")],
    &[],
    &[("content-type", "application/json"), ("retry-after", "7")],
    &[
        ("content-type", "application/json"),
        ("retry-after", "99999999999999999999"),
        ("retry-after", "-1"),
    ],
    &[
        ("content-type", "application/problem+json"),
        ("x-debug", "Bearer key"),
    ],
    &[("content-type", "application/jsonp")],
];

/// What is asked of a provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    List,
    SetKeys,
    Create,
    Update,
    Replace,
    Delete,
    DeleteShown,
    DeleteSet,
    Scope,
    Settled,
}

const OPERATIONS: [Operation; 10] = [
    Operation::List,
    Operation::SetKeys,
    Operation::Create,
    Operation::Update,
    Operation::Replace,
    Operation::Delete,
    Operation::DeleteShown,
    Operation::DeleteSet,
    Operation::Scope,
    Operation::Settled,
];

/// What became of it.
pub(super) enum Outcome {
    Listed(Result<Listing, ProviderError>),
    SetKeys(Result<SetKeys, ProviderError>),
    Written(Result<Written, ProviderError>),
    Deleted(Result<DeleteAnswer, ProviderError>),
    Scope(Result<Option<String>, ProviderError>),
    Settled(Result<Settled, ProviderError>),
}

/// The five choices: `a` is the first of each, and counting goes round.
#[derive(Clone, Debug)]
pub(super) struct Scenario {
    provider: &'static str,
    pub(super) operation: Operation,
    pub(super) first: StatusCode,
    later: StatusCode,
    headers: &'static [(&'static str, &'static str)],
}

impl Scenario {
    /// Provider, operation, the status of the first answer and of the later ones, headers; then the body, after a
    /// line break if there is one.
    pub(super) fn read(input: &[u8]) -> (Self, &[u8]) {
        let letter =
            |index: usize| usize::from(input.get(index).unwrap_or(&b'a').wrapping_sub(b'a'));
        let status = |index| StatusCode::from_u16(STATUSES[letter(index) % STATUSES.len()]);
        let scenario = Self {
            provider: PROVIDERS[letter(0) % PROVIDERS.len()],
            operation: OPERATIONS[letter(1) % OPERATIONS.len()],
            first: status(2).unwrap_or_default(),
            later: status(3).unwrap_or_default(),
            headers: HEADERS[letter(4) % HEADERS.len()],
        };
        let body = input.get(5..).unwrap_or_default();
        (scenario, body.strip_prefix(b"\n").unwrap_or(body))
    }

    pub(super) fn spec(&self) -> ProviderSpec {
        serde_json::from_str(self.provider).expect("these are providers")
    }

    pub(super) fn status(&self, call: usize) -> StatusCode {
        if call == 0 { self.first } else { self.later }
    }

    pub(super) fn headers(&self) -> HeaderMap {
        let header = |(name, value): &(&'static str, &'static str)| {
            (
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            )
        };
        let mut headers = HeaderMap::new();
        for (name, value) in self.headers.iter().map(header) {
            headers.append(name, value);
        }
        headers
    }

    /// Whether the answers claim to be JSON.
    pub(super) fn is_json(&self) -> bool {
        self.headers
            .iter()
            .any(|(_, value)| value.starts_with("application/json"))
    }

    pub(super) async fn operate(&self, provider: &dyn Provider) -> Outcome {
        let value = "value".into();
        let mut options = Options::default();
        if self.operation == Operation::Replace {
            options.braintrust = BraintrustOptions {
                r#type: None,
                metadata: json!({ "a": 1 }).as_object().cloned(),
            };
        }
        let id = (self.operation != Operation::Create).then_some("an-id");
        let entries = [Write {
            name: "A_NAME",
            value: &value,
            options: &options,
            id,
            region: None,
        }];
        let shown = Remote {
            name: "A_NAME".to_owned(),
            id: Some("an-id".to_owned()),
            team: Some("a team".to_owned()),
            ..Remote::default()
        };
        let removal = |shown| DeleteRequest {
            name: "A_NAME",
            id: Some("an-id"),
            shown,
        };
        match self.operation {
            Operation::List => Outcome::Listed(provider.list().await),
            Operation::SetKeys => Outcome::SetKeys(provider.set_keys().await),
            Operation::Create | Operation::Update | Operation::Replace => {
                Outcome::Written(provider.write(&entries).await)
            }
            Operation::Delete => Outcome::Deleted(provider.delete(&removal(None)).await),
            Operation::DeleteShown => {
                Outcome::Deleted(provider.delete(&removal(Some(&shown))).await)
            }
            Operation::DeleteSet => Outcome::Deleted(provider.delete_set().await),
            Operation::Scope => Outcome::Scope(provider.scope().await),
            Operation::Settled => Outcome::Settled(provider.settled().await),
        }
    }

    /// Whether this operation asks the provider anything there: members and sets are Pipecat's.
    pub(super) fn asks(&self) -> bool {
        let is_pipecat = self.provider.contains("pipecat");
        match self.operation {
            Operation::SetKeys | Operation::Settled => is_pipecat,
            _ => true,
        }
    }

    /// The JSON of the provider, for a message.
    pub(super) fn provider(&self) -> Value {
        serde_json::from_str(self.provider).unwrap_or_default()
    }
}
