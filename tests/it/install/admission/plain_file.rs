//! `deploy/admission-policies.yaml`: the policies of the chart for a cluster without Helm, and all locks at once.

use std::collections::BTreeMap;

use kube::ResourceExt as _;
use serde_json::json;

use super::{APPLY, assert_refused, documents};
use crate::{
    guards::assert_generated,
    harness::{Target, TestCase, TestEnv, delete_policy, is_guarded, root, run, until},
    install::chart::{read, succeeded, template},
};

const FILE: &str = "deploy/admission-policies.yaml";

const HEAD: &str = "\
# Three admission policies for ProviderSecrets, each with its binding: take those that you want. docs/security.md says what
# each of them stops. Made of the chart by `make policies`.
";

/// What the chart renders with all policies, without the labels of Helm and of a version.
async fn rendered() -> String {
    let set = ["sourceAccess", "sourceOptIn", "allowedProviders"]
        .map(|policy| format!("--set=admissionPolicies.{policy}.enabled=true"));
    let only = "--show-only=templates/admission-policies.yaml".to_owned();
    let arguments: Vec<&str> = set.iter().chain([&only]).map(String::as_str).collect();
    let text = succeeded(template(&arguments).await);
    let is_kept = |line: &&str| {
        let is_of_helm = [
            "managed-by:",
            "helm.sh/chart:",
            "app.kubernetes.io/version:",
            "# Source:",
        ];
        !line.is_empty() && !is_of_helm.iter().any(|part| line.contains(part))
    };
    let lines: Vec<&str> = text.lines().filter(is_kept).collect();
    format!("{HEAD}{}\n", lines.join("\n"))
}

#[tokio::test]
async fn the_plain_file_holds_the_policies_of_the_chart() {
    let files = BTreeMap::from([(root().join(FILE), rendered().await)]);
    assert_generated(&files, "policies");
    let objects = documents(&read(FILE));
    let mut names: Vec<&str> = objects
        .iter()
        .filter_map(|of| of["metadata"]["name"].as_str())
        .collect();
    let policies = ["source-access", "source-opt-in", "allowed-providers"];
    let name = |policy: &&str| format!("provider-secrets-system.provider-secrets.{policy}");
    // Each has a policy and a binding.
    let each = policies.iter().chain(&policies);
    let mut expected: Vec<String> = each.map(name).collect();
    names.sort_unstable();
    expected.sort_unstable();
    assert_eq!(names, expected);
}

/// The operator works under its own policies, and each is the first lock before one of the operator's.
#[test]
fn with_every_lock_shut_only_what_opted_in_reaches_the_provider() {
    run(async {
        let flags = ["--require-source-opt-in", "--require-namespace-opt-in"];
        let env = TestEnv::dedicated(&flags).await;
        let file = root().join(FILE).display().to_string();
        env.kubectl(&["apply", "--server-side", "--filename", &file], None)
            .await;
        let case = TestCase::new(&env, Target::BasetenTeam).await;
        case.source("one").await;
        case.secret("private", &[("a", &case.value("private"))])
            .await;
        let annotate = [
            "annotate",
            "namespace",
            &case.namespace,
            "providersecrets.dev/allowed-providers=baseten",
        ];
        env.kubectl(&annotate, None).await;
        for secret in ["credential", "source"] {
            case.kubectl(&["label", "secret", secret, "providersecrets.dev/allow=true"])
                .await;
        }
        let manifest = |entries: &[(&str, &str, &str)]| {
            json!({
                "apiVersion": "providersecrets.dev/v1alpha1", "kind": "ProviderSecret",
                "metadata": {"name": "target"}, "spec": case.spec(entries, &delete_policy()),
            })
            .to_string()
        };
        let closed = manifest(&[("A_KEY", "source", "a"), ("B_KEY", "private", "a")]);
        let create = async |text: &str| {
            let arguments = [&["-n", case.namespace.as_str()][..], &APPLY].concat();
            let output = env.cluster.kubectl_output(&arguments, Some(text)).await;
            let output = output.expect("kubectl runs");
            output.success.then_some(()).ok_or(output.stderr)
        };
        until("the policies are at work", async || {
            let tried = create(&closed).await;
            // Before that the operator refuses it.
            let _ = env
                .cluster
                .kubectl_output(&["-n", &case.namespace, "delete", "psec", "--all"], None)
                .await;
            tried
                .err()
                .filter(|error| error.contains("source-opt-in"))
                .map(drop)
                .ok_or_else(|| "it is accepted".to_owned())
        })
        .await;
        assert_refused(create(&closed).await, "Secret private has no label");
        assert_eq!(create(&manifest(&[("A_KEY", "source", "a")])).await, Ok(()));
        let object = case.wait_ready("target").await;
        assert!(
            is_guarded(&object),
            "the operator may set its finalizer: {:?}",
            object.finalizers()
        );
        case.wait_held(&[("A_KEY", &case.value("one"))]).await;
        case.rotate("target", "two").await;

        // Past the policies, by a label that goes.
        case.kubectl(&["label", "secret", "source", "providersecrets.dev/allow-"])
            .await;
        let three = case.value("three");
        case.secret("source", &[("a", &three)]).await;
        case.wait_reason("target", "SourceNotAllowed").await;
        case.assert_held(&[("A_KEY", &case.value("two"))]);
        case.delete("target").await;
        case.wait_gone("target").await;
        case.wait_held(&[]).await;
        let sent: Vec<String> = case
            .account
            .requests()
            .iter()
            .filter_map(|request| Some(request.body.as_ref()?.to_string()))
            .collect();
        for secret in [case.value("private"), three] {
            assert!(
                sent.iter().all(|body| !body.contains(&secret)),
                "{secret} was sent"
            );
        }
        case.finish().await;
    });
}
