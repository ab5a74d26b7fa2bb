//! Valid specs that have every field together.

use serde_json::{Value, json};

/// A reference to a key of a Secret.
pub(super) fn key() -> Value {
    json!({"name": "a", "key": "a"})
}

/// A spec for Baseten with every field that is not another provider's.
pub(super) fn baseten() -> Value {
    json!({
        "provider": {"baseten": {"apiKeySecretRef": key(), "teamId": "one", "endpoint": "eu"}},
        "data": [
            {"name": "A-KEY", "secretKeyRef": key()},
            {"name": "B-KEY", "template": "{{ a }}", "secretRef": {"name": "a"}},
        ],
        "dataFrom": [{
            "secretRef": {"name": "a"}, "include": ["A*"], "exclude": ["B*"],
            "nameTransform": "UpperSnake", "prefix": "P_",
        }],
        "conflictPolicy": "Fail", "deletionPolicy": "Delete", "approval": "Manual", "suspend": true,
        "verifyInterval": "10m", "rewriteInterval": "1h",
    })
}

/// Objects that are valid, and have every field of the spec together.
pub(super) fn whole() -> Vec<Value> {
    let pipecat = |more: &Value| {
        let mut member = json!({"apiKeySecretRef": key(), "setName": "abc", "region": "us-west", "endpoint": "eu"});
        for (name, value) in more.as_object().expect("fields") {
            member[name] = value.clone();
        }
        json!({"pipecat": member})
    };
    let image_pull = |source: &Value| {
        let more = json!({"imagePullSecret": source, "replaceImagePullSecret": "Recreate"});
        json!({"provider": pipecat(&more), "verifyInterval": "1h30m"})
    };
    vec![
        baseten(),
        json!({
            "provider": {"primeIntellect": {"apiKeySecretRef": key(), "teamId": "one", "endpoint": "eu"}},
            "data": [
                {"name": "A_KEY", "secretKeyRef": key(), "primeIntellect": {"isFile": true, "description": "a"}},
            ],
        }),
        json!({
            "provider": {"braintrust": {"apiKeySecretRef": key(), "orgName": "One Inc.", "endpoint": "eu"}},
            "data": [{
                "name": "A_KEY", "secretKeyRef": key(),
                "braintrust": {"type": "openai", "metadata": {"api_base": {"a": [1, null]}}},
            }],
        }),
        json!({"provider": pipecat(&json!({})), "dataFrom": [{"secretRef": {"name": "a"}}]}),
        json!({"provider": pipecat(&json!({})), "data": [{"name": "A_KEY", "secretKeyRef": key()}]}),
        image_pull(&json!({"secretRef": {"name": "a"}, "host": "ghcr.io"})),
        image_pull(&json!({"secretKeyRef": key(), "host": "ghcr.io"})),
    ]
}
