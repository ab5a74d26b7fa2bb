//! PrimeIntellect: docs/vendors.md#primeintellect.

mod environments;
mod switches;

use serde_json::{Value, json};
use simulator::{
    Account, Provider, Simulator,
    prime_intellect::{NewAccount, Variants},
};

use crate::support::Client;

const NONE: Value = Value::Null;
const COLLECTION: &str = "POST /api/v1/secrets/";

fn user() -> (Simulator, Account, Client) {
    let simulator = Simulator::new();
    let account = simulator
        .prime_intellect()
        .add_account(NewAccount::new("test", "key").team("team"))
        .expect("new");
    let client = Client::new(&simulator, Provider::PrimeIntellect, "Bearer key");
    (simulator, account, client)
}

fn set(simulator: &Simulator, account: &Account, change: impl FnOnce(&mut Variants)) {
    simulator.prime_intellect().set_variants(account, change);
}

fn secret(name: &str) -> Value {
    json!({ "name": name, "value": "v" })
}

#[tokio::test(start_paused = true)]
async fn the_documented_calls_answer_as_documented() {
    let (simulator, account, client) = user();
    let body =
        json!({ "name": "A", "value": "1", "description": "d", "teamId": null, "isFile": false });
    let created = client.send(COLLECTION, body).await;
    assert_eq!(created.status, 200);
    let data = created.json()["data"].clone();
    assert_eq!(data["name"], "A");
    assert_eq!(data["description"], "d");
    assert_eq!(data["isFile"], false);
    assert_eq!(data["teamId"], NONE);
    assert_eq!(data["createdAt"], data["updatedAt"]);
    let item = |method: &str| format!("{method} /api/v1/secrets/{}", created.at("/data/id"));
    client
        .check(&[
            (&item("GET"), NONE, 200, json!({ "data": data })),
            (
                "GET /api/v1/secrets/",
                NONE,
                200,
                json!({ "data": [data], "total_count": 1, "offset": 0, "limit": 100 }),
            ),
            (
                &item("PATCH"),
                json!({ "value": "2" }),
                200,
                json!({ "data": { "name": "A", "description": "d" } }),
            ),
            (
                &item("PATCH"),
                json!({ "name": "B", "description": "e" }),
                200,
                json!({ "data": { "name": "B" } }),
            ),
            (
                "GET /api/v1/user/teams",
                NONE,
                200,
                json!({ "data": [{ "teamId": "team" }], "total_count": 1 }),
            ),
            (
                "GET /api/v1/user/whoami",
                NONE,
                200,
                json!({ "data": { "scope": { "secrets": { "write": true } } } }),
            ),
        ])
        .await;
    let held = &simulator.prime_intellect().secrets(&account, None)[0];
    assert_eq!(
        (
            held.name.as_str(),
            held.held.value.as_str(),
            held.description.as_deref()
        ),
        ("B", "2", Some("e"))
    );
    client
        .check(&[
            (&item("DELETE"), NONE, 200, NONE),
            (&item("DELETE"), NONE, 404, NONE),
        ])
        .await;
}

#[tokio::test(start_paused = true)]
async fn what_the_vendor_refuses_is_refused() {
    let (_simulator, account, client) = user();
    let file = |value: String| json!({ "name": "F", "value": value, "isFile": true });
    let mut rows = vec![
        (
            COLLECTION,
            json!({ "name": "A" }),
            422,
            json!({ "errors": [{ "param": "value" }] }),
        ),
        (
            COLLECTION,
            json!({ "name": "A", "value": "" }),
            422,
            json!({ "errors": [{ "param": "value" }] }),
        ),
        (
            COLLECTION,
            json!({ "name": "A", "value": "1", "isFile": "yes" }),
            422,
            NONE,
        ),
        (
            COLLECTION,
            json!({ "name": "A", "value": "1", "team_id": "team" }),
            422,
            NONE,
        ),
        (
            COLLECTION,
            json!({ "name": "A", "value": "1", "teamId": "other" }),
            403,
            NONE,
        ),
        (
            COLLECTION,
            json!({ "name": "A", "value": "1", "description": "d".repeat(501) }),
            422,
            NONE,
        ),
        (COLLECTION, file("no base64!".to_owned()), 422, NONE),
        (COLLECTION, file("A".repeat(64 * 1024 + 4)), 422, NONE),
        (COLLECTION, file("A".repeat(64 * 1024)), 200, NONE),
        (
            COLLECTION,
            json!({ "name": "D", "value": "1", "description": "d".repeat(500) }),
            200,
            NONE,
        ),
        (COLLECTION, NONE, 422, NONE),
        ("GET /api/v1/secrets/?limit=0", NONE, 422, NONE),
        ("GET /api/v1/secrets/?offset=-1", NONE, 422, NONE),
        ("GET /api/v1/secrets/?teamId=other", NONE, 403, NONE),
        ("PUT /api/v1/secrets/", secret("A"), 405, NONE),
        ("POST /api/v1/secrets/id", secret("A"), 405, NONE),
        ("GET /api/v1/secret/", NONE, 404, NONE),
    ];
    let long = ["A".repeat(256), "A".repeat(255)];
    for name in ["", "a", "1A", "_A", "A-B", "A.B", "Ab", &long[0]] {
        rows.push((
            COLLECTION,
            secret(name),
            422,
            json!({ "errors": [{ "param": "name" }] }),
        ));
    }
    rows.push((COLLECTION, secret(&long[1]), 200, NONE));
    client.check(&rows).await;
    let id = account.held(None)["D"].id.clone().unwrap();
    let item = format!("PATCH /api/v1/secrets/{id}");
    let file = format!(
        "PATCH /api/v1/secrets/{}",
        account.held(None)["F"].id.clone().unwrap()
    );
    client
        .check(&[
            (&item, json!({ "isFile": true }), 422, NONE),
            (&item, json!({ "teamId": "team" }), 422, NONE),
            (&item, json!({ "value": "" }), 422, NONE),
            (&item, json!({ "name": "lower" }), 422, NONE),
            (&item, json!({ "name": "F" }), 409, NONE),
            (&file, json!({ "value": "no base64!" }), 422, NONE),
        ])
        .await;
    let wrong_type = client
        .raw(COLLECTION, "application/x-yaml", secret("X").to_string())
        .await
        .unwrap();
    assert_eq!(wrong_type.status, 422);
}

#[tokio::test(start_paused = true)]
async fn the_team_is_in_the_body_of_a_creation_and_in_the_query_of_everything_else() {
    let (_simulator, account, client) = user();
    let created = client
        .send(
            COLLECTION,
            json!({ "name": "A", "value": "v", "teamId": "team" }),
        )
        .await;
    assert_eq!(created.at("/data/teamId"), "team");
    let personal = |method: &str| format!("{method} /api/v1/secrets/{}", created.at("/data/id"));
    let team = |method: &str| format!("{}?teamId=team", personal(method));
    client
        .check(&[
            (
                "GET /api/v1/secrets/",
                NONE,
                200,
                json!({ "data": [], "total_count": 0 }),
            ),
            (
                "GET /api/v1/secrets/?teamId=team",
                NONE,
                200,
                json!({ "data": [{ "name": "A" }] }),
            ),
            (&personal("GET"), NONE, 404, NONE),
            (&personal("PATCH"), json!({ "value": "x" }), 404, NONE),
            (&personal("DELETE"), NONE, 404, NONE),
            (&team("GET"), NONE, 200, NONE),
            (&team("PATCH"), json!({ "value": "x" }), 200, NONE),
        ])
        .await;
    assert_eq!(account.values(Some("team"))["A"], "x");
    client.check(&[(&team("DELETE"), NONE, 200, NONE)]).await;
    assert!(account.held(Some("team")).is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_wrong_trailing_slash_is_redirected_before_the_key_is_looked_at() {
    let (simulator, account, client) = user();
    let stranger = Client::new(&simulator, Provider::PrimeIntellect, "");
    for (line, location) in [
        ("POST /api/v1/secrets", "/api/v1/secrets/"),
        (
            "GET /api/v1/secrets?teamId=team",
            "/api/v1/secrets/?teamId=team",
        ),
        ("DELETE /api/v1/secrets/id/", "/api/v1/secrets/id"),
    ] {
        for client in [&client, &stranger] {
            let answer = client.send(line, secret("A")).await;
            assert_eq!(
                (
                    answer.status.as_u16(),
                    answer.headers["location"].to_str().unwrap()
                ),
                (307, location)
            );
        }
    }
    assert!(account.held(None).is_empty());
}
