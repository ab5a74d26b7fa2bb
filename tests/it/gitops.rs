//! What the tools that deploy from Git make of the resource: Argo CD, Flux, Helm, kubectl and Terraform.

mod argocd; // the scripts of Argo CD, and the chart's ConfigMap that holds them
mod differences; // nothing differs between Git and the cluster
mod health; // whether an object is healthy: four tools about every status
mod helm; // `helm install --wait` on a real API server
mod manifests; // Applications, HelmReleases and Kustomizations, by their own definitions

use cluster::{Cluster, Tool, Tools};
use serde_json::Value;
use tokio::{io::AsyncWriteExt as _, process::Command};

use crate::harness::{root, until};
use crate::install::chart::kubectl;

/// The kind's folder in the layout of Argo CD's repository.
const SCRIPTS: &str =
    "docs/gitops/argocd/resource_customizations/providersecrets.dev/ProviderSecret";

/// What the program `gitops` of `tests/cluster/go` says of each object.
async fn gitops(command: &str, action: Option<&str>, objects: &[Value]) -> Vec<Value> {
    let program = Tools::from_environment().path(Tool::Gitops).await;
    let mut child = Command::new(program.expect("gitops"))
        .arg(command)
        .arg(root().join(SCRIPTS))
        .args(action)
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("gitops starts");
    let lines: Vec<String> = objects.iter().map(|object| format!("{object}\n")).collect();
    let mut input = child.stdin.take().expect("its input");
    let write = async {
        input
            .write_all(lines.concat().as_bytes())
            .await
            .expect("it reads");
        drop(input);
    };
    let (output, ()) = tokio::join!(child.wait_with_output(), write);
    let output = output.expect("gitops ends");
    assert!(output.status.success(), "gitops {command}");
    let text = String::from_utf8(output.stdout).expect("text");
    let said = text.lines().map(serde_json::from_str);
    let said: Vec<Value> = said.map(|line| line.expect("JSON")).collect();
    assert_eq!(said.len(), objects.len());
    said
}

/// A cluster with the `CustomResourceDefinition` and nothing that acts on objects.
async fn cluster_without_operator() -> Cluster {
    let cluster = Cluster::start().await.expect("a cluster starts");
    let crds = root().join("crds").display().to_string();
    kubectl(
        &cluster,
        &["apply", "--server-side", "--filename", &crds],
        None,
    )
    .await;
    until("the CustomResourceDefinition is established", async || {
        let get = cluster.kubectl_output(&["get", "psec", "-A"], None).await;
        let get = get.expect("kubectl runs");
        get.success.then_some(()).ok_or(get.stderr)
    })
    .await;
    cluster
}
