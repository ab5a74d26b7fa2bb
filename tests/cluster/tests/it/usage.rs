//! What a test does with a cluster: act as a user, and count calls.

use std::time::Instant;

use cluster::AuditStage;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::api::{Api, ListParams};

use crate::support::{DEADLINE, shared};

#[tokio::test]
async fn a_service_account_may_do_what_its_role_says_and_no_more() {
    let cluster = shared().await;
    let manifests = "
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: reader}
rules: [{apiGroups: [''], resources: [configmaps], verbs: [list]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: reader}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: reader}
subjects: [{kind: ServiceAccount, name: reader, namespace: team}]
";
    let kubeconfig = cluster
        .service_account("team", "reader", manifests)
        .await
        .unwrap();
    let client = cluster::client(&kubeconfig).await.unwrap();
    let everything = ListParams::default();
    // The API server learns of a role a moment after it was made.
    let config_maps = Api::<ConfigMap>::namespaced(client.clone(), "team");
    let began = Instant::now();
    while let Err(refused) = config_maps.list(&everything).await {
        assert!(began.elapsed() < DEADLINE, "{refused}");
    }
    for refused in [
        Api::<Secret>::namespaced(client.clone(), "team")
            .list(&everything)
            .await
            .err(),
        Api::<Secret>::namespaced(client, "default")
            .list(&everything)
            .await
            .err(),
    ] {
        assert!(matches!(refused, Some(kube::Error::Api(status)) if status.is_forbidden()));
    }
    // A second call, as tests that share a cluster make it.
    cluster
        .service_account("team", "reader", manifests)
        .await
        .unwrap();
    let error = cluster
        .service_account("team", "reader", "kind: Nonsense")
        .await
        .unwrap_err();
    assert!(error.to_string().starts_with("kubectl apply"), "{error}");
}

#[tokio::test]
async fn the_audit_log_has_every_call() {
    let cluster = shared().await;
    let started = jiff::Timestamp::now();
    let maps = Api::<ConfigMap>::namespaced(cluster.client(), "default");
    for _ in 0..3 {
        maps.get_opt("absent").await.unwrap();
    }
    let events = cluster
        .wait_for_audit(DEADLINE, |events| {
            events.iter().filter(|event| event.name == "absent").count() == 3
        })
        .await
        .unwrap();
    let event = events.iter().find(|event| event.name == "absent").unwrap();
    assert_eq!(
        (event.verb.as_str(), event.resource.as_str()),
        ("get", "configmaps")
    );
    assert_eq!((event.namespace.as_str(), event.code), ("default", 404));
    assert_eq!(
        (event.user.as_str(), event.stage),
        ("admin", AuditStage::ResponseComplete)
    );
    assert!(event.request_received >= started);
    assert!(event.stage_timestamp >= event.request_received);
}

#[tokio::test]
async fn helm_talks_to_the_cluster() {
    let cluster = shared().await;
    let releases = cluster
        .helm_output(&["list", "--output=json"], None)
        .await
        .unwrap();
    assert_eq!(releases.stdout.trim(), "[]", "{}", releases.stderr);
}
