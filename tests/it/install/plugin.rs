//! The plugin of kubectl, against a real API server and a real operator: what it prints, and its exit code.

mod approval; // plans that wait for a person
mod archive; // krew and a person install it
mod faults; // what `why` says of a planted fault
mod inventory; // what no object owns
mod process; // under kubectl, and for as long as it runs
mod rights; // users who may read little
mod rotation; // `rotated` never says so before the provider holds the value

use std::{os::unix::fs::symlink, path::PathBuf, process::Stdio};

use futures::future::join_all;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::{
    ACCOUNT, NAMESPACE, Target, TestCase, TestEnv, operator::binary, run, traces,
};

/// What a run of the plugin came to.
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// The plugin under the name by which kubectl finds it.
pub(crate) struct Plugin {
    folder: TempDir,
    kubeconfig: PathBuf,
}

impl Plugin {
    /// With the rights of the administrator of the environment's cluster.
    pub(crate) fn new(env: &TestEnv) -> Self {
        Self::with(env.cluster.kubeconfig().to_owned())
    }

    /// With the rights of this kubeconfig.
    pub(crate) fn with(kubeconfig: PathBuf) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        for name in [
            "kubectl-provider_secrets",
            "kubectl_complete-provider_secrets",
        ] {
            symlink(binary(), folder.path().join(name)).expect("a link");
        }
        Self { folder, kubeconfig }
    }

    /// Runs it in a namespace, or in all with `-A`. Nothing that it prints holds a value.
    pub(crate) async fn run(&self, namespace: &str, arguments: &[&str]) -> Ended {
        let place = ["--namespace", namespace];
        let place = if arguments.contains(&"-A") {
            &[]
        } else {
            &place[..]
        };
        let program = self.folder.path().join("kubectl-provider_secrets");
        let output = tokio::process::Command::new(program)
            .args(arguments)
            .args(place)
            .env_clear()
            .env("KUBECONFIG", &self.kubeconfig)
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await
            .expect("the plugin runs");
        let ended = Ended {
            code: output.status.code().expect("it ends by itself"),
            stdout: String::from_utf8(output.stdout).expect("text"),
            stderr: String::from_utf8(output.stderr).expect("text"),
        };
        for text in [&ended.stdout, &ended.stderr] {
            assert_eq!(traces(text), Vec::<String>::new(), "{arguments:?}");
        }
        ended
    }

    /// As [`Self::run`], as JSON.
    pub(crate) async fn json(&self, namespace: &str, arguments: &[&str]) -> (i32, Value) {
        let ended = self
            .run(namespace, &[arguments, &["-o", "json"]].concat())
            .await;
        let value = serde_json::from_str(&ended.stdout);
        let value = value.map_err(|_| format!("{}{}", ended.stdout, ended.stderr));
        (ended.code, value.expect("JSON"))
    }
}

#[test]
fn an_object_is_shown_in_each_of_its_states() {
    run(async {
        let env = TestEnv::shared().await;
        let (plugin, case) = (
            Plugin::new(env),
            TestCase::new(env, Target::Braintrust).await,
        );
        let namespace = case.namespace.clone();
        let none = plugin.run(&namespace, &["status"]).await;
        assert_eq!((none.code, none.stdout.as_str()), (0, ""));
        assert!(
            none.stderr.contains("No resources found"),
            "{}",
            none.stderr
        );
        case.synced("target", &json!({})).await;
        let ready = plugin.run(&namespace, &["status"]).await;
        let words: Vec<&str> = ready.stdout.split_whitespace().collect();
        let heads = [
            "NAME",
            "PROVIDER",
            "READY",
            "REASON",
            "SYNCED",
            "LAST-SYNC",
            "AGE",
        ];
        assert_eq!(words[..7], heads, "{}", ready.stdout);
        assert_eq!(
            words[7..12],
            ["target", "Braintrust", "True", "Synced", "1/1"]
        );
        assert_eq!((ready.code, ready.stderr.as_str()), (0, ""));
        let one = plugin.run(&namespace, &["status", "target"]).await;
        for part in [
            "generation 1 (observed 1)",
            "True Synced for",
            "source   ",
            "A_KEY",
            "source/a",
            "Events",
        ] {
            assert!(one.stdout.contains(part), "{part}: {}", one.stdout);
        }
        case.object("waiting", &[("B_KEY", "nowhere", "b")]).await;
        case.wait_reason("waiting", "SecretNotFound").await;
        let mixed = plugin.run(&namespace, &["status", "-o", "wide"]).await;
        assert_eq!(mixed.code, 1, "{}", mixed.stdout);
        let names = plugin.run(&namespace, &["status", "-o", "name"]).await;
        assert_eq!(names.stdout.lines().count(), 2, "{}", names.stdout);
        let waiting = plugin.run(&namespace, &["status", "waiting"]).await;
        assert!(
            waiting.stdout.contains("<missing>") && waiting.stdout.contains("Fix"),
            "{}",
            waiting.stdout
        );
        for flag in ["-A", "--selector=a=b"] {
            let both = plugin.run(&namespace, &["status", "waiting", flag]).await;
            assert_eq!(both.code, 2, "{}", both.stdout);
        }
        let (code, shown) = plugin.json(&namespace, &["status", "waiting"]).await;
        assert_eq!(
            (code, &shown["conditions"][0]["reason"]),
            (1, &json!("SecretNotFound"))
        );
        let nobody = plugin.run(&namespace, &["status", "nobody"]).await;
        assert_eq!(nobody.code, 1);
        assert_eq!(nobody.stderr.lines().count(), 1, "{}", nobody.stderr);
        assert!(
            nobody.stderr.contains("there is no ProviderSecret nobody"),
            "{}",
            nobody.stderr
        );
        case.secret("nowhere", &[("b", &case.value("b"))]).await;
        case.wait_ready("waiting").await;
        case.finish().await;
    });
}

#[test]
fn requests_are_waited_for_and_objects_are_suspended_and_released() {
    run(async {
        let env = TestEnv::shared().await;
        let (plugin, case) = (
            Plugin::new(env),
            TestCase::new(env, Target::PrimeIntellect).await,
        );
        let namespace = case.namespace.clone();
        case.synced("target", &json!({"deletionPolicy": "Delete"}))
            .await;
        let synced = plugin.run(&namespace, &["sync", "target", "--wait"]).await;
        assert_eq!(synced.code, 0, "{}", synced.stderr);
        assert!(
            synced.stdout.contains("target sync requested\n")
                && synced.stdout.contains("synced 1/1 in "),
            "{}",
            synced.stdout
        );
        // Of requests at once status echoes one alone.
        let sync = ["sync", "target", "--wait", "--timeout=30s"];
        for both in join_all((0..3).map(|_| plugin.run(&namespace, &sync))).await {
            assert_eq!(both.code, 0, "{}{}", both.stdout, both.stderr);
        }
        let suspended = plugin
            .run(&namespace, &["suspend", "--all", "--wait"])
            .await;
        assert_eq!(
            suspended.code, 0,
            "{}{}",
            suspended.stdout, suspended.stderr
        );
        let held = plugin.run(&namespace, &["sync", "target", "--wait"]).await;
        assert_eq!(held.code, 1);
        assert!(
            held.stderr.contains("suspended: resume it first"),
            "{}",
            held.stderr
        );
        let (_, why) = plugin.json(&namespace, &["why", "target"]).await;
        assert_eq!(why["cause"], "Suspended");
        let resumed = plugin
            .run(&namespace, &["resume", "target", "--wait"])
            .await;
        assert_eq!(resumed.code, 0, "{}{}", resumed.stdout, resumed.stderr);
        let both = plugin.run(&namespace, &["sync"]).await;
        assert_eq!(both.code, 2, "{}", both.stderr);
        let living = plugin
            .run(&namespace, &["release", "target", "--yes"])
            .await;
        assert_eq!(living.code, 1);
        assert!(
            living.stderr.contains("is not being deleted"),
            "{}",
            living.stderr
        );
        // The account is gone from the operator's view, so that nothing can be deleted there.
        case.account.revoke_key(&case.key).expect("it was one");
        case.delete("target").await;
        case.wait_reason("target", "DeletionBlocked").await;
        let (_, why) = plugin.json(&namespace, &["why", "target"]).await;
        assert_eq!(why["cause"], "DeletionBlocked");
        assert!(why["what"].to_string().contains("401"), "{why:#}");
        let asked = plugin.run(&namespace, &["release", "target"]).await;
        assert_eq!(asked.code, 2, "{}", asked.stderr);
        let released = plugin
            .run(&namespace, &["release", "target", "--yes", "--wait"])
            .await;
        assert_eq!(released.code, 0, "{}", released.stderr);
        case.wait_gone("target").await;
        case.finish_leaving(&["A_KEY"]).await;
    });
}

#[test]
fn a_wait_that_is_in_vain_ends_with_124() {
    run(async {
        let env = TestEnv::shared().await;
        let (plugin, case) = (
            Plugin::new(env),
            TestCase::new(env, Target::BasetenTeam).await,
        );
        case.synced("target", &json!({})).await;
        case.account
            .add_fault(simulator::Fault::status(503).forever());
        let ended = plugin
            .run(
                &case.namespace,
                &["sync", "target", "--wait", "--timeout=2s"],
            )
            .await;
        assert_eq!(ended.code, 124, "{}", ended.stdout);
        assert!(ended.stderr.contains("timed out"), "{}", ended.stderr);
        case.account.clear_faults();
        case.request_sync("target").await;
        case.finish().await;
    });
}

#[test]
fn a_value_is_found_at_its_provider_and_back() {
    run(async {
        let env = TestEnv::shared().await;
        let (plugin, case) = (Plugin::new(env), TestCase::new(env, Target::Pipecat).await);
        let namespace = case.namespace.clone();
        case.secret(
            "bulk",
            &[
                ("api-key", &case.value("one")),
                ("other", &case.value("two")),
            ],
        )
        .await;
        let data_from = json!([{"secretRef": {"name": "bulk"}, "nameTransform": "UpperSnake"}]);
        let spec = json!({"provider": case.provider(), "dataFrom": data_from});
        case.apply("target", spec)
            .await
            .expect("an object is applied");
        case.wait_ready("target").await;
        let (code, found) = plugin
            .json(&namespace, &["where", "secret/bulk", "api-key"])
            .await;
        assert_eq!(code, 0);
        let names: Vec<&Value> = found["items"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|one| &one["name"])
            .collect();
        assert_eq!(names, ["API_KEY"]);
        assert_eq!(
            found["items"][0]["from"],
            json!([{"secret": "bulk", "keys": ["api-key"]}])
        );
        let back = plugin
            .run(&namespace, &["where", "pipecat/agents/API_KEY"])
            .await;
        assert!(back.stdout.contains("bulk/"), "{}", back.stdout);
        let (_, set) = plugin.json(&namespace, &["where", "pipecat/agents"]).await;
        assert_eq!(set["items"].as_array().map(Vec::len), Some(2), "{set:#}");
        let nothing = plugin.run(&namespace, &["where", "provider/NOTHING"]).await;
        assert_eq!(nothing.code, 1);
        let all = plugin.run(&namespace, &["inventory"]).await;
        assert!(
            all.stdout.contains("agents/OTHER") && all.code == 0,
            "{}",
            all.stdout
        );
        case.finish().await;
    });
}

#[test]
fn a_bundle_has_every_part_and_no_value() {
    run(async {
        let env = TestEnv::shared().await;
        let (plugin, case) = (
            Plugin::new(env),
            TestCase::new(env, Target::Braintrust).await,
        );
        case.synced("target", &json!({})).await;
        // No kubelet runs it, so that its log cannot be read: that is told.
        let labels = json!({
            "app.kubernetes.io/part-of": "provider-secrets", "app.kubernetes.io/component": "controller",
        });
        let container = json!({"name": "operator", "image": "operator"});
        let pod = json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "operator", "labels": labels},
            "spec": {"containers": [container], "automountServiceAccountToken": false, "serviceAccountName": ACCOUNT},
        });
        let in_place = ["--namespace", NAMESPACE];
        let create = [&["create", "--filename=-"][..], &in_place].concat();
        env.kubectl(&create, Some(&pod.to_string())).await;
        let bundle = plugin.run(&case.namespace, &["report"]).await;
        let delete = ["delete", "pod", "operator", "--force", "--wait=false"];
        env.kubectl(&[&delete[..], &in_place].concat(), None).await;
        assert_eq!((bundle.code, bundle.stderr.as_str()), (0, ""));
        for part in [
            "report:",
            "operators:",
            "definition:",
            "object:",
            "clientVersion:",
            "A_KEY",
            "resourceVersion:",
            "pod:",
            "unknownBecause:",
        ] {
            assert!(bundle.stdout.contains(part), "{part}: {}", bundle.stdout);
        }
        case.finish().await;
    });
}
