//! The rights of the chart: what the operator uses is what it is granted, no verb more and none less.

use std::{collections::BTreeSet, time::Duration};

use serde_json::{Value, json};
use simulator::{Action, Fault};

use crate::support::{DEADLINE, Scene, Stage, Target, run, until, wait_write};

/// API group, resource with its subresource, and verb.
type Right = (String, String, String);

/// The rights that the chart's ClusterRole grants.
async fn granted(stage: &Stage) -> BTreeSet<Right> {
    let role = ["get", "clusterrole", "provider-secrets", "-o", "json"];
    let role = stage
        .cluster
        .kubectl_output(&role, None)
        .await
        .expect("kubectl runs");
    let role: Value = serde_json::from_str(&role.stdout).expect("JSON");
    let texts = |rule: &Value, field: &str| -> Vec<String> {
        serde_json::from_value(rule[field].clone()).expect("a list of texts")
    };
    let mut rights = BTreeSet::new();
    for rule in role["rules"].as_array().expect("rules") {
        for group in texts(rule, "apiGroups") {
            for resource in texts(rule, "resources") {
                for verb in texts(rule, "verbs") {
                    rights.insert((group.clone(), resource.clone(), verb));
                }
            }
        }
    }
    rights
}

/// The rights that the API server saw the operator use.
fn used(stage: &Stage) -> BTreeSet<Right> {
    let calls = stage.cluster.audit().expect("an audit log").into_iter();
    calls
        .filter(|call| call.user == Stage::user() && !call.resource.is_empty())
        .map(|call| {
            let resource = match call.subresource.as_str() {
                "" => call.resource,
                subresource => format!("{}/{subresource}", call.resource),
            };
            (call.api_group, resource, call.verb)
        })
        .collect()
}

#[test]
fn k_03_every_right_of_the_chart_is_used_and_no_other() {
    run(async {
        let stage = Stage::fresh(&[]).await;
        let scene = Scene::new(&stage, Target::BasetenTeam).await;
        scene.secret("source", &[("a", &scene.value("one"))]).await;
        scene.object("object", &[("A_KEY", "source", "a")]).await;
        scene.wait_ready("object").await;
        // An object that changes while it is written is read again.
        let before = scene.writes().len();
        let delay = Duration::from_secs(1);
        scene
            .account
            .add_fault(Fault::new(Action::Handle).delay(delay).method("POST"));
        let two = scene.value("two");
        scene.secret("source", &[("a", &two)]).await;
        wait_write(&scene, before).await;
        let note = json!({"metadata": {"annotations": {"note": "changed meanwhile"}}});
        scene
            .patch("object", note)
            .await
            .expect("an annotation is written");
        scene.wait_held(&[("A_KEY", &two)]).await;
        // Under Delete the object has a finalizer, and an API key that is gone raises the question
        // whether the namespace is too.
        let spec = json!({"spec": {"deletionPolicy": "Delete"}});
        scene.patch("object", spec).await.expect("a policy is set");
        until("the finalizer is there", async || {
            let object = scene.objects().get("object").await.expect("an object");
            let finalizers = object.metadata.finalizers.unwrap_or_default();
            (!finalizers.is_empty())
                .then_some(())
                .ok_or_else(|| "none".to_owned())
        })
        .await;
        scene.delete_secret("credential").await;
        scene.wait_reason("object", "CredentialNotFound").await;
        let kubectl = ["delete", "psec", "object", "--wait=false"];
        scene.kubectl(&kubectl).await;
        let granted = granted(&stage).await;
        until(
            &format!("all of {granted:?} is used, within {DEADLINE:?}"),
            async || {
                let used = used(&stage);
                if used == granted {
                    Ok(())
                } else {
                    Err(format!("used: {used:?}"))
                }
            },
        )
        .await;
        scene.finish().await;
    });
}
