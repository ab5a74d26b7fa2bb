//! `helm install --wait` with a ProviderSecret in the chart, on a real API server: it does what kstatus says.

use std::{path::Path, time::Instant};

use cluster::{Cluster, Output};
use kube::{
    Api, Client,
    api::{Patch, PatchParams},
};
use provider_secrets::api::ProviderSecret;
use serde_json::{Value, json};

use super::cluster_without_operator;
use crate::harness::{run, statuses, until};

const NAMESPACE: &str = "default";
/// How long Helm waits for what does not come.
const TIMEOUT: &str = "--timeout=5s";
/// For what comes.
const PATIENCE: &str = "--timeout=60s";

/// A chart that has this object alone.
fn chart(folder: &Path, object: &Value) {
    let name = object["metadata"]["name"].as_str().expect("a name");
    let object = json!({
        "apiVersion": object["apiVersion"],
        "kind": object["kind"],
        "metadata": {"name": name},
        "spec": object["spec"],
    });
    let templates = folder.join("templates");
    std::fs::create_dir_all(&templates).expect("a folder");
    let about = format!("apiVersion: v2\nname: {name}\nversion: 0.0.1\n");
    std::fs::write(folder.join("Chart.yaml"), about).expect("a file");
    std::fs::write(templates.join("object.yaml"), object.to_string()).expect("a file");
}

/// Installs a chart with the object of a fixture, which gets its status while Helm waits.
async fn install(cluster: &Cluster, fixture: &str, timeout: &str) -> Output {
    let statuses = statuses();
    let is_it = |object: &&Value| object["metadata"]["name"] == fixture;
    let object = statuses.iter().find(is_it).expect("a fixture");
    let folder = cluster.directory().join(format!("chart-{fixture}"));
    chart(&folder, object);
    let path = folder.display().to_string();
    let install = [
        "install",
        fixture,
        &path,
        "--namespace",
        NAMESPACE,
        "--wait",
        timeout,
    ];
    let write = write_status(cluster.client(), object);
    let (output, ()) = tokio::join!(cluster.helm_output(&install, None), write);
    output.expect("helm runs")
}

/// Writes the status as soon as Helm has made the object.
async fn write_status(client: Client, fixture: &Value) {
    if !fixture["status"]["conditions"].is_array() {
        return;
    }
    let name = fixture["metadata"]["name"].as_str().expect("a name");
    let objects: Api<ProviderSecret> = Api::namespaced(client, NAMESPACE);
    let patch = Patch::Merge(json!({"status": fixture["status"]}));
    until("helm makes the object", async || {
        let written = objects
            .patch_status(name, &PatchParams::default(), &patch)
            .await;
        written.map_err(|error| error.to_string())
    })
    .await;
}

/// Cases: R-16
#[test]
fn helm_succeeds_when_an_object_is_ready_or_suspended() {
    run(async {
        let cluster = cluster_without_operator().await;
        for fixture in ["ready-synced", "ready-suspended", "unready-suspended"] {
            let output = install(&cluster, fixture, PATIENCE).await;
            assert!(output.success, "{fixture}: {}", output.stderr);
        }
    });
}

#[test]
fn helm_fails_at_once_with_our_words_when_a_person_must_act() {
    run(async {
        let cluster = cluster_without_operator().await;
        let began = Instant::now();
        let output = install(&cluster, "stalled-authentication-failed", PATIENCE).await;
        assert!(!output.success, "{}", output.stdout);
        let message = "What a AuthenticationFailed is about.";
        assert!(output.stderr.contains(message), "{}", output.stderr);
        assert!(began.elapsed().as_secs() < 30, "{:?}", began.elapsed());
    });
}

#[test]
fn helm_waits_for_what_heals_by_itself_and_for_what_nobody_has_seen() {
    run(async {
        let cluster = cluster_without_operator().await;
        for fixture in [
            "new",
            "first-write",
            "waiting-secret-not-found",
            "retrying-rate-limited",
        ] {
            let output = install(&cluster, fixture, TIMEOUT).await;
            assert!(!output.success, "{fixture}: {}", output.stdout);
            let is_in_time =
                output.stderr.contains("deadline") || output.stderr.contains("InProgress");
            assert!(is_in_time, "{fixture}: {}", output.stderr);
        }
    });
}
