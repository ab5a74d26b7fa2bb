//! What chart tools say of the chart: its own suites by helm-unittest, its README by helm-docs, and `helm lint` with each
//! set of values.

use std::{collections::BTreeSet, fs, path::PathBuf};

use cluster::Tool;

use super::{chart, program, shared_cluster, succeeded};
use crate::{guards::assert_generated, harness::root};

/// The names of the files in a folder of the chart, without this end.
fn names(folder: &str, end: &str) -> BTreeSet<String> {
    let entries = fs::read_dir(root().join("charts/provider-secrets").join(folder));
    let names = entries
        .expect("a folder")
        .map(|entry| entry.expect("an entry").file_name());
    names
        .filter_map(|name| Some(name.to_string_lossy().strip_suffix(end)?.to_owned()))
        .collect()
}

/// A set of values that the chart is tried with.
pub(super) fn value_sets() -> Vec<String> {
    let sets = names("ci", "-values.yaml");
    assert!(sets.len() >= 9, "{sets:?}");
    let path = |name: String| format!("{}/ci/{name}-values.yaml", chart());
    sets.into_iter().map(path).collect()
}

#[tokio::test]
async fn the_suites_of_the_chart_pass() {
    let said = program(Tool::HelmUnittest, &["--color=false", "--strict", &chart()]).await;
    assert!(said.success, "{}{}", said.stdout, said.stderr);
}

#[test]
fn each_template_has_a_suite() {
    let mut templates = names("templates", ".yaml");
    templates.insert("notes".to_owned());
    assert_eq!(names("tests", "_test.yaml"), templates);
}

#[tokio::test]
async fn lint_finds_nothing_with_any_set_of_values() {
    for values in value_sets() {
        let arguments = ["lint", "--strict", &chart(), "--values", &values];
        let output = shared_cluster().await.helm_output(&arguments, None).await;
        let said = succeeded(output.expect("helm runs"));
        assert!(!said.contains("[WARNING]"), "{values}: {said}");
    }
}

#[tokio::test]
async fn the_readme_is_what_helm_docs_writes() {
    let arguments = [
        "--dry-run",
        "--sort-values-order=file",
        "--chart-search-root=charts",
        "--log-level=error",
    ];
    let text = succeeded(program(Tool::HelmDocs, &arguments).await);
    let path: PathBuf = root().join("charts/provider-secrets/README.md");
    assert_generated(&[(path, text)].into(), "chart");
}

/// What a release holds is what the installed chart needs.
#[tokio::test]
async fn the_package_has_no_file_of_the_repository_alone() {
    let directory = tempfile::tempdir().expect("a folder");
    let folder = directory.path().display().to_string();
    let arguments = ["package", &chart(), "--destination", &folder];
    let output = shared_cluster().await.helm_output(&arguments, None).await;
    succeeded(output.expect("helm runs"));
    let package = format!(
        "{folder}/provider-secrets-{}.tgz",
        env!("CARGO_PKG_VERSION")
    );
    let listed = tokio::process::Command::new("tar")
        .args(["--list", "--gzip", "--file", &package])
        .output()
        .await
        .expect("tar runs");
    let listed = String::from_utf8_lossy(&listed.stdout);
    for file in ["Chart.yaml", "README.md", "files/grafana/dashboard.json"] {
        assert!(
            listed.contains(&format!("provider-secrets/{file}\n")),
            "{file} in {listed}"
        );
    }
    for part in ["/ci/", "/tests/", "gotmpl"] {
        assert!(!listed.contains(part), "{part} in {listed}");
    }
}
