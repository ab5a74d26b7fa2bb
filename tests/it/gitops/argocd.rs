//! Argo CD's health check and actions: by the tests that its repository asks for, on objects of a real cluster, and in the
//! chart's ConfigMap.

mod recorded; // the test data, as the operator writes it

use std::{collections::BTreeMap, path::Path};

use cluster::Cluster;
use serde_json::{Value, json};

use super::{SCRIPTS, gitops};
use crate::guards::{Person, blocks};
use crate::harness::{Target, TestCase, TestEnv, root, run};
use crate::install::chart::{documents, kubectl, namespace, read, shared_cluster, succeeded};

const ACTIONS: [&str; 3] = ["sync", "suspend", "resume"];
/// Argo CD's own tests write this in place of a time.
const NO_TIME: &str = "0001-01-01T00:00:00Z";
const REQUESTED_AT: &str = "providersecrets.dev/sync-requested-at";

fn yaml(path: &str) -> Value {
    documents(&read(&format!("{SCRIPTS}/{path}"))).remove(0)
}

/// The tests of a file, each with its input.
fn tests(file: &str, list: &str, folder: &str) -> Vec<(Value, Value)> {
    let tests = yaml(file)[list].as_array().expect("tests").clone();
    assert!(tests.len() >= 2, "{file}: {list}");
    let with_input = tests.into_iter().map(|test| {
        let path = test["inputPath"].as_str().expect("a path");
        let input = yaml(&format!("{folder}{path}"));
        (test, input)
    });
    with_input.collect()
}

#[tokio::test]
async fn the_health_of_each_test_object_is_as_its_test_says() {
    for (test, input) in tests("health_test.yaml", "tests", "") {
        let said = gitops("health", None, &[input]).await.remove(0);
        assert_eq!(said["argo"], test["healthStatus"], "{}", test["inputPath"]);
    }
}

#[tokio::test]
async fn the_actions_are_offered_as_their_tests_say() {
    for (test, input) in tests("actions/action_test.yaml", "discoveryTests", "actions/") {
        let said = gitops("discovery", None, &[input]).await.remove(0);
        let mut expected = BTreeMap::new();
        for action in test["result"].as_array().expect("actions") {
            let name = action["name"].as_str().expect("a name");
            expected.insert(name, json!({"disabled": action["disabled"]}));
        }
        assert_eq!(said, json!(expected), "{}", test["inputPath"]);
    }
}

/// What an action makes of an object.
async fn acted(action: &str, object: &Value) -> Value {
    let patch = gitops("action", Some(action), std::slice::from_ref(object))
        .await
        .remove(0);
    let mut changed = object.clone();
    json_patch::merge(&mut changed, &patch);
    changed
}

#[tokio::test]
async fn each_action_changes_an_object_as_its_test_says() {
    for (test, input) in tests("actions/action_test.yaml", "actionTests", "actions/") {
        let action = test["action"].as_str().expect("an action");
        let path = test["expectedOutputPath"].as_str().expect("a path");
        let mut changed = acted(action, &input).await;
        if action == "sync" {
            let requested = &mut changed["metadata"]["annotations"][REQUESTED_AT];
            let time = requested.as_str().expect("a time");
            time.parse::<jiff::Timestamp>().expect("a time of RFC 3339");
            *requested = NO_TIME.into();
        }
        assert_eq!(changed, yaml(&format!("actions/{path}")), "{action}");
    }
}

/// Does an action as Argo CD does: the patch that the script makes is sent to the API server.
async fn act(case: &TestCase<'_>, action: &str) {
    let object = serde_json::to_value(case.get("target").await).expect("JSON");
    let patch = gitops("action", Some(action), &[object]).await.remove(0);
    case.patch("target", patch)
        .await
        .expect("the action is done");
}

#[test]
fn the_operator_does_what_each_action_asks_for() {
    run(async {
        let case = TestCase::with_synced_target(TestEnv::shared().await, Target::Braintrust).await;
        let listings = case.listings();
        act(&case, "sync").await;
        let object = case
            .wait("target", "asked", |object| {
                let status = object.status.as_ref();
                status.is_some_and(|status| status.last_handled_sync_request.is_some())
            })
            .await;
        let annotations = object.metadata.annotations.unwrap_or_default();
        let handled = object
            .status
            .and_then(|status| status.last_handled_sync_request);
        assert_eq!(handled.as_ref(), annotations.get(REQUESTED_AT));
        assert!(case.listings() > listings);
        act(&case, "suspend").await;
        case.wait_reason("target", "Suspended").await;
        act(&case, "resume").await;
        case.wait_reason("target", "Synced").await;
        case.finish().await;
    });
}

/// Every script of a folder, by its path there.
fn scripts(folder: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut paths = vec!["health.lua".to_owned(), "actions/discovery.lua".to_owned()];
    paths.extend(ACTIONS.map(|action| format!("actions/{action}/action.lua")));
    for path in paths {
        let text = std::fs::read_to_string(folder.join(&path)).unwrap_or_default();
        assert!(!text.is_empty(), "{} has no {path}", folder.display());
        found.insert(path, text);
    }
    found
}

#[test]
fn the_chart_has_the_scripts_of_the_documentation() {
    let ours = scripts(&root().join(SCRIPTS));
    let of_chart = scripts(&root().join("charts/provider-secrets/files/argocd"));
    assert_eq!(of_chart, ours, "copy {SCRIPTS} to the chart's files/argocd");
}

/// The chart's objects of this kind, with these arguments.
async fn config_maps(arguments: &[&str]) -> Vec<Value> {
    let chart = root().join("charts/provider-secrets").display().to_string();
    let template = [
        "template",
        "provider-secrets",
        &chart,
        "--namespace=operator",
    ];
    let arguments = [&template, arguments].concat();
    let helm = shared_cluster().await.helm_output(&arguments, None).await;
    let mut objects = documents(&succeeded(helm.expect("helm runs")));
    objects.retain(|object| object["kind"] == "ConfigMap");
    objects
}

const ENABLED: &str = "--set=argocd.healthConfigMap.enabled=true";

#[tokio::test]
async fn the_config_map_is_there_when_it_is_asked_for() {
    assert_eq!(config_maps(&[]).await, Vec::<Value>::new());
    let more =
        "--set=argocd.healthConfigMap.namespace=argocd,argocd.healthConfigMap.labels.merge=yes";
    let maps = config_maps(&[ENABLED, more]).await;
    let metadata = &maps[0]["metadata"];
    assert_eq!(metadata["name"], "operator.provider-secrets-argocd");
    assert_eq!(metadata["namespace"], "argocd");
    assert_eq!(metadata["labels"]["merge"], "yes");
    assert_eq!(metadata["labels"]["app.kubernetes.io/component"], "argocd");
    let maps = config_maps(&[ENABLED]).await;
    assert_eq!(maps[0]["metadata"]["name"], "provider-secrets-argocd");
    assert_eq!(maps[0]["metadata"]["namespace"], "operator");
}

#[tokio::test]
async fn the_config_map_holds_the_scripts_as_argo_cd_reads_them() {
    let maps = config_maps(&[ENABLED]).await;
    let data = maps[0]["data"].as_object().expect("data");
    assert_eq!(data.len(), 2);
    holds_the_scripts(&maps[0]["data"]);
}

fn holds_the_scripts(data: &Value) {
    let ours = scripts(&root().join(SCRIPTS));
    let health = "resource.customizations.health.providersecrets.dev_ProviderSecret";
    assert_eq!(data[health], ours["health.lua"]);
    let actions = "resource.customizations.actions.providersecrets.dev_ProviderSecret";
    let actions = documents(data[actions].as_str().expect("actions")).remove(0);
    assert_eq!(actions["discovery.lua"], ours["actions/discovery.lua"]);
    let definitions = actions["definitions"].as_array().expect("definitions");
    assert_eq!(definitions.len(), ACTIONS.len());
    for definition in definitions {
        let name = definition["name"].as_str().expect("a name");
        assert_eq!(
            definition["action.lua"],
            ours[&format!("actions/{name}/action.lua")]
        );
    }
}

/// The commands of the page, in a cluster with Argo CD's ConfigMap.
#[test]
fn the_commands_of_the_page_put_the_scripts_into_argo_cd() {
    run(async {
        let cluster = Cluster::start().await.expect("a cluster starts");
        namespace(&cluster, "argocd", &json!({})).await;
        let theirs = json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "argocd-cm", "namespace": "argocd"},
            "data": {"url": "https://argocd.example"},
        });
        kubectl(
            &cluster,
            &["create", "--filename=-"],
            Some(&theirs.to_string()),
        )
        .await;
        let blocks = blocks("docs/gitops/argocd.md");
        assert!(!blocks.is_empty());
        let person = Person::at(&cluster).await;
        for block in blocks {
            person.runs(&block).await;
        }
        let get = [
            "get",
            "configmap",
            "argocd-cm",
            "--namespace=argocd",
            "--output=json",
        ];
        let map: Value = serde_json::from_str(&kubectl(&cluster, &get, None).await).expect("JSON");
        holds_the_scripts(&map["data"]);
        assert_eq!(map["data"]["url"], theirs["data"]["url"]);
    });
}
