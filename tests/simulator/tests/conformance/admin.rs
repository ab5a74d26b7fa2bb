//! The admin API, over its router.

use axum::{body::Body, http::Request};
use serde_json::{Value, json};
use simulator::{Action, Provider, Simulator};
use tower::ServiceExt as _;

use crate::support::{client, contains, scope_of, write_of, written_of};

const NONE: Value = Value::Null;

async fn admin(simulator: &Simulator, line: &str, body: Value) -> (u16, String) {
    let (method, path) = line.split_once(' ').expect("method and path");
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("content-type", "application/json");
    let body = if body.is_null() {
        Body::empty()
    } else {
        Body::from(body.to_string())
    };
    let answer = simulator
        .admin_router()
        .oneshot(request.body(body).expect("a request"))
        .await
        .expect("infallible");
    let status = answer.status().as_u16();
    let bytes = axum::body::to_bytes(answer.into_body(), usize::MAX)
        .await
        .expect("a whole body");
    (status, String::from_utf8(bytes.to_vec()).expect("UTF-8"))
}

async fn check(simulator: &Simulator, line: &str, body: Value, status: u16, expected: Value) {
    let (actual, text) = admin(simulator, line, body).await;
    assert_eq!(actual, status, "{line}: {text}");
    if !expected.is_null() {
        let json = serde_json::from_str(&text).expect("JSON");
        assert!(
            contains(&json, &expected),
            "{line}: {text} lacks {expected}"
        );
    }
}

/// A body that names the test account.
fn target(provider: Provider, more: &Value) -> Value {
    let mut body = json!({ "provider": provider, "account": "test" });
    for (name, value) in more.as_object().expect("an object") {
        body[name] = value.clone();
    }
    body
}

#[tokio::test(start_paused = true)]
async fn accounts_keys_and_state() {
    for provider in Provider::ALL {
        let simulator = Simulator::new();
        let account = json!({ "provider": provider, "account": { "name": "test", "keys": [{ "key": "key" }] } });
        check(
            &simulator,
            "POST /accounts",
            account.clone(),
            200,
            json!({ "account": "test" }),
        )
        .await;
        check(&simulator, "POST /accounts", account, 400, NONE).await;
        check(
            &simulator,
            "POST /keys",
            target(provider, &json!({ "key": "second" })),
            200,
            NONE,
        )
        .await;
        let revoked = target(provider, &json!({ "key": "key", "access": "revoked" }));
        check(
            &simulator,
            "POST /keys",
            revoked,
            200,
            json!({ "access": "revoked" }),
        )
        .await;
        let write = target(
            provider,
            &json!({ "scope": scope_of(provider), "name": "NAME", "value": "canary" }),
        );
        check(&simulator, "POST /foreign/write", write.clone(), 200, NONE).await;
        let (_, masked) = admin(&simulator, "GET /state", NONE).await;
        assert!(masked.contains("NAME") && !masked.contains("canary"));
        let line = format!("GET /state?mask=false&provider={provider}&account=test");
        assert!(admin(&simulator, &line, NONE).await.1.contains("canary"));
        check(&simulator, "POST /foreign/delete", write.clone(), 200, NONE).await;
        check(&simulator, "POST /foreign/delete", write, 400, NONE).await;
    }
    check(&Simulator::new(), "GET /healthz", NONE, 200, NONE).await;
}

#[tokio::test(start_paused = true)]
async fn requests_are_shown_without_values() {
    for provider in Provider::ALL {
        let simulator = Simulator::new();
        let (_, client) = client(&simulator, provider);
        let (line, body) = write_of(provider);
        client
            .raw(
                line,
                "application/json",
                body.to_string().replace("\"value\"}", "\"canary\"}"),
            )
            .await
            .unwrap();
        client.send("GET /none", NONE).await;
        let (_, text) = admin(&simulator, "GET /requests?writes=true", NONE).await;
        let json: Value = serde_json::from_str(&text).unwrap();
        let (method, path) = line.split_once(' ').unwrap();
        let expected = json!({ "dropped": 0, "requests": [{ "method": method, "path": path, "status": written_of(provider) }] });
        assert!(contains(&json, &expected), "{text}");
        assert!(text.contains("***") && !text.contains("canary"), "{text}");
        check(
            &simulator,
            "GET /requests?after=1&limit=5",
            NONE,
            200,
            json!({ "requests": [{ "sequence": 2 }] }),
        )
        .await;
        check(&simulator, "DELETE /requests", NONE, 204, NONE).await;
        check(
            &simulator,
            "GET /requests",
            NONE,
            200,
            json!({ "requests": [] }),
        )
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn variants_latency_and_faults() {
    let simulator = Simulator::new();
    let (account, _) = client(&simulator, Provider::Pipecat);
    let pipecat = |more: Value| target(Provider::Pipecat, &more);
    let variants = pipecat(json!({ "variants": { "failing_puts": 2 } }));
    check(
        &simulator,
        "POST /variants",
        variants,
        200,
        json!({ "failing_puts": 2, "put": "merges" }),
    )
    .await;
    check(
        &simulator,
        "POST /variants",
        pipecat(json!({ "variants": { "no": 1 } })),
        400,
        NONE,
    )
    .await;
    check(
        &simulator,
        "POST /latency",
        pipecat(json!({ "milliseconds": 5 })),
        200,
        NONE,
    )
    .await;
    let answer =
        json!({ "answer": { "status": 429, "headers": { "retry-after": "1" }, "body": "{}" } });
    let fault = pipecat(
        json!({ "fault": { "method": "PUT", "times": 2, "delay_milliseconds": 7, "action": answer } }),
    );
    check(
        &simulator,
        "POST /faults",
        fault,
        200,
        json!({ "faults": [{ "times": 2 }] }),
    )
    .await;
    check(
        &simulator,
        "POST /faults",
        pipecat(json!({ "fault": { "action": "hang", "times": null } })),
        200,
        NONE,
    )
    .await;
    assert_eq!(
        (
            account.faults()[0].delay.as_millis(),
            &account.faults()[1].action
        ),
        (7, &Action::Hang)
    );
    check(
        &simulator,
        "POST /faults",
        pipecat(json!({ "fault": { "action": "explode" } })),
        422,
        NONE,
    )
    .await;
    check(
        &simulator,
        "DELETE /faults?provider=pipecat&account=test",
        NONE,
        200,
        NONE,
    )
    .await;
    assert!(account.faults().is_empty());
    let unknown = json!({ "provider": "pipecat", "account": "none", "milliseconds": 1 });
    check(&simulator, "POST /latency", unknown, 404, NONE).await;
}
