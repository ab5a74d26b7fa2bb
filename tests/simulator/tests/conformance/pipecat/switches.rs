//! Pipecat Cloud's switches, both sides of each (docs/vendors.md#where-the-sources-disagree).

use std::time::Duration;

use serde_json::json;
use simulator::{
    Simulator,
    pipecat::{Conflict, Content, EmptiedSet, ImagePullUpdate, Put, PutAnswer},
};

use super::{BAD, NONE, image_pull, organization, regular, set};

#[tokio::test(start_paused = true)]
async fn a_put_merges_or_replaces() {
    let (simulator, account, client) = organization();
    let put = "PUT /v1/secrets/app";
    client
        .check(&[
            (put, regular(&[("A", "1"), ("B", "1")]), 202, NONE),
            (put, regular(&[("A", "2")]), 202, NONE),
        ])
        .await;
    assert_eq!(
        account
            .values(Some("app"))
            .into_values()
            .collect::<Vec<_>>(),
        ["2", "1"]
    );
    set(&simulator, &account, |variants| {
        variants.put = Put::Replaces;
    });
    client
        .check(&[(put, regular(&[("A", "3")]), 202, NONE)])
        .await;
    assert_eq!(
        account
            .values(Some("app"))
            .into_values()
            .collect::<Vec<_>>(),
        ["3"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_set_is_pending_until_its_time_and_then_ready_or_failed() {
    let (simulator, account, client) = organization();
    set(&simulator, &account, |variants| {
        variants.ready_after = Duration::from_secs(5);
        variants.failing_puts = 1;
    });
    let put = (
        "PUT /v1/secrets/app",
        regular(&[("A", "1")]),
        202,
        json!({ "status": "OK", "region": "us-west" }),
    );
    let get = |status: &str| {
        (
            "GET /v1/secrets/app",
            NONE,
            200,
            json!({ "status": status }),
        )
    };
    client.check(&[put.clone(), get("pending")]).await;
    tokio::time::advance(Duration::from_secs(5)).await;
    client
        .check(&[
            get("failed"),
            (
                "GET /v1/secrets",
                NONE,
                200,
                json!({ "sets": [{ "status": "failed" }] }),
            ),
        ])
        .await;
    assert!(client.send("GET /v1/secrets/app", NONE).await.json()["errorMessage"].is_string());
    client.check(&[put, get("pending")]).await;
    let ready = |simulator: &Simulator| simulator.pipecat().sets(&account)["app"].status == "ready";
    simulator
        .wait_until(Duration::from_secs(6), ready)
        .await
        .unwrap();
    client.check(&[get("ready")]).await;
    set(&simulator, &account, |variants| {
        variants.status_absent = true;
    });
    for line in ["GET /v1/secrets", "GET /v1/secrets/app"] {
        assert!(!client.send(line, NONE).await.text.contains("status"));
    }
}

#[tokio::test(start_paused = true)]
async fn an_image_pull_secret_is_updated_unless_its_switch_refuses() {
    let (simulator, account, client) = organization();
    let put = "PUT /v1/secrets/pull";
    let host = || match &simulator.pipecat().sets(&account)["pull"].content {
        Content::ImagePull { host, .. } => host.clone(),
        Content::Regular(_) | Content::Referenced(_) => String::new(),
    };
    client
        .check(&[
            (put, image_pull("https://one"), 202, NONE),
            (put, image_pull("https://two"), 202, NONE),
        ])
        .await;
    assert_eq!(host(), "https://two/");
    // Today it takes all three fields.
    let incomplete = json!({
        "error": "Must provide isImagePullSecret, host, and secretValue to update an image pull secret",
        "code": BAD,
    });
    client
        .check(&[(put, regular(&[("A", "1")]), 400, incomplete)])
        .await;
    set(&simulator, &account, |variants| {
        variants.image_pull_update = ImagePullUpdate::Refused;
    });
    let refused = json!({
        "error": "Cannot update existing image pull secrets. Delete and recreate instead.", "code": BAD,
    });
    client
        .check(&[
            (put, image_pull("https://three/"), 400, refused),
            ("DELETE /v1/secrets/pull", NONE, 200, NONE),
            (put, image_pull("https://four/"), 202, NONE),
        ])
        .await;
    assert_eq!(host(), "https://four/");
}

#[tokio::test(start_paused = true)]
async fn the_seeds_put_answers_200_and_the_set_is_ready_at_once() {
    let (simulator, account, client) = organization();
    set(&simulator, &account, |variants| {
        variants.put_answer = PutAnswer::Ok;
        variants.ready_after = Duration::ZERO;
    });
    client
        .check(&[
            (
                "PUT /v1/secrets/app",
                regular(&[("A", "1")]),
                200,
                json!({ "status": "OK" }),
            ),
            (
                "GET /v1/secrets/app",
                NONE,
                200,
                json!({ "status": "ready" }),
            ),
        ])
        .await;
    let answer = client
        .send("PUT /v1/secrets/app", regular(&[("A", "1")]))
        .await;
    assert_eq!(answer.json(), json!({ "status": "OK" }));
}

#[tokio::test(start_paused = true)]
async fn a_busy_set_is_a_conflict() {
    let (simulator, account, client) = organization();
    account.set_latency(Duration::from_secs(1));
    let put = async || {
        client
            .send("PUT /v1/secrets/app", regular(&[("A", "1")]))
            .await
            .status
            .as_u16()
    };
    assert_eq!(tokio::join!(put(), put()), (202, 409));
    assert_eq!(put().await, 202);
    set(&simulator, &account, |variants| {
        variants.conflict = Conflict::Never;
    });
    assert_eq!(tokio::join!(put(), put()), (202, 202));

    set(&simulator, &account, |variants| {
        variants.conflict = Conflict::WhilePending;
        variants.ready_after = Duration::from_secs(10);
    });
    assert_eq!((put().await, put().await), (202, 409));
    tokio::time::advance(Duration::from_secs(10)).await;
    let body = client
        .send("PUT /v1/secrets/app", regular(&[("A", "1")]))
        .await;
    assert_eq!(body.status, 202);
    let busy = client
        .send("PUT /v1/secrets/app", regular(&[("A", "1")]))
        .await;
    assert_eq!(busy.at("/code"), "CONFLICT");
}

#[tokio::test(start_paused = true)]
async fn a_set_without_keys_stays_or_vanishes() {
    for (emptied_set, sets) in [(EmptiedSet::Stays, 1), (EmptiedSet::Vanishes, 0)] {
        let (simulator, account, client) = organization();
        set(&simulator, &account, |variants| {
            variants.emptied_set = emptied_set;
        });
        client
            .check(&[
                ("PUT /v1/secrets/app", regular(&[("A", "1")]), 202, NONE),
                ("DELETE /v1/secrets/app/A", NONE, 200, NONE),
            ])
            .await;
        assert_eq!(simulator.pipecat().sets(&account).len(), sets);
    }
}
