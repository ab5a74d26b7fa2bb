//! Pipecat Cloud: image pull secrets, which are one credential for one registry.

mod policies;
mod refusal;

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use provider_secrets::api::EntryState;
use serde_json::{Value, json};
use simulator::{
    Provider,
    pipecat::{Content, Variants},
};

use super::{case_with, vary};
use crate::{
    harness::{TestCase, condition, run},
    providers::{assert_stalled, bodies, by_hand, requests},
};

const DOCKER: (&str, &str) = ("kubernetes.io/dockerconfigjson", ".dockerconfigjson");

/// A test case with the Secret `regcred`, which holds the credential that is given too, for ghcr.io.
async fn registry(change: impl FnOnce(&mut Variants)) -> (TestCase<'static>, String) {
    let (case, _) = case_with(change).await;
    let credential = login(&case, "one").await;
    (case, credential)
}

/// The credential for a token, as it is sent.
fn credential(case: &TestCase<'_>, token: &str) -> String {
    STANDARD.encode(format!("user:{}", case.value(token)))
}

/// Stores a credential for ghcr.io in `regcred`; gives it as it is sent.
async fn login(case: &TestCase<'_>, token: &str) -> String {
    let file = json!({"auths": {"ghcr.io": {"auth": credential(case, token)}}});
    typed(case, "regcred", DOCKER, &file.to_string()).await;
    credential(case, token)
}

/// Makes or replaces a Secret of a type, with one key.
async fn typed(case: &TestCase<'_>, name: &str, (kind, key): (&str, &str), value: &str) {
    use kube::api::{Patch, PatchParams};
    let secret = json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name},
        "type": kind,
        "data": {key: STANDARD.encode(value)},
    });
    let parameters = PatchParams::apply("test").force();
    let patched = case
        .secrets()
        .patch(name, &parameters, &Patch::Apply(&secret))
        .await;
    patched.expect("a Secret is applied");
}

/// Makes the set `agents` as another user would.
pub(super) async fn by_another(case: &TestCase<'_>) {
    let body = json!({
        "isImagePullSecret": true,
        "host": "https://ghcr.io/",
        "secretValue": "foreign",
    });
    by_hand(case, Provider::Pipecat, "PUT", "/v1/secrets/agents", &body).await;
}

/// The spec of the set `agents` with this image pull secret.
fn spec(case: &TestCase<'_>, image_pull: &Value) -> Value {
    let mut provider = case.provider();
    provider["pipecat"]["imagePullSecret"] = image_pull.clone();
    json!({"provider": provider})
}

fn from_regcred() -> Value {
    json!({"secretRef": {"name": "regcred"}})
}

async fn apply(case: &TestCase<'_>, name: &str, image_pull: &Value) {
    let spec = spec(case, image_pull);
    case.apply(name, spec).await.expect("applied");
}

/// The registry that the set is for.
fn host(case: &TestCase<'_>) -> String {
    let sets = case.env.simulator().pipecat().sets(&case.account);
    match &sets["agents"].content {
        Content::ImagePull { host, .. } => host.clone(),
        Content::Regular(_) | Content::Referenced(_) => "none".to_owned(),
    }
}

async fn wait_credential(case: &TestCase<'_>, credential: &str) {
    case.wait_held(&[("secretValue", credential)]).await;
}

#[test]
fn a_docker_secret_becomes_an_image_pull_secret() {
    run(async {
        let (case, credential) = registry(|_| {}).await;
        apply(&case, "regcred", &from_regcred()).await;
        let object = case.wait_ready("regcred").await;
        wait_credential(&case, &credential).await;
        assert_eq!(case.writes(), ["PUT /v1/secrets/agents"]);
        let body = json!({
            "isImagePullSecret": true,
            "host": "https://ghcr.io",
            "secretValue": credential,
        });
        assert_eq!(bodies(&case, "PUT"), [body]);
        let status = object.status.expect("a status");
        assert_eq!(status.summary.as_deref(), Some("1/1"));
        assert_eq!(status.entries.len(), 1);
        let entry = &status.entries[0];
        assert_eq!((&*entry.name, entry.state), ("agents", EntryState::Synced));
        // It cannot be read by itself.
        assert!(requests(&case, "GET /v1/secrets/agents").is_empty());
        // An edit of the Secret that changes no credential writes nothing.
        let spelled = json!({"auths": {"https://ghcr.io": {
            "username": "user",
            "password": case.value("one"),
        }}});
        typed(&case, "regcred", DOCKER, &spelled.to_string()).await;
        case.wait_ready("regcred").await;
        assert_eq!(case.writes().len(), 1);
        case.finish().await;
    });
}

#[test]
fn of_several_registries_one_must_be_named() {
    run(async {
        let (case, credential) = registry(|_| {}).await;
        let file = json!({"auths": {
            "ghcr.io": {"auth": credential},
            "https://index.docker.io/v1/": {"auth": self::credential(&case, "docker")},
        }});
        typed(&case, "regcred", DOCKER, &file.to_string()).await;
        apply(&case, "several", &from_regcred()).await;
        let object = case.wait_reason("several", "InvalidSpec").await;
        assert_stalled(&object, "InvalidSpec", "ghcr.io, index.docker.io/v1/");
        assert_eq!(case.writes(), Vec::<String>::new());
        let mut named = from_regcred();
        named["host"] = "quay.io".into();
        apply(&case, "several", &named).await;
        let object = case.wait_reason("several", "InvalidSpec").await;
        assert_stalled(&object, "InvalidSpec", "no credential for quay.io");
        named["host"] = "index.docker.io".into();
        apply(&case, "several", &named).await;
        case.wait_ready("several").await;
        wait_credential(&case, &self::credential(&case, "docker")).await;
        assert_eq!(host(&case), "https://index.docker.io/v1/");
        case.finish().await;
    });
}

#[test]
fn a_key_holds_the_pair_or_its_base64() {
    run(async {
        for is_encoded in [false, true] {
            let (case, credential) = registry(|_| {}).await;
            let pair = format!("user:{}", case.value("one"));
            let stored = if is_encoded {
                format!("{credential}\n")
            } else {
                pair
            };
            case.secret("reg", &[("auth", &stored)]).await;
            let from_key =
                json!({"host": "ghcr.io", "secretKeyRef": {"name": "reg", "key": "auth"}});
            let mut spec = spec(&case, &from_key);
            spec["provider"]["pipecat"]["region"] = "eu-central".into();
            case.apply("key", spec).await.expect("applied");
            case.wait_ready("key").await;
            wait_credential(&case, &credential).await;
            assert_eq!(bodies(&case, "PUT")[0]["region"], "eu-central");
            assert_eq!(host(&case), "https://ghcr.io/");
            // What is neither is refused, and what was written stays.
            case.secret("reg", &[("auth", &case.value("two"))]).await;
            let object = case.wait_reason("key", "InvalidEncoding").await;
            assert_stalled(&object, "InvalidEncoding", "neither user:token nor");
            wait_credential(&case, &credential).await;
            case.finish().await;
        }
    });
}

#[test]
fn a_secret_that_is_none_for_a_registry_is_reported() {
    run(async {
        let (case, credential) = registry(|_| {}).await;
        let canary = case.value("one");
        let old = json!({"ghcr.io": {"auth": credential}}).to_string();
        let garbage = json!({"auths": {"ghcr.io": {"auth": canary}}}).to_string();
        let no_auths = json!({"token": canary}).to_string();
        let dockercfg = ("kubernetes.io/dockercfg", ".dockercfg");
        let opaque = ("Opaque", "auth");
        let cases = [
            (
                "old",
                dockercfg,
                old,
                "Unsupported",
                "kubernetes.io/dockercfg",
            ),
            (
                "opaque",
                opaque,
                canary,
                "Unsupported",
                "no key .dockerconfigjson",
            ),
            (
                "garbage",
                DOCKER,
                garbage,
                "InvalidEncoding",
                "base64 of user:token",
            ),
            (
                "no-auths",
                DOCKER,
                no_auths,
                "InvalidEncoding",
                "is not the JSON",
            ),
        ];
        for (secret, kind, value, reason, words) in cases {
            typed(&case, secret, kind, &value).await;
            apply(&case, "wrong", &json!({"secretRef": {"name": secret}})).await;
            let object = case.wait_reason("wrong", reason).await;
            assert_stalled(&object, reason, words);
        }
        // The credential's own Secret is not sent anywhere.
        let own =
            json!({"host": "ghcr.io", "secretKeyRef": {"name": "credential", "key": "api-key"}});
        apply(&case, "wrong", &own).await;
        let object = case.wait_reason("wrong", "SourceRefused").await;
        assert_stalled(&object, "SourceRefused", "holds the API key");
        assert_eq!(case.writes(), Vec::<String>::new());
        // One that is missing is waited for.
        apply(&case, "wrong", &json!({"secretRef": {"name": "late"}})).await;
        let object = case.wait_reason("wrong", "SecretNotFound").await;
        assert!(condition(&object, "Stalled").is_none());
        let file = json!({"auths": {"ghcr.io": {"auth": credential}}});
        typed(&case, "late", DOCKER, &file.to_string()).await;
        case.wait_ready("wrong").await;
        wait_credential(&case, &credential).await;
        // One that goes takes nothing away.
        case.delete_secret("late").await;
        case.wait_reason("wrong", "SecretNotFound").await;
        wait_credential(&case, &credential).await;
        case.finish().await;
    });
}

#[test]
fn it_is_ready_when_the_list_says_so() {
    run(async {
        let (case, _) = registry(|variants| {
            variants.ready_after = Duration::from_hours(24);
        })
        .await;
        apply(&case, "pending", &from_regcred()).await;
        let object = case.wait_reason("pending", "Progressing").await;
        assert_eq!(condition(&object, "Ready").expect("Ready").status, "False");
        vary(&case, |variants| variants.ready_after = Duration::ZERO);
        // A write of another client settles the set.
        case.account
            .foreign_write(Some("agents"), "secretValue", "foreign")
            .expect("written");
        case.wait_ready("pending").await;
        assert_eq!(case.writes(), ["PUT /v1/secrets/agents"]);
        case.finish().await;
    });
}
