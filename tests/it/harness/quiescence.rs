//! How to see that nothing happens without sleeping: a bystander, and the operator's own calls.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use cluster::AuditEvent;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use tokio::{sync::Mutex, time::Instant};

use super::{DEADLINE, Scene, Stage, Target, until};

/// An object on an account of its own. When its rotation has arrived, the operator has also seen
/// everything that happened before it.
pub(crate) struct Bystander<'a> {
    scene: Scene<'a>,
    rotations: Mutex<u32>,
}

impl<'a> Bystander<'a> {
    /// Makes one and waits until it is synced.
    pub(crate) async fn new(stage: &'a Stage) -> Self {
        let scene = Scene::new(stage, Target::BasetenTeam).await;
        scene.secret("source", &[("a", &scene.value("0"))]).await;
        scene
            .object("bystander", &[("BYSTANDER", "source", "a")])
            .await;
        scene.wait_ready("bystander").await;
        Self {
            scene,
            rotations: Mutex::new(0),
        }
    }

    /// Rotates it twice, one after the other; the longer of the two times from the API server's
    /// answer until the provider heard of it.
    pub(crate) async fn rotate(&self) -> Duration {
        let mut rotations = self.rotations.lock().await;
        let mut longest = Duration::ZERO;
        for _ in 0..2 {
            *rotations += 1;
            let value = self.scene.value(&rotations.to_string());
            let heard = timed(&self.scene, async {
                self.scene.secret("source", &[("a", &value)]).await;
            });
            longest = longest.max(heard.await);
            self.scene.wait_held(&[("BYSTANDER", &value)]).await;
            self.scene.wait_ready("bystander").await;
        }
        longest
    }

    /// As [`Scene::finish`].
    pub(crate) async fn finish(self) {
        self.scene.finish().await;
    }
}

/// How long after the end of `news` the provider heard of this scene's account.
pub(crate) async fn timed(scene: &Scene<'_>, news: impl Future<Output = ()>) -> Duration {
    let before = Instant::now();
    news.await;
    let after = Instant::now();
    let heard = until("the provider hears of it", async || {
        let requests = scene.account.requests();
        let first = requests.iter().find(|request| request.started >= before);
        first
            .map(|request| request.started)
            .ok_or_else(|| "no request".to_owned())
    });
    heard.await.saturating_duration_since(after)
}

/// The operator's completed calls to the API server about a namespace, in the order of their ends.
pub(crate) async fn calls(stage: &Stage, namespace: &str) -> Vec<Arc<AuditEvent>> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    // A call of our own behind which there can be none of before.
    let marker = format!("marker-{}", COUNT.fetch_add(1, Ordering::Relaxed));
    let api: Api<ConfigMap> = Api::namespaced(stage.client.clone(), namespace);
    api.get_opt(&marker).await.expect("the marker is asked for");
    let is_marker = |event: &AuditEvent| event.name == marker && event.namespace == namespace;
    let mut events = stage
        .cluster
        // The newest are at the end.
        .wait_for_audit(DEADLINE, |events| {
            events.iter().rev().any(|event| is_marker(event))
        })
        .await
        .expect("the audit log has the marker");
    let user = Stage::user();
    events.retain(|event| {
        event.user == user
            && event.namespace == namespace
            && event.stage == cluster::Stage::ResponseComplete
    });
    events
}

/// Waits until this account has been sent more than `before` writes; the last may be under way.
pub(crate) async fn wait_write(scene: &Scene<'_>, before: usize) {
    until("a write is under way", async || {
        match scene.writes().len() {
            count if count > before => Ok(()),
            count => Err(format!("{count} writes")),
        }
    })
    .await;
}

/// How a secret that is there is written again.
pub(crate) fn write_method(target: Target) -> &'static str {
    match target {
        Target::BasetenWorkspace | Target::BasetenTeam => "POST",
        Target::PrimeIntellect | Target::Braintrust => "PATCH",
        Target::Pipecat => "PUT",
    }
}
