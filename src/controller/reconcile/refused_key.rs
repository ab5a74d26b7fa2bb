//! An API key that the provider refused, as far as status tells: the object is synced again once the provider takes it.

use std::time::Duration;

use super::{
    Reconcile, Stop,
    inputs::{Inputs, Planned},
    not_applied::not_carried_out,
};
use crate::{
    api::Reason,
    controller::{object::ready_condition, plan, report::messages, session::Session},
    http::ErrorClass,
};

impl Reconcile<'_> {
    /// Asks the provider for the account's listing where it refused the key before and the plan sends nothing that would
    /// show whether it takes the key now.
    ///
    /// # Errors
    /// The provider refuses the key, or does not say now whether it takes it.
    pub(super) async fn ensure_key_is_taken(
        &self,
        session: &Session<'_>,
        inputs: &Inputs,
        planned: &Planned<'_>,
    ) -> Result<(), Stop> {
        let Some(refused) = self.refused_key() else {
            return Ok(());
        };
        let is_asked = planned.calls_provider() || planned.snapshot.is_some();
        if is_asked || !inputs.records.iter().any(plan::was_written) {
            return Ok(());
        }
        let since = self.snapshot_since();
        let listed = match session.refusal() {
            // A listing from before the circuit opened says nothing of the key.
            Some(refusal) => Err(refusal),
            None => session.listing(since, Duration::ZERO).await,
        };
        let Err(error) = listed else { return Ok(()) };
        let failure = session.failure(&error);
        let failure = if failure.class == ErrorClass::Auth {
            failure
        } else if error.is_passing() {
            messages::refused_before(refused, &failure)
        } else {
            // The provider does not refuse the key. What was synced stays so, whatever the listing suffers from.
            return Ok(());
        };
        let outcome = not_carried_out(&self.object, session, inputs, planned, failure);
        Err(outcome.into())
    }

    /// The reason for which status says that the provider refused the key.
    fn refused_key(&self) -> Option<Reason> {
        let ready = ready_condition(&self.object)?;
        let refusals = [Reason::AuthenticationFailed, Reason::PermissionDenied];
        refusals
            .into_iter()
            .find(|reason| reason.as_str() == ready.reason)
    }
}
