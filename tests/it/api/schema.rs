//! The CustomResourceDefinition: that it is the one of the types, reads well, and what the API
//! server refuses in which words.

mod entries;
mod explain;
mod image_pull;
mod limits;
mod options;
mod policies;
mod provider;
mod scope;
mod sources;

use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use super::validation::agree;
use crate::harness::{Target, TestCase, TestEnv, root, run};

/// A reference to a credential that does not exist, so that no provider is asked.
fn credential() -> Value {
    json!({"name": "none", "key": "api-key"})
}

/// A spec with one member of `spec.provider`, its fields, and one entry.
fn spec(member: &str, fields: &Value) -> Value {
    let mut spec = json!({"provider": {member: fields}, "data": [entry("A_KEY")]});
    spec["provider"][member]["apiKeySecretRef"] = credential();
    spec
}

/// An entry of a Secret that does not exist.
fn entry(name: &str) -> Value {
    json!({"name": name, "secretKeyRef": {"name": "none", "key": "a"}})
}

/// An entry with a template over a Secret that does not exist.
fn template(name: &str, template: &str) -> Value {
    json!({"name": name, "template": template, "secretRef": {"name": "none"}})
}

/// A test case for objects that no provider hears of.
async fn case() -> TestCase<'static> {
    TestCase::new(TestEnv::shared().await, Target::BasetenTeam).await
}

/// A spec for a provider with these entries.
fn with_data(member: &str, data: &Value) -> Value {
    let mut spec = spec(member, &json!({}));
    spec["data"] = data.clone();
    spec
}

/// A spec for Baseten with one `dataFrom`, the given fields added.
fn with_source(fields: &Value) -> Value {
    let mut spec = spec("baseten", &json!({}));
    let mut source = json!({"secretRef": {"name": "none"}});
    for (name, value) in fields.as_object().expect("fields") {
        source[name] = value.clone();
    }
    spec["dataFrom"] = json!([source]);
    spec
}

/// Asks the API server whether it would take an object; else its message. `validate` must say the same.
async fn offer(case: &TestCase<'_>, name: &str, spec: &Value) -> Result<(), String> {
    let object = json!({
        "apiVersion": "providersecrets.dev/v1alpha1",
        "kind": "ProviderSecret",
        "metadata": {"name": name},
        "spec": spec,
    });
    agree(case, &object).await;
    let parameters = PatchParams::apply("test").force().dry_run();
    let (objects, patch) = (case.objects(), Patch::Apply(&object));
    message(objects.patch(name, &parameters, &patch).await)
}

/// The message of a refusal.
fn message<T>(result: kube::Result<T>) -> Result<(), String> {
    match result {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) => Err(status.message),
        Err(other) => Err(format!("not a refusal: {other}")),
    }
}

/// Checks that something was refused with words that have each of `parts`.
#[track_caller]
fn assert_refused(what: &str, result: Result<(), String>, parts: &[&str]) {
    let message = result.expect_err(what);
    for part in parts {
        assert!(
            message.contains(part),
            "{what}: {part:?} is not in {message:?}"
        );
    }
}

#[test]
fn the_committed_definition_is_that_of_the_types() {
    let path = root().join("crds/providersecrets.yaml");
    let made = serde_saphyr::to_string(&provider_secrets::api::definition()).expect("YAML");
    #[expect(
        clippy::disallowed_methods,
        reason = "a test has no command line of its own"
    )]
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &made).expect("the definition is written");
    }
    let committed = std::fs::read_to_string(&path).expect("it is committed");
    assert!(
        committed == made,
        "run `make crds`, or this test with UPDATE=1"
    );
}

#[test]
fn the_definition_is_small() {
    let made = serde_saphyr::to_string(&provider_secrets::api::definition()).expect("YAML");
    let compact = serde_json::to_string(&provider_secrets::api::definition()).expect("JSON");
    assert!(made.len() < 100_000, "{} bytes", made.len());
    assert!(compact.len() < 100_000, "{} bytes", compact.len());
}

#[test]
fn names_and_versions_are_those_of_the_conventions() {
    let definition = serde_json::to_value(provider_secrets::api::definition()).expect("JSON");
    let spec = &definition["spec"];
    assert_eq!(
        definition["metadata"]["name"],
        "providersecrets.providersecrets.dev"
    );
    assert_eq!(spec["group"], "providersecrets.dev");
    assert_eq!(spec["scope"], "Namespaced");
    assert_eq!(spec["names"]["shortNames"], json!(["psec"]));
    assert_eq!(spec["names"]["categories"], json!(["provider-secrets"]));
    let version = &spec["versions"][0];
    assert_eq!(version["name"], "v1alpha1");
    assert_eq!(version["subresources"]["status"], json!({}));
    let columns = version["additionalPrinterColumns"]
        .as_array()
        .expect("columns");
    let names: Vec<&str> = columns
        .iter()
        .filter_map(|column| column["name"].as_str())
        .collect();
    assert_eq!(
        names,
        ["Provider", "Ready", "Reason", "Synced", "Last-Sync", "Age"]
    );
}

#[test]
fn an_object_that_no_operator_has_seen_does_not_look_current() {
    run(async {
        let case = case().await;
        let spec = spec("baseten", &json!({}));
        let object = json!({
            "apiVersion": "providersecrets.dev/v1alpha1",
            "kind": "ProviderSecret",
            "metadata": {"name": "unseen", "namespace": case.namespace},
            "spec": spec,
        });
        // The API server's answer to the creation, before any other client can see the object.
        let create = ["create", "-f", "-", "-o", "jsonpath={.status}"];
        let cluster = &case.env.cluster;
        let output = cluster
            .kubectl_output(&create, Some(&object.to_string()))
            .await;
        let output = output.expect("kubectl runs");
        assert!(output.success, "{}", output.stderr);
        assert_eq!(output.stdout, r#"{"observedGeneration":-1}"#);
        // Nothing else is filled in: a GitOps tool would report it as a difference for ever.
        let stored = case
            .kubectl(&["get", "psec", "unseen", "-o", "jsonpath={.spec}"])
            .await;
        assert_eq!(serde_json::from_str::<Value>(&stored).expect("JSON"), spec);
        case.wait_reason("unseen", "CredentialNotFound").await;
        case.finish().await;
    });
}

#[test]
fn every_kind_of_the_category_is_listed_by_it() {
    run(async {
        let case = case().await;
        let spec = spec("baseten", &json!({}));
        case.apply("listed", spec)
            .await
            .expect("an object is applied");
        for name in [
            "psec",
            "provider-secrets",
            "providersecrets",
            "providersecret",
        ] {
            assert!(
                case.kubectl(&["get", name]).await.contains("listed"),
                "{name}"
            );
        }
        case.finish().await;
    });
}
