//! Pipecat Cloud: docs/vendors.md#pipecat-cloud.

mod references;
mod switches;

use std::time::Duration;

use serde_json::{Value, json};
use simulator::{Access, Account, Provider, Simulator, pipecat::Variants};

use crate::support::Client;

const NONE: Value = Value::Null;

fn organization() -> (Simulator, Account, Client) {
    let simulator = Simulator::new();
    let (account, client) = crate::support::client(&simulator, Provider::Pipecat);
    (simulator, account, client)
}

fn set(simulator: &Simulator, account: &Account, change: impl FnOnce(&mut Variants)) {
    simulator.pipecat().set_variants(account, change);
}

fn regular(pairs: &[(&str, &str)]) -> Value {
    let pairs: Vec<Value> = pairs
        .iter()
        .map(|(key, value)| json!({ "secretKey": key, "secretValue": value }))
        .collect();
    json!({ "secrets": pairs })
}

fn image_pull(host: &str) -> Value {
    json!({ "isImagePullSecret": true, "host": host, "secretValue": "dXNlcjp0b2tlbg==" })
}

fn with(mut body: Value, field: &str, value: &str) -> Value {
    body[field] = json!(value);
    body
}

const BAD: &str = "GENERIC_BAD_REQUEST";

#[tokio::test(start_paused = true)]
async fn the_documented_calls_answer_as_documented() {
    let (simulator, account, client) = organization();
    client
        .check(&[
            ("PUT /v1/secrets/app", regular(&[("A", "1"), ("B", "2")]), 202, json!({ "status": "OK", "region": "us-west" })),
            ("PUT /v1/secrets/pull", image_pull("https://index.docker.io/v1"), 202, NONE),
            ("GET /v1/secrets", NONE, 200, json!({ "sets": [
                { "name": "app", "type": "secret", "region": "us-west", "status": "pending" },
                { "name": "pull", "type": "imagePullSecret", "region": "us-west", "status": "pending" },
            ] })),
            ("GET /v1/secrets/app", NONE, 200, json!({ "status": "pending" })),
        ])
        .await;
    tokio::time::advance(Duration::from_millis(200)).await;
    client
        .check(&[
            ("GET /v1/secrets", NONE, 200, json!({ "sets": [
                { "name": "app", "type": "secret", "region": "us-west", "status": "ready" },
                { "name": "pull", "type": "imagePullSecret", "region": "us-west", "status": "ready" },
            ] })),
            ("GET /v1/secrets?region=us-east", NONE, 200, json!({ "sets": [] })),
            ("GET /v1/secrets/app", NONE, 200, json!({
                "region": "us-west", "status": "ready", "secrets": [{ "fieldName": "A" }, { "fieldName": "B" }],
            })),
            ("GET /v1/secrets/pull", NONE, 400, json!({ "code": BAD })),
            ("DELETE /v1/secrets/app/A", NONE, 200, json!({ "status": "OK" })),
            ("DELETE /v1/secrets/app/A", NONE, 404, json!({ "code": "NOT_FOUND" })),
            ("DELETE /v1/secrets/pull/secretValue", NONE, 400, NONE),
            ("DELETE /v1/secrets/pull", NONE, 200, NONE),
            ("DELETE /v1/secrets/pull", NONE, 404, json!({ "code": "NOT_FOUND" })),
            ("GET /v1/secrets/none", NONE, 404, json!({ "code": "NOT_FOUND" })),
            ("GET /v1/regions", NONE, 200, json!({ "regions": [
                { "code": "us-west" }, { "code": "us-east" }, { "code": "eu-central" }, { "code": "ap-south" },
            ] })),
            ("GET /v1/properties", NONE, 200, json!({ "properties": { "defaultRegion": "us-west" } })),
            ("GET /v1/properties/schema", NONE, 200, json!({ "properties": { "defaultRegion": {
                "type": "string", "currentValue": "us-west", "default": "us-west",
                "availableValues": ["us-west", "us-east", "eu-central", "ap-south"],
            } } })),
        ])
        .await;
    assert_eq!(
        account.values(Some("app")),
        [("B".to_owned(), "2".to_owned())].into()
    );
    assert_eq!(
        account.values(None),
        [("app/B".to_owned(), "2".to_owned())].into()
    );
    assert_eq!(simulator.pipecat().sets(&account)["app"].status, "ready");
}

#[tokio::test(start_paused = true)]
async fn what_the_vendor_refuses_is_refused() {
    let (_simulator, _account, client) = organization();
    let invalid = json!({ "error": "Invalid request format", "code": BAD });
    let put = "PUT /v1/secrets/app";
    let key = |key: &str| regular(&[(key, "1")]);
    let mut rows = vec![
        (put, regular(&[]), 400, invalid.clone()),
        (put, json!({}), 400, invalid.clone()),
        (put, NONE, 400, NONE),
        (put, regular(&[("A", "")]), 400, invalid.clone()),
        (put, json!({ "secrets": [{ "secretKey": "A" }] }), 400, NONE),
        (
            put,
            json!({ "secrets": [{ "secretKey": "A", "secretValue": 1 }] }),
            400,
            NONE,
        ),
        (
            put,
            json!({ "secrets": [{ "secretKey": "A", "secretValue": "1", "extra": "1" }] }),
            400,
            NONE,
        ),
        (put, json!({ "secrets": { "A": "1" } }), 400, NONE),
        (put, with(regular(&[("A", "1")]), "name", "app"), 400, NONE),
        (
            put,
            with(regular(&[("A", "1")]), "region", "mars"),
            400,
            NONE,
        ),
        (
            put,
            json!({ "isImagePullSecret": true, "secretValue": "x" }),
            400,
            NONE,
        ),
        (
            put,
            json!({ "isImagePullSecret": false, "host": "https://h/", "secretValue": "x" }),
            400,
            NONE,
        ),
        (put, image_pull("index.docker.io"), 400, NONE),
        (put, key(&"K".repeat(65)), 400, NONE),
        (put, key(""), 400, NONE),
        (put, key("a.b"), 400, NONE),
        (put, key(&"K".repeat(64)), 202, NONE),
        (put, key("a-B_9"), 202, NONE),
        ("POST /v1/secrets/app", key("A"), 405, NONE),
        ("GET /v1/secrets/app/A", NONE, 405, NONE),
        ("GET /v1/secrets/app/A/b", NONE, 404, NONE),
        (
            "PATCH /v1/properties",
            json!({ "defaultRegion": "mars" }),
            400,
            NONE,
        ),
        ("PATCH /v1/properties", json!({}), 400, NONE),
        (
            put,
            json!({
                "name": "app",
                "isImagePullSecret": false,
                "secretKey": "A",
                "secretValue": "1",
            }),
            400,
            invalid,
        ),
    ];
    let (longest, long) = (
        format!("PUT /v1/secrets/{}", "a".repeat(63)),
        format!("PUT /v1/secrets/{}", "a".repeat(64)),
    );
    for line in [
        "PUT /v1/secrets/ab",
        "PUT /v1/secrets/App",
        "PUT /v1/secrets/a_b",
        "PUT /v1/secrets/-ab",
        &long,
    ] {
        rows.push((line, key("A"), 400, NONE));
    }
    for line in [
        "PUT /v1/secrets/ab-",
        "PUT /v1/secrets/a..b",
        "PUT /v1/secrets/.ab",
    ] {
        rows.push((line, key("A"), 400, NONE));
    }
    for line in ["PUT /v1/secrets/abc", "PUT /v1/secrets/a-b.c1", &longest] {
        rows.push((line, key("A"), 202, NONE));
    }
    client.check(&rows).await;
    let wrong_type = client
        .raw(put, "text/plain", key("A").to_string())
        .await
        .unwrap();
    assert_eq!(wrong_type.status, 400);
}

#[tokio::test(start_paused = true)]
async fn region_and_kind_are_fixed_at_creation() {
    let (_simulator, _account, client) = organization();
    let put = "PUT /v1/secrets/app";
    let body = || regular(&[("A", "1")]);
    client
        .check(&[
            (put, with(body(), "region", "eu-central"), 202, NONE),
            (
                put,
                with(body(), "region", "us-east"),
                400,
                json!({
                    "error": "Secret already exists in region 'eu-central'. Cannot change region to 'us-east'.",
                    "code": BAD,
                }),
            ),
            (put, body(), 202, NONE),
            (put, image_pull("https://h/"), 400, json!({ "code": BAD })),
            (
                "PATCH /v1/properties",
                json!({ "defaultRegion": "ap-south" }),
                200,
                json!({ "properties": { "defaultRegion": { "currentValue": "ap-south" } } }),
            ),
            ("PUT /v1/secrets/new", body(), 202, NONE),
            ("PUT /v1/secrets/pull", image_pull("https://h/"), 202, NONE),
            ("PUT /v1/secrets/pull", body(), 400, NONE),
            (
                "GET /v1/secrets",
                NONE,
                200,
                json!({ "sets": [
                { "name": "app", "region": "eu-central" },
                { "name": "new", "region": "ap-south" },
                { "name": "pull", "region": "ap-south" },
            ] }),
            ),
        ])
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_public_key_is_unauthorized() {
    let (_simulator, account, client) = organization();
    account.set_access("key", Access::Public).unwrap();
    client
        .check(&[(
            "GET /v1/secrets",
            NONE,
            401,
            json!({ "error": "Unauthorized", "code": "UNAUTHORIZED" }),
        )])
        .await;
}
