//! The traps of each provider, in the variants in which its documents can be read.

mod baseten;
mod braintrust;
mod isolation;
mod pipecat;
mod prime_intellect;

use std::collections::BTreeSet;

use axum::{body::Body, extract::Request};
use provider_secrets::api::{ProviderKind, ProviderSecret};
use serde_json::{Value, json};
use simulator::{Exchange, Provider};

use crate::harness::{Target, TestCase, TestEnv, condition};

/// A test case at a target.
async fn case(target: Target) -> TestCase<'static> {
    TestCase::new(TestEnv::shared().await, target).await
}

/// An entry for key `a` of Secret `source`.
fn entry(name: &str) -> Value {
    json!({"name": name, "secretKeyRef": {"name": "source", "key": "a"}})
}

/// A spec for the test case's account with these entries.
fn spec(case: &TestCase<'_>, data: &Value) -> Value {
    json!({"provider": case.provider(), "data": data})
}

/// Asserts that an object waits for a person, why, and with which words.
fn assert_stalled(object: &ProviderSecret, reason: &str, words: &str) {
    let stalled = condition(object, "Stalled").expect("it is stalled");
    assert_eq!(
        (stalled.status.as_str(), stalled.reason.as_str()),
        ("True", reason)
    );
    assert!(
        stalled.message.contains(words),
        "{words:?} is not in {:?}",
        stalled.message
    );
    let ready = condition(object, "Ready").expect("there is always a Ready condition");
    assert_eq!(
        (ready.status.as_str(), ready.reason.as_str()),
        ("False", reason)
    );
}

/// The bodies of writes with this method, oldest first.
fn bodies(case: &TestCase<'_>, method: &str) -> Vec<Value> {
    let writes = case.account.writes();
    let of_method = writes.iter().filter(|write| write.method == method);
    of_method
        .map(|write| write.body.as_deref().cloned().unwrap_or_default())
        .collect()
}

/// The requests whose method and path begin so, oldest first.
fn requests(case: &TestCase<'_>, line: &str) -> Vec<Exchange> {
    let mut requests = case.account.requests();
    requests.retain(|request| request.line().starts_with(line));
    requests
}

/// Sends a request as another user of the test case's key would.
async fn by_hand(case: &TestCase<'_>, provider: Provider, method: &str, path: &str, body: &Value) {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("authorization", format!("Bearer {}", case.key))
        .header("content-type", "application/json")
        .body(Body::from(body.to_string()));
    let request = request.expect("a request");
    let answer = case
        .env
        .simulator()
        .call(provider, request)
        .await
        .expect("an answer");
    assert!(answer.status().is_success(), "{}", answer.status());
}

/// What each API must stand is asked of the targets of the harness: without one, nothing that a user
/// sees of a provider is tested.
#[test]
fn each_provider_is_a_target_of_the_harness() {
    assert_eq!(
        BTreeSet::from(Target::ALL.map(Target::provider)),
        BTreeSet::from(ProviderKind::ALL.map(ProviderKind::as_str)),
        "Target::ALL on the left, ProviderKind::ALL on the right"
    );
}
