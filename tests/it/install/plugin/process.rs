//! The plugin as kubectl runs it, and as a process that goes on.

use serde_json::json;

use super::Plugin;
use crate::harness::{Target, TestCase, TestEnv, run, until};

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
    });
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
        let mut watch =
            tokio::process::Command::new(plugin.folder.path().join("kubectl-provider_secrets"))
                .args(["status", "--watch", "--namespace", &case.namespace])
                .env_clear()
                .env("KUBECONFIG", &plugin.kubeconfig)
                .stdout(file)
                .kill_on_drop(true)
                .spawn()
                .expect("the plugin runs");
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
        let suspend = json!({"spec": {"suspend": true}});
        case.patch("target", suspend)
            .await
            .expect("it is suspended");
        shows("Suspended").await;
        assert_eq!(printed().await.matches("PROVIDER").count(), 1);
        watch.kill().await.expect("it is ended");
        case.finish().await;
    });
}
