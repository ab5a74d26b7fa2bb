//! Braintrust: docs/vendors.md#braintrust.

mod list;
mod switches;

use serde_json::{Value, json};
use simulator::{
    Account, Provider, Simulator,
    braintrust::{NewAccount, Variants},
};

use crate::support::Client;

const NONE: Value = Value::Null;

/// A user of two organizations.
fn user() -> (Simulator, Account, Client) {
    let simulator = Simulator::new();
    let new = NewAccount::new("test", "key")
        .organization("one")
        .organization("two");
    let account = simulator
        .braintrust()
        .add_account(new)
        .expect("a new account");
    let client = Client::new(&simulator, Provider::Braintrust, "Bearer key");
    (simulator, account, client)
}

fn set(simulator: &Simulator, account: &Account, change: impl FnOnce(&mut Variants)) {
    simulator.braintrust().set_variants(account, change);
}

fn full(secret: &str) -> Value {
    json!({ "name": "A", "type": "openai", "metadata": { "a": { "b": 1 } }, "secret": secret })
}

#[tokio::test(start_paused = true)]
async fn the_documented_calls_answer_as_documented() {
    let (simulator, account, client) = user();
    let created = client
        .send("POST /v1/ai_secret", full("sk-123456789"))
        .await;
    let body = created.json();
    assert_eq!(created.status, 200);
    assert_eq!(
        body["org_id"],
        simulator
            .braintrust()
            .organization_id(&account, "one")
            .unwrap()
    );
    assert_eq!(body["preview_secret"], "sk-***6789");
    assert!(body["secret_updated_at"].is_string() && body["secret_updated_by_user_id"].is_string());
    let item = |method: &str| format!("{method} /v1/ai_secret/{}", created.at("/id"));
    client
        .check(&[
            (&item("GET"), NONE, 200, body.clone()),
            // A body is optional, and without one nothing changes, not even a time.
            (&item("PATCH"), NONE, 200, body.clone()),
            (
                "GET /v1/ai_secret",
                NONE,
                200,
                json!({ "objects": [body.clone()] }),
            ),
            (
                &item("PATCH"),
                json!({ "name": "B" }),
                200,
                json!({ "name": "B", "type": "openai" }),
            ),
            (&item("DELETE"), NONE, 200, json!({ "name": "B" })),
            (&item("DELETE"), NONE, 404, NONE),
            (
                "PUT /v1/ai_secret",
                json!({ "name": "A", "secret": "short" }),
                200,
                json!({ "preview_secret": "********" }),
            ),
            (
                "DELETE /v1/ai_secret",
                json!({ "name": "A" }),
                200,
                json!({ "name": "A" }),
            ),
            (
                "DELETE /v1/ai_secret",
                json!({ "name": "A", "org_name": "one" }),
                404,
                NONE,
            ),
            (
                "PUT /v1/ai_secret",
                json!({ "name": "N" }),
                200,
                json!({ "preview_secret": null, "secret_updated_at": null }),
            ),
        ])
        .await;
    assert_eq!(
        simulator.braintrust().secrets(&account, None)[0].secret,
        None
    );
}

#[tokio::test(start_paused = true)]
async fn what_the_vendor_refuses_is_refused() {
    let (_simulator, account, client) = user();
    for line in ["POST /v1/ai_secret", "PUT /v1/ai_secret"] {
        client
            .check(&[
                (line, NONE, 400, NONE),
                (line, json!({ "secret": "x" }), 400, NONE),
                (line, json!({ "name": "" }), 400, NONE),
                (line, json!({ "name": 1 }), 400, NONE),
                (line, json!({ "name": "A", "secret": 1 }), 400, NONE),
                (line, json!({ "name": "A", "metadata": "x" }), 400, NONE),
                (line, json!({ "name": "A", "value": "x" }), 400, NONE),
                (line, json!({ "name": "A", "org_name": "other" }), 400, NONE),
            ])
            .await;
    }
    let item = format!(
        "PATCH /v1/ai_secret/{}",
        client.send("PUT /v1/ai_secret", full("1")).await.at("/id")
    );
    client
        .check(&[
            ("PUT /v1/ai_secret", json!({ "name": "B" }), 200, NONE),
            (&item, json!({ "org_name": "one" }), 400, NONE),
            (&item, json!({ "secret": null }), 400, NONE),
            (&item, json!({ "metadata": { "a": null } }), 400, NONE),
            (&item, json!({ "name": "B" }), 400, NONE),
            ("GET /v1/ai_secret?org_name=other", NONE, 400, NONE),
            ("GET /v1/ai_secret?limit=x", NONE, 400, NONE),
            ("GET /v1/ai_secret?starting_after=x", NONE, 400, NONE),
            (
                "DELETE /v1/ai_secret",
                json!({ "name": "A", "org_name": "other" }),
                400,
                NONE,
            ),
            ("DELETE /v1/ai_secret", NONE, 400, NONE),
            ("PUT /v1/ai_secret/id", NONE, 405, NONE),
            ("GET /v1/ai_secret/", NONE, 404, NONE),
            ("GET /v1/env_var", NONE, 404, NONE),
        ])
        .await;
    assert_eq!(account.values(None)["A"], "1");
    let wrong_type = client
        .raw("PUT /v1/ai_secret", "text/plain", full("2").to_string())
        .await
        .unwrap();
    assert_eq!(wrong_type.status, 400);
}

#[tokio::test(start_paused = true)]
async fn post_leaves_an_existing_secret_as_it_is() {
    let (_simulator, account, client) = user();
    let first = client
        .send("POST /v1/ai_secret", full("first-secret"))
        .await
        .json();
    let second = client
        .send(
            "POST /v1/ai_secret",
            json!({ "name": "A", "type": "groq", "secret": "other-secret" }),
        )
        .await;
    assert_eq!((second.status.as_u16(), second.json()), (200, first));
    assert_eq!(account.values(None)["A"], "first-secret");
}

#[tokio::test(start_paused = true)]
async fn patch_merges_only_what_is_given() {
    let (_simulator, account, client) = user();
    let first = client.send("PUT /v1/ai_secret", full("1")).await;
    let item = format!("PATCH /v1/ai_secret/{}", first.at("/id"));
    client
        .check(&[
            (
                &item,
                json!({ "metadata": { "a": { "c": 2 }, "d": [3] } }),
                200,
                json!({
                    "type": "openai",
                    "metadata": { "a": { "b": 1, "c": 2 }, "d": [3] },
                    "secret_updated_at": first.at("/secret_updated_at"),
                }),
            ),
            (
                &item,
                json!({ "secret": "2" }),
                200,
                json!({ "type": "openai", "metadata": { "d": [3] } }),
            ),
            (&item, json!({}), 200, NONE),
        ])
        .await;
    assert_eq!(account.values(None)["A"], "2");
}
