//! How a reconcile begins: what the gate decides by, and a status that another writer set back or edited.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use super::{
    Ended, Reconcile,
    verify::{self, BASELINE_AFTER},
};
use crate::{
    api::ProviderSecret,
    controller::{
        cache::Tracked,
        context::Context,
        gate::{Decision, Remembered, VersionNews, decide, decide_deletion},
        kubernetes::KubernetesError,
        object::{has_finalizer, is_new_request, object_name, requested},
        report,
    },
};

/// The least interval between two writes of one object for changes of its sources: a Secret that changes
/// a hundred times a second took 2,308 provider writes a minute without it.
const MIN_WRITE_INTERVAL: Duration = Duration::from_secs(1);

/// What the gate says of an object.
pub(super) struct Passed {
    /// Its newest form, if the watch does not show it yet.
    pub(super) newest: Option<Arc<ProviderSecret>>,
    pub(super) decision: Decision,
    /// Whether a reconcile was asked for.
    pub(super) was_requeued: bool,
    /// When it is verified, if that is before the next look for what is due.
    pub(super) verify_in: Option<Duration>,
    /// The object before another writer set its status back.
    pub(super) before: Option<Box<ProviderSecret>>,
}

/// Takes from the object's state what the gate decides by.
pub(super) fn pass_gate(
    context: &Context,
    tracked: &mut Tracked,
    seen: &ProviderSecret,
    current: impl Fn(&str) -> Option<String>,
) -> Passed {
    let newest = tracked.newest(seen);
    let object = newest.as_deref().unwrap_or(seen);
    let was_requeued = std::mem::take(&mut tracked.is_requeued);
    let is_edited = tracked.seen_status.is_edited(object);
    let before = tracked.seen_status.take_before(object);
    let decision = decided(tracked, object, was_requeued || is_edited, current);
    tracked.await_no_permit();
    if decision == Decision::Rest && tracked.verify_at.is_none() {
        tracked.verify_at = verify::first(context, object);
    }
    let until = |due: Instant| due.saturating_duration_since(Instant::now());
    let verify_in = tracked.verify_at.map(until);
    Passed {
        newest,
        decision,
        was_requeued,
        // What is due and not done waits for something else.
        verify_in: verify_in.filter(|wait| !wait.is_zero() && *wait <= BASELINE_AFTER),
        before: before.filter(|_| is_edited),
    }
}

/// Whether the gate would let an object pass for news if this process led. It takes nothing from the
/// object's state. That it was requeued is no news: the leader has looked at it, and if it has not, the first
/// look at every object does.
pub(super) fn has_news(
    tracked: &Tracked,
    seen: &ProviderSecret,
    current: impl Fn(&str) -> Option<String>,
) -> bool {
    let decision = decided(tracked, seen, false, current);
    !matches!(decision, Decision::Rest | Decision::Verify)
}

/// What the gate decides of an object.
fn decided(
    tracked: &Tracked,
    object: &ProviderSecret,
    is_requeued: bool,
    current: impl Fn(&str) -> Option<String>,
) -> Decision {
    let (name, now) = (object_name(object), Instant::now());
    let remembered = Remembered {
        next_try: tracked.next_try(&name, now),
        must_rewrite: tracked.must_rewrite(),
        is_verification_due: tracked.is_verification_due(&name, now),
        others: tracked.others,
        is_requeued,
        news: if tracked.knows_status {
            VersionNews::Later
        } else {
            VersionNews::Other
        },
        quiet_until: tracked.written_at.map(|at| at + MIN_WRITE_INTERVAL),
        state: &tracked.state,
    };
    if object.metadata.deletion_timestamp.is_none() {
        decide(object, remembered, (now, crate::clock::now()), current)
    } else if has_finalizer(object) {
        decide_deletion(object, remembered, now, current)
    } else {
        Decision::Rest
    }
}

impl Reconcile<'_> {
    /// Puts back what another writer set back or edited, then reconciles or cleans up.
    pub(super) async fn begin(
        &mut self,
        decision: &Decision,
        before: Option<Box<ProviderSecret>>,
    ) -> Result<Ended, KubernetesError> {
        if let Some(before) = before {
            self.put_back(before).await?;
        }
        self.put_key_back().await?;
        if self.object.metadata.deletion_timestamp.is_some() {
            self.clean_up().await
        } else {
            self.run(decision).await
        }
    }

    /// Another writer set status back. Without its records the operator would take its own secrets for
    /// foreign ones, or write them again. So it restores the status first. An annotation that went back
    /// with the object is no new request: it would confirm what is held.
    async fn put_back(&mut self, before: Box<ProviderSecret>) -> Result<(), KubernetesError> {
        let mut status = before.status.clone().unwrap_or_default();
        let handled = status.last_handled_sync_request.take();
        let asked = requested(&self.object);
        let asked = asked.filter(|asked| is_new_request(asked, handled.as_deref()));
        status.last_handled_sync_request = asked.or(handled);
        self.requested = None;
        tracing::warn!("status was set back by another writer, and is put back as it was known");
        match report::write_over(self.context, &self.object, status).await {
            Ok(object) => {
                self.object = object;
                self.tracked(|tracked| tracked.went_back = true);
                Ok(())
            }
            // Where another writer has written it meanwhile, it is compared anew.
            Err(error) => {
                self.tracked(|tracked| tracked.seen_status.keep_before(before));
                Err(error)
            }
        }
    }

    /// Another writer named an API key in status that the records were not made with. No seal could be checked under
    /// that key, and the edit could make foreign secrets the object's, or freeze a rotation. So the operator goes by
    /// the key that it knows, also where status cannot be written now: its writer may edit it all the time.
    async fn put_key_back(&mut self) -> Result<(), KubernetesError> {
        let known = self.tracked(|tracked| tracked.with_known_key(&self.object));
        let Some(status) = known.flatten() else {
            return Ok(());
        };
        tracing::warn!(
            "another writer named an API key in status, and the one that was known is put back"
        );
        match report::write_over(self.context, &self.object, status.clone()).await {
            Ok(object) => self.object = object,
            Err(KubernetesError::NotFound) => return Err(KubernetesError::NotFound),
            Err(_) => {
                let mut object = ProviderSecret::clone(&self.object);
                object.status = Some(status);
                self.object = Arc::new(object);
            }
        }
        Ok(())
    }
}
