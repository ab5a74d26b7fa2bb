//! The rights of the chart: what the operator uses is what it is granted, no verb more and none less.

use std::{collections::BTreeSet, time::Duration};

use serde_json::{Value, json};
use simulator::{Action, Fault};

use crate::support::{DEADLINE, Scene, Stage, Target, run, traces, until, wait_write};

/// API group, resource with its subresource, and verb.
type Right = (String, String, String);

/// The rights that the chart's ClusterRole grants, or its Role in a namespace.
async fn granted(stage: &Stage, namespace: Option<&str>) -> BTreeSet<Right> {
    let kind = namespace.map_or("clusterrole", |_| "role");
    let mut get = vec!["get", kind, "provider-secrets", "-o", "json"];
    get.extend(namespace.into_iter().flat_map(|name| ["-n", name]));
    let role: Value = serde_json::from_str(&stage.kubectl(&get, None).await).expect("JSON");
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

/// The rights that the API server saw the operator use, anywhere or in a namespace.
fn used(stage: &Stage, namespace: Option<&str>) -> BTreeSet<Right> {
    let calls = stage.cluster.calls();
    calls
        .iter()
        .filter(|call| call.user == Stage::user() && !call.resource.is_empty())
        .filter(|call| namespace.is_none_or(|namespace| call.namespace == namespace))
        .map(|call| {
            let resource = match call.subresource.as_str() {
                "" => call.resource.clone(),
                subresource => format!("{}/{subresource}", call.resource),
            };
            (call.api_group.clone(), resource, call.verb.clone())
        })
        .collect()
}

/// Has the operator do everything that takes a right.
async fn play(scene: &Scene<'_>) {
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
    wait_write(scene, before).await;
    let note = json!({"metadata": {"annotations": {"note": "changed meanwhile"}}});
    scene
        .patch("object", note)
        .await
        .expect("an annotation is written");
    scene.wait_held(&[("A_KEY", &two)]).await;
    // Under Delete the object has a finalizer.
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
}

/// Deletes the object while no operator runs, and its API key: for one that has never used the key,
/// that raises the question whether the namespace goes too.
async fn leave(scene: &Scene<'_>) {
    scene.delete_secret("credential").await;
    let kubectl = ["delete", "psec", "object", "--wait=false"];
    scene.kubectl(&kubectl).await;
}

/// Another operator after the one of the stage, which ends.
/// Waits until the rights that are granted and those that are used are the same.
async fn wait_used(stage: &Stage, namespace: Option<&str>) {
    let granted = granted(stage, namespace).await;
    until(
        &format!("all of {granted:?} is used, within {DEADLINE:?}"),
        async || {
            let used = used(stage, namespace);
            if used == granted {
                Ok(())
            } else {
                Err(format!("used: {used:?}"))
            }
        },
    )
    .await;
}

/// Cases: K-03
#[test]
fn every_right_of_the_chart_is_used_and_no_other() {
    run(async {
        let stage = Stage::fresh(&[]).await;
        let scene = Scene::new(&stage, Target::BasetenTeam).await;
        play(&scene).await;
        assert!(stage.operator.terminate().await.success());
        leave(&scene).await;
        let again = stage.further(&[]).await;
        wait_used(&stage, None).await;
        assert_eq!(traces(&again.log()), Vec::<String>::new());
        scene.finish().await;
    });
}

#[test]
fn every_right_of_a_role_is_used_and_none_in_another_namespace() {
    run(async {
        let names = ["one", "two"];
        let stage = Stage::within(&names, &names).await;
        stage.operator.wait_until_ready().await;
        let mut scenes = Vec::new();
        for name in names {
            let scene = Scene::within(&stage, Target::BasetenTeam, name).await;
            play(&scene).await;
            scenes.push(scene);
        }
        assert!(stage.operator.terminate().await.success());
        for scene in &scenes {
            leave(scene).await;
        }
        let again = stage.further(&["--watch-namespaces=one,two"]).await;
        for scene in scenes {
            wait_used(&stage, Some(&scene.namespace)).await;
            scene.finish().await;
        }
        assert_eq!(traces(&again.log()), Vec::<String>::new());
        let calls = stage.cluster.calls().into_iter();
        let elsewhere: Vec<_> = calls
            .filter(|call| call.user == Stage::user() && !call.resource.is_empty())
            .filter(|call| !names.contains(&call.namespace.as_str()))
            .collect();
        assert!(elsewhere.is_empty(), "{elsewhere:#?}");
    });
}
