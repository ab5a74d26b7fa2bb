//! The manifests of `examples/`: each stands alone and is taken by a real API server. What the
//! operator does with them is tested elsewhere, and shown by the demo.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tokio::sync::OnceCell;

use crate::harness::root;
use crate::install::chart::{
    CRD, documents, established, kubectl, namespace, read, shared_cluster,
};

/// Names of the manifests, without `.yaml`.
fn names(directory: &str) -> BTreeSet<String> {
    std::fs::read_dir(root().join(directory))
        .expect("the folder is there")
        .filter_map(|entry| {
            let name = entry.expect("the folder can be read").file_name();
            name.to_str()?.strip_suffix(".yaml").map(str::to_owned)
        })
        .collect()
}

fn objects(name: &str) -> Vec<Value> {
    documents(&read(&format!("examples/{name}.yaml")))
}

async fn installed() {
    static DEFINITION: OnceCell<()> = OnceCell::const_new();
    DEFINITION
        .get_or_init(|| async {
            let cluster = shared_cluster().await;
            let definitions = root().join("crds").display().to_string();
            kubectl(
                cluster,
                &[
                    "apply",
                    "--server-side",
                    "--force-conflicts",
                    "--filename",
                    &definitions,
                ],
                None,
            )
            .await;
            established(cluster, &[CRD]).await;
        })
        .await;
}

#[test]
fn there_is_one_for_each_api_and_feature() {
    let names = names("examples");
    for name in [
        "baseten-workspace",
        "baseten-team",
        "primeintellect",
        "primeintellect-file",
        "pipecat",
        "pipecat-image-pull",
        "braintrust",
        "data-from",
        "template",
        "suspend",
        "policies",
        "endpoint-eu",
    ] {
        assert!(names.contains(name), "{name}");
    }
}

#[test]
fn each_brings_the_secrets_it_needs() {
    for name in names("examples") {
        let objects = objects(&name);
        let of_kind = |kind: &str| -> Vec<&Value> {
            objects
                .iter()
                .filter(|object| object["kind"] == kind)
                .collect()
        };
        assert_eq!(of_kind("ProviderSecret").len(), 1, "{name}");
        for object in &objects {
            assert_eq!(
                object["metadata"]["namespace"],
                Value::Null,
                "{name}: given by -n"
            );
        }
        let has = |secret: &Value, key: Option<&Value>| {
            of_kind("Secret").into_iter().any(|object| {
                object["metadata"]["name"] == *secret
                    && key.and_then(Value::as_str).is_none_or(|key| {
                        !object["stringData"][key].is_null() || !object["data"][key].is_null()
                    })
            })
        };
        let spec = &of_kind("ProviderSecret")[0]["spec"];
        let provider = spec["provider"]
            .as_object()
            .unwrap()
            .values()
            .next()
            .unwrap();
        let credential = &provider["apiKeySecretRef"];
        assert!(
            has(&credential["name"], Some(&credential["key"])),
            "{name}: {credential}"
        );
        for entry in spec["data"].as_array().into_iter().flatten() {
            if entry["template"].is_string() {
                assert!(has(&entry["secretRef"]["name"], None), "{name}: {entry}");
                continue;
            }
            let source = &entry["secretKeyRef"];
            assert!(
                has(&source["name"], Some(&source["key"])),
                "{name}: {source}"
            );
        }
        let image_pull = &provider["imagePullSecret"];
        if image_pull["secretRef"].is_object() {
            let source = &image_pull["secretRef"]["name"];
            let config = Value::from(".dockerconfigjson");
            assert!(has(source, Some(&config)), "{name}: {image_pull}");
        }
        for item in spec["dataFrom"].as_array().into_iter().flatten() {
            assert!(has(&item["secretRef"]["name"], None), "{name}: {item}");
        }
    }
}

#[tokio::test]
async fn the_api_server_takes_each() {
    let cluster = shared_cluster().await;
    installed().await;
    for name in names("examples") {
        let into = format!("example-{name}");
        namespace(cluster, &into, &json!({})).await;
        let file = root()
            .join(format!("examples/{name}.yaml"))
            .display()
            .to_string();
        let apply = [
            "apply",
            "--server-side",
            "--namespace",
            &into,
            "--filename",
            &file,
        ];
        let output = cluster.kubectl_output(&apply, None).await.unwrap();
        assert!(output.success, "{name}: {}", output.stderr);
        assert_eq!(output.stderr, "", "{name}");

        // Nothing is added to what was asked for: GitOps tools see no difference.
        let get = ["get", "psec", "--namespace", &into, "--output=json"];
        let stored: Value = serde_json::from_str(&kubectl(cluster, &get, None).await).unwrap();
        let asked = objects(&name);
        let asked = asked
            .iter()
            .find(|object| object["kind"] == "ProviderSecret")
            .unwrap();
        assert_eq!(stored["items"][0]["spec"], asked["spec"], "{name}");
    }
}
