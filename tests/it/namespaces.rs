//! The operator of some namespaces: nothing happens in another one, Roles are all it needs, and a
//! namespace that may not be read holds up nobody.

use std::sync::Arc;

use cluster::AuditEvent;
use jiff::Timestamp;
use kube::{ResourceExt, api::DeleteParams};
use provider_secrets::api::ProviderSecret;
use serde_json::json;

use crate::support::{Operator, Scene, Stage, Target, calls, condition, run, traces, until};

/// An object with one entry, and its Secret.
async fn make(scene: &Scene<'_>, text: &str) {
    scene.secret("source", &[("a", &scene.value(text))]).await;
    scene.object("object", &[("A_KEY", "source", "a")]).await;
}

async fn wait_synced(scene: &Scene<'_>, text: &str) -> ProviderSecret {
    scene.wait_held(&[("A_KEY", &scene.value(text))]).await;
    scene.wait_ready("object").await
}

async fn rotate(scene: &Scene<'_>, text: &str) {
    scene.secret("source", &[("a", &scene.value(text))]).await;
    wait_synced(scene, text).await;
}

/// Waits until `/readyz` has each of `words` and not `other`.
async fn wait_lacks(operator: &Operator, words: &[&str], other: &str) {
    until("it says what is missing", async || {
        match operator.get("/readyz").await {
            (503, body)
                if words.iter().all(|word| body.contains(word)) && !body.contains(other) =>
            {
                Ok(())
            }
            (status, body) => Err(format!("{status} {body}")),
        }
    })
    .await;
}

/// Deletes an object under the policy Delete: it goes, and what it wrote.
async fn delete(scene: &Scene<'_>) {
    let policy = json!({"spec": {"deletionPolicy": "Delete"}});
    scene
        .patch("object", policy)
        .await
        .expect("a policy is set");
    let has_finalizer = |object: &ProviderSecret| !object.finalizers().is_empty();
    scene.wait("object", "held", has_finalizer).await;
    let parameters = DeleteParams::default();
    let deleted = scene.objects().delete("object", &parameters).await;
    deleted.expect("an object is deleted");
    until("the object is gone", async || {
        let object = scene.objects().get_opt("object").await;
        match object.expect("the API server answers") {
            None => Ok(()),
            Some(object) => Err(format!("{:#?}", object.status)),
        }
    })
    .await;
    scene.wait_held(&[]).await;
}

fn is_write(event: &AuditEvent) -> bool {
    !matches!(event.verb.as_str(), "get" | "list" | "watch")
}

fn is_secret_read(event: &AuditEvent) -> bool {
    event.resource == "secrets" && event.verb == "get"
}

/// With rights in the whole cluster, so that it is the flag and nothing else that holds it back.
/// Cases: H-03
#[test]
fn an_object_of_another_namespace_is_left_alone() {
    run(async {
        let stage = Stage::fresh(&["--watch-namespaces=watched"]).await;
        let elsewhere = Scene::within(&stage, Target::Braintrust, "elsewhere").await;
        make(&elsewhere, "one").await;
        let made = elsewhere.objects().get("object").await.expect("an object");
        let watched = Scene::within(&stage, Target::Braintrust, "watched").await;
        make(&watched, "one").await;
        wait_synced(&watched, "one").await;
        // What wakes an object that is watched.
        elsewhere
            .secret("source", &[("a", &elsewhere.value("two"))])
            .await;
        let note = json!({"metadata": {"annotations": {"note": "changed"}}});
        let noted = elsewhere.patch("object", note).await.expect("a patch");
        for text in ["two", "three"] {
            rotate(&watched, text).await;
        }

        assert!(elsewhere.account.requests().is_empty());
        let now = elsewhere.objects().get("object").await.expect("an object");
        assert_eq!(now.resource_version(), noted.resource_version());
        assert_eq!(now.status, made.status);
        let events = ["get", "events.events.k8s.io", "-o", "name"];
        assert_eq!(elsewhere.kubectl(&events).await, "");
        let calls = calls(&stage, &elsewhere.namespace).await;
        assert!(calls.is_empty(), "{calls:#?}");
        let all = stage.cluster.calls().into_iter();
        let foreign: Vec<_> = all
            .filter(|call| call.user == Stage::user() && !call.resource.is_empty())
            .filter(|call| call.namespace != "watched")
            .collect();
        assert!(foreign.is_empty(), "{foreign:#?}");
        elsewhere.finish().await;
        watched.finish().await;
    });
}

#[test]
fn roles_suffice_and_a_namespace_may_come_later() {
    run(async {
        let stage = Stage::within(&["first", "later"], &["first"]).await;
        let first = Scene::within(&stage, Target::PrimeIntellect, "first").await;
        make(&first, "one").await;
        // It goes on without the namespace that it may not read, and says which one that is.
        wait_synced(&first, "one").await;
        wait_lacks(
            &stage.operator,
            &[
                "providersecrets in namespace later: ",
                "secrets in namespace later: ",
                "may not list and watch",
            ],
            "first",
        )
        .await;
        rotate(&first, "two").await;

        let later = Scene::within(&stage, Target::Pipecat, "later").await;
        make(&later, "one").await;
        stage.grant(&["first", "later"]).await;
        wait_synced(&later, "one").await;
        stage.operator.wait_until_ready().await;
        rotate(&later, "two").await;
        rotate(&first, "three").await;

        // A restart with both synced writes nothing and reads no Secret.
        assert!(stage.operator.terminate().await.success());
        let requests = [&first, &later].map(|scene| scene.account.requests().len());
        let restarted = Timestamp::now();
        let flags = ["--watch-namespaces=first", "--watch-namespaces=later"];
        let again = stage.further(&flags).await;
        until("both objects were looked at", async || {
            let metrics = again.get("/metrics").await.1;
            let series = "provider_secrets_reconcile_total{result=\"unchanged\"} ";
            let count = metrics.lines().find_map(|line| line.strip_prefix(series));
            let count = count.and_then(|count| count.parse::<u64>().ok());
            count.filter(|count| *count >= 2).ok_or(metrics)
        })
        .await;
        for (scene, requests) in [&first, &later].into_iter().zip(requests) {
            assert_eq!(scene.account.requests().len(), requests);
            let mut moved = calls(&stage, &scene.namespace).await;
            moved.retain(|call| call.request_received >= restarted);
            moved.retain(|call| is_write(call) || is_secret_read(call));
            assert!(moved.is_empty(), "{moved:#?}");
        }

        delete(&first).await;
        rotate(&later, "three").await;
        delete(&later).await;
        assert_eq!(traces(&again.log()), Vec::<String>::new());
        first.finish().await;
        later.finish().await;
    });
}

#[test]
fn that_a_secret_is_absent_is_concluded_only_where_secrets_were_listed() {
    run(async {
        let stage = Stage::within(&["seen", "blind"], &["seen", "blind"]).await;
        stage.operator.wait_until_ready().await;
        let seen = Scene::within(&stage, Target::BasetenTeam, "seen").await;
        let blind = Scene::within(&stage, Target::BasetenTeam, "blind").await;
        make(&blind, "one").await;
        wait_synced(&blind, "one").await;
        assert!(stage.operator.terminate().await.success());

        // Objects may be read, Secrets may not; one object is new and names a Secret that is not there.
        let role = "role/provider-secrets";
        let rules = "[{\"op\": \"remove\", \"path\": \"/rules/2\"}]";
        blind
            .kubectl(&["patch", role, "--type=json", "--patch", rules])
            .await;
        let user = format!("--as={}", Stage::user());
        let ask = ["-n", "blind", "auth", "can-i", "list", "secrets", &user];
        stage.wait_refused("Secrets may not be listed", &ask).await;
        blind.object("waits", &[("B_KEY", "absent", "a")]).await;
        let before = blind.objects().get("waits").await.expect("an object");
        let synced = blind.objects().get("object").await.expect("an object");
        let flags = ["--watch-namespaces=seen,blind"];
        let again = stage.further_unready(&flags).await;
        make(&seen, "one").await;
        wait_synced(&seen, "one").await;
        let words = ["secrets in namespace blind: ", "may not list and watch"];
        wait_lacks(&again, &words, "seen").await;
        rotate(&seen, "two").await;
        let untouched = async |name: &str, before: &ProviderSecret| {
            let now = blind.objects().get(name).await.expect("an object");
            assert_eq!(now.resource_version(), before.resource_version(), "{name}");
        };
        untouched("waits", &before).await;
        untouched("object", &synced).await;

        stage.grant(&["seen", "blind"]).await;
        blind.wait_reason("waits", "SecretNotFound").await;
        again.wait_until_ready().await;
        untouched("object", &synced).await;
        rotate(&blind, "two").await;
        assert_eq!(traces(&again.log()), Vec::<String>::new());
        seen.finish().await;
        blind.finish().await;
    });
}

/// Cases: C-26
#[test]
fn where_secrets_may_not_be_read_only_the_objects_there_say_so() {
    run(async {
        let stage = Stage::within(&["open", "shut"], &["open", "shut"]).await;
        stage.operator.wait_until_ready().await;
        let open = Scene::within(&stage, Target::Braintrust, "open").await;
        let shut = Scene::within(&stage, Target::Braintrust, "shut").await;
        for scene in [&open, &shut] {
            make(scene, "one").await;
            wait_synced(scene, "one").await;
        }
        let writes = shut.writes();
        // They may still be listed, so nothing seems to be gone.
        let rules =
            json!([{"op": "replace", "path": "/rules/2/verbs", "value": ["list", "watch"]}]);
        let patch = format!("--patch={rules}");
        let role = ["patch", "role/provider-secrets", "--type=json", &patch];
        shut.kubectl(&role).await;
        let user = format!("--as={}", Stage::user());
        let ask = ["-n", "shut", "auth", "can-i", "get", "secrets", &user];
        stage.wait_refused("Secrets may not be read", &ask).await;
        let two = shut.value("two");
        shut.secret("source", &[("a", &two)]).await;
        let object = shut.wait_reason("object", "Forbidden").await;
        let ready = condition(&object, "Ready").expect("Ready");
        let words = "may not read Secret source. Grant its ServiceAccount the verb get";
        assert!(ready.message.contains(words), "{}", ready.message);
        // The other namespace goes on, the operator is ready, and the watch goes on too.
        for text in ["two", "three", "four"] {
            rotate(&open, text).await;
        }
        assert_eq!(stage.operator.get("/readyz").await.0, 200);
        let object = open.wait_ready("object").await;
        assert_eq!(condition(&object, "Ready").expect("Ready").reason, "Synced");
        assert_eq!(shut.writes(), writes);
        let calls = calls(&stage, "shut").await;
        let watches = |call: &&Arc<AuditEvent>| call.verb == "watch" && call.code == 403;
        assert_eq!(calls.iter().filter(watches).count(), 0);
        let refused = calls.iter().filter(|call| call.code == 403).count();
        assert!((1..=20).contains(&refused), "{refused} calls were refused");

        // The next try is with the right again, and so is what is told.
        stage.grant(&["open", "shut"]).await;
        wait_synced(&shut, "two").await;
        assert_eq!(shut.writes().len(), writes.len() + 1);
        open.finish().await;
        shut.finish().await;
    });
}
