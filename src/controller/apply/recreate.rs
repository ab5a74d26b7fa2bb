//! Deletes and creates what the provider does not change.

use tokio::time::Instant;

use super::{Halt, Writer, write};
use crate::{
    account::Snapshot,
    api::Reason,
    controller::{
        error::Failure,
        plan::{EntryOutcome, PlannedEntry, is_ours},
        report::messages,
        session::DeleteOutcome,
    },
    http::ErrorClass,
};

impl Writer<'_> {
    /// Whether the provider refused to update an entry that the spec lets us delete and create.
    pub(crate) fn is_to_be_recreated(&self, entry: &PlannedEntry<'_>) -> bool {
        self.session.choice.may_recreate()
            && matches!(&entry.outcome, EntryOutcome::Failed(refused) if refused.reason == Reason::Immutable)
    }

    /// Deletes an entry that refused an update, if its record and a listing that begins now show it
    /// as ours, and creates it where `snapshot` has shown it. A failure of the account is noted in `halt` as well.
    ///
    /// The record is Pending since before the refused update. If the operator dies between the two
    /// calls, the next reconcile finds nothing there and creates it.
    pub(crate) async fn recreate(
        &self,
        planned: &PlannedEntry<'_>,
        snapshot: Option<&Snapshot>,
        halt: &mut Option<Halt>,
    ) -> EntryOutcome {
        let entry = planned.desired;
        let shown = snapshot.and_then(|snapshot| snapshot.named(&entry.folded).next());
        let region = shown.and_then(|shown| shown.region.as_deref());
        let Some(record) = planned.record.filter(|record| is_ours(record)) else {
            return EntryOutcome::Failed(messages::not_ours(&entry.name, self.session.choice));
        };
        let mut lock = self.session.lock(self.names, &entry.folded).await;
        if let Some(lost) = self.claimed.lost(&entry.folded) {
            return EntryOutcome::Failed(lost);
        }
        // What works is deleted only for a value that the provider takes.
        if let Some(write) = write(entry, None, region)
            && let Err(error) = self.session.provider.rehearse(&write).await
        {
            return self.failed(&error, entry).noting(halt);
        }
        // What is not shown as ours is not deleted; if it is there, the create is refused.
        let deleted = self.session.delete_shown(record, Instant::now()).await;
        lock.wrote();
        let deleted = match deleted {
            Ok(DeleteOutcome::NotShown(wait)) => {
                let failure = messages::not_shown(&entry.name, self.session.choice.kind(), wait);
                return EntryOutcome::Failed(Failure {
                    class: ErrorClass::Transient,
                    ..failure
                });
            }
            Ok(deleted) => deleted,
            Err(error) => return self.failed(&error, entry).noting(halt),
        };
        match self.send(entry, (None, region), &mut lock).await {
            Ok(written) => EntryOutcome::Written(written),
            Err(error) if deleted == DeleteOutcome::Deleted => {
                let kind = self.session.choice.kind();
                // Nothing heals a credential that is missing but another try.
                let error = match error.class {
                    ErrorClass::Config => error.with(ErrorClass::Transient, Reason::Rejected),
                    _ => error,
                };
                let mut failed = self.failed(&error, entry);
                failed.failure = messages::missing_between(failed.failure, &entry.name, kind);
                failed.noting(halt)
            }
            Err(error) => self.failed(&error, entry).noting(halt),
        }
    }
}
