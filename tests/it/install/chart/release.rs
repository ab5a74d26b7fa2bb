//! The lifecycle of a release: installed, upgraded, uninstalled, taken over from kubectl.

mod pods;
mod takeover;
mod umbrella;
mod upgrade;

use cluster::{Cluster, Output};

use super::{CRD, chart, established, kubectl, succeeded};
use crate::harness::{NAMESPACE, root};

const DEFINITION: &str = "crd/providersecrets.providersecrets.dev";

/// A cluster with the release `provider-secrets` of a chart in a namespace, or room for it.
struct Release {
    cluster: Cluster,
    chart: String,
    namespace: String,
}

impl Release {
    async fn new() -> Self {
        Self {
            cluster: Cluster::start().await.expect("a cluster starts"),
            chart: chart(),
            namespace: NAMESPACE.to_owned(),
        }
    }

    async fn try_helm(&self, verb: &str, arguments: &[&str]) -> Output {
        let mut all = vec![verb, "provider-secrets"];
        if ["install", "upgrade"].contains(&verb) {
            all.push(&self.chart);
        }
        all.extend(["--namespace", &self.namespace]);
        all.extend(arguments);
        let output = self.cluster.helm_output(&all, None).await;
        output.expect("helm runs")
    }

    async fn helm(&self, verb: &str, arguments: &[&str]) -> String {
        succeeded(self.try_helm(verb, arguments).await)
    }

    async fn kubectl(&self, arguments: &[&str]) -> String {
        let mut all = vec!["--namespace", &self.namespace];
        all.extend(arguments);
        kubectl(&self.cluster, &all, None).await
    }

    async fn arguments(&self) -> String {
        let path = "jsonpath={.spec.template.spec.containers[0].args}";
        self.kubectl(&["get", "deployment/provider-secrets", "--output", path])
            .await
    }
}

#[tokio::test]
async fn a_release_comes_changes_and_goes() {
    let release = Release::new().await;

    let notes = release.helm("install", &["--create-namespace"]).await;
    assert!(notes.contains("kubectl get psec -A"), "{notes}");
    assert!(notes.contains("no image is published"), "{notes}");
    established(&release.cluster, &[CRD]).await;
    assert!(release.arguments().await.contains("--log-level=info"));
    for object in [
        "serviceaccount/provider-secrets",
        "service/provider-secrets-metrics",
    ] {
        release.kubectl(&["get", object]).await;
    }

    let notes = release
        .helm(
            "upgrade",
            &["--set=log.level=debug,image.repository=r.example/x"],
        )
        .await;
    assert!(notes.contains("log.level is debug"), "{notes}");
    assert!(!notes.contains("no image is published"), "{notes}");
    assert!(release.arguments().await.contains("--log-level=debug"));

    // Kept: the definition, and with it every object.
    release
        .kubectl(&["apply", "--server-side", "--filename", &example()])
        .await;
    release.helm("uninstall", &[]).await;
    let left = release
        .kubectl(&["get", "providersecrets", "--output=name"])
        .await;
    assert_eq!(left.lines().count(), 1, "{left}");
    let left = release
        .kubectl(&["get", "deployments,serviceaccounts", "--output=name"])
        .await;
    assert!(!left.contains("provider-secrets"), "{left}");

    // Not kept: it goes with the release, as the notes say.
    let notes = release.helm("install", &["--set=crds.keep=false"]).await;
    assert!(notes.contains("crds.keep is false"), "{notes}");
    release.helm("uninstall", &[]).await;
    release
        .kubectl(&["wait", "--for=delete", DEFINITION, "--timeout=60s"])
        .await;

    // What kubectl installed is left alone unless Helm has to take it over.
    let definitions = root().join("crds").display().to_string();
    release
        .kubectl(&["apply", "--filename", &definitions])
        .await;
    let refused = release.try_helm("install", &[]).await;
    assert!(
        !refused.success && refused.stderr.contains("invalid ownership metadata"),
        "{}",
        refused.stderr
    );
    release.helm("install", &["--take-ownership"]).await;
}

fn example() -> String {
    root()
        .join("examples/baseten-workspace.yaml")
        .display()
        .to_string()
}
