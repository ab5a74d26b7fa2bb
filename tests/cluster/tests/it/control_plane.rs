//! Clusters start, restart, pause and end, alone and side by side.

use std::time::{Duration, Instant};

use cluster::{Cluster, Error};
use k8s_openapi::api::core::v1::{Namespace, Service};
use kube::api::{Api, DeleteParams, ListParams};

use crate::support::{DEADLINE, create_namespace, eventually, is_running, shared};

#[tokio::test]
async fn a_cluster_starts_works_and_leaves_nothing_behind() {
    let before = Instant::now();
    let cluster = Cluster::start().await.unwrap();
    eprintln!("ready in {:?}", before.elapsed());

    let created = cluster
        .kubectl_output(&["create", "namespace", "made"], None)
        .await
        .unwrap();
    assert!(created.success, "{}", created.stderr);
    Api::<Namespace>::all(cluster.client())
        .get("made")
        .await
        .unwrap();
    Api::<Service>::namespaced(cluster.client(), "default")
        .get("kubernetes")
        .await
        .unwrap();
    let version = cluster.kubectl_output(&["version"], None).await.unwrap();
    assert!(version.success, "{}", version.stderr);
    assert!(
        version.stdout.contains("Server Version: v1."),
        "{}",
        version.stdout
    );

    let processes = cluster.processes();
    let directory = cluster.directory().to_owned();
    assert_eq!(processes.len(), 2);
    assert!(processes.iter().all(|(_, process)| is_running(*process)));
    drop(cluster);
    for (name, process) in processes {
        assert!(!is_running(process), "{name}");
    }
    assert!(!directory.exists());
}

/// Tests share clusters through statics, and start them in spawned tasks.
#[test]
fn a_cluster_can_be_shared() {
    fn shareable<T: Send + Sync + 'static>() {}
    fn sendable<T: Send>(_: T) {}
    shareable::<Cluster>();
    sendable(Cluster::start());
}

#[test]
fn a_cluster_outlives_the_thread_and_the_runtime_that_started_it() {
    let run = || tokio::runtime::Runtime::new().expect("a runtime starts");
    let start = move || run().block_on(Cluster::start()).expect("a cluster starts");
    let cluster = std::thread::spawn(start).join().unwrap();
    for _ in 0..2 {
        run().block_on(async {
            cluster.restart_api_server().await.unwrap();
            Api::<Namespace>::all(cluster.client())
                .get("default")
                .await
                .unwrap();
        });
    }
}

#[tokio::test]
async fn two_clusters_know_nothing_of_each_other() {
    let (one, two) = (shared().await, Cluster::start().await.unwrap());
    assert_ne!(one.server(), two.server());
    create_namespace(one, "only-here").await;
    let error = Api::<Namespace>::all(two.client())
        .get("only-here")
        .await
        .unwrap_err();
    assert!(matches!(error, kube::Error::Api(status) if status.is_not_found()));
}

#[tokio::test]
async fn a_second_api_server_shows_the_same_data() {
    let one = shared().await;
    let two = Cluster::builder()
        .etcd(one.etcd_url())
        .start()
        .await
        .unwrap();
    create_namespace(one, "shared").await;
    Api::<Namespace>::all(two.client())
        .get("shared")
        .await
        .unwrap();
    assert_eq!(two.processes().len(), 1);
}

#[tokio::test]
async fn an_api_server_keeps_data_address_and_tokens_when_it_restarts_or_pauses() {
    let cluster = Cluster::start().await.unwrap();
    let client = cluster.client();
    let namespaces = Api::<Namespace>::all(client);
    create_namespace(&cluster, "kept").await;
    let before = cluster.processes();

    cluster.restart_api_server().await.unwrap();
    assert_ne!(cluster.processes(), before);
    namespaces.get("kept").await.unwrap();

    cluster.kill_api_server().await.unwrap();
    namespaces.get("kept").await.unwrap_err();
    assert!(matches!(
        cluster.pause_api_server(),
        Err(Error::NotRunning { .. })
    ));
    cluster.start_api_server().await.unwrap();
    namespaces.get("kept").await.unwrap();

    // A paused one does not answer until it resumes. The signal may reach its threads a moment later.
    cluster.pause_api_server().unwrap();
    eventually("it does not answer", async || {
        let answer = namespaces.get("default");
        let answer = tokio::time::timeout(Duration::from_secs(1), answer);
        answer.await.is_err()
    })
    .await;
    cluster.resume_api_server().unwrap();
    tokio::time::timeout(DEADLINE, namespaces.get("default"))
        .await
        .unwrap()
        .unwrap();
    // Also a paused one can be stopped.
    cluster.pause_api_server().unwrap();
    cluster.stop_api_server().await.unwrap();
}

#[tokio::test]
async fn the_namespace_controller_ends_a_deletion() {
    let cluster = Cluster::builder()
        .controllers(&["namespace-controller"])
        .start()
        .await
        .unwrap();
    create_namespace(&cluster, "short-lived").await;
    let namespaces = Api::<Namespace>::all(cluster.client());
    namespaces
        .delete("short-lived", &DeleteParams::default())
        .await
        .unwrap();
    eventually("the namespace is gone", async || {
        namespaces.get_opt("short-lived").await.unwrap().is_none()
    })
    .await;
    cluster
        .start_controllers(&["garbage-collector-controller"])
        .await
        .unwrap();
    assert_eq!(cluster.processes().len(), 3);
}

#[tokio::test]
async fn a_controller_that_does_not_exist_is_named_in_the_error() {
    let cluster = Cluster::start().await.unwrap();
    let error = cluster
        .start_controllers(&["nonsense"])
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("kube-controller-manager ended with"),
        "{error}"
    );
    assert!(error.contains("nonsense"), "{error}");
    cluster
        .start_controllers(&["namespace-controller"])
        .await
        .unwrap();
}

#[tokio::test]
async fn a_flag_that_does_not_exist_is_named_in_the_error() {
    let result = Cluster::builder()
        .api_server_flag("--nonsense")
        .start()
        .await;
    let error = result.unwrap_err().to_string();
    assert!(
        error.contains("kube-apiserver ended with exit status: 1"),
        "{error}"
    );
    assert!(error.contains("unknown flag: --nonsense"), "{error}");
}

#[tokio::test]
async fn a_restored_snapshot_has_what_was_there_when_it_was_saved() {
    let cluster = Cluster::start().await.unwrap();
    for bump in [None, Some(1_000_000)] {
        let names = ["before", "after"].map(|name| format!("{name}-{}", bump.unwrap_or(0)));
        create_namespace(&cluster, &names[0]).await;
        let snapshot = cluster.directory().join(&names[0]);
        cluster.save_snapshot(&snapshot).await.unwrap();
        create_namespace(&cluster, &names[1]).await;
        cluster.restore_snapshot(&snapshot, bump).await.unwrap();
        let api = Api::<Namespace>::all(cluster.client());
        api.get(&names[0]).await.unwrap();
        assert!(api.get_opt(&names[1]).await.unwrap().is_none(), "{bump:?}");
        let list = api.list(&ListParams::default()).await.unwrap();
        let version: u64 = list.metadata.resource_version.unwrap().parse().unwrap();
        assert_eq!(version > 1_000_000, bump.is_some(), "{version}");
    }
}
