//! What several tests need.

use std::time::{Duration, Instant};

use cluster::Cluster;
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{Api, ObjectMeta, PostParams};
use tokio::sync::OnceCell;

/// How long anything may take on a machine that is busy with something else.
pub(crate) const DEADLINE: Duration = Duration::from_mins(1);

/// A cluster in which each test changes only its own objects.
pub(crate) async fn shared() -> &'static Cluster {
    static SHARED: OnceCell<Cluster> = OnceCell::const_new();
    let start = async || Cluster::start().await.expect("a cluster starts");
    SHARED.get_or_init(start).await
}

pub(crate) async fn create_namespace(cluster: &Cluster, name: &str) {
    let metadata = ObjectMeta {
        name: Some(name.to_owned()),
        ..ObjectMeta::default()
    };
    let namespace = Namespace {
        metadata,
        ..Namespace::default()
    };
    Api::all(cluster.client())
        .create(&PostParams::default(), &namespace)
        .await
        .expect("the administrator may create a namespace");
}

/// Waits until `condition` holds.
pub(crate) async fn eventually(what: &str, condition: impl AsyncFn() -> bool) {
    let end = Instant::now() + DEADLINE;
    while !condition().await {
        assert!(Instant::now() < end, "not in time: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The state letter that Linux gives, if there is such a process.
pub(crate) fn state(process: u32) -> Option<char> {
    let text = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    text.rsplit_once(") ")?.1.chars().next()
}

/// A zombie does not run; reaping it is the matter of its container.
pub(crate) fn is_running(process: u32) -> bool {
    state(process).is_some_and(|state| state != 'Z')
}
