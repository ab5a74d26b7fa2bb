//! The bound of a namespace: which providers and endpoints its objects may use.

use tokio::time::Instant;

use super::{Reconcile, Stop};
use crate::{
    account::Account,
    api::Reason,
    controller::{
        cache::NamespaceBounds,
        error::Failure,
        gate::Decision,
        kubernetes::KubernetesError,
        object::{Versions, object_name, raw_records},
        report::messages,
    },
    provider::Choice,
};

impl Reconcile<'_> {
    /// Ends the reconcile where the namespace does not allow the object to use its provider. Nothing is written or
    /// deleted then, and every record stays. The cleanup of a deleted object takes values away, and is bound by
    /// [`Self::ensure_key_allowed`] alone.
    pub(super) async fn ensure_allowed(
        &self,
        choice: Choice<'_>,
        decision: &Decision,
    ) -> Result<(), Stop> {
        if self.object.spec.is_suspended() {
            return Ok(());
        }
        let failure = match self.bound_refusal(choice).await {
            Ok(None) => return Ok(()),
            Ok(Some(failure)) => failure,
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

    /// Keeps the cleanup of a deleted object, where the namespace does not allow its provider, from every API key but
    /// the one that its records were made with: else a user could have any Secret sent there by naming it as the key
    /// and deleting the object. In doubt nothing is sent.
    pub(super) async fn ensure_key_allowed(
        &self,
        choice: Choice<'_>,
        account: &Account,
    ) -> Result<(), Failure> {
        let status = self.object.status.as_ref();
        let made_with = status.and_then(|status| status.key_fingerprint.as_deref());
        if made_with == Some(account.digests.key_id().as_str()) {
            return Ok(());
        }
        let refusal = self.bound_refusal(choice).await;
        match refusal.unwrap_or_else(|_| Some(unanswered(&self.namespace))) {
            None => Ok(()),
            Some(failure) => Err(for_other_key(&failure, choice)),
        }
    }

    /// Why the namespace does not let the object use its provider; none where it does. What is asked here is at most
    /// [`NamespaceBounds::MAX_AGE`] old; a sync request has it asked anew.
    ///
    /// # Errors
    /// The API server did not say what the namespace allows.
    async fn bound_refusal(&self, choice: Choice<'_>) -> Result<Option<Failure>, KubernetesError> {
        let (context, namespace) = (self.context, &self.namespace);
        let since = self.requested.as_ref().map(|_| Instant::now());
        let allowed = context.bounds.get(&context.client, namespace, since);
        match allowed.await {
            Ok(allowed) => Ok(allowed.refusal(choice, namespace)),
            Err(KubernetesError::Forbidden) => Ok(Some(messages::unreadable_namespace(namespace))),
            Err(error) => Err(error),
        }
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

/// Why a cleanup waits that must know what its namespace allows.
fn unanswered(namespace: &str) -> Failure {
    let message = format!(
        "The Kubernetes API did not say which providers namespace {namespace} allows. It is asked again."
    );
    Failure::transient(Reason::SecretUnavailable, message)
}

/// The refusal of a cleanup whose API key is not the one that the records were made with.
fn for_other_key(refusal: &Failure, choice: Choice<'_>) -> Failure {
    let reference = choice.api_key_secret_ref();
    let message = format!(
        "{} The API key in Secret {} key {} is not the one that this object wrote with, and no other is sent to {} meanwhile: put that one back.",
        refusal.message,
        reference.name,
        reference.key,
        choice.kind()
    );
    Failure {
        message,
        ..refusal.clone()
    }
}
