//! Faults that are planted in a real cluster: `why` names the cause of each.

use serde_json::{Value, json};
use simulator::{Action, Answer, Fault};

use super::Plugin;
use crate::harness::{ACCOUNT, NAMESPACE, RIGHTS, Target, TestCase, TestEnv, run, until};

/// A Deployment as the chart makes it, with these arguments, of which the status says that `available` pods are.
async fn deployment(env: &TestEnv, arguments: &[&str], available: u32) {
    let labels = json!({
        "app.kubernetes.io/part-of": "provider-secrets", "app.kubernetes.io/component": "controller",
        "app.kubernetes.io/version": env!("CARGO_PKG_VERSION"),
    });
    let container =
        json!({"name": "provider-secrets", "image": "provider-secrets", "args": arguments});
    let deployment = json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "provider-secrets", "namespace": NAMESPACE, "labels": labels},
        "spec": {
            "replicas": 2, "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"serviceAccountName": ACCOUNT, "containers": [container]}},
        },
    });
    let apply = [
        "apply",
        "--server-side",
        "--force-conflicts",
        "--filename=-",
    ];
    env.kubectl(&apply, Some(&deployment.to_string())).await;
    let status = json!({"status": {"replicas": 2, "availableReplicas": available, "readyReplicas": available}});
    let patch = [
        "patch",
        "deployment",
        "provider-secrets",
        "--namespace",
        NAMESPACE,
        "--subresource=status",
        "--type=merge",
        "--patch",
        &status.to_string(),
    ];
    env.kubectl(&patch, None).await;
}

/// Asserts the cause that `why` names, and that it says no object is Ready that is not.
async fn assert_cause(plugin: &Plugin, case: &TestCase<'_>, name: &str, expected: &str) -> Value {
    let (code, said) = plugin.json(&case.namespace, &["why", name]).await;
    assert_eq!(said["cause"], expected, "{said:#}");
    let ready = said["ready"] == json!(true);
    assert_eq!(code, i32::from(!ready), "{said:#}");
    let text = plugin.run(&case.namespace, &["why", name]).await.stdout;
    assert_eq!(text.lines().count(), 4, "{text}");
    said
}

/// Waits until `why` names a cause.
async fn wait_cause(plugin: &Plugin, case: &TestCase<'_>, name: &str, expected: &str) {
    until(&format!("{name} is {expected}"), async || {
        let (_, said) = plugin.json(&case.namespace, &["why", name]).await;
        if said["cause"] == expected {
            Ok(())
        } else {
            Err(said.to_string())
        }
    })
    .await;
}

#[test]
fn why_names_what_is_wrong_with_secrets_keys_and_specs() {
    run(async {
        let env = TestEnv::shared().await;
        let (plugin, case) = (
            Plugin::new(env),
            TestCase::new(env, Target::PrimeIntellect).await,
        );
        case.synced("target", &json!({})).await;
        assert_cause(&plugin, &case, "target", "Ready").await;
        case.secret("odd", &[("empty", "")]).await;
        for (name, secret, key, reason) in [
            ("missing", "nowhere", "b", "SecretNotFound"),
            ("keyless", "odd", "nothing", "KeyNotFound"),
            ("empty", "odd", "empty", "EmptyValue"),
            ("own-key", "credential", "api-key", "SourceRefused"),
        ] {
            let entry = name.to_uppercase().replace('-', "_");
            case.object(name, &[(&entry, secret, key)]).await;
            case.wait_reason(name, reason).await;
            assert_cause(&plugin, &case, name, reason).await;
        }
        for (name, change, reason) in [
            (
                "no-credential",
                json!({"name": "nowhere", "key": "k"}),
                "CredentialNotFound",
            ),
            (
                "no-key",
                json!({"name": "credential", "key": "k"}),
                "CredentialKeyMissing",
            ),
        ] {
            let mut spec = case.spec(&[("C_KEY", "source", "a")], &json!({}));
            spec["provider"]["primeIntellect"]["apiKeySecretRef"] = change;
            case.apply(name, spec).await.expect("an object is applied");
            case.wait_reason(name, reason).await;
            assert_cause(&plugin, &case, name, reason).await;
        }
        for name in [
            "missing",
            "keyless",
            "empty",
            "own-key",
            "no-credential",
            "no-key",
        ] {
            case.delete(name).await;
            case.wait_gone(name).await;
        }
        case.finish().await;
    });
}

#[test]
fn why_names_who_owns_a_name_and_who_holds_an_account_back() {
    run(async {
        let env = TestEnv::shared().await;
        let (plugin, case) = (
            Plugin::new(env),
            TestCase::new(env, Target::Braintrust).await,
        );
        case.synced("first", &json!({})).await;
        case.next_second().await;
        case.object("second", &[("A_KEY", "source", "a")]).await;
        case.wait_reason("second", "Conflict").await;
        let said = assert_cause(&plugin, &case, "second", "Conflict").await;
        let owner = format!("the older {}/first owns A_KEY", case.namespace);
        assert!(
            said["what"]
                .as_str()
                .is_some_and(|what| what.contains(&owner)),
            "{said:#}"
        );
        case.delete("second").await;
        let refused = Answer {
            status: 429,
            ..Answer::default()
        };
        let refused = Fault::new(Action::Answer(refused))
            .header("retry-after", "600")
            .forever();
        case.account.add_fault(refused);
        case.source("two").await;
        case.object("third", &[("C_KEY", "source", "a")]).await;
        case.wait_reason("first", "RateLimited").await;
        case.wait_reason("third", "RateLimited").await;
        let said = assert_cause(&plugin, &case, "third", "RateLimited").await;
        let peer = format!("{}/first waits for the same account", case.namespace);
        assert!(
            said["what"]
                .as_str()
                .is_some_and(|what| what.contains(&peer)),
            "{said:#}"
        );
        case.account.clear_faults();
        case.replace_key().await;
        case.wait_ready("first").await;
        case.wait_ready("third").await;
        case.account.revoke_key(&case.key).expect("it was one");
        case.finish().await;
    });
}

/// Takes the operator's rights away, and gives them back.
async fn without_rights(plugin: &Plugin, case: &TestCase<'_>) {
    let env = case.env;
    let binding = ["get", "clusterrolebinding", RIGHTS, "-o", "json"];
    let binding = env.kubectl(&binding, None).await;
    let mut binding: Value = serde_json::from_str(&binding).expect("JSON");
    binding["metadata"] = json!({"name": RIGHTS});
    env.kubectl(&["delete", "clusterrolebinding", RIGHTS], None)
        .await;
    wait_cause(plugin, case, "waiting", "OperatorForbidden").await;
    let doctor = plugin.run(&case.namespace, &["doctor"]).await;
    assert_eq!(doctor.code, 1);
    assert!(
        doctor.stdout.contains("it may not get providersecrets"),
        "{}",
        doctor.stdout
    );
    env.kubectl(&["create", "-f", "-"], Some(&binding.to_string()))
        .await;
    wait_cause(plugin, case, "waiting", "SecretNotFound").await;
}

#[test]
fn why_finds_what_is_wrong_with_the_operator() {
    run(async {
        let env = TestEnv::dedicated(&[]).await;
        let (plugin, case) = (
            Plugin::new(&env),
            TestCase::new(&env, Target::BasetenTeam).await,
        );
        case.synced("target", &json!({})).await;
        case.object("waiting", &[("B_KEY", "nowhere", "b")]).await;
        case.wait_reason("waiting", "SecretNotFound").await;
        deployment(&env, &["run"], 2).await;
        assert_cause(&plugin, &case, "waiting", "SecretNotFound").await;
        let healthy = plugin.run(&case.namespace, &["doctor"]).await;
        assert_eq!(healthy.code, 0, "{}", healthy.stdout);
        let version = plugin.run(&case.namespace, &["version"]).await;
        assert!(
            version
                .stdout
                .contains(concat!("Operator Version: ", env!("CARGO_PKG_VERSION"))),
            "{}",
            version.stdout
        );

        deployment(&env, &["run", "--watch-namespaces=elsewhere"], 2).await;
        assert_cause(&plugin, &case, "waiting", "NamespaceNotWatched").await;
        deployment(&env, &["run"], 2).await;

        without_rights(&plugin, &case).await;
        // It gives the lease up, and nobody takes it.
        env.operator.terminate().await;
        assert_cause(&plugin, &case, "waiting", "NoLeader").await;
        assert_cause(&plugin, &case, "target", "NoLeader").await;
        deployment(&env, &["run"], 0).await;
        assert_cause(&plugin, &case, "waiting", "OperatorDown").await;
        let scaled = [
            "scale",
            "deployment",
            "provider-secrets",
            "--replicas=0",
            "--namespace",
            NAMESPACE,
        ];
        env.kubectl(&scaled, None).await;
        assert_cause(&plugin, &case, "waiting", "OperatorScaledDown").await;
        env.kubectl(
            &[
                "delete",
                "deployment",
                "provider-secrets",
                "--namespace",
                NAMESPACE,
            ],
            None,
        )
        .await;
        assert_cause(&plugin, &case, "waiting", "NoOperator").await;
        let doctor = plugin.run(&case.namespace, &["doctor"]).await;
        assert!(
            doctor.stdout.contains("✗ Operator: there is no Deployment"),
            "{}",
            doctor.stdout
        );
        let expired = json!({"spec": {"holderIdentity": "gone_1", "renewTime": "2026-01-01T00:00:00.000000Z"}});
        let patch = [
            "patch",
            "lease",
            "provider-secrets",
            "--namespace",
            NAMESPACE,
            "--type=merge",
            "--patch",
            &expired.to_string(),
        ];
        env.kubectl(&patch, None).await;
        assert_cause(&plugin, &case, "waiting", "LeaseExpired").await;
    });
}

#[test]
fn why_finds_an_old_definition_and_says_when_there_is_none() {
    run(async {
        let env = TestEnv::dedicated(&[]).await;
        let (plugin, case) = (
            Plugin::new(&env),
            TestCase::new(&env, Target::BasetenTeam).await,
        );
        case.synced("target", &json!({})).await;
        env.operator.terminate().await;
        let name = "providersecrets.providersecrets.dev";
        let found = env.kubectl(&["get", "crd", name, "-o", "json"], None).await;
        let mut found: Value = serde_json::from_str(&found).expect("JSON");
        let root = &mut found["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"];
        let status = root["status"]["properties"]
            .as_object_mut()
            .expect("fields");
        status.remove("writer");
        let apply = ["replace", "--filename=-"];
        env.kubectl(&apply, Some(&found.to_string())).await;
        deployment(&env, &["run", "--leader-elect=false"], 1).await;
        // Its operator has ended, so that this spec stays as it is.
        case.suspend("target").await;
        let said = assert_cause(&plugin, &case, "target", "DefinitionOld").await;
        assert!(
            said["what"]
                .as_str()
                .is_some_and(|what| what.contains("status.writer")),
            "{said:#}"
        );
        let doctor = plugin.run(&case.namespace, &["doctor"]).await;
        assert!(
            doctor
                .stdout
                .contains("it lacks 2 fields such as status.writer"),
            "{}",
            doctor.stdout
        );
        env.kubectl(&["delete", "crd", name], None).await;
        let none = plugin.run(&case.namespace, &["status"]).await;
        assert_eq!(none.code, 1);
        assert!(none.stderr.contains("is not installed"), "{}", none.stderr);
        let none = plugin.run(&case.namespace, &["why", "target"]).await;
        assert!(none.stderr.contains("is not installed"), "{}", none.stderr);
        let watch = plugin.run(&case.namespace, &["status", "--watch"]).await;
        assert_eq!(watch.code, 1);
        assert!(
            watch.stderr.contains("is not installed"),
            "{}",
            watch.stderr
        );
        // The rest is worth as much when a bundle is needed.
        let bundle = plugin.run(&case.namespace, &["report"]).await;
        assert_eq!((bundle.code, bundle.stderr.lines().count()), (1, 1));
        for part in ["objects:", "unknownBecause:", "operators:", "definition:"] {
            assert!(bundle.stdout.contains(part), "{part}: {}", bundle.stdout);
        }
    });
}
