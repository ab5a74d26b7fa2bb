//! The test data that Argo CD's repository asks for: objects as a cluster shows them. `make argocd` records them anew;
//! without it the test says whether the operator still writes the like.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use simulator::Fault;

use super::{NO_TIME, REQUESTED_AT, SCRIPTS, acted};
use crate::harness::{Target, TestCase, TestEnv, delete_policy, root, run, setting};
use crate::install::chart::documents;

/// An object as `kubectl get -o yaml` shows it.
async fn shown(case: &TestCase<'_>, name: &str) -> Value {
    let get = ["get", "psec", name, "--output=json"];
    serde_json::from_str(&case.kubectl(&get).await).expect("JSON")
}

/// What is the same in each run: times, versions and ids only count as there or not.
fn lasting(value: &Value) -> Value {
    const MOVING: [&str; 18] = [
        "approvalSeal",
        "attempted",
        "attemptedTime",
        "creationTimestamp",
        "deletionTimestamp",
        "digest",
        "hash",
        "keyFingerprint",
        "lastApprovedPlan",
        "lastSyncTime",
        "lastTransitionTime",
        "lastWriteTime",
        "remoteId",
        "remoteVersion",
        "resourceVersion",
        "scope",
        "sourcesSeal",
        "uid",
    ];
    match value {
        Value::Object(fields) => {
            let fields = fields.iter().map(|(name, value)| {
                let is_moving = MOVING.contains(&name.as_str()) || name == "seal";
                let value = if is_moving {
                    true.into()
                } else {
                    lasting(value)
                };
                (name.clone(), value)
            });
            fields.collect::<Map<_, _>>().into()
        }
        Value::Array(items) => items.iter().map(lasting).collect(),
        Value::String(text) => without_hash(text).into(),
        other => other.clone(),
    }
}

/// A text without the hash of the plan that it begins with, which another run makes anew.
fn without_hash(text: &str) -> String {
    match text.split_once(" waits for approval") {
        Some((plan, rest)) if plan.starts_with("Plan ") => format!("Plan waits for approval{rest}"),
        _ => text.to_owned(),
    }
}

/// An object of the entry `KEY`, from the Secret `huggingface`.
async fn put(case: &TestCase<'_>, name: &str, key: &str, more: &Value) {
    case.put(name, &[(key, "huggingface", "token")], more).await;
}

/// The objects of every state that a health check tells apart, by file.
async fn played() -> BTreeMap<&'static str, Value> {
    let env = &TestEnv::dedicated(&[]).await;
    let case = &TestCase::in_namespace(env, Target::BasetenWorkspace, "ml").await;
    let suspended = json!({"suspend": true});
    let mut objects = BTreeMap::new();
    case.secret("huggingface", &[("token", &case.value("one"))])
        .await;

    put(case, "llm-serving", "HF_TOKEN", &json!({})).await;
    case.wait_ready("llm-serving").await;
    objects.insert("synced", shown(case, "llm-serving").await);

    put(case, "paused", "PAUSED_TOKEN", &json!({})).await;
    case.wait_ready("paused").await;
    put(case, "paused", "PAUSED_TOKEN", &suspended).await;
    case.wait_reason("paused", "Suspended").await;
    objects.insert("suspended", shown(case, "paused").await);

    put(case, "unsynced", "UNSYNCED_TOKEN", &suspended).await;
    case.wait_reason("unsynced", "Suspended").await;
    objects.insert("suspended_unsynced", shown(case, "unsynced").await);

    put(
        case,
        "manual",
        "MANUAL_TOKEN",
        &json!({"approval": "Manual"}),
    )
    .await;
    case.wait_reason("manual", "AwaitingApproval").await;
    objects.insert("awaiting_approval", shown(case, "manual").await);

    case.put("early", &[("EARLY_TOKEN", "not-yet", "token")], &json!({}))
        .await;
    case.wait_reason("early", "SecretNotFound").await;
    objects.insert("waiting", shown(case, "early").await);

    case.secret("revoked", &[("api-key", &case.value("revoked"))])
        .await;
    let mut spec = case.spec(&[("REFUSED_TOKEN", "huggingface", "token")], &json!({}));
    spec["provider"]["baseten"]["apiKeySecretRef"]["name"] = "revoked".into();
    case.apply("refused", spec)
        .await
        .expect("an object is applied");
    case.wait_reason("refused", "AuthenticationFailed").await;
    objects.insert("stalled", shown(case, "refused").await);

    put(case, "leaving", "LEAVING_TOKEN", &delete_policy()).await;
    case.wait_ready("leaving").await;
    case.account.add_fault(Fault::status(503).forever());
    put(case, "retried", "RETRIED_TOKEN", &json!({})).await;
    case.wait_reason("retried", "ProviderUnavailable").await;
    objects.insert("retrying", shown(case, "retried").await);
    case.delete("leaving").await;
    case.wait_reason("leaving", "DeletionBlocked").await;
    objects.insert("deleted", shown(case, "leaving").await);

    env.operator.terminate().await;
    put(case, "unseen", "UNSEEN_TOKEN", &json!({})).await;
    objects.insert("new", shown(case, "unseen").await);
    put(case, "llm-serving", "OTHER_TOKEN", &json!({})).await;
    objects.insert("edited", shown(case, "llm-serving").await);
    objects
}

#[test]
fn the_operator_writes_what_the_test_data_has() {
    run(async {
        let objects = played().await;
        let mut files = BTreeMap::new();
        for (name, object) in &objects {
            files.insert(format!("testdata/{name}.yaml"), object.clone());
        }
        for (name, action) in [
            ("synced", "sync"),
            ("synced", "suspend"),
            ("suspended", "resume"),
        ] {
            let mut changed = acted(action, &objects[name]).await;
            if action == "sync" {
                changed["metadata"]["annotations"][REQUESTED_AT] = NO_TIME.into();
            }
            let folder = "actions/testdata";
            files.insert(format!("{folder}/{name}.yaml"), objects[name].clone());
            files.insert(format!("{folder}/{name}_{action}.yaml"), changed);
        }
        for (path, object) in files {
            let path = root().join(SCRIPTS).join(path);
            if setting("WRITE_ARGOCD").is_some() {
                let text = serde_saphyr::to_string(&object).expect("YAML");
                std::fs::write(&path, text).expect("it is written");
            }
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            let committed = documents(&text).into_iter().next().unwrap_or_default();
            let path = path.display();
            assert_eq!(
                lasting(&committed),
                lasting(&object),
                "{path}: run `make argocd`"
            );
        }
    });
}
