//! The in-memory API server against the real one: the same calls, and the same answers as far as
//! the operator can tell.

use std::future::ready;

use futures::{StreamExt as _, TryStreamExt as _};
use k8s_openapi::api::core::v1::{Namespace, Secret};
use kube::{
    Api, Client,
    api::{DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams, WatchParams},
    core::{ApiResource, PartialObjectMeta, WatchEvent},
};
use provider_secrets::api::ProviderSecret;
use serde_json::{Value, json};

use super::world::{World, simulate};
use crate::harness::{Target, TestEnv, run};

const FINALIZER: &str = "providersecrets.dev/cleanup";
const NAMESPACE: &str = "conformance";
/// What is said of an API server that streams no lists.
const NO_STREAM: &str = "streams no lists";

#[test]
fn the_simulated_api_server_answers_as_the_real_one() {
    run(async {
        let env = TestEnv::fresh(&[]).await;
        assert!(env.operator.terminate().await.success());
        let namespace = json!({"metadata": {"name": NAMESPACE}});
        let namespace: Namespace = serde_json::from_value(namespace).expect("a namespace");
        let namespaces: Api<Namespace> = Api::all(env.client.clone());
        let made = namespaces.create(&PostParams::default(), &namespace).await;
        made.expect("a namespace is made");
        let real = transcript(env.client.clone()).await;
        let streams = !real.iter().any(|line| line == NO_STREAM);
        // Simulated time has a runtime of its own.
        let simulated = std::thread::spawn(move || {
            simulate(async {
                let world = World::new(Target::BasetenTeam);
                if !streams {
                    world.store.faults.list_in_pages();
                }
                transcript(world.client()).await
            })
        });
        assert_eq!(simulated.join().expect("a transcript"), real);
    });
}

/// Calls, and what came of them.
struct Script {
    objects: Api<DynamicObject>,
    said: Vec<String>,
}

impl Script {
    fn say(&mut self, what: &str, answer: kube::Result<DynamicObject>) -> Option<DynamicObject> {
        let (line, object) = match answer {
            Ok(object) => (plain(&object), Some(object)),
            Err(kube::Error::Api(status)) => {
                // What is gone is named.
                let details = status.details.as_ref().filter(|_| status.code == 404);
                let is_named = details.map(|details| !details.name.is_empty());
                let line = json!({
                    "code": status.code,
                    "reason": status.reason,
                    "isNamed": is_named,
                });
                (line, None)
            }
            Err(error) => (json!(error.to_string()), None),
        };
        self.said.push(format!("{what}: {line}"));
        object
    }

    async fn merge(&mut self, what: &str, part: &str, patch: Value) -> Option<DynamicObject> {
        let (parameters, patch) = (PatchParams::default(), Patch::Merge(patch));
        let answer = if part == "status" {
            self.objects.patch_status("o", &parameters, &patch).await
        } else {
            self.objects.patch("o", &parameters, &patch).await
        };
        self.say(what, answer)
    }

    async fn json(&mut self, what: &str, part: &str, patch: Value) -> Option<DynamicObject> {
        let patch = serde_json::from_value(patch).expect("a JSON patch");
        let (parameters, patch) = (PatchParams::default(), Patch::<()>::Json(patch));
        let answer = if part == "status" {
            self.objects.patch_status("o", &parameters, &patch).await
        } else {
            self.objects.patch("o", &parameters, &patch).await
        };
        self.say(what, answer)
    }
}

/// What counts of an object, as the operator sees it.
fn plain(object: &DynamicObject) -> Value {
    json!({
        "generation": object.metadata.generation,
        "finalizers": object.metadata.finalizers,
        "isDeleting": object.metadata.deletion_timestamp.is_some(),
        "suspend": object.data["spec"]["suspend"],
        "status": object.data["status"],
    })
}

fn version(object: Option<&DynamicObject>) -> String {
    let version = object.and_then(|object| object.metadata.resource_version.clone());
    version.expect("an object with a version")
}

async fn transcript(client: Client) -> Vec<String> {
    let resource = ApiResource::erase::<ProviderSecret>(&());
    let objects: Api<DynamicObject> = Api::namespaced_with(client.clone(), NAMESPACE, &resource);
    let mut script = Script {
        objects: objects.clone(),
        said: Vec::new(),
    };
    let began = objects.list(&ListParams::default()).await;
    let began = began.expect("a list").metadata.resource_version;
    writes(&mut script).await;
    deletion(&mut script).await;
    let (parameters, began) = (WatchParams::default(), began.expect("a version"));
    let watch = objects.watch(&parameters, &began).await.expect("a watch");
    let is_left = |event: &kube::Result<_>| !matches!(event, Ok(WatchEvent::Deleted(_)));
    let events: Vec<WatchEvent<DynamicObject>> = watch
        .take_while(|event| ready(is_left(event)))
        .try_collect()
        .await
        .expect("events");
    for event in events {
        let (kind, object) = match event {
            WatchEvent::Added(object) => ("added", object),
            WatchEvent::Modified(object) => ("modified", object),
            _ => continue,
        };
        script
            .said
            .push(format!("watch {kind}: {}", plain(&object)));
    }
    secrets(&client, &mut script.said).await;
    script.said
}

async fn writes(script: &mut Script) {
    let spec = json!({
        "provider": Target::BasetenTeam.provider_spec("account"),
        "data": [{"name": "A", "secretKeyRef": {"name": "s", "key": "k"}}],
    });
    let object = json!({
        "apiVersion": "providersecrets.dev/v1alpha1",
        "kind": "ProviderSecret",
        "metadata": {"name": "o"},
        "spec": spec,
    });
    let object: DynamicObject = serde_json::from_value(object).expect("an object");
    let made = script.objects.create(&PostParams::default(), &object).await;
    let made = script.say("create", made);
    let again = script.objects.create(&PostParams::default(), &object).await;
    script.say("create again", again);
    let stale = version(made.as_ref());
    let status = json!({"summary": "1/1", "observedGeneration": 1});
    let patch = json!({"metadata": {"resourceVersion": stale}, "status": status,
        "spec": {"suspend": true}});
    let written = script.merge("status and spec through status", "status", patch.clone());
    let written = version(written.await.as_ref());
    script.merge("a stale status", "status", patch).await;
    let same = script.merge("the same status", "status", json!({"status": status}));
    let same = version(same.await.as_ref());
    script
        .said
        .push(format!("moved by the same: {}", same != written));
    let patch = json!({"spec": {"suspend": true}, "status": {"summary": "9/9"}});
    script
        .merge("spec and status through the object", "", patch)
        .await;
    let patch = json!({"metadata": {"annotations": {"note": "1"}}});
    script.merge("an annotation", "", patch).await;
    let patch = json!({"metadata": {"resourceVersion": stale, "annotations": {"note": "2"}}});
    script.merge("a stale annotation", "", patch).await;
    for part in ["status", ""] {
        let patch = json!({"metadata": {"uid": "other", "annotations": {"note": "3"}}, "status": {"summary": "3/3"}});
        script.merge("with another uid", part, patch).await;
    }
    let test = |uid: &str| {
        json!([
            {"op": "test", "path": "/metadata/uid", "value": uid},
            {"op": "add", "path": "/status", "value": {"summary": "2/2"}},
        ])
    };
    let uid = made.and_then(|made| made.metadata.uid).expect("a uid");
    script
        .json("a status of a namesake", "status", test("other"))
        .await;
    script
        .json("a status with the uid", "status", test(&uid))
        .await;
    let stale = json!([{"op": "replace", "path": "/metadata/resourceVersion", "value": stale}]);
    script.json("a stale JSON patch", "", stale).await;
}

async fn deletion(script: &mut Script) {
    let add = json!([
        {"op": "test", "path": "/metadata/finalizers", "value": null},
        {"op": "add", "path": "/metadata/finalizers", "value": [FINALIZER]},
    ]);
    script.json("a finalizer", "", add.clone()).await;
    script.json("a finalizer where there is one", "", add).await;
    let delete = DeleteParams::default();
    for what in ["delete", "delete again"] {
        script.objects.delete("o", &delete).await.expect("a delete");
        let left = script.objects.get("o").await;
        script.say(what, left);
    }
    let more = json!([{"op": "add", "path": "/metadata/finalizers/-", "value": "example.com/b"}]);
    script.json("one more finalizer", "", more).await;
    let patch = json!({"status": {"summary": "0/0"}});
    script
        .merge("a status while it goes", "status", patch)
        .await;
    let patch = json!({"spec": {"suspend": false}});
    script.merge("a spec while it goes", "", patch).await;
    let remove = json!([
        {"op": "test", "path": "/metadata/finalizers/0", "value": FINALIZER},
        {"op": "remove", "path": "/metadata/finalizers/0"},
    ]);
    script.json("no finalizer", "", remove.clone()).await;
    let left = script.objects.get("o").await;
    script.say("gone", left);
    script
        .json("no finalizer of what is gone", "", remove)
        .await;
    let patch = json!({"status": {"summary": "0/0"}});
    script
        .merge("a status of what is gone", "status", patch)
        .await;
}

/// Metadata alone, as the begin of a watch.
async fn streamed(secrets: &Api<PartialObjectMeta<Secret>>, said: &mut Vec<String>) {
    let parameters = WatchParams::default().initial_events();
    let watch = secrets.watch(&parameters, "0").await;
    // As Kubernetes 1.33 does it.
    if let Err(kube::Error::Api(refused)) = &watch
        && refused.code == 422
    {
        said.push(NO_STREAM.to_owned());
        return;
    }
    let watch = watch.expect("a watch");
    let is_end = |event: &WatchEvent<_>| matches!(event, WatchEvent::Bookmark(end) if end.metadata.annotations.contains_key("k8s.io/initial-events-end"));
    let begin = watch.try_take_while(|event| ready(Ok(!is_end(event))));
    let begin: Vec<WatchEvent<PartialObjectMeta<Secret>>> =
        begin.try_collect().await.expect("events");
    for event in begin {
        if let WatchEvent::Added(secret) = event {
            let text = serde_json::to_string(&secret).expect("JSON");
            let has_data = text.contains("data\":{\"k");
            let name = secret.metadata.name;
            said.push(format!("streamed {name:?}, with data: {has_data}"));
        }
    }
}

/// Metadata alone, page by page.
async fn secrets(client: &Client, said: &mut Vec<String>) {
    let secrets: Api<Secret> = Api::namespaced(client.clone(), NAMESPACE);
    for name in ["a", "b", "c"] {
        let secret = json!({"metadata": {"name": name}, "data": {"k": "dg=="}});
        let secret: Secret = serde_json::from_value(secret).expect("a Secret");
        let made = secrets.create(&PostParams::default(), &secret).await;
        made.expect("a Secret is made");
    }
    let partial: Api<PartialObjectMeta<Secret>> = Api::namespaced(client.clone(), NAMESPACE);
    let mut parameters = ListParams::default().limit(2);
    loop {
        let page = partial.list(&parameters).await.expect("a page");
        let text = serde_json::to_string(&page.items).expect("JSON");
        let names: Vec<_> = page
            .items
            .iter()
            .map(|item| item.metadata.name.clone())
            .collect();
        said.push(format!(
            "page {names:?}, with data: {}",
            text.contains("data\":{\"k")
        ));
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => parameters = parameters.continue_token(&token),
            None => break,
        }
    }
    streamed(&partial, said).await;
}
