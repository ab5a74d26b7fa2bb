//! What the chart renders, held by kubeconform against the schemas of each supported Kubernetes.
//!
//! `tests/schemas/kubernetes` has them, made of the OpenAPI document of a real API server of each version by `make
//! schemas`, so that no test asks the network for a schema. The API server that the tests run with takes every object
//! in `server`.

use std::{collections::BTreeMap, fmt::Write as _, fs, path::Path};

use cluster::Tool;
use serde_json::{Value, json};

use super::{
    documents, kubectl, program, read, shared_cluster, succeeded, suites::value_sets, template,
};
use crate::{guards::assert_generated, harness::root};

/// The supported versions of Kubernetes.
const MINORS: [&str; 4] = ["1.33", "1.34", "1.35", "1.36"];

/// The kinds that the chart renders: the name of the definition, and that of kubeconform's file.
const KINDS: [(&str, &str); 14] = [
    (
        "io.k8s.api.admissionregistration.v1.ValidatingAdmissionPolicy",
        "validatingadmissionpolicy-admissionregistration-v1",
    ),
    (
        "io.k8s.api.admissionregistration.v1.ValidatingAdmissionPolicyBinding",
        "validatingadmissionpolicybinding-admissionregistration-v1",
    ),
    ("io.k8s.api.apps.v1.Deployment", "deployment-apps-v1"),
    ("io.k8s.api.core.v1.ConfigMap", "configmap-v1"),
    ("io.k8s.api.core.v1.Namespace", "namespace-v1"),
    ("io.k8s.api.core.v1.Service", "service-v1"),
    ("io.k8s.api.core.v1.ServiceAccount", "serviceaccount-v1"),
    (
        "io.k8s.api.networking.v1.NetworkPolicy",
        "networkpolicy-networking-v1",
    ),
    (
        "io.k8s.api.policy.v1.PodDisruptionBudget",
        "poddisruptionbudget-policy-v1",
    ),
    ("io.k8s.api.rbac.v1.ClusterRole", "clusterrole-rbac-v1"),
    (
        "io.k8s.api.rbac.v1.ClusterRoleBinding",
        "clusterrolebinding-rbac-v1",
    ),
    ("io.k8s.api.rbac.v1.Role", "role-rbac-v1"),
    ("io.k8s.api.rbac.v1.RoleBinding", "rolebinding-rbac-v1"),
    (
        "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinition",
        "customresourcedefinition-apiextensions-v1",
    ),
];

/// Kinds of the Prometheus operator, which Kubernetes has no schema of.
const OF_OTHERS: &str = "ServiceMonitor,PodMonitor,PrometheusRule";

const REFERENCE: &str = "#/definitions/";

/// The file of a version.
fn file(minor: &str) -> String {
    format!("tests/schemas/kubernetes/{minor}.json")
}

/// A schema of the OpenAPI document as kubeconform reads it: only what constrains, and closed. Notes the definitions that it
/// names.
fn schema(open: &Value, names: &mut Vec<String>) -> Value {
    if let Some(name) = open["$ref"].as_str() {
        names.push(name.trim_start_matches(REFERENCE).to_owned());
        return json!({"$ref": name});
    }
    // Two kinds of texts may be numbers.
    if open["format"] == "int-or-string" {
        return json!({"type": ["string", "integer"]});
    }
    let mut closed = serde_json::Map::new();
    for member in ["type", "required"] {
        if !open[member].is_null() {
            closed.insert(member.to_owned(), open[member].clone());
        }
    }
    for member in ["items", "additionalProperties"] {
        if open[member].is_object() {
            closed.insert(member.to_owned(), schema(&open[member], names));
        }
    }
    if let Some(properties) = open["properties"].as_object() {
        let properties = properties.iter();
        let properties: serde_json::Map<String, Value> = properties
            .map(|(name, property)| (name.clone(), schema(property, names)))
            .collect();
        closed.insert("properties".to_owned(), properties.into());
        closed.insert("additionalProperties".to_owned(), false.into());
    }
    closed.into()
}

/// The definitions of the kinds, and of all that these name.
fn definitions(open: &Value) -> BTreeMap<String, Value> {
    let mut wanted: Vec<String> = KINDS.iter().map(|(name, _)| (*name).to_owned()).collect();
    let mut definitions = BTreeMap::new();
    while let Some(name) = wanted.pop() {
        if definitions.contains_key(&name) {
            continue;
        }
        let open = &open["definitions"][&name];
        assert!(open.is_object(), "there is no {name}");
        let closed = if name.ends_with(".resource.Quantity") {
            json!({"type": ["string", "number"]})
        } else {
            schema(open, &mut wanted)
        };
        definitions.insert(name, closed);
    }
    definitions
}

/// The text of a file, with a line for each definition.
fn text(definitions: &BTreeMap<String, Value>) -> String {
    let mut text = "{".to_owned();
    for (name, definition) in definitions {
        let separator = if text.len() > 1 { "," } else { "" };
        let _ = write!(text, "{separator}\n\"{name}\": {definition}");
    }
    text.push_str("\n}\n");
    text
}

#[tokio::test]
async fn the_schemas_are_those_of_the_api_server() {
    let get = async |path: &str| -> Value {
        let text = kubectl(shared_cluster().await, &["get", "--raw", path], None).await;
        serde_json::from_str(&text).expect("JSON")
    };
    let version = get("/version").await;
    let minor = format!(
        "{}.{}",
        version["major"].as_str().unwrap_or_default(),
        version["minor"].as_str().unwrap_or_default()
    );
    assert!(MINORS.contains(&&*minor), "{minor}");
    let text = text(&definitions(&get("/openapi/v2").await));
    assert_generated(&[(root().join(file(&minor)), text)].into(), "schemas");
}

/// Writes a file for each kind of a version, and gives kubeconform's word for where they are.
fn unpack(minor: &str, folder: &Path) -> String {
    let definitions: Value = serde_json::from_str(&read(&file(minor))).expect("JSON");
    for (name, file) in KINDS {
        let reference = format!("{REFERENCE}{name}");
        let schema = json!({"allOf": [{"$ref": reference}], "definitions": definitions});
        fs::write(folder.join(format!("{file}.json")), schema.to_string()).expect("a file");
    }
    format!(
        "{}/{{{{.ResourceKind}}}}{{{{.KindSuffix}}}}.json",
        folder.display()
    )
}

/// What kubeconform says of a file of manifests.
async fn kubeconform(location: &str, manifests: &str) -> cluster::Output {
    let arguments = [
        "-strict",
        "-summary",
        "-schema-location",
        location,
        "-skip",
        OF_OTHERS,
        manifests,
    ];
    program(Tool::Kubeconform, &arguments).await
}

#[tokio::test]
async fn each_supported_kubernetes_has_what_the_chart_renders() {
    let mut rendered = String::new();
    let mut apis: Vec<String> = OF_OTHERS
        .split(',')
        .map(|kind| format!("--api-versions=monitoring.coreos.com/v1/{kind}"))
        .collect();
    for values in value_sets() {
        apis.push(format!("--values={values}"));
        let arguments: Vec<&str> = apis.iter().map(String::as_str).collect();
        let without = [&arguments[..], &["--skip-tests"]].concat();
        rendered.push_str(&succeeded(template(&without).await));
        let doctor = [&arguments[..], &["--show-only=templates/doctor.yaml"]].concat();
        for pod in documents(&succeeded(template(&doctor).await)) {
            let _ = writeln!(rendered, "---\n{}", templated(&pod));
        }
        apis.pop();
    }
    rendered.push_str("---\n");
    rendered.push_str(&read("deploy/kustomize/base/namespace.yaml"));
    let objects = documents(&rendered);
    let folder = tempfile::tempdir().expect("a folder");
    let manifests = folder.path().join("manifests.yaml");
    fs::write(&manifests, rendered).expect("a file");
    let strange = folder.path().join("strange.yaml");
    let unknown = "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {portz: []}\n";
    fs::write(&strange, unknown).expect("a file");
    for minor in MINORS {
        let schemas = folder.path().join(minor);
        fs::create_dir(&schemas).expect("a folder");
        let location = unpack(minor, &schemas);
        let said = succeeded(kubeconform(&location, &manifests.display().to_string()).await);
        let is_of_others = |object: &&Value| {
            let mut kinds = OF_OTHERS.split(',');
            kinds.any(|kind| object["kind"] == kind)
        };
        let others = objects.iter().filter(is_of_others).count();
        let valid = objects.len() - others;
        let summary = format!("Valid: {valid}, Invalid: 0, Errors: 0, Skipped: {others}");
        assert!(said.contains(&summary), "{minor}: {summary} and not {said}");
        // It is one that finds something.
        let refused = kubeconform(&location, &strange.display().to_string()).await;
        assert!(
            !refused.success && refused.stdout.contains("portz"),
            "{}",
            refused.stdout
        );
    }
}

/// A pod in a Deployment: what the schemas have of pods is the template of one.
fn templated(pod: &Value) -> Value {
    let (metadata, spec) = (&pod["metadata"], &pod["spec"]);
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": metadata,
        "spec": {"selector": {}, "template": {"metadata": metadata, "spec": spec}},
    })
}
