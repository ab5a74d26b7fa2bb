//! The largest objects there may be, and fields that there are not.

use serde_json::{Value, json};

use super::{assert_refused, case, entry, message, offer, spec, template};
use crate::harness::run;

/// As many entries of a provider as asked for, each as large as it may be.
fn entries(member: &str, count: usize) -> Vec<Value> {
    let width = if member == "pipecat" { 64 } else { 255 };
    let largest = |number: usize| {
        let name = format!("{}{number:0>8}", "A".repeat(width - 8));
        let mut entry = entry(&name);
        let reference = json!({"name": "a".repeat(253), "key": "a".repeat(253)});
        entry["secretKeyRef"] = reference;
        match member {
            "primeIntellect" => {
                entry[member] =
                    json!({"isFile": number.is_multiple_of(2), "description": "a".repeat(500)});
            }
            "braintrust" => entry[member] = json!({"type": "openai", "metadata": {"a": "b"}}),
            _ => {}
        }
        entry
    };
    (0..count).map(largest).collect()
}

/// Cases: B-10
#[test]
fn five_hundred_entries_are_accepted_changed_and_not_written_twice() {
    run(async {
        let case = case().await;
        for member in ["baseten", "primeIntellect", "pipecat", "braintrust"] {
            let name = format!("many-{}", member.to_lowercase());
            let mut spec = spec(member, &json!({}));
            spec["data"] = entries(member, 500).into();
            case.apply(&name, spec.clone())
                .await
                .expect("500 entries are accepted");
            let before = case.wait_reason(&name, "CredentialNotFound").await;
            let status = before.status.as_ref().expect("there is a status");
            assert_eq!(status.summary.as_deref(), Some("0/500"), "{member}");
            // The transition rules run over all entries.
            let again = case
                .apply(&name, spec.clone())
                .await
                .expect("500 entries are compared");
            assert_eq!(
                again.metadata.resource_version,
                before.metadata.resource_version
            );
            assert_eq!(again.metadata.generation, Some(1));
            spec["data"][499]["secretKeyRef"]["key"] = "other".into();
            let changed = case
                .apply(&name, spec.clone())
                .await
                .expect("one entry changes");
            assert_eq!(changed.metadata.generation, Some(2));
            spec["data"] = entries(member, 501).into();
            let result = message(case.apply(&name, spec).await);
            assert_refused(
                member,
                result,
                &["spec.data", "must have at most 500 items"],
            );
        }
        case.finish().await;
    });
}

#[test]
fn at_most_sixteen_bulk_sources() {
    run(async {
        let case = case().await;
        let mut spec = spec("baseten", &json!({}));
        let sources =
            |count: usize| Value::from(vec![json!({"secretRef": {"name": "none"}}); count]);
        spec["dataFrom"] = sources(16);
        assert_eq!(offer(&case, "object", &spec).await, Ok(()));
        spec["dataFrom"] = sources(17);
        let offered = offer(&case, "object", &spec).await;
        assert_refused(
            "17",
            offered,
            &["spec.dataFrom", "must have at most 16 items"],
        );
        case.finish().await;
    });
}

/// Cases: H-01, H-07
#[test]
fn unknown_fields_are_refused_and_never_stored() {
    run(async {
        let case = case().await;
        let namespace = || Value::from("kube-system");
        let url = || Value::from("https://example.com");
        let paths: [(&str, Value); 9] = [
            ("/provider/baseten/apiKeySecretRef/namespace", namespace()),
            ("/data/0/secretKeyRef/namespace", namespace()),
            ("/dataFrom/0/secretRef/namespace", namespace()),
            ("/provider/baseten/url", url()),
            ("/provider/baseten/endpointUrl", url()),
            ("/data/0/value", "plain".into()),
            ("/data/0/pipecat", json!({})),
            ("/data/1/secretRef/namespace", namespace()),
            ("/data/1/secretRef/key", "a".into()),
        ];
        for (number, (path, value)) in paths.into_iter().enumerate() {
            let mut spec = spec("baseten", &json!({}));
            spec["dataFrom"] = json!([{"secretRef": {"name": "none"}}]);
            spec["data"] = json!([entry("A_KEY"), template("B_KEY", "{{ a }}")]);
            let plain = spec.clone();
            let (parent, field) = path.rsplit_once('/').expect("a path");
            let parent = spec.pointer_mut(parent).expect("the parent is there");
            parent[field] = value;
            assert_refused(path, offer(&case, "object", &spec).await, &[field]);
            let name = format!("unknown-{number}");
            let object = json!({
                "apiVersion": "providersecrets.dev/v1alpha1",
                "kind": "ProviderSecret",
                "metadata": {"name": name, "namespace": case.namespace},
                "spec": spec,
            });
            let object = object.to_string();
            let strict = case
                .kubectl_refused(&["create", "-f", "-"], Some(&object))
                .await;
            let words = format!(
                "unknown field \"spec{}",
                &path
                    .replace("/0", "[0]")
                    .replace("/1", "[1]")
                    .replace('/', ".")
            );
            assert!(strict.contains(&words), "{words:?} is not in {strict}");
            // The API server refuses it also where the client asks for no validation.
            let create = [
                "create",
                "--validate=false",
                "-f",
                "-",
                "-o",
                "jsonpath={.spec}",
            ];
            let cluster = &case.env.cluster;
            let pruned = cluster
                .kubectl_output(&create, Some(&object))
                .await
                .expect("kubectl runs");
            assert!(pruned.success, "{}", pruned.stderr);
            assert_eq!(
                serde_json::from_str::<Value>(&pruned.stdout).expect("JSON"),
                plain
            );
        }
        case.finish().await;
    });
}

#[test]
fn a_wrong_type_is_refused_by_its_path() {
    run(async {
        let case = case().await;
        let cases = [
            ("/suspend", Value::from("yes")),
            ("/suspend", 1.into()),
            ("/data", json!({"A_KEY": "a"})),
            ("/data/0/name", 1.into()),
            ("/data/0/secretKeyRef", "none".into()),
            ("/provider", "baseten".into()),
            ("/provider/baseten", "team".into()),
            ("/provider/baseten/teamId", 7.into()),
            ("/provider/baseten/apiKeySecretRef", json!(["none"])),
            ("/provider/baseten/apiKeySecretRef", Value::Null),
        ];
        for (path, value) in cases {
            let mut spec = spec("baseten", &json!({"teamId": "one"}));
            spec["suspend"] = false.into();
            *spec.pointer_mut(path).expect("the field is there") = value;
            let field = path.rsplit('/').next().unwrap_or(path);
            assert_refused(path, offer(&case, "object", &spec).await, &[field]);
        }
        case.finish().await;
    });
}
