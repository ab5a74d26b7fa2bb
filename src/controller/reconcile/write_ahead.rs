//! What is put down in Kubernetes before anything is sent: the finalizer, and what is being written.

use super::{Reconcile, inputs::Work};
use crate::{
    api::{DeletionPolicy, EntryStatus},
    controller::{
        cache::ObjectState,
        kubernetes::KubernetesError,
        plan::{self, DesiredEntry, Planned, PlannedRemoval, RemovalAction},
        report::{self, conditions, finalizer, messages, status},
        session::Session,
    },
};

impl Reconcile<'_> {
    /// The finalizer is there before the first write under Delete, and not under Retain.
    pub(crate) async fn guard(
        &self,
        planned: &[Planned],
        going: &[PlannedRemoval],
    ) -> Result<(), KubernetesError> {
        let is_delete = self.object.spec.deletion_policy() == DeletionPolicy::Delete;
        let is_writing = planned.iter().any(|planned| planned.change.is_write());
        let is_held = self.recorded().iter().any(plan::may_be_there);
        let is_wanted = is_delete && (is_writing || is_held || !going.is_empty());
        let newest = self.newest();
        if finalizer::is_present(&newest) != is_wanted && (is_wanted || !is_delete) {
            finalizer::set(self.context, &newest, is_wanted).await?;
        }
        Ok(())
    }

    /// Before a recorded entry is written again, or deleted, it is recorded as Pending: else a crash
    /// after the write and a source that goes back would leave the new value behind an entry that
    /// looks synced. Where it matters what there was before, so is one that was never written; and
    /// where the last record was refused, lest the provider is written to with every try.
    pub(crate) async fn write_ahead(
        &self,
        session: &Session<'_>,
        desired: &[DesiredEntry],
        work: &Work,
        going: &[PlannedRemoval],
    ) -> Result<(), KubernetesError> {
        let is_unrecorded = |state: &mut ObjectState| state.is_unrecorded;
        let must_know = self.inputs(session, work).must_know()
            || self.context.states.with(&self.uid, is_unrecorded);
        let writes = desired.iter().zip(&work.planned);
        let mut pending: Vec<EntryStatus> = writes
            .filter_map(|(entry, planned)| status::pending(planned, &entry.name, must_know))
            .collect();
        let deletions = going
            .iter()
            .filter(|removed| removed.action == RemovalAction::Delete);
        pending.extend(deletions.filter_map(|removed| status::leaving(&removed.entry)));
        let newest = self.newest();
        let mut next = newest.status.clone().unwrap_or_default();
        let fold = session.rules().fold;
        let sealed = pending.into_iter();
        let mut pending: Vec<EntryStatus> = sealed
            .map(|entry| session.sealed(&self.uid, entry))
            .collect();
        pending.retain(|pending| !next.entries.contains(pending));
        if pending.is_empty() {
            // Nothing of this pass is fenced, and a store that lags may show an object that tried
            // and has long been deleted.
            let is_again = |planned: &Planned| {
                let recorded = planned.recorded.as_ref();
                planned.change.is_write() && recorded.is_some_and(|it| it.attempted.is_some())
            };
            return if work.planned.iter().any(is_again) {
                self.still_wants().await
            } else {
                Ok(())
            };
        }
        let count = pending.len();
        for pending in pending {
            let folded = fold(&pending.name);
            match next
                .entries
                .iter_mut()
                .find(|entry| fold(&entry.name) == folded)
            {
                Some(entry) => *entry = pending,
                None => next.entries.push(pending),
            }
        }
        next.entries.sort_by(|a, b| a.name.cmp(&b.name));
        next.summary = Some(status::summary(&next.entries));
        next.conditions = conditions::conditions(
            &next.conditions,
            &messages::writing(count),
            // That this generation was acted on is not known before the provider has answered.
            next.observed_generation,
            crate::clock::now(),
        );
        report::write(self.context, &newest, &next)
            .await
            .map(|_| ())
    }
}
