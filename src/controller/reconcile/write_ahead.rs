//! What is recorded in Kubernetes before anything is sent: the finalizer, and the entries that are
//! being written.

use std::collections::HashMap;

use super::{Reconcile, inputs::Planned};
use crate::{
    api::{
        Approval, Condition, DeletionPolicy, EntryStatus, ProviderSecretStatus, Reason, STALLED,
    },
    controller::{
        gate::lacks_finalizer,
        kubernetes::KubernetesError,
        object::{has_finalizer, is_acted_on},
        plan::{self, PlannedEntry, PlannedRemoval, RemovalAction},
        report::{self, Asks, conditions::conditions, finalizer, messages, status},
        session::Session,
    },
};

impl Reconcile<'_> {
    /// What may be at the provider is to be deleted with the object: without the finalizer it would
    /// be orphaned. So it is back before anything else is tried, also while the account cannot be
    /// reached or the object is suspended.
    pub(super) async fn restore_finalizer(&self) -> Result<(), KubernetesError> {
        if lacks_finalizer(&self.object) {
            finalizer::set(self.context, &self.newest(), true).await?;
        }
        Ok(())
    }

    /// The finalizer is there before the first write under Delete, and not under Retain.
    pub(super) async fn ensure_finalizer(
        &self,
        session: &Session<'_>,
        planned: &Planned<'_>,
    ) -> Result<(), KubernetesError> {
        let is_delete = self.object.spec.deletion_policy() == DeletionPolicy::Delete;
        let is_writing = planned.entries.iter().any(|entry| entry.change.is_write());
        let records = &session.records.verified;
        let may_be_stored = records.iter().any(plan::may_be_there);
        let is_wanted = is_delete && (is_writing || may_be_stored || !planned.removals.is_empty());
        let newest = self.newest();
        if has_finalizer(&*newest) != is_wanted && (is_wanted || !is_delete) {
            finalizer::set(self.context, &newest, is_wanted).await?;
        }
        Ok(())
    }

    /// What was approved is sealed in status before it is carried out: what fails, or is cut off, needs no
    /// second approval.
    ///
    /// Before a recorded entry is written again, or deleted, it is recorded as Pending: else a crash
    /// after the write and a source that goes back would leave the new value behind an entry that
    /// looks synced. Where it matters what there was before, so is one that was never written; and
    /// where the last record was refused, lest the provider is written to with every try.
    pub(super) async fn write_ahead(
        &self,
        session: &Session<'_>,
        planned: &Planned<'_>,
    ) -> Result<(), KubernetesError> {
        let is_unrecorded = self.tracked(|tracked| tracked.is_unrecorded());
        let must_know = planned.must_know || is_unrecorded == Some(true);
        let newest = self.newest();
        let mut next = newest.status.clone().unwrap_or_default();
        let pending = pending(planned, must_know).map(|entry| session.sealed(entry));
        let mut pending: Vec<EntryStatus> = pending.collect();
        pending.retain(|pending| !next.entries.contains(pending));
        if pending.is_empty() && planned.approved.is_none() {
            // Nothing of this reconcile is fenced, and a store that lags may show an object that
            // tried and has long been deleted.
            let is_again = |entry: &PlannedEntry<'_>| {
                let was_attempted = |record: &EntryStatus| record.attempted.is_some();
                entry.change.is_write() && entry.record.is_some_and(was_attempted)
            };
            return if planned.entries.iter().any(is_again) {
                self.still_wants().await
            } else {
                Ok(())
            };
        }
        // A failure that repeats is no news: it is said until the try that follows it has ended.
        let is_acted_on = is_acted_on(&newest);
        let mut said = next.conditions.iter();
        if !said.any(|said| is_failure_of_try(said, is_acted_on)) {
            next.conditions = conditions(
                &next.conditions,
                &messages::writing(pending.len().max(planned.writes())),
                // That this generation was acted on is not known before the provider has answered.
                next.observed_generation,
                crate::clock::now(),
            );
        }
        next.plan = None;
        if let Some(approved) = &planned.approved {
            next.approval_seal = Some(approved.scope.clone());
            next.last_approved_plan = Some(approved.hash.clone());
        }
        // As in the status that follows.
        if self.object.spec.approval() == Approval::Automatic {
            next.approval_seal = None;
        }
        replace_records(&mut next, pending, session.rules().fold);
        report::write(self.context, &newest, next, Asks::Nothing).await?;
        Ok(())
    }
}

/// Whether a condition says of a failure that it is tried again, or that a person must act, while other entries are
/// tried again. What a person must do under another spec it does not say.
fn is_failure_of_try(condition: &Condition, is_acted_on: bool) -> bool {
    let reason = condition.reason.as_str();
    let is_strange = reason == Reason::UnexpectedResponse.as_str();
    let is_stalled = condition.r#type == STALLED && (is_acted_on || is_strange);
    is_stalled || reason == Reason::ProgressingWithRetry.as_str()
}

/// The records of everything that a plan writes or deletes, as they are before that.
fn pending(planned: &Planned<'_>, must_know: bool) -> impl Iterator<Item = EntryStatus> {
    let writes = planned.entries.iter();
    let writes = writes.filter_map(move |entry| status::pending(entry, must_know));
    let removals = planned.removals.iter();
    let deletes = removals
        .filter(|removal| removal.action == RemovalAction::Delete)
        .map(PlannedRemoval::leaving);
    writes.chain(deletes)
}

/// Puts records in the place of those of the same folded names.
pub(super) fn replace_records(
    status: &mut ProviderSecretStatus,
    records: Vec<EntryStatus>,
    fold: fn(&str) -> String,
) {
    let known = status.entries.iter().enumerate();
    let positions: HashMap<String, usize> =
        known.map(|(at, known)| (fold(&known.name), at)).collect();
    for record in records {
        match positions.get(&fold(&record.name)) {
            Some(at) => status.entries[*at] = record,
            None => status.entries.push(record),
        }
    }
    status.entries.sort_by(|a, b| a.name.cmp(&b.name));
    status.summary = Some(status::summary(&status.entries));
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use rstest::rstest;

    use super::*;
    use crate::controller::report::conditions::{Readiness, ReadyState};

    const RETRY: ReadyState = ReadyState::Reconciling {
        after_failure: true,
    };
    const WAIT: ReadyState = ReadyState::Reconciling {
        after_failure: false,
    };

    /// Else each try would be a transition there and back, with a Warning event.
    #[rstest]
    #[case::a_retry(RETRY, Reason::ProviderUnavailable, false, true)]
    #[case::strange_answers(ReadyState::Stalled, Reason::UnexpectedResponse, false, true)]
    #[case::a_name_that_is_refused(ReadyState::Stalled, Reason::InvalidKeyName, true, true)]
    #[case::one_under_another_spec(ReadyState::Stalled, Reason::InvalidKeyName, false, false)]
    #[case::an_approval(WAIT, Reason::AwaitingApproval, true, false)]
    #[case::synced(ReadyState::Ready, Reason::Synced, true, false)]
    fn a_failure_is_said_until_the_next_try_has_ended(
        #[case] state: ReadyState,
        #[case] reason: Reason,
        #[case] is_acted_on: bool,
        #[case] stays: bool,
    ) {
        let readiness = Readiness {
            state,
            reason,
            message: "It is so.".to_owned(),
        };
        let said = conditions(&[], &readiness, Some(1), Timestamp::UNIX_EPOCH);
        let mut said = said.iter();
        assert_eq!(said.any(|said| is_failure_of_try(said, is_acted_on)), stays);
    }
}
