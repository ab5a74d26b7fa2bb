//! Names of releases and objects, whatever they are.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{DRY_RUN, install, list, namespace, render, shared_cluster};

#[tokio::test]
async fn every_release_name_works() {
    let cluster = shared_cluster().await;
    namespace(cluster, "chart-names", &json!({})).await;
    let longest = "n".repeat(53);
    let dashes = format!("{}-{}", "n".repeat(44), "n".repeat(8));
    for release in [
        "ps-0.1.0",
        "1st",
        "0.1",
        &longest,
        &dashes,
        "provider-secrets-eu",
    ] {
        let objects = install(release, &["--namespace=chart-names"]).await;
        let all = list(&objects);
        let output = cluster.kubectl_output(&DRY_RUN, Some(&all)).await;
        let output = output.expect("kubectl runs");
        assert!(output.success, "{release}: {}", output.stderr);
        // Of a dot in a pod's name it would warn.
        assert_eq!(output.stderr, "", "{release}");
    }
}

/// Names that YAML would take for numbers.
#[tokio::test]
async fn names_are_texts() {
    let set = "--set-string=fullnameOverride=123,nameOverride=1e5,serviceAccount.name=7";
    for object in render(&[set]).await {
        let name = &object["metadata"]["name"];
        assert!(name.is_string(), "{object}");
        let labels = &object["metadata"]["labels"];
        assert_eq!(labels["app.kubernetes.io/name"], "1e5", "{object}");
    }
}

/// Of one release of two with one name, nothing is the other's, whatever is asked for and also where both put something
/// into a third namespace; the CustomResourceDefinition is installed once.
#[tokio::test]
async fn two_releases_of_one_name_live_side_by_side() {
    let names = async |namespace: &str| -> BTreeSet<String> {
        let namespace = format!("--namespace={namespace}");
        let more = "--set=crds.enabled=false,argocd.healthConfigMap.enabled=true,\
            argocd.healthConfigMap.namespace=argocd,grafanaDashboard.enabled=true,\
            admissionPolicies.sourceAccess.enabled=true,admissionPolicies.sourceOptIn.enabled=true,\
            admissionPolicies.allowedProviders.enabled=true";
        let objects = install("one", &[&namespace, more]).await;
        let name = |object: &Value| {
            let metadata = &object["metadata"];
            format!(
                "{} {} {}",
                object["kind"], metadata["namespace"], metadata["name"]
            )
        };
        objects.iter().map(name).collect()
    };
    let (one, two) = (names("team-a").await, names("team-b").await);
    assert_eq!(one.len(), two.len());
    let both: Vec<&String> = one.intersection(&two).collect();
    assert!(both.is_empty(), "{both:?}");
}
