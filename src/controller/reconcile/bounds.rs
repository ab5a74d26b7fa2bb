//! The bound of a namespace: which providers and endpoints its objects may use.

use tokio::time::Instant;

use super::{Reconcile, Stop};
use crate::{
    controller::{
        cache::NamespaceBounds,
        gate::Decision,
        kubernetes::KubernetesError,
        object::{Versions, object_name, raw_records},
        report::messages,
    },
    provider::Choice,
};

impl Reconcile<'_> {
    /// Ends the reconcile where the namespace does not allow the object to use its provider. Nothing is written or
    /// deleted then, and every record stays. What is asked here is at most [`NamespaceBounds::MAX_AGE`] old; a sync
    /// request has it asked anew. The cleanup of a deleted object takes
    /// values away, and is not bounded.
    pub(super) async fn ensure_allowed(
        &self,
        choice: Choice<'_>,
        decision: &Decision,
    ) -> Result<(), Stop> {
        if self.object.spec.is_suspended() {
            return Ok(());
        }
        let (context, namespace) = (self.context, &self.namespace);
        let since = self.requested.as_ref().map(|_| Instant::now());
        let allowed = context.bounds.get(&context.client, namespace, since);
        let failure = match allowed.await {
            Ok(allowed) => match allowed.refusal(choice, namespace) {
                None => return Ok(()),
                Some(failure) => failure,
            },
            Err(KubernetesError::Forbidden) => messages::unreadable_namespace(namespace),
            Err(_) => return Err(self.namespace_unread(decision)),
        };
        self.context
            .release_permit(&self.uid, &object_name(&*self.object));
        let records = raw_records(&self.object);
        let mut outcome = self.nothing_done(records, failure, Versions::new());
        // No watch tells of a namespace. Later than what is known now can be used.
        outcome.try_in = Some(NamespaceBounds::MAX_AGE.mul_f64(1.0 + fastrand::f64() * 0.1));
        Err(outcome.into())
    }

    /// The API server did not say what the namespace allows: nothing is done, and status could not be written
    /// either.
    fn namespace_unread(&self, decision: &Decision) -> Stop {
        self.context
            .release_permit(&self.uid, &object_name(&*self.object));
        let wait = self.tracked(|tracked| tracked.backoff.briefly());
        let wait = wait.unwrap_or(NamespaceBounds::MAX_AGE);
        if *decision == Decision::Verify {
            self.verify_again(wait);
        }
        Stop::Unread(wait)
    }
}
