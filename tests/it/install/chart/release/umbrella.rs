//! The chart inside of another one.

use std::{fs, path::Path};

use serde_json::{Value, json};

use super::upgrade::copy;
use crate::{
    harness::root,
    install::chart::{DRY_RUN, documents, kubectl, namespace, shared_cluster, succeeded},
};

/// A chart that has this one as a dependency of this name, on a condition.
fn umbrella(folder: &Path, alias: &str) {
    let chart = format!(
        "apiVersion: v2\nname: platform\nversion: 1.0.0\ndependencies:\n  - name: provider-secrets\n    \
        alias: {alias}\n    version: '*'\n    condition: {alias}.enabled\n"
    );
    fs::write(folder.join("Chart.yaml"), chart).expect("a file");
    let values = format!(
        "global:\n  imageRegistry: registry.example\n  domain: example.org\n{alias}:\n  \
        enabled: true\n  replicaCount: 3\n"
    );
    fs::write(folder.join("values.yaml"), values).expect("a file");
    let own = folder.join("charts/provider-secrets");
    copy(&root().join("charts/provider-secrets"), &own);
}

#[tokio::test]
async fn an_umbrella_chart_hands_down_its_globals_and_its_condition() {
    let folder = tempfile::tempdir().expect("a folder");
    umbrella(folder.path(), "provider-secrets");
    let path = folder.path().display().to_string();
    let render = async |set: &str| -> Vec<Value> {
        let arguments = ["template", "all", &path, "--namespace=platform", set];
        let output = shared_cluster().await.helm_output(&arguments, None).await;
        documents(&succeeded(output.expect("helm runs")))
    };
    let objects = render("--set=global.domain=other").await;
    let deployment = objects.iter().find(|object| object["kind"] == "Deployment");
    let spec = &deployment.expect("a Deployment")["spec"];
    assert_eq!(spec["replicas"], 3);
    let image = &spec["template"]["spec"]["containers"][0]["image"];
    let image = image.as_str().expect("a text");
    assert!(
        image.starts_with("registry.example/provider-secrets/"),
        "{image}"
    );
    assert!(
        render("--set=provider-secrets.enabled=false")
            .await
            .is_empty()
    );
}

/// An alias may hold upper case and underscores, which names of objects may not.
#[tokio::test]
async fn the_api_server_takes_every_object_under_any_alias() {
    let cluster = shared_cluster().await;
    namespace(cluster, "chart-alias", &json!({})).await;
    for alias in ["providerSecrets", "ps_b", "_ps_", &"L".repeat(60)] {
        let folder = tempfile::tempdir().expect("a folder");
        umbrella(folder.path(), alias);
        let path = folder.path().display().to_string();
        let arguments = [
            "template",
            "all",
            &path,
            "--namespace=chart-alias",
            "--skip-tests",
        ];
        let output = cluster.helm_output(&arguments, None).await;
        let objects = succeeded(output.expect("helm runs"));
        kubectl(cluster, &DRY_RUN, Some(&objects)).await;
    }
}
