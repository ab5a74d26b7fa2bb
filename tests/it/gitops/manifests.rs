//! The Applications, HelmReleases and Kustomizations of `examples/gitops`, by the definitions of Argo CD and Flux
//! (`tests/crds`), on a real API server.

use serde_json::{Value, json};

use crate::harness::root;
use crate::install::chart::{documents, established, kubectl, namespace, read, shared_cluster};

const VERSION: &str = concat!("v", env!("CARGO_PKG_VERSION"));
const CHART: &str = "charts/provider-secrets";

fn manifests() -> Vec<(String, Vec<Value>)> {
    let folder = std::fs::read_dir(root().join("examples/gitops")).expect("the folder is there");
    let mut manifests: Vec<(String, Vec<Value>)> = folder
        .map(|file| {
            file.expect("a file")
                .file_name()
                .into_string()
                .expect("a name")
        })
        .map(|file| {
            let documents = documents(&read(&format!("examples/gitops/{file}")));
            (file, documents)
        })
        .collect();
    manifests.sort_by(|a, b| a.0.cmp(&b.0));
    manifests
}

/// Every object of the manifests of this kind.
fn of_kind(kind: &str) -> Vec<Value> {
    let objects = manifests().into_iter().flat_map(|(_, objects)| objects);
    objects.filter(|object| object["kind"] == kind).collect()
}

#[tokio::test]
async fn the_definitions_of_argo_cd_and_flux_take_each_manifest() {
    let cluster = shared_cluster().await;
    let crds = root().join("tests/crds").display().to_string();
    kubectl(
        cluster,
        &["apply", "--server-side", "--filename", &crds],
        None,
    )
    .await;
    let definitions = [
        "applications.argoproj.io",
        "gitrepositories.source.toolkit.fluxcd.io",
        "ocirepositories.source.toolkit.fluxcd.io",
        "helmreleases.helm.toolkit.fluxcd.io",
        "kustomizations.kustomize.toolkit.fluxcd.io",
    ];
    established(cluster, &definitions).await;
    for name in ["argocd", "flux-system", "provider-secrets-system"] {
        namespace(cluster, name, &json!({})).await;
    }
    for (file, objects) in manifests() {
        assert!(!objects.is_empty(), "{file}");
        let path = root()
            .join("examples/gitops")
            .join(&file)
            .display()
            .to_string();
        let apply = [
            "apply",
            "--server-side",
            "--dry-run=server",
            "--validate=strict",
            "--filename",
            &path,
        ];
        let output = cluster
            .kubectl_output(&apply, None)
            .await
            .expect("kubectl runs");
        assert!(output.success, "{file}: {}", output.stderr);
        assert_eq!(output.stderr, "", "{file}");
    }
    // The check bites: a field that a definition does not know is refused.
    let mut release = of_kind("HelmRelease").remove(0);
    release["spec"]["chartReference"] = json!({});
    let apply = [
        "apply",
        "--server-side",
        "--dry-run=server",
        "--validate=strict",
        "--filename=-",
    ];
    let output = cluster
        .kubectl_output(&apply, Some(&release.to_string()))
        .await;
    let output = output.expect("kubectl runs");
    assert!(
        !output.success && output.stderr.contains("chartReference"),
        "{}",
        output.stderr
    );
}

#[test]
fn the_manifests_name_this_version_of_the_chart() {
    let operator = of_kind("Application")
        .into_iter()
        .find(|application| application["spec"]["source"]["path"] == CHART);
    let operator = operator.expect("the operator's Application");
    assert_eq!(operator["spec"]["source"]["targetRevision"], VERSION);
    for repository in of_kind("GitRepository") {
        assert_eq!(repository["spec"]["ref"]["tag"], VERSION);
    }
    for repository in of_kind("OCIRepository") {
        assert_eq!(repository["spec"]["ref"]["tag"], env!("CARGO_PKG_VERSION"));
        let url = repository["spec"]["url"].as_str().expect("a URL");
        assert!(url.ends_with("/provider-secrets"), "{url}");
    }
}

#[test]
fn each_helm_release_reads_a_chart_that_is_there() {
    for (file, objects) in manifests() {
        let names = |kind: &str| -> Vec<Value> {
            let of_kind = objects.iter().filter(|object| object["kind"] == kind);
            of_kind
                .map(|object| object["metadata"]["name"].clone())
                .collect()
        };
        for release in objects
            .iter()
            .filter(|object| object["kind"] == "HelmRelease")
        {
            let spec = &release["spec"];
            let source = match &spec["chartRef"] {
                Value::Null => &spec["chart"]["spec"]["sourceRef"],
                reference => reference,
            };
            let kind = source["kind"].as_str().expect("a kind");
            assert!(names(kind).contains(&source["name"]), "{file}: {source}");
            if kind == "GitRepository" {
                assert_eq!(spec["chart"]["spec"]["chart"], CHART);
            }
        }
    }
}

#[test]
fn each_kustomization_waits_and_depends_on_the_one_before() {
    let kustomizations = of_kind("Kustomization");
    assert_eq!(kustomizations.len(), 3);
    assert!(
        kustomizations
            .iter()
            .all(|object| object["spec"]["wait"] == true)
    );
    for pair in kustomizations.windows(2) {
        let before = &pair[0]["metadata"]["name"];
        assert_eq!(pair[1]["spec"]["dependsOn"], json!([{"name": before}]));
    }
}

#[tokio::test]
async fn the_chart_takes_the_values_of_each_manifest() {
    let chart = root().join(CHART).display().to_string();
    let mut all = Vec::new();
    for application in of_kind("Application") {
        let values = &application["spec"]["source"]["helm"]["valuesObject"];
        all.extend((!values.is_null()).then(|| values.clone()));
    }
    let releases = of_kind("HelmRelease").into_iter();
    all.extend(releases.map(|release| release["spec"]["values"].clone()));
    assert_eq!(all.len(), 3);
    for values in all {
        let arguments = ["template", "provider-secrets", &chart, "--values=-"];
        let helm = shared_cluster().await;
        let output = helm
            .helm_output(&arguments, Some(&values.to_string()))
            .await;
        let output = output.expect("helm runs");
        assert!(output.success, "{}", output.stderr);
    }
}
