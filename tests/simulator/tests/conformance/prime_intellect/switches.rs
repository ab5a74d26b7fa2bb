//! PrimeIntellect's switches, both sides of each (docs/vendors.md#where-the-sources-disagree).

use serde_json::json;
use simulator::{
    Provider,
    prime_intellect::{
        CountField, Duplicate, EqualPatch, ErrorShape, NullDescription, WriteAnswer,
    },
};

use super::{COLLECTION, NONE, secret, set, user};
use crate::support::Client;

#[tokio::test(start_paused = true)]
async fn a_duplicate_is_answered_as_the_switch_says() {
    for (duplicate, status) in [
        (Duplicate::Conflict, 409),
        (Duplicate::BadRequest, 400),
        (Duplicate::Unprocessable, 422),
        (Duplicate::Silent, 200),
    ] {
        let (simulator, account, client) = user();
        set(&simulator, &account, |variants| {
            variants.duplicate = duplicate;
        });
        client
            .check(&[
                (COLLECTION, secret("A"), 200, NONE),
                (COLLECTION, secret("A"), status, NONE),
            ])
            .await;
        // Another scope is another namespace.
        client
            .check(&[(
                COLLECTION,
                json!({ "name": "A", "value": "v", "teamId": "team" }),
                200,
                NONE,
            )])
            .await;
        let count = simulator.prime_intellect().secrets(&account, None).len();
        assert_eq!(count, if duplicate == Duplicate::Silent { 2 } else { 1 });
    }
}

#[tokio::test(start_paused = true)]
async fn updated_at_moves_with_each_patch_or_only_with_changes() {
    let (simulator, account, client) = user();
    let created = client.send(COLLECTION, secret("A")).await;
    let item = format!("PATCH /api/v1/secrets/{}", created.at("/data/id"));
    let mut last = created.at("/data/updatedAt");
    for (equal_patch, value, moves) in [
        (EqualPatch::Moves, "v", true),
        (EqualPatch::Moves, "w", true),
        (EqualPatch::Stays, "w", false),
        (EqualPatch::Stays, "x", true),
    ] {
        set(&simulator, &account, |variants| {
            variants.equal_patch = equal_patch;
        });
        let now = client
            .send(&item, json!({ "value": value }))
            .await
            .at("/data/updatedAt");
        assert_eq!(now > last, moves, "{equal_patch:?} {value}");
        last = now;
    }
    account.foreign_write(None, "A", "y").unwrap();
    assert!(
        client
            .send("GET /api/v1/secrets/", NONE)
            .await
            .at("/data/0/updatedAt")
            > last
    );
}

#[tokio::test(start_paused = true)]
async fn null_in_a_patch_leaves_or_clears_the_description() {
    let (simulator, account, client) = user();
    let created = client
        .send(
            COLLECTION,
            json!({ "name": "A", "value": "v", "description": "d" }),
        )
        .await;
    let item = format!("PATCH /api/v1/secrets/{}", created.at("/data/id"));
    let nulls = json!({ "name": null, "value": null, "description": null });
    client
        .check(&[(
            &item,
            nulls.clone(),
            200,
            json!({ "data": { "name": "A", "description": "d" } }),
        )])
        .await;
    set(&simulator, &account, |variants| {
        variants.null_description = NullDescription::Clears;
    });
    client
        .check(&[(
            &item,
            nulls,
            200,
            json!({ "data": { "name": "A", "description": null } }),
        )])
        .await;
    assert_eq!(account.values(None)["A"], "v");
}

#[tokio::test(start_paused = true)]
async fn a_write_may_answer_without_data() {
    let (simulator, account, client) = user();
    set(&simulator, &account, |variants| {
        variants.write_answer = WriteAnswer::Null;
    });
    client
        .check(&[(COLLECTION, secret("A"), 200, json!({ "data": null }))])
        .await;
    let item = format!(
        "PATCH /api/v1/secrets/{}",
        account.held(None)["A"].id.clone().unwrap()
    );
    client
        .check(&[(&item, json!({ "value": "2" }), 200, json!({ "data": null }))])
        .await;
    client
        .check(&[(
            &item.replace("PATCH", "GET"),
            NONE,
            200,
            json!({ "data": { "name": "A" } }),
        )])
        .await;
    assert_eq!(account.values(None)["A"], "2");
}

#[tokio::test(start_paused = true)]
async fn errors_have_the_seeds_shape_or_the_frameworks() {
    let (simulator, account, client) = user();
    let stranger = Client::new(&simulator, Provider::PrimeIntellect, "Bearer other");
    stranger
        .check(&[("GET /api/v1/secrets/", NONE, 401, NONE)])
        .await;
    set(&simulator, &account, |variants| {
        variants.errors = ErrorShape::Detail;
    });
    client
        .check(&[
            (
                COLLECTION,
                json!({ "name": "A" }),
                422,
                json!({ "detail": [
                { "loc": ["body", "value"], "msg": "Field required", "type": "missing" },
            ] }),
            ),
            (
                "GET /api/v1/secrets/?limit=x",
                NONE,
                422,
                json!({ "detail": [{ "loc": ["query", "limit"] }] }),
            ),
            (
                "GET /api/v1/secrets/none",
                NONE,
                404,
                json!({ "detail": "Secret not found" }),
            ),
        ])
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_page_is_never_longer_than_a_hundred() {
    let (simulator, account, client) = user();
    for index in 0..250 {
        account
            .foreign_write(None, &format!("A{index}"), "v")
            .unwrap();
    }
    for (query, length) in [
        ("", 100),
        ("?limit=500", 100),
        ("?limit=7", 7),
        ("?offset=200", 50),
        ("?offset=250", 0),
    ] {
        let page = client
            .send(&format!("GET /api/v1/secrets/{query}"), NONE)
            .await
            .json();
        assert_eq!(page["data"].as_array().unwrap().len(), length, "{query}");
        assert_eq!(page["total_count"], 250);
    }
    for (count_field, fields) in [
        (
            CountField::TotalCountCamel,
            ["data", "limit", "offset", "status", "totalCount"].as_slice(),
        ),
        (CountField::Absent, &["data", "limit", "offset", "status"]),
    ] {
        set(&simulator, &account, |variants| {
            variants.count_field = count_field;
        });
        let page = client.send("GET /api/v1/secrets/", NONE).await.json();
        assert_eq!(page.as_object().unwrap().keys().collect::<Vec<_>>(), fields);
    }
}
