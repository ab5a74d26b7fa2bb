//! The Helm chart: what it renders, what its schema refuses, and its lifecycle on a real API server.

mod agreement;
mod artifact_hub;
mod egress;
mod extra_objects;
mod monitoring;
mod names;
mod null;
mod release;
mod render;
mod schemas;
mod scope;
mod server;
mod suites;
mod values;

use std::process::Stdio;

use cluster::{Cluster, Output, Tool, Tools};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::{
    Api,
    runtime::wait::{await_condition, conditions},
};
use serde_json::{Value, json};
use tokio::{process::Command, sync::OnceCell};

use crate::harness::{DEADLINE, NAMESPACE, root};

/// A file of the repository.
pub(crate) fn read(path: &str) -> String {
    let text = std::fs::read_to_string(root().join(path));
    assert!(text.is_ok(), "{path}: {text:?}");
    text.unwrap_or_default()
}

/// Every document of a YAML text that is not empty.
pub(crate) fn documents(text: &str) -> Vec<Value> {
    let documents: Vec<Value> = serde_saphyr::from_multiple(text).expect("the text is YAML");
    documents
        .into_iter()
        .filter(|document| !document.is_null())
        .collect()
}

/// The cluster that packaging tests share. None of them removes what another one applied.
pub(crate) async fn shared_cluster() -> &'static Cluster {
    static CLUSTER: OnceCell<Cluster> = OnceCell::const_new();
    CLUSTER
        .get_or_init(|| async { Cluster::start().await.expect("a cluster starts") })
        .await
}

/// Standard output of a command that must succeed.
pub(crate) fn succeeded(output: Output) -> String {
    assert!(output.success, "{}{}", output.stdout, output.stderr);
    output.stdout
}

/// Runs one of the pinned programs at the root of the repository, whatever comes of it.
pub(crate) async fn program(tool: Tool, arguments: &[&str]) -> Output {
    let path = Tools::from_environment().path(tool).await;
    let output = Command::new(path.expect("the program is built"))
        .args(arguments)
        .current_dir(root())
        .stdin(Stdio::null())
        .output()
        .await
        .expect("the program runs");
    Output {
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        success: output.status.success(),
    }
}

/// Runs kubectl, which must succeed.
pub(crate) async fn kubectl(cluster: &Cluster, arguments: &[&str], stdin: Option<&str>) -> String {
    succeeded(
        cluster
            .kubectl_output(arguments, stdin)
            .await
            .expect("kubectl runs"),
    )
}

/// The name of our `CustomResourceDefinition`.
pub(crate) const CRD: &str = "providersecrets.providersecrets.dev";

/// Waits until these definitions are served. `kubectl wait` fails for one that has no condition yet.
pub(crate) async fn established(cluster: &Cluster, definitions: &[&str]) {
    let api: Api<CustomResourceDefinition> = Api::all(cluster.client());
    for name in definitions {
        let served = await_condition(api.clone(), name, conditions::is_crd_established());
        let served = tokio::time::timeout(DEADLINE, served).await;
        served
            .expect("the definition is served in time")
            .expect("the definition is read");
    }
}

/// Makes a namespace that has these labels.
pub(crate) async fn namespace(cluster: &Cluster, name: &str, labels: &Value) {
    let manifest = json!({
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": name, "labels": labels},
    });
    let apply = ["apply", "--server-side", "--filename=-"];
    kubectl(cluster, &apply, Some(&manifest.to_string())).await;
}

/// An apply that the API server checks and does not store.
const DRY_RUN: [&str; 4] = ["apply", "--server-side", "--dry-run=server", "--filename=-"];

fn chart() -> String {
    root().join("charts/provider-secrets").display().to_string()
}

/// `helm template` with more arguments, whatever comes of it.
pub(super) async fn template(arguments: &[&str]) -> Output {
    let chart = chart();
    let mut all = vec![
        "template",
        "provider-secrets",
        &chart,
        "--namespace",
        NAMESPACE,
    ];
    all.extend(arguments);
    shared_cluster()
        .await
        .helm_output(&all, None)
        .await
        .expect("helm runs")
}

/// What `helm install` would do for this release, and that its notes render too.
async fn install(release: &str, arguments: &[&str]) -> Vec<Value> {
    let chart = chart();
    let mut all = vec!["install", release, &chart, "--dry-run=client"];
    all.extend(arguments);
    let helm = shared_cluster().await.helm_output(&all, None).await;
    let shown = succeeded(helm.expect("helm runs"));
    let (manifest, notes) = shown.split_once("\nNOTES:\n").expect("there are notes");
    assert!(notes.contains("is installed"), "{notes}");
    let (_, manifest) = manifest.split_once("MANIFEST:\n").expect("a manifest");
    documents(manifest)
}

/// The objects as one that kubectl takes.
pub(super) fn list(objects: &[Value]) -> String {
    json!({"apiVersion": "v1", "kind": "List", "items": objects}).to_string()
}

/// What the chart renders with these arguments.
pub(super) async fn render(arguments: &[&str]) -> Vec<Value> {
    documents(&succeeded(template(arguments).await))
}

/// The one object of this kind whose name ends so.
fn find<'a>(objects: &'a [Value], kind: &str, name_end: &str) -> &'a Value {
    let found: Vec<&Value> = objects
        .iter()
        .filter(|object| {
            object["kind"] == kind
                && object["metadata"]["name"]
                    .as_str()
                    .is_some_and(|name| name.ends_with(name_end))
        })
        .collect();
    assert_eq!(found.len(), 1, "{kind} …{name_end} in {objects:#?}");
    found[0]
}

fn has(objects: &[Value], kind: &str) -> bool {
    objects.iter().any(|object| object["kind"] == kind)
}

fn pod(objects: &[Value]) -> &Value {
    &find(objects, "Deployment", "")["spec"]["template"]
}

fn container(objects: &[Value]) -> &Value {
    &pod(objects)["spec"]["containers"][0]
}

fn arguments_of(objects: &[Value]) -> Vec<&str> {
    let arguments = container(objects)["args"].as_array().into_iter().flatten();
    arguments
        .map(|argument| argument.as_str().expect("an argument is a text"))
        .collect()
}
