//! The plugin as kubectl runs it, and as a process that goes on.

use std::{process::Stdio, time::Duration};

use serde_json::json;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::Child,
};

use super::Plugin;
use crate::harness::{Target, TestCase, TestEnv, operator::binary, run, until};

#[test]
fn kubectl_runs_the_plugin_and_completes_its_words() {
    run(async {
        let env = TestEnv::shared().await;
        let plugin = Plugin::new(env);
        let kubectl = env.cluster.tools().kubectl().await.expect("kubectl");
        let path = plugin.folder.path().display().to_string();
        let command = async |arguments: &[&str]| {
            let output = tokio::process::Command::new(&kubectl)
                .args(arguments)
                .env_clear()
                .env("PATH", &path)
                .env("KUBECONFIG", &plugin.kubeconfig)
                .output()
                .await
                .expect("kubectl runs");
            (
                output.status.code(),
                String::from_utf8_lossy(&output.stdout).into_owned(),
            )
        };
        let (code, help) = command(&["provider-secrets", "status", "--help"]).await;
        assert_eq!(code, Some(0));
        assert!(
            help.contains("Usage: kubectl provider-secrets status"),
            "{help}"
        );
        let (code, version) = command(&["provider-secrets", "version"]).await;
        assert_eq!(code, Some(0), "{version}");
        assert!(
            version.starts_with(concat!("Client Version: ", env!("CARGO_PKG_VERSION"), "\n")),
            "{version}"
        );
        let (_, words) = command(&["__complete", "provider-secrets", "sta"]).await;
        assert!(words.contains("status\n:4"), "{words}");
        let case = TestCase::new(env, Target::Braintrust).await;
        case.synced("judge-keys", &json!({})).await;
        let namespace = ["-n", &case.namespace];
        let complete = [
            &["__complete", "provider-secrets", "why"],
            &namespace[..],
            &["jud"],
        ];
        let (_, words) = command(&complete.concat()).await;
        assert!(words.starts_with("judge-keys\n:4"), "{words}");
        case.finish().await;
    });
}

/// As after a newer operator, whose words this program does not know.
#[test]
fn an_object_that_does_not_decode_is_told_and_hides_no_other() {
    run(async {
        let env = &TestEnv::dedicated(&[]).await;
        let (plugin, case) = (
            Plugin::new(env),
            TestCase::new(env, Target::BasetenTeam).await,
        );
        case.synced("target", &json!({})).await;
        let words = "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/deletionPolicy/enum/-";
        let newer = json!([{"op": "add", "path": words, "value": "Shred"}]).to_string();
        let patch = [
            "patch",
            "crd",
            "providersecrets.providersecrets.dev",
            "--type=json",
            "--patch",
            &newer,
        ];
        env.kubectl(&patch, None).await;
        let spec = case.spec(
            &[("B_KEY", "source", "a")],
            &json!({"deletionPolicy": "Shred"}),
        );
        let manifest = json!({
            "apiVersion": "providersecrets.dev/v1alpha1", "kind": "ProviderSecret",
            "metadata": {"name": "newer", "namespace": case.namespace}, "spec": spec,
        });
        let manifest = manifest.to_string();
        until("the API server takes the new word", async || {
            let create = ["create", "--filename=-"];
            let output = env.cluster.kubectl_output(&create, Some(&manifest)).await;
            let output = output.expect("kubectl runs");
            output.success.then_some(()).ok_or(output.stderr)
        })
        .await;
        for command in ["status", "inventory", "plan", "report"] {
            let ended = plugin.run(&case.namespace, &[command]).await;
            let told = format!("providersecret {}/newer does not fit", case.namespace);
            assert!(ended.stderr.contains(&told), "{command}: {}", ended.stderr);
            assert!(
                ended.stdout.contains("target"),
                "{command}: {}",
                ended.stdout
            );
            assert_eq!(ended.code, 1, "{command}");
        }
        let one = plugin.run(&case.namespace, &["status", "target"]).await;
        assert_eq!(one.code, 0, "{}", one.stderr);
        case.kubectl(&["delete", "psec", "newer"]).await;
        case.finish().await;
    });
}

/// `status --watch` of the namespace of a test case, until it is ended.
fn watching(plugin: &Plugin, case: &TestCase<'_>, stdout: impl Into<Stdio>) -> Child {
    let program = plugin.folder.path().join("kubectl-provider_secrets");
    tokio::process::Command::new(program)
        .args(["status", "--watch", "--namespace", &case.namespace])
        .env_clear()
        .env("KUBECONFIG", &plugin.kubeconfig)
        .stdout(stdout)
        .kill_on_drop(true)
        .spawn()
        .expect("the plugin runs")
}

#[test]
fn changes_are_shown_as_they_come() {
    run(async {
        let env = TestEnv::shared().await;
        let (plugin, case) = (
            Plugin::new(env),
            TestCase::new(env, Target::BasetenWorkspace).await,
        );
        case.synced("target", &json!({})).await;
        let log = plugin.folder.path().join("watch");
        let file = std::fs::File::create(&log).expect("a file");
        let mut watch = watching(&plugin, &case, file);
        let printed = async || std::fs::read_to_string(&log).expect("a log");
        let shows = async |what: &str| {
            until(&format!("{what} is shown"), async || {
                let shown = printed().await;
                if shown.contains(what) {
                    Ok(())
                } else {
                    Err(shown)
                }
            })
            .await;
        };
        shows("Synced").await;
        case.suspend("target").await;
        shows("Suspended").await;
        case.object("short", &[("B_KEY", "nowhere", "b")]).await;
        shows("SecretNotFound").await;
        case.delete("short").await;
        shows("Deleted").await;
        assert_eq!(printed().await.matches("PROVIDER").count(), 1);
        watch.kill().await.expect("it is ended");
        case.finish().await;
    });
}

#[test]
fn a_watch_ends_when_nobody_reads_it() {
    run(async {
        let env = TestEnv::shared().await;
        let (plugin, case) = (
            Plugin::new(env),
            TestCase::new(env, Target::BasetenWorkspace).await,
        );
        case.synced("target", &json!({})).await;
        let mut watch = watching(&plugin, &case, Stdio::piped());
        let mut lines = BufReader::new(watch.stdout.take().expect("a pipe")).lines();
        let first = lines.next_line().await.expect("it prints");
        assert!(first.is_some_and(|line| line.starts_with("NAME ")));
        // As head(1) does after its line.
        drop(lines);
        case.suspend("target").await;
        let ended = tokio::time::timeout(Duration::from_secs(30), watch.wait()).await;
        let status = ended.expect("it ends").expect("it runs");
        assert!(status.success(), "{status}");
        case.finish().await;
    });
}

#[test]
fn the_version_of_the_client_needs_no_cluster() {
    let output = std::process::Command::new(binary())
        .args(["version", "--kubeconfig=/nonexistent"])
        .env_clear()
        .output()
        .expect("the plugin runs");
    let stdout = String::from_utf8(output.stdout).expect("text");
    assert_eq!(output.status.code(), Some(1), "{stdout}");
    let client = concat!("Client Version: ", env!("CARGO_PKG_VERSION"), "\n");
    assert!(stdout.starts_with(client), "{stdout}");
    let stderr = String::from_utf8(output.stderr).expect("text");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    assert!(stderr.contains("no cluster:"), "{stderr}");
}
