//! Which writes happen, at the providers and at the API server, and which must not.

mod crash; // what is at the provider when the operator dies
mod races; // others write at the same time

use std::sync::Arc;

use futures::future::join_all;
use provider_secrets::api::{EntryState, ProviderSecret};
use serde_json::json;
use simulator::{Action, Fault};

use crate::support::{
    Bystander, Scene, Stage, Target, calls, condition, run, wait_write, write_method,
};

/// A scene whose object `target` is synced with the value `a`.
async fn synced(stage: &Stage, target: Target) -> Scene<'_> {
    let scene = Scene::new(stage, target).await;
    scene.secret("source", &[("a", &scene.value("a"))]).await;
    scene.object("target", &[("A_KEY", "source", "a")]).await;
    scene.wait_ready("target").await;
    scene
}

/// Waits until the entry `A_KEY` of `target` is acknowledged. `Ready` alone may speak of before.
async fn wait_synced(scene: &Scene<'_>) {
    let is_synced = |object: &ProviderSecret| {
        let entries = object.status.iter().flat_map(|status| &status.entries);
        let mut first = entries.take(1);
        first.any(|entry| entry.state == EntryState::Synced && entry.digest.is_some())
    };
    scene.wait("target", "synced", is_synced).await;
    scene.wait_ready("target").await;
}

/// How many of the operator's calls have this verb and are about this kind and name.
async fn count(scene: &Scene<'_>, verb: &str, resource: &str, name: &str) -> usize {
    let calls = calls(scene.stage, &scene.namespace).await;
    let is_it = |call: &&Arc<cluster::AuditEvent>| {
        call.verb == verb && call.resource == resource && (name.is_empty() || call.name == name)
    };
    calls.iter().filter(is_it).count()
}

#[test]
fn one_key_of_fifty_that_rotates_costs_one_write_of_that_key() {
    run(async {
        let stage = Stage::shared().await;
        let bystander = Bystander::new(stage).await;
        join_all(Target::ALL.map(async |target| {
            let scene = Scene::new(stage, target).await;
            let names: Vec<String> = (0..50).map(|number| format!("KEY_{number:02}")).collect();
            let values = |changed: usize, text: &str| -> Vec<(String, String)> {
                let value = |index| scene.value(if index == changed { text } else { "same" });
                names.iter().enumerate().map(|(index, name)| (name.clone(), value(index))).collect()
            };
            let first = values(50, "");
            let pairs = |values: &[(String, String)]| -> Vec<(String, String)> { values.to_vec() };
            let secret = async |values: &[(String, String)]| {
                let values = pairs(values);
                let data: Vec<_> = values.iter().map(|(key, value)| (&**key, &**value)).collect();
                scene.secret("source", &data).await;
            };
            secret(&first).await;
            let spec = json!({"provider": scene.provider(), "dataFrom": [{"secretRef": {"name": "source"}}]});
            scene.apply("fifty", spec).await.expect("an object is applied");
            scene.wait_ready("fifty").await;
            let before = scene.account.requests().len();
            let rotated = values(37, "rotated");
            secret(&rotated).await;
            let wanted: Vec<_> = rotated.iter().map(|(key, value)| (&**key, &**value)).collect();
            scene.wait_held(&wanted).await;
            scene.wait_ready("fifty").await;
            bystander.rotate().await;
            let requests = scene.account.requests();
            let writes: Vec<_> = requests[before..].iter().filter(|request| request.is_write()).collect();
            assert_eq!(writes.len(), 1, "{target:?} {writes:#?}");
            let body = writes[0].body.as_ref().expect("a body").to_string();
            assert!(body.contains(&scene.value("rotated")), "{target:?}");
            // Pipecat takes the whole set each time.
            assert_eq!(body.contains(&scene.value("same")), target == Target::Pipecat);
            scene.finish().await;
        }))
        .await;
        bystander.finish().await;
    });
}

/// Cases: C-16
#[test]
fn a_label_or_annotation_on_a_secret_writes_nothing_anywhere() {
    run(async {
        let stage = Stage::shared().await;
        let bystander = Bystander::new(stage).await;
        let scenes = join_all(Target::ALL.map(async |target| {
            let scene = synced(stage, target).await;
            let patches = count(&scene, "patch", "providersecrets", "").await;
            let object = scene.objects().get("target").await.expect("the object");
            let requests = scene.account.requests().len();
            for (kind, name) in [
                ("secret", "source"),
                ("secret", "credential"),
                ("psec", "target"),
            ] {
                scene.kubectl(&["label", kind, name, "team=a"]).await;
                scene.kubectl(&["annotate", kind, name, "note=b"]).await;
            }
            // The same again with other metadata, and an update that changes nothing.
            scene.secret("source", &[("a", &scene.value("a"))]).await;
            (scene, patches, object, requests)
        }))
        .await;
        bystander.rotate().await;
        for (scene, patches, object, requests) in scenes {
            assert_eq!(
                scene.account.requests().len(),
                requests,
                "{:?}",
                scene.target
            );
            assert_eq!(count(&scene, "patch", "providersecrets", "").await, patches);
            let now = scene.objects().get("target").await.expect("the object");
            assert_eq!(now.status, object.status, "{:?}", scene.target);
            scene.finish().await;
        }
        bystander.finish().await;
    });
}

/// Cases: C-17, C-18
#[test]
fn there_and_back_again_ends_where_it_began() {
    run(async {
        let stage = Stage::shared().await;
        let bystander = Bystander::new(stage).await;
        let scenes = join_all(Target::ALL.map(async |target| {
            let scene = synced(stage, target).await;
            let (a, b) = (scene.value("a"), scene.value("b"));
            for _ in 0..5 {
                scene.secret("source", &[("a", &b)]).await;
                scene.secret("source", &[("a", &a)]).await;
            }
            (scene, a, b)
        }))
        .await;
        bystander.rotate().await;
        let scenes = join_all(scenes.into_iter().map(async |(scene, a, b)| {
            scene.wait_held(&[("A_KEY", &a)]).await;
            wait_synced(&scene).await;
            // Also while the write of B is still under way.
            scene
                .account
                .set_latency(std::time::Duration::from_millis(100));
            let before = scene.writes().len();
            scene.secret("source", &[("a", &b)]).await;
            wait_write(&scene, before).await;
            scene.secret("source", &[("a", &a)]).await;
            scene.account.set_latency(std::time::Duration::ZERO);
            scene
        }))
        .await;
        bystander.rotate().await;
        for scene in scenes {
            scene.wait_held(&[("A_KEY", &scene.value("a"))]).await;
            wait_synced(&scene).await;
            bystander.rotate().await;
            scene.wait_held(&[("A_KEY", &scene.value("a"))]).await;
            wait_synced(&scene).await;
            scene.finish().await;
        }
        bystander.finish().await;
    });
}

#[test]
fn a_recorded_entry_is_pending_without_a_digest_while_it_is_written() {
    run(async {
        let stage = Stage::shared().await;
        join_all(Target::ALL.map(async |target| {
            let scene = Scene::new(stage, target).await;
            let (a, b, c) = (scene.value("a"), scene.value("b"), scene.value("c"));
            scene.secret("source", &[("a", &a), ("b", &b)]).await;
            let data = [("A_KEY", "source", "a"), ("B_KEY", "source", "b")];
            scene.object("target", &data).await;
            scene.wait_ready("target").await;
            let patches = count(&scene, "patch", "providersecrets", "target").await;
            let delay = std::time::Duration::from_secs(20);
            let before = scene.writes().len();
            scene.account.add_fault(
                Fault::new(Action::Handle)
                    .delay(delay)
                    .method(write_method(target)),
            );
            scene.secret("source", &[("a", &c), ("b", &b)]).await;
            wait_write(&scene, before).await;
            let object = scene.objects().get("target").await.expect("the object");
            let entries = &object.status.as_ref().expect("a status").entries;
            assert_eq!(scene.held()["A_KEY"], a, "{target:?}: the write has ended");
            assert_eq!(
                (entries[0].state, entries[0].digest.as_ref()),
                (EntryState::Pending, None)
            );
            assert_eq!(entries[1].state, EntryState::Synced);
            assert!(entries[1].digest.is_some());
            scene.wait_held(&[("A_KEY", &c), ("B_KEY", &b)]).await;
            wait_synced(&scene).await;
            // One write before, one after.
            let now = count(&scene, "patch", "providersecrets", "target").await;
            assert_eq!(now, patches + 2, "{target:?}");
            scene.finish().await;
        }))
        .await;
    });
}

#[test]
fn a_first_sync_costs_one_status_write_and_one_read_of_each_secret() {
    run(async {
        let stage = Stage::shared().await;
        join_all(Target::ALL.map(async |target| {
            let scene = Scene::new(stage, target).await;
            let value = scene.value("a");
            scene.secret("source", &[("a", &value)]).await;
            // A watch tells in order: once this is synced, the source and the API key are known too.
            scene.secret("last", &[("b", &value)]).await;
            scene.object("before", &[("B_KEY", "last", "b")]).await;
            scene.wait_ready("before").await;
            // At Pipecat a set has one owner.
            scene.delete("before").await;
            scene.wait_gone("before").await;
            scene.object("target", &[("A_KEY", "source", "a")]).await;
            scene.wait_ready("target").await;
            assert_eq!(
                count(&scene, "patch", "providersecrets", "target").await,
                1,
                "{target:?}"
            );
            assert_eq!(
                count(&scene, "get", "secrets", "source").await,
                1,
                "{target:?}"
            );
            assert_eq!(
                count(&scene, "get", "secrets", "credential").await,
                1,
                "{target:?}"
            );
            let calls = calls(stage, &scene.namespace).await;
            let others: Vec<_> = calls
                .iter()
                .filter(|call| call.verb != "get" || call.resource != "secrets")
                .filter(|call| call.resource != "events" && call.name != "before")
                .map(|call| format!("{} {}/{}", call.verb, call.resource, call.subresource))
                .collect();
            assert_eq!(others, ["patch providersecrets/status"], "{target:?}");
            scene.finish_leaving(&["B_KEY"]).await;
        }))
        .await;
    });
}

#[test]
fn objects_of_one_account_share_its_listing() {
    run(async {
        let stage = Stage::shared().await;
        join_all(
            [Target::PrimeIntellect, Target::Braintrust, Target::Pipecat].map(async |target| {
                let scene = Scene::new(stage, target).await;
                scene.secret("source", &[("a", &scene.value("a"))]).await;
                scene
                    .account
                    .set_latency(std::time::Duration::from_millis(100));
                let names: Vec<String> =
                    (0..24).map(|number| format!("many-{number:02}")).collect();
                join_all(names.iter().map(async |name| {
                    let entry = name.to_uppercase().replace('-', "_");
                    let mut provider = scene.provider();
                    if target == Target::Pipecat {
                        provider["pipecat"]["setName"] = (**name).into();
                    }
                    let data =
                        json!([{"name": entry, "secretKeyRef": {"name": "source", "key": "a"}}]);
                    let spec = json!({"provider": provider, "data": data});
                    scene.apply(name, spec).await.expect("an object is applied");
                }))
                .await;
                for name in &names {
                    let object = scene.wait_ready(name).await;
                    assert!(condition(&object, "Reconciling").is_none());
                }
                let is_set = |path: &str| path.contains("/many-");
                let requests = scene.account.requests();
                let listings = requests
                    .iter()
                    .filter(|one| one.method == "GET" && !is_set(&one.path));
                // A page more each time at Braintrust, which ends with an empty one.
                let pages = if target == Target::Braintrust { 2 } else { 1 };
                let listings = listings.count() / pages;
                assert!(
                    listings <= names.len() / 4,
                    "{target:?}: {listings} listings"
                );
                scene.finish().await;
            }),
        )
        .await;
    });
}
