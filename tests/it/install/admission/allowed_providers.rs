//! A ProviderSecret uses what its namespace names. The operator reads the annotation in the same way: the table is the
//! one that its own test has.

use futures::future::join_all;
use serde_json::{Value, json};

use super::{APPLY, Guarded, assert_refused, cluster, guard, policies, spec};
use crate::{
    harness::until,
    install::chart::{kubectl, list, read},
};

/// Annotation, provider with endpoint, whether it is allowed.
type Row = (Option<String>, String, bool);

fn table() -> Vec<Row> {
    serde_json::from_str(&read("tests/allowed-providers.json")).expect("the table is one")
}

/// A spec that uses an endpoint of a provider, as the flag names them.
fn using(used: &str) -> Value {
    let (provider, endpoint) = used.split_once('/').expect("an endpoint");
    let mut members = ["baseten", "primeIntellect", "pipecat", "braintrust"].into_iter();
    let member = members.find(|member| member.to_lowercase() == provider);
    let mut account = json!({"apiKeySecretRef": {"name": "a", "key": "a"}});
    if endpoint != "default" {
        account["endpoint"] = endpoint.into();
    }
    let mut spec = spec("a", "a");
    spec["provider"] = json!({member.expect("a provider"): account});
    spec
}

/// Makes a namespace with this annotation.
async fn bounded(name: &str, annotation: Option<&str>) -> Guarded {
    let mut metadata = json!({"name": name});
    if let Some(annotation) = annotation {
        metadata["annotations"] = json!({"providersecrets.dev/allowed-providers": annotation});
    }
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata});
    kubectl(cluster().await, &APPLY, Some(&namespace.to_string())).await;
    let bounded = Guarded {
        namespace: name.to_owned(),
    };
    bounded.user("user", &[]).await;
    bounded
}

/// Waits until the policy of a release is at work in the namespace.
async fn at_work(guarded: &Guarded, used: &str) {
    until("the policy is at work", async || {
        let tried = guarded.create("user", &using(used)).await;
        tried
            .err()
            .map(drop)
            .ok_or_else(|| "it is accepted".to_owned())
    })
    .await;
}

#[tokio::test]
async fn the_policy_reads_an_annotation_as_the_operator_does() {
    let mut annotations: Vec<Option<String>> = table().into_iter().map(|row| row.0).collect();
    annotations.dedup();
    let name = |index: usize| format!("bound-{index}");
    let names: Vec<String> = (0..annotations.len()).map(name).collect();
    let places = names.iter().zip(&annotations);
    let namespaces = join_all(places.map(|(name, text)| bounded(name, text.as_deref()))).await;
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    guard("bound", &names, "allowedProviders").await;
    // The API server takes up a policy at one time for all.
    at_work(&namespaces[0], "braintrust/eu").await;
    let tried = join_all(
        table()
            .into_iter()
            .map(async |(annotation, used, is_allowed)| {
                let place = annotations.iter().position(|known| *known == annotation);
                let guarded = &namespaces[place.expect("a namespace")];
                let tried = guarded.create("user", &using(&used)).await;
                assert_eq!(tried.is_ok(), is_allowed, "{annotation:?} {used} {tried:?}");
                if !is_allowed {
                    let words = format!("namespace {} does not name {used}", guarded.namespace);
                    assert_refused(tried, &words);
                }
            }),
    );
    tried.await;
}

#[tokio::test]
async fn a_namespace_without_the_annotation_is_refused_where_it_must_opt_in() {
    let guarded = bounded("unsaid", None).await;
    let objects = policies(&[
        "--set=admissionPolicies.allowedProviders.enabled=true,fullnameOverride=unsaid",
        "--set=requireNamespaceOptIn=true,scope.mode=Namespaces,scope.namespaces={unsaid}",
    ]);
    kubectl(cluster().await, &APPLY, Some(&list(&objects.await))).await;
    at_work(&guarded, "baseten/default").await;
    let words = "namespace unsaid does not name pipecat/default in its annotation";
    assert_refused(
        guarded.create("user", &using("pipecat/default")).await,
        words,
    );
    let annotate = [
        "annotate",
        "namespace",
        "unsaid",
        "providersecrets.dev/allowed-providers=pipecat",
    ];
    kubectl(cluster().await, &annotate, None).await;
    let spec = using("pipecat/default");
    until("the annotation counts", async || {
        guarded.create("user", &spec).await
    })
    .await;
}

#[tokio::test]
async fn an_object_whose_provider_is_allowed_no_more_can_be_kept_and_deleted() {
    let guarded = bounded("tightened", Some("baseten")).await;
    guard("tightened", &["tightened"], "allowedProviders").await;
    at_work(&guarded, "pipecat/default").await;
    let object = guarded.made("object", &using("baseten/default")).await;
    let tighten = [
        "annotate",
        "namespace",
        "tightened",
        "--overwrite",
        "providersecrets.dev/allowed-providers=",
    ];
    kubectl(cluster().await, &tighten, None).await;
    at_work(&guarded, "baseten/default").await;
    let replace = ["replace", "--filename=-"];
    assert_eq!(guarded.write("user", &replace, &object).await, Ok(()));
    let patch = json!({"spec": {"conflictPolicy": "Fail"}});
    assert_refused(
        guarded.patch("user", &patch).await,
        "does not name baseten/default",
    );
    assert_eq!(
        guarded
            .kubectl("user", &["delete", "psec", "object"], None)
            .await,
        Ok(())
    );
}
