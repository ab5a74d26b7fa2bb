//! Users who may read little: what they may not read is said in one line, and the rest is shown.

use serde_json::json;

use super::Plugin;
use crate::harness::{Target, TestCase, TestEnv, run};

/// What the built-in role `view` and the chart give: ProviderSecrets and events, and no Secret, Deployment or Lease.
fn rules(namespace: &str, name: &str, verbs: &[&str]) -> String {
    let rules = json!({
        "apiVersion": "v1", "kind": "List", "items": [
            {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": namespace}},
            {
                "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role",
                "metadata": {"name": name, "namespace": namespace},
                "rules": [
                    {"apiGroups": ["providersecrets.dev"], "resources": ["providersecrets"], "verbs": verbs},
                    {"apiGroups": [""], "resources": ["events"], "verbs": ["get", "list", "watch"]},
                ],
            },
            {
                "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
                "metadata": {"name": name, "namespace": namespace},
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name},
                "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": namespace}],
            },
        ],
    });
    rules.to_string()
}

#[test]
fn a_viewer_is_told_what_may_be_known() {
    run(async {
        let env = TestEnv::shared().await;
        let case = TestCase::new(env, Target::Braintrust).await;
        let namespace = case.namespace.clone();
        case.synced("target", &json!({})).await;
        case.object("waiting", &[("B_KEY", "nowhere", "b")]).await;
        case.wait_reason("waiting", "SecretNotFound").await;
        let account = env
            .cluster
            .service_account(
                &namespace,
                "viewer",
                &rules(&namespace, "viewer", &["get", "list", "watch"]),
            )
            .await;
        let plugin = Plugin::with(account.expect("an account"));
        let one = plugin.run(&namespace, &["status", "target"]).await;
        assert_eq!(one.code, 0, "{}", one.stderr);
        assert!(one.stdout.contains("<unknown>"), "{}", one.stdout);
        let (code, why) = plugin.json(&namespace, &["why", "waiting"]).await;
        assert_eq!((code, &why["cause"]), (1, &json!("SecretNotFound")));
        for (arguments, part) in [
            (
                &["status", "-A"][..],
                "you may not list providersecrets in all namespaces",
            ),
            (
                &["sync", "target"],
                "you may not patch providersecret target in namespace",
            ),
            (
                &["rotated", "secret/source"],
                "you may not get secret source in namespace",
            ),
        ] {
            let ended = plugin.run(&namespace, arguments).await;
            assert_eq!(ended.code, 1, "{arguments:?}");
            assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
            assert!(ended.stderr.contains(part), "{part}: {}", ended.stderr);
        }
        let version = plugin.run(&namespace, &["version"]).await;
        assert_eq!(version.code, 1);
        assert!(
            version
                .stdout
                .contains("<unknown> (you may not list deployments"),
            "{}",
            version.stdout
        );
        let lister = rules(&namespace, "lister", &["get", "list"]);
        let lister = env
            .cluster
            .service_account(&namespace, "lister", &lister)
            .await;
        let lister = Plugin::with(lister.expect("an account"));
        let watch = lister.run(&namespace, &["status", "--watch"]).await;
        assert_eq!(watch.code, 1, "{}", watch.stdout);
        let why = "you may not watch providersecrets in namespace";
        assert!(watch.stderr.contains(why), "{}", watch.stderr);
        let doctor = plugin.run(&namespace, &["doctor"]).await;
        assert!(
            doctor.stdout.contains("! Operator: not known"),
            "{}",
            doctor.stdout
        );
        case.secret("nowhere", &[("b", &case.value("b"))]).await;
        case.wait_ready("waiting").await;
        case.finish().await;
    });
}
