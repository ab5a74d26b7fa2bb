//! Baseten: docs/vendors.md#baseten.

use serde_json::{Value, json};
use simulator::{
    Access, Account, NewKey, Provider, Simulator,
    baseten::{NewAccount, Spelling},
};

use crate::support::Client;

const NONE: Value = Value::Null;

/// An organization with two teams; its second key has the second team as its primary one.
fn organization() -> (Simulator, Account, Client, Client) {
    let simulator = Simulator::new();
    let new = NewAccount::new("test", "first")
        .team("t1", "one")
        .team("t2", "two");
    let account = simulator.baseten().add_account(new).expect("a new account");
    let second = NewKey {
        key: "second".to_owned(),
        access: Access::Full,
        primary_team: Some("t2".to_owned()),
    };
    account.add_key(second).expect("a new key");
    let client = |key: &str| Client::new(&simulator, Provider::Baseten, &format!("Api-Key {key}"));
    let (first, second) = (client("first"), client("second"));
    (simulator, account, first, second)
}

fn secret(name: &str, value: &str) -> Value {
    json!({ "name": name, "value": value })
}

#[tokio::test(start_paused = true)]
async fn the_documented_calls_answer_as_documented() {
    let (_simulator, account, client, _) = organization();
    client
        .check(&[
            ("POST /v1/secrets", secret("a", "1"), 200, json!({ "name": "a", "team_name": "one" })),
            ("POST /v1/teams/t2/secrets", secret("b", "2"), 200, json!({ "name": "b", "team_name": "two" })),
            ("GET /v1/teams/t1/secrets", NONE, 200, json!({ "secrets": [{ "name": "a" }] })),
            ("GET /v1/teams/t2/secrets", NONE, 200, json!({ "secrets": [{ "name": "b" }] })),
            ("GET /v1/secrets", NONE, 200, json!({ "secrets": [{ "name": "a" }, { "name": "b" }] })),
            ("GET /v1/teams", NONE, 200, json!({ "teams": [
                { "id": "t1", "name": "one", "default": true }, { "id": "t2", "name": "two", "default": false },
            ] })),
            ("GET /v1/teams?name=two", NONE, 200, json!({ "teams": [{ "id": "t2" }] })),
            ("GET /v1/teams/t1", NONE, 200, json!({ "id": "t1", "default": true })),
            ("DELETE /v1/secrets/a", NONE, 200, json!({ "name": "a" })),
            ("DELETE /v1/secrets/a", NONE, 404, json!({ "message": "Secret not found" })),
            ("DELETE /v1/teams/t2/secrets/b", NONE, 200, json!({ "name": "b" })),
            ("GET /v1/secrets", NONE, 200, json!({ "secrets": [] })),
            ("POST /v1/secrets", secret("a%2Fb/c", ""), 200, json!({ "name": "a%2Fb/c" })),
            ("DELETE /v1/secrets/a%252Fb%2Fc", NONE, 200, NONE),
        ])
        .await;
    assert!(account.held(None).is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_the_vendor_refuses_is_refused() {
    let (_simulator, _account, client, _) = organization();
    client
        .check(&[
            (
                "POST /v1/secrets",
                json!({ "name": "a" }),
                400,
                json!({ "message": "value: Field required" }),
            ),
            ("POST /v1/secrets", json!({ "value": "a" }), 400, NONE),
            ("POST /v1/secrets", secret("", "1"), 400, NONE),
            (
                "POST /v1/secrets",
                json!({ "name": "a", "value": 1 }),
                400,
                NONE,
            ),
            (
                "POST /v1/secrets",
                json!({ "name": "a", "value": null }),
                400,
                NONE,
            ),
            (
                "POST /v1/secrets",
                json!({ "name": "a", "value": "1", "team_id": "t1" }),
                400,
                NONE,
            ),
            ("POST /v1/secrets", json!(["a"]), 400, NONE),
            ("POST /v1/secrets", NONE, 400, NONE),
            (
                "POST /v1/teams/other/secrets",
                secret("a", "1"),
                404,
                json!({ "message": "Team not found" }),
            ),
            ("GET /v1/teams/other/secrets", NONE, 404, NONE),
            ("GET /v1/teams/other", NONE, 404, NONE),
            ("DELETE /v1/teams/other/secrets/a", NONE, 404, NONE),
            ("PUT /v1/secrets", secret("a", "1"), 405, NONE),
            ("GET /v1/secrets/a", NONE, 405, NONE),
            ("GET /v1/secrets/", NONE, 404, NONE),
            ("GET /v2/secrets", NONE, 404, NONE),
        ])
        .await;
    let wrong_type = client
        .raw(
            "POST /v1/secrets",
            "text/plain",
            secret("a", "1").to_string(),
        )
        .await
        .unwrap();
    assert_eq!(wrong_type.status, 415);
    assert_eq!(
        client.send("PUT /v1/secrets", NONE).await.headers["allow"],
        "GET, POST"
    );
}

#[tokio::test(start_paused = true)]
async fn names_fold_together_and_keep_their_case() {
    let (simulator, account, client, _) = organization();
    client
        .check(&[
            ("POST /v1/secrets", secret("hf_token", "old"), 200, NONE),
            (
                "POST /v1/secrets",
                secret("hf-token", "new"),
                200,
                json!({ "name": "hf_token" }),
            ),
            ("POST /v1/secrets", secret("HF_token", "upper"), 200, NONE),
        ])
        .await;
    assert_eq!(
        account.values(None),
        [("HF_token", "upper"), ("hf_token", "new")]
            .map(owned)
            .into()
    );
    simulator
        .baseten()
        .set_variants(&account, |variants| variants.spelling = Spelling::Last);
    client
        .check(&[
            (
                "GET /v1/teams/t1/secrets",
                NONE,
                200,
                json!({ "secrets": [{ "name": "HF_token" }, { "name": "hf-token" }] }),
            ),
            (
                "DELETE /v1/secrets/hf.token",
                NONE,
                200,
                json!({ "name": "hf-token" }),
            ),
        ])
        .await;
    assert_eq!(account.held(None).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_write_goes_to_the_primary_team_and_a_deletion_to_the_default_team() {
    let (_simulator, account, _, client) = organization();
    client
        .check(&[
            (
                "POST /v1/secrets",
                secret("a", "1"),
                200,
                json!({ "team_name": "two" }),
            ),
            (
                "GET /v1/secrets",
                NONE,
                200,
                json!({ "secrets": [{ "name": "a", "team_name": "two" }] }),
            ),
            ("DELETE /v1/secrets/a", NONE, 404, NONE),
        ])
        .await;
    assert!(account.held(None).is_empty());
    assert_eq!(account.held(Some("t2")).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_update_keeps_id_and_creation_time_and_a_recreation_does_not() {
    let (simulator, account, client, _) = organization();
    let first = client
        .send("POST /v1/secrets", secret("a", "1"))
        .await
        .json();
    assert_eq!(
        client
            .send("POST /v1/secrets", secret("a", "2"))
            .await
            .json(),
        first
    );
    account.foreign_write(None, "a", "3").unwrap();
    assert_eq!(
        client.send("GET /v1/secrets", NONE).await.json()["secrets"][0],
        first
    );
    assert!(account.held(None)["a"].updated > account.held(None)["a"].created);
    assert_eq!(account.held(None)["a"].writes, 3);
    client.send("DELETE /v1/secrets/a", NONE).await;
    let second = client
        .send("POST /v1/secrets", secret("a", "1"))
        .await
        .json();
    assert_ne!(second["id"], first["id"]);
    assert_ne!(second["created_at"], first["created_at"]);
    assert_eq!(
        simulator.baseten().secrets(&account, None)["a"].held.value,
        "1"
    );
}

#[tokio::test(start_paused = true)]
async fn id_and_team_name_are_absent_as_in_the_seeds() {
    let (simulator, account, client, _) = organization();
    let fields = async || {
        let body = client
            .send("POST /v1/secrets", secret("a", "1"))
            .await
            .json();
        body.as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect::<Vec<_>>()
    };
    assert_eq!(fields().await, ["created_at", "id", "name", "team_name"]);
    simulator
        .baseten()
        .set_variants(&account, |variants| variants.id = false);
    assert_eq!(fields().await, ["created_at", "name", "team_name"]);
    simulator
        .baseten()
        .set_variants(&account, |variants| variants.team_name = false);
    assert_eq!(fields().await, ["created_at", "name"]);
}

#[tokio::test(start_paused = true)]
async fn bearer_is_taken_unless_its_switch_refuses() {
    let (simulator, account, api_key, _) = organization();
    let bearer = Client::new(&simulator, Provider::Baseten, "Bearer first");
    let taken = [("GET /v1/secrets", NONE, 200, NONE)];
    bearer.check(&taken).await;
    api_key.check(&taken).await;
    simulator
        .baseten()
        .set_variants(&account, |variants| variants.bearer = false);
    bearer
        .check(&[(
            "GET /v1/secrets",
            NONE,
            401,
            json!({ "message": "Unauthorized" }),
        )])
        .await;
    api_key.check(&taken).await;
}

fn owned((name, value): (&str, &str)) -> (String, String) {
    (name.to_owned(), value.to_owned())
}
