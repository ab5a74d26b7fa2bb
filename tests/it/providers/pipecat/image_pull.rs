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

use super::scene_with;
use crate::{
    harness::{Scene, condition, run},
    providers::{assert_stalled, bodies, by_hand, requests},
};

const DOCKER: (&str, &str) = ("kubernetes.io/dockerconfigjson", ".dockerconfigjson");

/// A scene with the Secret `regcred`, which holds the credential that is given too, for ghcr.io.
async fn registry(change: impl FnOnce(&mut Variants)) -> (Scene<'static>, String) {
    let (scene, _) = scene_with(change).await;
    let credential = login(&scene, "one").await;
    (scene, credential)
}

/// The credential for a token, as it is sent.
fn credential(scene: &Scene<'_>, token: &str) -> String {
    STANDARD.encode(format!("user:{}", scene.value(token)))
}

/// Stores a credential for ghcr.io in `regcred`; gives it as it is sent.
async fn login(scene: &Scene<'_>, token: &str) -> String {
    let file = json!({"auths": {"ghcr.io": {"auth": credential(scene, token)}}});
    typed(scene, "regcred", DOCKER, &file.to_string()).await;
    credential(scene, token)
}

/// Makes or replaces a Secret of a type, with one key.
async fn typed(scene: &Scene<'_>, name: &str, (kind, key): (&str, &str), value: &str) {
    use kube::api::{Patch, PatchParams};
    let secret = json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name},
        "type": kind,
        "data": {key: STANDARD.encode(value)},
    });
    let parameters = PatchParams::apply("test").force();
    let patched = scene
        .secrets()
        .patch(name, &parameters, &Patch::Apply(&secret))
        .await;
    patched.expect("a Secret is applied");
}

/// Makes the set `agents` as another user would.
pub(super) async fn by_another(scene: &Scene<'_>) {
    let body = json!({
        "isImagePullSecret": true,
        "host": "https://ghcr.io/",
        "secretValue": "foreign",
    });
    by_hand(scene, Provider::Pipecat, "PUT", "/v1/secrets/agents", &body).await;
}

/// The spec of the set `agents` with this image pull secret.
fn spec(scene: &Scene<'_>, image_pull: &Value) -> Value {
    let mut provider = scene.provider();
    provider["pipecat"]["imagePullSecret"] = image_pull.clone();
    json!({"provider": provider})
}

fn from_regcred() -> Value {
    json!({"secretRef": {"name": "regcred"}})
}

async fn apply(scene: &Scene<'_>, name: &str, image_pull: &Value) {
    let spec = spec(scene, image_pull);
    scene.apply(name, spec).await.expect("applied");
}

/// The registry that the set is for.
fn host(scene: &Scene<'_>) -> String {
    let sets = scene.stage.simulator().pipecat().sets(&scene.account);
    match &sets["agents"].content {
        Content::ImagePull { host, .. } => host.clone(),
        Content::Regular(_) => "none".to_owned(),
    }
}

async fn wait_credential(scene: &Scene<'_>, credential: &str) {
    scene.wait_held(&[("secretValue", credential)]).await;
}

#[test]
fn a_docker_secret_becomes_an_image_pull_secret() {
    run(async {
        let (scene, credential) = registry(|_| {}).await;
        apply(&scene, "regcred", &from_regcred()).await;
        let object = scene.wait_ready("regcred").await;
        wait_credential(&scene, &credential).await;
        assert_eq!(scene.writes(), ["PUT /v1/secrets/agents"]);
        let body = json!({
            "isImagePullSecret": true,
            "host": "https://ghcr.io",
            "secretValue": credential,
        });
        assert_eq!(bodies(&scene, "PUT"), [body]);
        let status = object.status.expect("a status");
        assert_eq!(status.summary.as_deref(), Some("1/1"));
        assert_eq!(status.entries.len(), 1);
        let entry = &status.entries[0];
        assert_eq!((&*entry.name, entry.state), ("agents", EntryState::Synced));
        // It cannot be read by itself.
        assert!(requests(&scene, "GET /v1/secrets/agents").is_empty());
        // An edit of the Secret that changes no credential writes nothing.
        let spelled = json!({"auths": {"https://ghcr.io": {
            "username": "user",
            "password": scene.value("one"),
        }}});
        typed(&scene, "regcred", DOCKER, &spelled.to_string()).await;
        scene.wait_ready("regcred").await;
        assert_eq!(scene.writes().len(), 1);
        scene.finish().await;
    });
}

#[test]
fn of_several_registries_one_must_be_named() {
    run(async {
        let (scene, credential) = registry(|_| {}).await;
        let file = json!({"auths": {
            "ghcr.io": {"auth": credential},
            "https://index.docker.io/v1/": {"auth": self::credential(&scene, "docker")},
        }});
        typed(&scene, "regcred", DOCKER, &file.to_string()).await;
        apply(&scene, "several", &from_regcred()).await;
        let object = scene.wait_reason("several", "InvalidSpec").await;
        assert_stalled(&object, "InvalidSpec", "ghcr.io, index.docker.io/v1/");
        assert_eq!(scene.writes(), Vec::<String>::new());
        let mut named = from_regcred();
        named["host"] = "quay.io".into();
        apply(&scene, "several", &named).await;
        let object = scene.wait_reason("several", "InvalidSpec").await;
        assert_stalled(&object, "InvalidSpec", "no credential for quay.io");
        named["host"] = "index.docker.io".into();
        apply(&scene, "several", &named).await;
        scene.wait_ready("several").await;
        wait_credential(&scene, &self::credential(&scene, "docker")).await;
        assert_eq!(host(&scene), "https://index.docker.io/v1/");
        scene.finish().await;
    });
}

#[test]
fn a_key_holds_the_pair_or_its_base64() {
    run(async {
        for is_encoded in [false, true] {
            let (scene, credential) = registry(|_| {}).await;
            let pair = format!("user:{}", scene.value("one"));
            let stored = if is_encoded {
                format!("{credential}\n")
            } else {
                pair
            };
            scene.secret("reg", &[("auth", &stored)]).await;
            let from_key =
                json!({"host": "ghcr.io", "secretKeyRef": {"name": "reg", "key": "auth"}});
            let mut spec = spec(&scene, &from_key);
            spec["provider"]["pipecat"]["region"] = "eu-central".into();
            scene.apply("key", spec).await.expect("applied");
            scene.wait_ready("key").await;
            wait_credential(&scene, &credential).await;
            assert_eq!(bodies(&scene, "PUT")[0]["region"], "eu-central");
            assert_eq!(host(&scene), "https://ghcr.io/");
            // What is neither is refused, and what was written stays.
            scene.secret("reg", &[("auth", &scene.value("two"))]).await;
            let object = scene.wait_reason("key", "InvalidEncoding").await;
            assert_stalled(&object, "InvalidEncoding", "neither user:token nor");
            wait_credential(&scene, &credential).await;
            scene.finish().await;
        }
    });
}

#[test]
fn a_secret_that_is_none_for_a_registry_is_told() {
    run(async {
        let (scene, credential) = registry(|_| {}).await;
        let canary = scene.value("one");
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
            typed(&scene, secret, kind, &value).await;
            apply(&scene, "wrong", &json!({"secretRef": {"name": secret}})).await;
            let object = scene.wait_reason("wrong", reason).await;
            assert_stalled(&object, reason, words);
        }
        // The credential's own Secret is not sent anywhere.
        let own =
            json!({"host": "ghcr.io", "secretKeyRef": {"name": "credential", "key": "api-key"}});
        apply(&scene, "wrong", &own).await;
        let object = scene.wait_reason("wrong", "SourceRefused").await;
        assert_stalled(&object, "SourceRefused", "holds the API key");
        assert_eq!(scene.writes(), Vec::<String>::new());
        // One that is missing is waited for.
        apply(&scene, "wrong", &json!({"secretRef": {"name": "late"}})).await;
        let object = scene.wait_reason("wrong", "SecretNotFound").await;
        assert!(condition(&object, "Stalled").is_none());
        let file = json!({"auths": {"ghcr.io": {"auth": credential}}});
        typed(&scene, "late", DOCKER, &file.to_string()).await;
        scene.wait_ready("wrong").await;
        wait_credential(&scene, &credential).await;
        // One that goes takes nothing away.
        scene.delete_secret("late").await;
        scene.wait_reason("wrong", "SecretNotFound").await;
        wait_credential(&scene, &credential).await;
        scene.finish().await;
    });
}

#[test]
fn it_is_ready_when_the_list_says_so() {
    run(async {
        let (scene, _) = registry(|variants| {
            variants.ready_after = Duration::from_hours(24);
        })
        .await;
        apply(&scene, "pending", &from_regcred()).await;
        let object = scene.wait_reason("pending", "Progressing").await;
        assert_eq!(condition(&object, "Ready").expect("Ready").status, "False");
        scene
            .stage
            .simulator()
            .pipecat()
            .set_variants(&scene.account, |variants| {
                variants.ready_after = Duration::ZERO;
            });
        // Somebody else's write settles the set.
        scene
            .account
            .foreign_write(Some("agents"), "secretValue", "foreign")
            .expect("written");
        scene.wait_ready("pending").await;
        assert_eq!(scene.writes(), ["PUT /v1/secrets/agents"]);
        scene.finish().await;
    });
}
