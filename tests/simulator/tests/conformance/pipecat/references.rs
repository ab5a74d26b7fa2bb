//! What the vendor's client alone uses: the organization's paths, one pair in a body, and sets that refer to a Secret in
//! a cluster of the user's (docs/vendors.md#pc-14).

use serde_json::json;
use simulator::{
    Account, Provider, Simulator,
    pipecat::{ListedSource, NewAccount, ReferencedKeys, ReferencedStatus, SetType},
};

use super::{BAD, NONE, image_pull, regular, set};
use crate::support::Client;

/// An organization with a region of its own.
fn enterprise() -> (Simulator, Account, Client) {
    let simulator = Simulator::new();
    let new = NewAccount::new("acme", "key")
        .cluster_secret("pce-acme", "app-keys", SetType::Secret)
        .cluster_secret("pce-acme", "registry", SetType::ImagePullSecret);
    let account = simulator.pipecat().add_account(new).expect("a new account");
    let client = Client::new(&simulator, Provider::Pipecat, "Bearer key");
    (simulator, account, client)
}

#[tokio::test(start_paused = true)]
async fn the_organizations_paths_are_the_same_tree() {
    let (_simulator, account, client) = enterprise();
    let put = "PUT /v1/organizations/acme/secrets/app";
    let pair = |name: &str, key: &str| json!({ "name": name, "isImagePullSecret": false, "secretKey": key, "secretValue": "1" });
    client
        .check(&[
            ("GET /v1/organizations", NONE, 200, json!({ "organizations": [{ "name": "acme" }] })),
            (put, pair("app", "A"), 202, json!({ "status": "OK", "region": "us-west" })),
            (put, pair("app", "B"), 202, NONE),
            (put, pair("other", "B"), 400, json!({ "code": BAD })),
            (put, json!({ "name": "app", "isImagePullSecret": false, "secretKey": "A" }), 400, NONE),
            ("PUT /v1/organizations/acme/secrets/pull", image_pull("https://h/"), 202, NONE),
            ("GET /v1/organizations/acme/secrets/app", NONE, 200, json!({
                "secrets": [{ "fieldName": "A" }, { "fieldName": "B" }],
            })),
            ("GET /v1/organizations/acme/secrets?region=us-west", NONE, 200, json!({
                "sets": [{ "name": "app" }, { "name": "pull" }],
            })),
            ("GET /v1/organizations/acme/regions", NONE, 200, json!({ "regions": [
                { "code": "us-west" }, { "code": "us-east" }, { "code": "eu-central" }, { "code": "ap-south" },
                { "code": "pce-acme" },
            ] })),
            ("GET /v1/organizations/acme/properties", NONE, 200, json!({ "properties": { "defaultRegion": "us-west" } })),
            ("DELETE /v1/organizations/acme/secrets/app/A", NONE, 200, NONE),
            ("DELETE /v1/organizations/acme/secrets/pull", NONE, 200, NONE),
            ("GET /v1/organizations/else/secrets", NONE, 403, json!({ "code": "FORBIDDEN" })),
            ("GET /v1/organizations/acme", NONE, 404, NONE),
            ("GET /v1/organizations/acme/organizations", NONE, 404, NONE),
        ])
        .await;
    assert_eq!(
        account.values(Some("app")),
        [("B".to_owned(), "1".to_owned())].into()
    );
}

#[tokio::test(start_paused = true)]
async fn a_referenced_set_shows_no_keys_and_cannot_be_written() {
    let (simulator, account, client) = enterprise();
    let post = "POST /v1/secrets/references";
    let to = |name: &str, region: &str| json!({ "name": name, "region": region });
    client
        .check(&[
            (post, to("app-keys", "pce-acme"), 200, json!({ "name": "app-keys", "type": "secret" })),
            (post, to("app-keys", "pce-acme"), 200, NONE),
            (post, to("registry", "pce-acme"), 200, json!({ "type": "imagePullSecret" })),
            (post, to("absent", "pce-acme"), 404, json!({ "code": "NOT_FOUND" })),
            (post, to("app-keys", "us-west"), 400, json!({ "code": BAD })),
            (post, to("app-keys", "pce-other"), 400, json!({ "code": BAD })),
            (post, json!({ "name": "app-keys" }), 400, NONE),
            ("POST /v1/secrets/app-keys", to("app-keys", "pce-acme"), 405, NONE),
            ("GET /v1/secrets", NONE, 200, json!({ "sets": [
                { "name": "app-keys", "type": "secret", "region": "pce-acme", "status": "ready", "source": "referenced" },
                { "name": "registry", "type": "imagePullSecret", "source": "referenced" },
            ] })),
            ("GET /v1/secrets/app-keys", NONE, 200, json!({
                "region": "pce-acme", "status": "ready", "source": "referenced", "secrets": [],
            })),
            ("GET /v1/secrets/registry", NONE, 400, NONE),
            ("PUT /v1/secrets/app-keys", regular(&[("A", "1")]), 409, json!({ "code": "CONFLICT" })),
            ("PUT /v1/secrets/registry", image_pull("https://h/"), 409, json!({ "code": "CONFLICT" })),
            ("DELETE /v1/secrets/app-keys/A", NONE, 400, NONE),
        ])
        .await;
    assert!(account.held(None).is_empty());
    set(&simulator, &account, |variants| {
        variants.referenced_keys = ReferencedKeys::Absent;
        variants.referenced_status = ReferencedStatus::Unknown;
        variants.listed_source = ListedSource::Absent;
    });
    let listed = client.send("GET /v1/secrets", NONE).await;
    assert!(!listed.text.contains("source"), "{}", listed.text);
    let shown = client.send("GET /v1/secrets/app-keys", NONE).await.json();
    let expected = json!({ "region": "pce-acme", "status": "unknown", "source": "referenced" });
    assert_eq!(shown, expected);
    client
        .check(&[
            ("DELETE /v1/secrets/app-keys", NONE, 200, NONE),
            ("GET /v1/secrets/app-keys", NONE, 404, NONE),
            // The name is free for a set of keys, which cannot become a reference.
            (
                "PUT /v1/secrets/app-keys",
                regular(&[("A", "1")]),
                202,
                NONE,
            ),
            (post, to("app-keys", "pce-acme"), 400, NONE),
        ])
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_self_hosted_region_is_named_like_one() {
    let simulator = Simulator::new();
    let wrong = NewAccount::new("acme", "key").cluster_secret("us-west", "app", SetType::Secret);
    let refused = simulator.pipecat().add_account(wrong);
    assert!(refused.is_err());
}
