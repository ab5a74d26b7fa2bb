//! A release becomes another version of the chart, and goes back.

use std::{fs, path::Path};

use serde_json::Value;

use super::{DEFINITION, Release, example};
use crate::{
    harness::root,
    install::chart::{CRD, documents, established, read},
};

/// A field of the spec that the chart before did not know.
const NEW_FIELD: &str =
    "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/suspend";

/// Copies a folder.
pub(super) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("a file");
        }
    }
}

/// The chart as it may have been one version before: its CustomResourceDefinition lacks a field.
fn older_chart(folder: &Path) -> String {
    copy(&root().join("charts/provider-secrets"), folder);
    let mut definition = documents(&read("crds/providersecrets.yaml")).remove(0);
    let (parent, field) = NEW_FIELD.rsplit_once('/').expect("a path");
    let properties = definition
        .pointer_mut(parent)
        .and_then(Value::as_object_mut);
    let removed = properties.expect("properties").remove(field);
    assert!(removed.is_some(), "there is no {field}");
    // Rules of the spec may name it.
    let spec = parent.trim_end_matches("/properties");
    let spec = definition.pointer_mut(spec).and_then(Value::as_object_mut);
    spec.expect("a spec").remove("x-kubernetes-validations");
    let path = folder.join("files/providersecrets.yaml");
    let text = format!(
        "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata:\n  name: {}\nspec: {}\n",
        definition["metadata"]["name"], definition["spec"]
    );
    fs::write(path, text).expect("a file");
    let chart = fs::read_to_string(folder.join("Chart.yaml")).expect("a chart");
    let version = format!("version: {}\n", env!("CARGO_PKG_VERSION"));
    let older = chart.replacen(&version, "version: 0.0.9\n", 1);
    assert_ne!(older, chart);
    fs::write(folder.join("Chart.yaml"), older).expect("a file");
    folder.display().to_string()
}

impl Release {
    async fn knows_the_field(&self) -> bool {
        let definition = self.kubectl(&["get", DEFINITION, "--output=json"]).await;
        let definition: Value = serde_json::from_str(&definition).expect("JSON");
        definition.pointer(NEW_FIELD).is_some()
    }

    async fn uid(&self) -> String {
        let path = "--output=jsonpath={.items[*].metadata.uid}";
        self.kubectl(&["get", "providersecrets", path]).await
    }
}

#[tokio::test]
async fn an_upgrade_brings_new_fields_and_keeps_every_object_and_so_does_a_rollback() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut release = Release::new().await;
    let newer = std::mem::replace(&mut release.chart, older_chart(folder.path()));
    release.helm("install", &["--create-namespace"]).await;
    established(&release.cluster, &[CRD]).await;
    assert!(!release.knows_the_field().await);
    let apply = ["apply", "--server-side", "--filename", &example()];
    release.kubectl(&apply).await;
    let uid = release.uid().await;
    assert!(!uid.is_empty());

    release.chart = newer;
    release.helm("upgrade", &["--set=log.level=debug"]).await;
    assert!(release.knows_the_field().await);
    assert!(release.arguments().await.contains("--log-level=debug"));
    assert_eq!(release.uid().await, uid);
    let suspend = r#"--patch={"spec":{"suspend":true}}"#;
    let patch = [
        "patch",
        "providersecrets",
        "baseten-workspace",
        "--type=merge",
        suspend,
    ];
    release.kubectl(&patch).await;

    release.helm("rollback", &["1"]).await;
    assert!(release.arguments().await.contains("--log-level=info"));
    assert!(!release.knows_the_field().await);
    assert_eq!(release.uid().await, uid);
    release.helm("uninstall", &[]).await;
    assert_eq!(release.uid().await, uid);
}
