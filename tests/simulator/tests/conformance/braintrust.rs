//! Braintrust: seed `braintrust-create.md`, providers.md 4.

use serde_json::{Value, json};
use simulator::{
    Account, Provider, Simulator,
    braintrust::{EqualSecret, ErrorBody, MissingId, NewAccount, Variants},
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
async fn put_blanks_what_is_absent_but_keeps_the_secret() {
    let (simulator, account, client) = user();
    let first = client.send("PUT /v1/ai_secret", full("1")).await.json();
    for body in [
        json!({ "name": "A" }),
        json!({ "name": "A", "secret": null }),
    ] {
        let now = client.send("PUT /v1/ai_secret", body).await.json();
        assert_eq!((&now["type"], &now["metadata"]), (&NONE, &NONE));
        assert_eq!(
            (&now["id"], &now["created"]),
            (&first["id"], &first["created"])
        );
        assert_eq!(now["secret_updated_at"], first["secret_updated_at"]);
        assert_ne!(now["updated_at"], first["updated_at"]);
    }
    assert_eq!(account.values(None)["A"], "1");
    let now = client.send("PUT /v1/ai_secret", full("1")).await.json();
    assert_ne!(now["secret_updated_at"], first["secret_updated_at"]);
    set(&simulator, &account, |variants| {
        variants.equal_secret = EqualSecret::Stays;
    });
    let equal = client.send("PUT /v1/ai_secret", full("1")).await.json();
    assert_eq!(equal["secret_updated_at"], now["secret_updated_at"]);
    let other = client.send("PUT /v1/ai_secret", full("2")).await.json();
    assert_ne!(other["secret_updated_at"], now["secret_updated_at"]);
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

#[tokio::test(start_paused = true)]
async fn the_organization_is_chosen_by_name_and_the_list_has_all() {
    let (_simulator, account, client) = user();
    client
        .check(&[
            (
                "PUT /v1/ai_secret",
                json!({ "name": "A", "secret": "1" }),
                200,
                NONE,
            ),
            (
                "PUT /v1/ai_secret",
                json!({ "name": "A", "secret": "2", "org_name": "two" }),
                200,
                NONE,
            ),
            (
                "GET /v1/ai_secret",
                NONE,
                200,
                json!({ "objects": [{ "name": "A" }, { "name": "A" }] }),
            ),
            (
                "GET /v1/ai_secret?org_name=two",
                NONE,
                200,
                json!({ "objects": [{ "name": "A" }] }),
            ),
            (
                "DELETE /v1/ai_secret",
                json!({ "name": "A", "org_name": "two" }),
                200,
                NONE,
            ),
        ])
        .await;
    assert_eq!(account.values(Some("one"))["A"], "1");
    assert!(account.held(Some("two")).is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_list_is_newest_first_filtered_and_paged_by_cursor() {
    let (_simulator, account, client) = user();
    for index in 0..250 {
        account
            .foreign_write(None, &format!("S{index}"), "v")
            .unwrap();
    }
    let page = async |query: &str| {
        let body = client
            .send(&format!("GET /v1/ai_secret?{query}"), NONE)
            .await
            .json();
        body["objects"].as_array().unwrap().clone()
    };
    let (mut seen, mut query) = (Vec::new(), String::new());
    loop {
        let objects = page(&query).await;
        let Some(last) = objects.last() else { break };
        query = format!("starting_after={}", last["id"].as_str().unwrap());
        seen.extend(objects);
    }
    let names: Vec<_> = seen
        .iter()
        .map(|object| object["name"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(
        names,
        (0..250)
            .rev()
            .map(|index| format!("S{index}"))
            .collect::<Vec<_>>()
    );

    let id = |position: usize| seen[position]["id"].as_str().unwrap();
    assert_eq!(
        page(&format!("limit=2&ending_before={}", id(10))).await,
        seen[8..10]
    );
    assert_eq!(
        page(&format!("limit=2&starting_after={}", id(10))).await,
        seen[11..13]
    );
    assert_eq!(
        page(&format!("ids={}&ids={}", id(5), id(3))).await,
        [seen[3].clone(), seen[5].clone()]
    );
    assert_eq!(page("ai_secret_name=S7").await.len(), 1);
    assert_eq!(page("limit=0").await.len(), 0);
    client.send("PUT /v1/ai_secret", full("1")).await;
    client
        .send("PUT /v1/ai_secret", json!({ "name": "G", "type": "groq" }))
        .await;
    assert_eq!(page("ai_secret_type=openai").await.len(), 1);
    assert_eq!(
        page("ai_secret_type=openai&ai_secret_type=groq")
            .await
            .len(),
        2
    );
    let both = format!(
        "GET /v1/ai_secret?starting_after={}&ending_before={}",
        id(1),
        id(2)
    );
    client.check(&[(&both, NONE, 400, NONE)]).await;
}

#[tokio::test(start_paused = true)]
async fn a_foreign_write_moves_the_times_and_names_another_user() {
    let (simulator, account, client) = user();
    let first = client.send("PUT /v1/ai_secret", full("1")).await;
    account.foreign_write(None, "A", "2").unwrap();
    let item = format!("GET /v1/ai_secret/{}", first.at("/id"));
    let now = client.send(&item, NONE).await;
    assert!(now.at("/secret_updated_at") > first.at("/secret_updated_at"));
    assert_ne!(
        now.at("/secret_updated_by_user_id"),
        first.at("/secret_updated_by_user_id")
    );
    set(&simulator, &account, |variants| {
        variants.secret_updated_at_absent = true;
    });
    assert!(
        !client
            .send(&item, NONE)
            .await
            .text
            .contains("secret_updated")
    );
}

#[tokio::test(start_paused = true)]
async fn errors_are_text_or_json_and_a_missing_id_is_404_or_400() {
    let (simulator, account, client) = user();
    let missing = "GET /v1/ai_secret/00000000-0000-4000-8000-000000000000";
    let text = client.send(missing, NONE).await;
    assert_eq!(
        (text.status.as_u16(), text.text.as_str()),
        (404, "ai_secret not found")
    );
    assert_eq!(text.headers["content-type"], "text/plain; charset=utf-8");
    set(&simulator, &account, |variants| {
        variants.errors = ErrorBody::Json;
        variants.missing_id = MissingId::BadRequest;
    });
    client
        .check(&[(
            missing,
            NONE,
            400,
            json!({ "error": { "message": "ai_secret does not exist" } }),
        )])
        .await;
}
