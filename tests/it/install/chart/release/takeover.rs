//! Helm takes over what kubectl has applied, and two releases of one name live side by side.

use super::{DEFINITION, NAMESPACE, Release};
use crate::install::{
    chart::{CRD, established, kubectl, list},
    packaging::install_yaml,
};

#[tokio::test]
async fn helm_takes_over_what_kubectl_applied_and_says_where_it_must_be_told_to() {
    let release = Release::new().await;
    let list = list(&install_yaml().await);
    // The namespace is first in the list.
    let apply = ["apply", "--server-side", "--filename=-"];
    kubectl(&release.cluster, &apply, Some(&list)).await;
    let refused = release.try_helm("install", &[]).await;
    let reason = "invalid ownership metadata";
    assert!(
        !refused.success && refused.stderr.contains(reason),
        "{}",
        refused.stderr
    );
    release.helm("install", &["--take-ownership"]).await;
    established(&release.cluster, &[CRD]).await;

    // kubectl applied the arguments too, and the API server keeps it in mind.
    let debug = "--set=log.level=debug";
    let refused = release.try_helm("upgrade", &[debug]).await;
    let is_conflict = refused.stderr.contains("conflict");
    assert!(!refused.success && is_conflict, "{}", refused.stderr);
    release.helm("upgrade", &[debug, "--force-conflicts"]).await;
    assert!(release.arguments().await.contains("--log-level=debug"));
    release.helm("uninstall", &[]).await;
    release.kubectl(&["get", DEFINITION]).await;
    let left = ["get", "deployments,serviceaccounts,roles", "--output=name"];
    let left = release.kubectl(&left).await;
    assert!(!left.contains("provider-secrets"), "{left}");
}

/// A server-side apply takes away only what nobody else applied, and the API server wants no `rollingUpdate` beside Recreate.
#[tokio::test]
async fn helm_makes_what_kubectl_applied_recreate_by_a_client_side_apply() {
    let release = Release::new().await;
    let list = list(&install_yaml().await);
    let apply = ["apply", "--server-side", "--filename=-"];
    kubectl(&release.cluster, &apply, Some(&list)).await;
    let upgrade = ["--install", "--take-ownership"];
    let one = "--set=leaderElection.enabled=false,replicaCount=1";
    let forced = [&upgrade[..], &["--force-conflicts", one]].concat();
    let refused = release.try_helm("upgrade", &forced).await;
    assert!(
        !refused.success && refused.stderr.contains("rollingUpdate: Forbidden"),
        "{}",
        refused.stderr
    );
    let client_side = [&upgrade[..], &["--server-side=false", one]].concat();
    release.helm("upgrade", &client_side).await;
    let path = "--output=jsonpath={.spec.replicas} {.spec.strategy}";
    let deployment = ["get", "deployment/provider-secrets", path];
    let made = release.kubectl(&deployment).await;
    assert_eq!(made, r#"1 {"type":"Recreate"}"#);
}

#[tokio::test]
async fn two_releases_of_one_name_come_and_go_without_each_other() {
    let mut release = Release::new().await;
    release.helm("install", &["--create-namespace"]).await;
    release.namespace = "team-b".to_owned();
    let second = ["--create-namespace", "--set=crds.enabled=false"];
    release.helm("install", &second).await;
    release.helm("uninstall", &[]).await;
    release.namespace = NAMESPACE.to_owned();
    let bindings = ["get", "clusterrolebindings", "--output=name"];
    let left = release.kubectl(&bindings).await;
    assert!(
        left.contains("/provider-secrets-system:provider-secrets\n"),
        "{left}"
    );
    assert!(!left.contains("/team-b:provider-secrets\n"), "{left}");
    assert!(release.arguments().await.contains("--log-level=info"));
    release.kubectl(&["get", DEFINITION]).await;
}
