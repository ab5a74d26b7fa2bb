//! Braintrust's switches, both sides of each (docs/vendors.md#bt-7, BT-13 and BT-14).

use serde_json::json;
use simulator::braintrust::{EqualSecret, ErrorBody, MissingId};

use super::{NONE, full, set, user};

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
