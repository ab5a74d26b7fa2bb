//! Environments of the hub, which the vendor's client writes and the operator does not.

use serde_json::{Value, json};
use simulator::{Account, Provider, Simulator, prime_intellect::NewAccount};

use super::NONE;
use crate::support::Client;

const SLUG: &str = "acme/solver";

fn hub() -> (Account, Client) {
    let simulator = Simulator::new();
    let new = NewAccount::new("acme", "key").environment(SLUG);
    let account = simulator
        .prime_intellect()
        .add_account(new)
        .expect("a new account");
    let client = Client::new(&simulator, Provider::PrimeIntellect, "Bearer key");
    (account, client)
}

fn secret(name: &str, value: &str) -> Value {
    json!({ "name": name, "value": value })
}

#[tokio::test(start_paused = true)]
async fn an_environment_has_secrets_of_its_own_and_links_to_global_ones() {
    let (account, client) = hub();
    let latest = format!("GET /api/v1/environmentshub/{SLUG}/@latest");
    let root = format!(
        "/api/v1/environmentshub/{}/secrets",
        client.send(&latest, NONE).await.at("/data/id")
    );
    let (list, post) = (format!("GET {root}"), format!("POST {root}"));
    let own = client.send(&post, secret("OWN", "1")).await.at("/data/id");
    let global = client
        .send("POST /api/v1/secrets/", secret("GLOBAL", "2"))
        .await
        .at("/data/id");
    let (link, unlink) = (
        format!("POST {root}/link/{global}"),
        format!("DELETE {root}/link/{global}"),
    );
    let item = |method: &str| format!("{method} {root}/{own}");
    client
        .check(&[
            (&post, secret("OWN", "1"), 409, NONE),
            (&post, secret("own", "1"), 422, NONE),
            (&post, json!({ "name": "A" }), 422, NONE),
            (&post, json!({ "name": "A", "value": "1", "teamId": "t" }), 422, NONE),
            (&link, json!({}), 200, json!({ "data": { "secretId": global, "secretName": "GLOBAL" } })),
            (&link, json!({}), 409, NONE),
            (&link, json!({ "a": 1 }), 422, NONE),
            (&list, NONE, 200, json!({ "data": [
                { "name": "OWN", "source": "environment" }, { "name": "GLOBAL", "source": "global" },
            ] })),
            (&item("PATCH"), json!({ "value": "3" }), 200, json!({ "data": { "name": "OWN" } })),
            (&item("PATCH"), json!({ "isFile": true }), 422, NONE),
            (&item("GET"), NONE, 405, NONE),
        ])
        .await;
    let held = |name: &str| account.values(Some(SLUG)).get(name).cloned();
    assert_eq!(
        (held("OWN").as_deref(), held("GLOBAL").as_deref()),
        (Some("3"), Some("2"))
    );
    client
        .check(&[
            (&unlink, NONE, 200, NONE),
            (&unlink, NONE, 404, NONE),
            (&link, NONE, 200, NONE),
            (&item("DELETE"), NONE, 200, NONE),
            (&item("DELETE"), NONE, 404, NONE),
            // The deletion of a global secret drops its links.
            (&format!("DELETE /api/v1/secrets/{global}"), NONE, 200, NONE),
            (&list, NONE, 200, json!({ "data": [] })),
            (&link, json!({}), 404, NONE),
            (
                "GET /api/v1/environmentshub/acme/other/@latest",
                NONE,
                404,
                NONE,
            ),
            ("GET /api/v1/environmentshub/other/secrets", NONE, 404, NONE),
            ("GET /api/v1/environmentshub/other", NONE, 404, NONE),
        ])
        .await;
    assert!(account.held(Some(SLUG)).is_empty());
}
