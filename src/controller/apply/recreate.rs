//! Deleting and creating what the provider does not change.

use tokio::time::Instant;

use super::{EntryOutcome, Writer};
use crate::{
    api::EntryStatus,
    controller::{error::Failure, plan::DesiredEntry},
};

impl Writer<'_> {
    /// Deletes an entry that refused an update, if a listing that begins now shows it as what was
    /// recorded, and creates it. Failure of the account is noted in `failure` as well.
    ///
    /// The record is Pending since before the refused update. If this ends between the two calls, the
    /// next pass finds nothing there and creates it.
    pub(crate) async fn recreate(
        &self,
        entry: &DesiredEntry,
        recorded: &EntryStatus,
        failure: &mut Option<Failure>,
    ) -> EntryOutcome {
        let mut lock = self.session.lock(self.names, &entry.folded).await;
        if let Some(lost) = self.claimed.lost(&entry.folded) {
            return EntryOutcome::Failed(lost);
        }
        // What is not shown as ours is not deleted; if it is there, the create is refused.
        let deleted = self.session.delete_shown(recorded, Instant::now()).await;
        lock.wrote();
        let written = match deleted {
            Ok(_) => self.send(entry, None, &mut lock).await,
            Err(error) => Err(error),
        };
        match written {
            Ok(written) => EntryOutcome::Written(written),
            Err(error) => self.failed(&error, entry).noting(failure),
        }
    }
}
