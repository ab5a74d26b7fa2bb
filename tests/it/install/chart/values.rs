//! values.yaml, its schema and its documentation: that they speak of the same values.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{read, template};

/// Whether the schema accepts these arguments, and what helm said.
async fn accepted(arguments: &[&str]) -> Result<(), String> {
    let output = template(arguments).await;
    if output.success {
        Ok(())
    } else {
        Err(output.stderr)
    }
}

#[tokio::test]
async fn a_value_that_does_nothing_is_refused() {
    for value in [
        "unknown=1",
        "image.name=x",
        "crds.install=true",
        "replicaCount=-1",
        "leaderElection.enabled=false",
        "leaderElection.leaseDuration=15",
        "log.level=loud",
    ] {
        let refusal = accepted(&["--set", value]).await.unwrap_err();
        assert!(
            refusal.contains("values don't meet the specifications"),
            "{value}: {refusal}"
        );
    }
}

/// The API server refuses a binding with both.
#[tokio::test]
async fn a_policy_denies_or_warns() {
    let set = |actions: &str| format!("admissionPolicies.validationActions={{{actions}}}");
    for actions in ["Deny", "Deny,Audit", "Warn,Audit", "Audit"] {
        assert_eq!(accepted(&["--set", &set(actions)]).await, Ok(()));
    }
    for actions in ["Deny,Warn", "Warn,Audit,Deny", "Warn,Warn", "Allow", ""] {
        let refusal = accepted(&["--set", &set(actions)]).await.unwrap_err();
        assert!(refusal.contains("validationActions"), "{refusal}");
    }
}

#[tokio::test]
async fn an_umbrella_chart_may_hand_down_its_own() {
    let arguments = ["--set=enabled=true,global.imageRegistry=r.example,global.other=else"];
    assert_eq!(accepted(&arguments).await, Ok(()));
}

#[tokio::test]
async fn an_endpoint_is_https_or_loopback() {
    for url in [
        "https://proxy.example/base",
        "http://localhost:8080",
        "http://127.0.0.1",
        "http://[::1]:80",
    ] {
        let set = format!("endpoints.pipecat/test={url}");
        assert_eq!(accepted(&["--set", &set]).await, Ok(()), "{url}");
    }
    for url in [
        "http://proxy.example",
        "http://localhost.example",
        "ftp://x",
        "https://",
        "proxy",
    ] {
        let set = format!("endpoints.pipecat={url}");
        assert!(accepted(&["--set", &set]).await.is_err(), "{url}");
    }
    for name in ["Pipecat", "other", "pipecat/", "pipecat/EU", "pipecat/a/b"] {
        let set = format!("endpoints.{name}=https://x.example");
        assert!(accepted(&["--set", &set]).await.is_err(), "{name}");
    }
}

#[tokio::test]
async fn an_old_kubernetes_is_refused() {
    assert_eq!(accepted(&["--kube-version=v1.33.4-gke.100"]).await, Ok(()));
    let refusal = accepted(&["--kube-version=v1.32.9"]).await.unwrap_err();
    assert!(refusal.contains("requires kubeVersion"), "{refusal}");
}

/// Names of values with dots, down to where the schema stops naming members.
fn schema_names(schema: &Value, prefix: &str, names: &mut BTreeSet<String>) {
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let path = format!("{prefix}{name}");
        if property["properties"]
            .as_object()
            .is_some_and(|members| !members.is_empty())
        {
            schema_names(property, &format!("{path}."), names);
        } else {
            names.insert(path);
        }
    }
}

fn schema() -> Value {
    let text = read("charts/provider-secrets/values.schema.json");
    serde_json::from_str(&text).expect("JSON")
}

/// The names of values that are maps with entries of the user's.
pub(super) fn maps_of_schema() -> Vec<String> {
    let schema = schema();
    let is_map = |name: &String| {
        let pointer = format!("/properties/{}", name.replace('.', "/properties/"));
        let property = schema.pointer(&pointer).expect("the schema has it");
        let reference = property["$ref"].as_str();
        let defined = reference.and_then(|at| schema.pointer(at.trim_start_matches('#')));
        let types = &defined.unwrap_or(property)["type"];
        types.to_string().contains("\"object\"")
    };
    names_of_schema().into_iter().filter(is_map).collect()
}

pub(super) fn names_of_schema() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    schema_names(&schema(), "", &mut names);
    // It is for umbrella charts.
    assert!(names.remove("enabled"));
    names
}

#[test]
fn the_schema_and_the_defaults_name_the_same_values() {
    let values: Value =
        serde_saphyr::from_str(&read("charts/provider-secrets/values.yaml")).unwrap();
    let names = names_of_schema();
    for name in &names {
        let pointer = format!("/{}", name.replace('.', "/"));
        assert!(
            values.pointer(&pointer).is_some(),
            "values.yaml has no {name}"
        );
    }
    let mut leaves = vec![(String::new(), &values)];
    while let Some((path, value)) = leaves.pop() {
        let known = names
            .iter()
            .any(|name| path == *name || path.starts_with(&format!("{name}.")));
        match value.as_object() {
            Some(members) if !known && !members.is_empty() => {
                leaves.extend(members.iter().map(|(name, value)| {
                    let dot = if path.is_empty() { "" } else { "." };
                    (format!("{path}{dot}{name}"), value)
                }));
            }
            _ => assert!(known, "the schema does not know {path}"),
        }
    }
}

#[test]
fn the_readme_lists_every_value() {
    let readme = read("charts/provider-secrets/README.md");
    for name in names_of_schema() {
        let listed = |name: &str| readme.contains(&format!("`{name}`"));
        let parent = name.rsplit_once('.').map_or("", |(parent, _)| parent);
        assert!(
            listed(&name) || listed(parent),
            "{name} is not in the chart's README"
        );
    }
}
