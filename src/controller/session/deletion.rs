//! Deletes at the provider: only what a listing shows to be what we wrote, or what an id names.

use std::time::Duration;

use tokio::time::Instant;

use super::Session;
use crate::{
    api::EntryStatus,
    controller::plan::{Shown, is_shown_as_ours, was_written},
    http::ProviderError,
    provider::{DeleteRequest, Remote},
};

/// What came of a deletion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DeleteOutcome {
    /// It is not there any more.
    Deleted,
    /// It was not there, or is somebody else's now.
    Gone,
    /// It cannot be told from what somebody else wrote.
    Orphaned,
}

impl Session<'_> {
    /// Deletes what a listing that began after `began` shows to be what we wrote.
    pub(crate) async fn delete_shown(
        &self,
        entry: &EntryStatus,
        began: Instant,
    ) -> Result<DeleteOutcome, ProviderError> {
        let mut listed = self.listing(began, Duration::ZERO).await?;
        let mut shown = is_shown_as_ours(entry, &listed, self.rules());
        if matches!(shown, Shown::Absent) && !listed.proves_absence {
            // An empty list must not be read as "all were deleted" (providers.md 4.3, trap 9).
            listed = self.listing(Instant::now(), Duration::ZERO).await?;
            shown = is_shown_as_ours(entry, &listed, self.rules());
        }
        match shown {
            Shown::Absent => Ok(DeleteOutcome::Gone),
            // Ours was replaced by somebody's.
            Shown::Other if was_written(entry) => Ok(DeleteOutcome::Gone),
            Shown::Other => Ok(DeleteOutcome::Orphaned),
            // A deletion by name goes to the default team, and what is shown may be another's.
            Shown::Ours(remote) if self.is_anybodys(remote).await? => Ok(DeleteOutcome::Orphaned),
            Shown::Ours(remote) => self.delete(entry, Some(remote)).await,
        }
    }

    /// Deletes by the id, or as it is shown.
    pub(crate) async fn delete(
        &self,
        entry: &EntryStatus,
        shown: Option<&Remote>,
    ) -> Result<DeleteOutcome, ProviderError> {
        let removal = DeleteRequest {
            // The listing may spell a folded name differently.
            name: shown.map_or(entry.name.as_str(), |shown| shown.name.as_str()),
            id: entry.remote_id.as_deref(),
            shown,
        };
        let deleted = self.provider.delete(&removal).await;
        deleted.map(|()| DeleteOutcome::Deleted)
    }

    /// Where a listing spans several teams and does not say whose a secret is, a deletion by name may
    /// miss it, or hit another's.
    async fn is_anybodys(&self, remote: &Remote) -> Result<bool, ProviderError> {
        if !self.provider.spans_teams() || remote.team.is_some() {
            return Ok(false);
        }
        Ok(self.account.scope(self.provider).await?.is_none())
    }
}
