//! What the tests of commands show: objects as the operator leaves them, and docs/cli.md, whose samples are the output
//! of tests.

use std::{
    collections::VecDeque,
    convert::Infallible,
    sync::{Arc, Mutex},
};

use jiff::{SignedDuration, Timestamp};
use kube::{Client, client::Body};
use serde_json::{Value, json};

use crate::{api::ProviderSecret, cli::read::Reader};

/// The time of the samples.
pub(in crate::cli) fn now() -> Timestamp {
    "2026-11-29T12:00:00Z".parse().unwrap()
}

/// Some seconds before the time of the samples.
pub(in crate::cli) fn ago(seconds: i64) -> String {
    (now() - SignedDuration::from_secs(seconds)).to_string()
}

/// Asserts that docs/cli.md shows this output below this command.
pub(in crate::cli) fn documented(command: &str, shown: &str) {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let document = std::fs::read_to_string(root.join("docs/cli.md")).unwrap();
    let block = format!("```text\n$ kubectl provider-secrets {command}\n{shown}```\n");
    assert!(document.contains(&block), "docs/cli.md lacks:\n{block}");
}

/// An API server that gives these answers, one to each request and the last one to all further ones.
pub(in crate::cli) fn answering(answers: Vec<(u16, Value)>) -> Reader {
    let answers = Arc::new(Mutex::new(VecDeque::from(answers)));
    let service = tower::service_fn(move |_: http::Request<Body>| {
        let mut answers = answers.lock().unwrap();
        let (code, body) = match answers.len() {
            1 => answers[0].clone(),
            _ => answers.pop_front().unwrap(),
        };
        let body = Body::from(body.to_string().into_bytes());
        let answer = http::Response::builder().status(code).body(body).unwrap();
        async { Ok::<_, Infallible>(answer) }
    });
    Reader::new(Client::new(service, "ml"), "ml".to_owned())
}

/// An API server that takes requests and answers none.
pub(in crate::cli) fn silent() -> Reader {
    falling_silent(Vec::new())
}

/// An API server that gives these answers, one to each request, and takes all further ones without an answer.
pub(in crate::cli) fn falling_silent(answers: Vec<(u16, Value)>) -> Reader {
    let mut answers = VecDeque::from(answers);
    let service = tower::service_fn(move |_: http::Request<Body>| {
        let answer = answers.pop_front();
        async move {
            let (code, body) = match answer {
                Some(answer) => answer,
                None => std::future::pending().await,
            };
            let body = Body::from(body.to_string().into_bytes());
            let answer = http::Response::builder().status(code).body(body).unwrap();
            Ok::<_, Infallible>(answer)
        }
    });
    Reader::new(Client::new(service, "ml"), "ml".to_owned())
}

/// The answer of an API server that refuses a request.
pub(in crate::cli) fn refused(code: u16) -> (u16, Value) {
    let message = "what it says";
    let status = json!({"kind": "Status", "status": "Failure", "code": code, "message": message, "reason": "Word"});
    (code, status)
}

/// A condition, since some seconds.
pub(in crate::cli) fn condition(
    kind: &str,
    status: &str,
    reason: &str,
    message: &str,
    seconds: i64,
) -> Value {
    json!({
        "type": kind, "status": status, "reason": reason, "message": message,
        "lastTransitionTime": ago(seconds), "observedGeneration": 3,
    })
}

/// An object `namespace/name` of generation 3 that was created 12 days ago, with this spec and status.
pub(in crate::cli) fn object(place: &str, spec: Value, status: Value) -> ProviderSecret {
    let (namespace, name) = place.split_once('/').unwrap();
    let mut object = json!({
        "apiVersion": "providersecrets.dev/v1alpha1", "kind": "ProviderSecret",
        "metadata": {
            "namespace": namespace, "name": name, "uid": format!("uid-of-{name}"), "generation": 3,
            "creationTimestamp": ago(12 * 86_400),
        },
    });
    object["spec"] = spec;
    object["status"] = status;
    if object["status"]["observedGeneration"].is_null() {
        object["status"]["observedGeneration"] = 3.into();
    }
    serde_json::from_value(object).unwrap()
}

/// `spec.provider` with the API key in a Secret, key `token`.
pub(in crate::cli) fn provider(member: &str, secret: &str) -> Value {
    json!({member: {"apiKeySecretRef": {"name": secret, "key": "token"}}})
}

/// An object with one entry, in the state that the conditions of a reason mean.
pub(in crate::cli) fn in_state(
    place: &str,
    class: &str,
    reason: &str,
    message: &str,
) -> ProviderSecret {
    let ready = if class == "Ready" { "True" } else { "False" };
    let mut conditions = vec![condition("Ready", ready, reason, message, 540)];
    match class {
        "Reconciling" => conditions.push(condition(
            "Reconciling",
            "True",
            "ProgressingWithRetry",
            message,
            540,
        )),
        "Stalled" => conditions.push(condition("Stalled", "True", reason, message, 540)),
        "Suspended" => conditions = vec![condition("Suspended", "True", reason, message, 540)],
        _ => {}
    }
    let state = if class == "Ready" {
        json!({"name": "HF_TOKEN", "state": "Synced"})
    } else {
        json!({"name": "HF_TOKEN", "state": "Failed", "reason": reason})
    };
    let spec = json!({
        "provider": provider("baseten", "baseten-api"),
        "data": [{"name": "HF_TOKEN", "secretKeyRef": {"name": "huggingface", "key": "token"}}],
    });
    object(
        place,
        spec,
        json!({"conditions": conditions, "entries": [state], "summary": "0/1"}),
    )
}

/// Synced objects and others, over all providers.
pub(in crate::cli) fn fleet() -> Vec<ProviderSecret> {
    let serving = object(
        "ml/llm-serving",
        json!({
            "provider": provider("baseten", "baseten"),
            "data": [
                {"name": "HF_TOKEN", "secretKeyRef": {"name": "huggingface", "key": "token"}},
                {"name": "OPENAI_API_KEY", "secretKeyRef": {"name": "openai", "key": "key"}},
                {"name": "DATABASE_URL", "template": "postgres://{{ user }}:{{ password }}@db", "secretRef": {"name": "db"}},
            ],
        }),
        json!({
            "provider": "Baseten", "scope": "team-7Hq", "summary": "3/3", "lastSyncTime": ago(250),
            "keyFingerprint": "key:1a2b",
            "conditions": [condition("Ready", "True", "Synced", "Baseten has acknowledged all 3 entries.", 86_400)],
            "sources": [
                {"name": "baseten", "resourceVersion": "79001"}, {"name": "db", "resourceVersion": "80412"},
                {"name": "huggingface", "resourceVersion": "79002"}, {"name": "openai", "resourceVersion": "81123"},
            ],
            "entries": [
                {"name": "DATABASE_URL", "state": "Synced", "lastWriteTime": ago(86_400 * 3)},
                {"name": "HF_TOKEN", "state": "Synced", "lastWriteTime": ago(86_400 * 12)},
                {"name": "OPENAI_API_KEY", "state": "Synced", "lastWriteTime": ago(250)},
            ],
        }),
    );
    let limited = "PrimeIntellect asked to slow down for entry WANDB_API_KEY. It is tried again when that is over.";
    let training = object(
        "ml/train-pool",
        json!({
            "provider": provider("primeIntellect", "prime"),
            "data": [
                {"name": "HF_TOKEN", "secretKeyRef": {"name": "huggingface", "key": "token"}},
                {"name": "WANDB_API_KEY", "secretKeyRef": {"name": "wandb", "key": "key"}},
            ],
        }),
        json!({
            "provider": "PrimeIntellect", "scope": "user-9", "summary": "1/2", "lastSyncTime": ago(1860),
            "keyFingerprint": "key:3c4d",
            "conditions": [
                condition("Ready", "False", "RateLimited", limited, 120),
                condition("Reconciling", "True", "ProgressingWithRetry", limited, 120),
            ],
            "sources": [{"name": "huggingface", "resourceVersion": "79002"}, {"name": "prime", "resourceVersion": "79003"}, {"name": "wandb", "resourceVersion": "80999"}],
            "entries": [
                {"name": "HF_TOKEN", "state": "Synced", "lastWriteTime": ago(86_400 * 2)},
                {"name": "WANDB_API_KEY", "state": "Failed", "reason": "RateLimited", "lastWriteTime": ago(1860)},
            ],
        }),
    );
    let evaluation = object(
        "evals/judge-keys",
        json!({
            "provider": provider("braintrust", "braintrust"), "suspend": true,
            "data": [
                {"name": "ANTHROPIC_API_KEY", "secretKeyRef": {"name": "anthropic", "key": "key"}},
                {"name": "OPENAI_API_KEY", "secretKeyRef": {"name": "openai", "key": "key"}},
            ],
        }),
        json!({
            "provider": "Braintrust", "scope": "org-4", "summary": "2/2", "lastSyncTime": ago(86_400 * 9),
            "conditions": [
                condition("Ready", "True", "Suspended", "The object is suspended. Everything was synced before.", 7200),
                condition("Suspended", "True", "Suspended", "The object is suspended. Everything was synced before.", 7200),
            ],
            "sources": [{"name": "anthropic", "resourceVersion": "70000"}, {"name": "openai", "resourceVersion": "70001"}],
            "entries": [
                {"name": "ANTHROPIC_API_KEY", "state": "Synced", "lastWriteTime": ago(86_400 * 9)},
                {"name": "OPENAI_API_KEY", "state": "Synced", "lastWriteTime": ago(86_400 * 9)},
            ],
        }),
    );
    vec![evaluation, serving, training, agent_keys()]
}

/// An object whose API key is refused.
pub(in crate::cli) fn agent_keys() -> ProviderSecret {
    let refused = "Pipecat answered 401 for the API key in Secret pipecat-api key token. Check that it is an active private key; a public key only starts sessions.";
    object(
        "voice/agent-keys",
        json!({
            "provider": {"pipecat": {"setName": "agent-keys", "apiKeySecretRef": {"name": "pipecat-api", "key": "token"}}},
            "dataFrom": [{"secretRef": {"name": "agent-env"}}],
        }),
        json!({
            "provider": "Pipecat", "summary": "0/2",
            "conditions": [
                condition("Ready", "False", "AuthenticationFailed", refused, 540),
                condition("Stalled", "True", "AuthenticationFailed", refused, 540),
            ],
            "sources": [{"name": "agent-env", "resourceVersion": "81123"}, {"name": "pipecat-api", "resourceVersion": "81120"}],
            "entries": [
                {"name": "DEEPGRAM_API_KEY", "state": "Pending", "reason": "AuthenticationFailed"},
                {"name": "OPENAI_API_KEY", "state": "Pending", "reason": "AuthenticationFailed"},
            ],
        }),
    )
}
