//! What the chart renders, given to a real API server.

use k8s_openapi::api::authorization::v1::SubjectAccessReview;
use kube::api::{Api, PostParams};
use serde_json::json;

use super::{
    DRY_RUN, documents, find, kubectl, list, namespace, pod, render, shared_cluster, succeeded,
    template,
};
use crate::harness::NAMESPACE;

const APPLY: [&str; 3] = ["apply", "--server-side", "--filename=-"];

#[tokio::test]
async fn the_api_server_takes_every_object() {
    let cluster = shared_cluster().await;
    namespace(cluster, NAMESPACE, &json!({})).await;
    let rendered = succeeded(template(&[]).await);
    // A pod is refused without its ServiceAccount.
    let account = find(&documents(&rendered), "ServiceAccount", "").clone();
    kubectl(cluster, &APPLY, Some(&list(&[account]))).await;
    let output = cluster
        .kubectl_output(&DRY_RUN, Some(&rendered))
        .await
        .unwrap();
    assert!(output.success, "{}", output.stderr);
    assert_eq!(output.stderr, "");
    assert!(
        output.stdout.contains("deployment.apps/provider-secrets"),
        "{}",
        output.stdout
    );
}

/// Cases: K-05
#[tokio::test]
async fn the_pod_satisfies_the_strictest_pod_security() {
    let cluster = shared_cluster().await;
    let name = "chart-pod-security";
    let levels = json!({
        "pod-security.kubernetes.io/enforce": "restricted",
        "pod-security.kubernetes.io/warn": "restricted",
    });
    namespace(cluster, name, &levels).await;
    let objects = render(&["--set", &format!("namespaceOverride={name}")]).await;
    let account = find(&objects, "ServiceAccount", "").clone();
    kubectl(cluster, &APPLY, Some(&list(&[account]))).await;

    let mut pod = pod(&objects).clone();
    pod["apiVersion"] = json!("v1");
    pod["kind"] = json!("Pod");
    pod["metadata"]["name"] = json!("operator");
    pod["metadata"]["namespace"] = json!(name);
    let create = ["create", "--dry-run=server", "--filename=-"];
    let output = cluster
        .kubectl_output(&create, Some(&pod.to_string()))
        .await
        .unwrap();
    assert!(output.success, "{}", output.stderr);
    assert_eq!(output.stderr, "");
    let doctor = find(&objects, "Pod", "").to_string();
    let output = cluster.kubectl_output(&create, Some(&doctor)).await;
    let output = output.expect("kubectl runs");
    assert!(output.success, "{}", output.stderr);
    assert_eq!(output.stderr, "");

    // The same with one right more is refused: the label is at work.
    pod["spec"]["containers"][0]["securityContext"]["allowPrivilegeEscalation"] = json!(true);
    let output = cluster
        .kubectl_output(&create, Some(&pod.to_string()))
        .await
        .unwrap();
    assert!(
        !output.success && output.stderr.contains("violates PodSecurity"),
        "{}",
        output.stderr
    );
}

/// Cases: K-04
#[tokio::test]
async fn the_service_account_cannot_write_a_secret() {
    let cluster = shared_cluster().await;
    let name = "chart-rights";
    namespace(cluster, name, &json!({})).await;
    let set = format!("namespaceOverride={name},fullnameOverride={name},crds.enabled=false");
    let objects = render(&["--set", &set]).await;
    kubectl(cluster, &APPLY, Some(&list(&objects))).await;

    let reviews: Api<SubjectAccessReview> = Api::all(cluster.client());
    let may = async |verb: &str, group: &str, resource: &str| {
        let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
        let review = json!({
            "metadata": {},
            "spec": {
                "user": format!("system:serviceaccount:{name}:{name}"),
                "resourceAttributes": {
                    "verb": verb, "group": group, "resource": resource, "subresource": subresource,
                },
            },
        });
        let review = serde_json::from_value(review).unwrap();
        let answer = reviews
            .create(&PostParams::default(), &review)
            .await
            .unwrap();
        answer.status.unwrap().allowed
    };
    let group = "providersecrets.dev";
    for verb in ["get", "list", "watch"] {
        assert!(may(verb, "", "secrets").await, "{verb}");
        assert!(may(verb, group, "providersecrets").await, "{verb}");
    }
    assert!(may("patch", group, "providersecrets").await);
    assert!(may("patch", group, "providersecrets/status").await);
    assert!(may("get", "", "namespaces").await);
    assert!(may("create", "events.k8s.io", "events").await);
    for verb in ["create", "update", "patch", "delete", "deletecollection"] {
        assert!(!may(verb, "", "secrets").await, "{verb}");
        assert!(!may(verb, "", "namespaces").await, "{verb}");
    }
    for verb in ["create", "update", "delete", "deletecollection"] {
        assert!(!may(verb, group, "providersecrets").await, "{verb}");
    }
    for resource in [
        "pods",
        "configmaps",
        "serviceaccounts",
        "serviceaccounts/token",
    ] {
        assert!(
            !may("get", "", resource).await && !may("create", "", resource).await,
            "{resource}"
        );
    }
}
