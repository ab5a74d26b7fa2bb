//! How a test sees without sleeping that nothing happens: a bystander, and the operator's own calls.

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

use super::{DEADLINE, Target, TestCase, TestEnv, until};

/// Longer than the least interval between two writes of one object for changes of its sources.
const INTERVAL: Duration = Duration::from_millis(1100);

/// An object with its own account. Once its rotation has arrived, the operator has seen everything that happened
/// before.
pub(crate) struct Bystander<'a> {
    case: TestCase<'a>,
    rotations: Mutex<u32>,
}

impl<'a> Bystander<'a> {
    /// Applies it and waits until it is synced.
    pub(crate) async fn new(env: &'a TestEnv) -> Self {
        let case = TestCase::new(env, Target::BasetenTeam).await;
        case.source("0").await;
        case.object("bystander", &[("BYSTANDER", "source", "a")])
            .await;
        case.wait_ready("bystander").await;
        Self {
            case,
            rotations: Mutex::new(0),
        }
    }

    /// Rotates it twice, one after the other, and returns the longer time from the API server's answer to the
    /// provider's first request.
    pub(crate) async fn rotate(&self) -> Duration {
        let mut rotations = self.rotations.lock().await;
        let mut longest = Duration::ZERO;
        for _ in 0..2 {
            if *rotations > 0 {
                // An object is written for its sources once an interval.
                tokio::time::sleep(INTERVAL).await;
            }
            *rotations += 1;
            let value = self.case.value(&rotations.to_string());
            let heard = timed(&self.case, async {
                self.case.secret("source", &[("a", &value)]).await;
            });
            longest = longest.max(heard.await);
            self.case.wait_held(&[("BYSTANDER", &value)]).await;
            self.case.wait_ready("bystander").await;
        }
        longest
    }

    /// As [`TestCase::finish`].
    pub(crate) async fn finish(self) {
        self.case.finish().await;
    }
}

/// The time from the end of `news` to the first request of this test case's account.
pub(crate) async fn timed(case: &TestCase<'_>, news: impl Future<Output = ()>) -> Duration {
    let before = Instant::now();
    news.await;
    let after = Instant::now();
    let heard = until("the provider hears of it", async || {
        let requests = case.account.requests();
        let first = requests.iter().find(|request| request.started >= before);
        first
            .map(|request| request.started)
            .ok_or_else(|| "no request".to_owned())
    });
    heard.await.saturating_duration_since(after)
}

/// The operator's completed calls to the API server about a namespace, in the order of their ends.
pub(crate) async fn calls(env: &TestEnv, namespace: &str) -> Vec<Arc<AuditEvent>> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    // The audit log is in order: what comes before this call in it happened before.
    let marker = format!("marker-{}", COUNT.fetch_add(1, Ordering::Relaxed));
    let api: Api<ConfigMap> = Api::namespaced(env.client.clone(), namespace);
    api.get_opt(&marker).await.expect("the marker is asked for");
    let is_marker = |event: &AuditEvent| event.name == marker && event.namespace == namespace;
    let mut events = env
        .cluster
        // The newest are at the end.
        .wait_for_audit(DEADLINE, |events| {
            events.iter().rev().any(|event| is_marker(event))
        })
        .await
        .expect("the audit log has the marker");
    let user = TestEnv::user();
    events.retain(|event| {
        event.user == user
            && event.namespace == namespace
            && event.stage == cluster::AuditStage::ResponseComplete
    });
    events
}

/// Waits until this account got more than `before` writes; the last may be in flight.
pub(crate) async fn wait_write(case: &TestCase<'_>, before: usize) {
    until("a write is under way", async || match case.writes().len() {
        count if count > before => Ok(()),
        count => Err(format!("{count} writes")),
    })
    .await;
}
