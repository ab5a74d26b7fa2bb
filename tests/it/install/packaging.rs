//! What is released: versions, the copies of generated files, install.yaml, the flags in the chart.

use std::process::Stdio;

use serde_json::Value;
use tokio::process::Command;

use crate::harness::{NAMESPACE, root};
use crate::install::chart::{documents, kubectl, read, shared_cluster, succeeded};

#[test]
fn the_chart_has_the_version_of_the_crate() {
    let chart: Value = serde_saphyr::from_str(&read("charts/provider-secrets/Chart.yaml")).unwrap();
    assert_eq!(chart["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(chart["appVersion"], env!("CARGO_PKG_VERSION"));
}

#[test]
fn the_chart_holds_the_generated_definition() {
    assert!(
        read("crds/providersecrets.yaml")
            == read("charts/provider-secrets/files/providersecrets.yaml"),
        "charts/provider-secrets/files is not a copy of crds: run `make crds`"
    );
}

#[tokio::test]
async fn the_operator_knows_every_flag_of_the_chart() {
    let chart = root().join("charts/provider-secrets").display().to_string();
    let arguments = [
        "template",
        "provider-secrets",
        &chart,
        "--set=endpoints.baseten=https://one.example",
        "--set=endpoints.braintrust/eu=https://two.example",
        "--set=metrics.enabled=false,concurrency.maxCallsPerAccount=256",
        "--set=concurrency.maxConcurrentReconciles=1000",
        "--set=basetenAuthorization=bearer",
        "--set=scope.mode=Namespaces,scope.namespaces={one,two}",
        "--set=log.level=info\\,provider_secrets=debug,log.format=text",
    ];
    let output = shared_cluster()
        .await
        .helm_output(&arguments, None)
        .await
        .unwrap();
    let objects = documents(&succeeded(output));
    let deployment = objects
        .iter()
        .find(|object| object["kind"] == "Deployment")
        .unwrap();
    let arguments = deployment["spec"]["template"]["spec"]["containers"][0]["args"]
        .as_array()
        .unwrap();
    // Flags are looked at in their order, so help is shown only when all before it are right.
    let output = Command::new(env!("CARGO_BIN_EXE_provider-secrets"))
        .args(arguments.iter().map(|argument| argument.as_str().unwrap()))
        .arg("--help")
        .output()
        .await
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// `make manifests` into a directory, with the Helm of the tests.
async fn manifests(directory: &str) -> (Vec<Value>, Vec<Value>) {
    let helm = shared_cluster()
        .await
        .tools()
        .helm()
        .await
        .expect("helm is built");
    let output = Command::new("make")
        .arg("manifests")
        .arg(format!("HELM={}", helm.display()))
        .arg(format!("DIST={directory}"))
        .current_dir(root())
        // This test itself may run below make.
        .env_remove("MAKEFLAGS")
        .env_remove("MFLAGS")
        .stdin(Stdio::null())
        .output()
        .await
        .expect("make runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let read = |name: &str| {
        documents(&std::fs::read_to_string(format!("{directory}/{name}")).expect("make wrote it"))
    };
    (read("install.yaml"), read("crds.yaml"))
}

/// The objects of `install.yaml`.
pub(super) async fn install_yaml() -> Vec<Value> {
    let directory = tempfile::tempdir().expect("a folder");
    manifests(&directory.path().display().to_string()).await.0
}

#[tokio::test]
async fn install_yaml_installs_everything() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().display().to_string();
    let (install, definitions) = manifests(&path).await;
    assert_eq!(install[0]["kind"], "Namespace");
    assert_eq!(install[0]["metadata"]["name"], NAMESPACE);
    for object in &install {
        let labels = &object["metadata"]["labels"];
        assert_eq!(
            labels["app.kubernetes.io/part-of"], "provider-secrets",
            "{object}"
        );
        assert_eq!(
            labels["app.kubernetes.io/managed-by"],
            Value::Null,
            "{object}"
        );
        assert_eq!(labels["helm.sh/chart"], Value::Null, "{object}");
    }
    assert_eq!(definitions, documents(&read("crds/providersecrets.yaml")));

    let cluster = shared_cluster().await;
    for file in ["crds.yaml", "install.yaml"] {
        let file = format!("{path}/{file}");
        let apply = [
            "apply",
            "--server-side",
            "--force-conflicts",
            "--filename",
            &file,
        ];
        let output = cluster.kubectl_output(&apply, None).await.unwrap();
        assert!(output.success, "{file}: {}", output.stderr);
        assert_eq!(output.stderr, "", "{file}");
    }
    let get = [
        "get",
        "deployment/provider-secrets",
        "--namespace",
        NAMESPACE,
        "--output=json",
    ];
    let deployment: Value = serde_json::from_str(&kubectl(cluster, &get, None).await).unwrap();
    assert_eq!(deployment["spec"]["replicas"], 2);
}
