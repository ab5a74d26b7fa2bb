//! The lifecycle of a release: installed, upgraded, uninstalled, taken over from kubectl.

use cluster::{Cluster, Output};

use super::{chart, kubectl, succeeded};
use crate::harness::{NAMESPACE, root};

const DEFINITION: &str = "crd/providersecrets.providersecrets.dev";

struct Release(Cluster);

impl Release {
    async fn try_helm(&self, verb: &str, arguments: &[&str]) -> Output {
        let chart = chart();
        let mut all = vec![verb, "provider-secrets"];
        if verb != "uninstall" {
            all.push(&chart);
        }
        all.extend(["--namespace", NAMESPACE]);
        all.extend(arguments);
        self.0.helm_output(&all, None).await.expect("helm runs")
    }

    async fn helm(&self, verb: &str, arguments: &[&str]) -> String {
        succeeded(self.try_helm(verb, arguments).await)
    }

    async fn kubectl(&self, arguments: &[&str]) -> String {
        let mut all = vec!["--namespace", NAMESPACE];
        all.extend(arguments);
        kubectl(&self.0, &all, None).await
    }

    async fn arguments(&self) -> String {
        let path = "jsonpath={.spec.template.spec.containers[0].args}";
        self.kubectl(&["get", "deployment/provider-secrets", "--output", path])
            .await
    }
}

#[tokio::test]
async fn a_release_comes_changes_and_goes() {
    let release = Release(Cluster::start().await.unwrap());

    let notes = release.helm("install", &["--create-namespace"]).await;
    assert!(notes.contains("kubectl get psec -A"), "{notes}");
    assert!(notes.contains("no image is published"), "{notes}");
    release
        .kubectl(&["wait", "--for=condition=Established", DEFINITION])
        .await;
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
