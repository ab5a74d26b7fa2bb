//! Deletes at the provider: only what a listing shows to be what we wrote, or what an id names.

use std::time::Duration;

use tokio::time::Instant;

use super::Session;
use crate::{
    account::{ObjectName, Snapshot},
    api::EntryStatus,
    controller::plan::{
        Shown, find_recorded, is_after_attempt, is_written_since, listed_absence_counts_in,
        was_written,
    },
    http::ProviderError,
    provider::{DeleteAnswer, DeleteRequest, Remote, Rules},
};

/// What came of a delete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum DeleteOutcome {
    /// The provider has deleted it.
    Deleted,
    /// It was not there.
    Gone,
    /// It is not shown, and may yet come: its absence counts after so long.
    NotShown(Duration),
    /// Another writer has written it since, and it stays.
    Replaced,
    /// It cannot be told from what another writer wrote, and stays.
    Orphaned,
    /// Another object has it now, and it stays.
    HandedOver(ObjectName),
}

impl DeleteOutcome {
    /// It is not shown, which counts after a wait; at once without one.
    pub(crate) fn absent(wait: Option<Duration>) -> Self {
        wait.map_or(Self::Gone, Self::NotShown)
    }
}

impl Session<'_> {
    /// Deletes what a listing that began after `began` shows to be what we wrote.
    pub(crate) async fn delete_shown(
        &self,
        entry: &EntryStatus,
        began: Instant,
    ) -> Result<DeleteOutcome, ProviderError> {
        let snapshot = self.listing(began, Duration::ZERO).await?;
        let is_id_enough = entry.remote_id.is_some() && !self.rules().deletes_by_name;
        match shown_to_delete(entry, &snapshot, self.rules()) {
            Shown::Absent => {
                let wait = listed_absence_counts_in(entry, &snapshot);
                // Pages may miss what is there while others are deleted, and an id names nothing else. A key that is shown
                // nothing at all may not reach it, so then the operator asks by the id once the absence counts.
                let may_ask = snapshot.empty_since.is_none() || wait.is_none();
                if is_id_enough && may_ask && !self.cannot_verify() {
                    return self.delete(entry, None).await;
                }
                Ok(DeleteOutcome::absent(wait))
            }
            Shown::Other if was_written(entry) => Ok(DeleteOutcome::Replaced),
            Shown::Other => Ok(DeleteOutcome::Orphaned),
            Shown::Ours(remote) if is_replaced(entry, remote) => Ok(DeleteOutcome::Replaced),
            Shown::Ours(remote) if is_made_later(entry, remote) => Ok(DeleteOutcome::Orphaned),
            Shown::Ours(remote) if self.may_be_another_teams(remote).await? => {
                Ok(DeleteOutcome::Orphaned)
            }
            Shown::Ours(remote) => self.delete(entry, Some(remote)).await,
        }
    }

    /// Deletes by the id, or as it is shown.
    ///
    /// # Errors
    /// What the provider answered. And [`ProviderError::protocol`] when it answers that what it has shown is not there,
    /// and shows it again: a proxy between may answer 404 to what it does not know (docs/vendors.md#ge-3).
    pub(crate) async fn delete(
        &self,
        entry: &EntryStatus,
        shown: Option<&Remote>,
    ) -> Result<DeleteOutcome, ProviderError> {
        let request = DeleteRequest {
            // The listing may spell a folded name differently.
            name: shown.map_or(entry.name.as_str(), |shown| shown.name.as_str()),
            id: entry.remote_id.as_deref(),
            shown,
        };
        match self.provider.delete(&request).await? {
            DeleteAnswer::Done => return Ok(DeleteOutcome::Deleted),
            // The caller has seen just now whether it is shown.
            DeleteAnswer::NotThere if shown.is_none() => return Ok(DeleteOutcome::Gone),
            DeleteAnswer::NotThere => {}
        }
        let snapshot = self.listing(Instant::now(), Duration::ZERO).await?;
        let shown = shown_to_delete(entry, &snapshot, self.rules());
        if matches!(shown, Shown::Ours(_)) || snapshot.empty_since.is_some() {
            return Err(ProviderError::protocol());
        }
        Ok(DeleteOutcome::Gone)
    }

    /// Where a listing spans several teams and does not say to which a secret belongs, a delete by name
    /// goes to the default team: it may miss the secret, or hit another team's.
    async fn may_be_another_teams(&self, remote: &Remote) -> Result<bool, ProviderError> {
        if !self.provider.spans_teams() || remote.team.is_some() {
            return Ok(false);
        }
        Ok(self.account.scope(&*self.provider).await?.is_none())
    }
}

/// What a listing shows of an entry that is to be deleted. What has its id under another name was renamed by another
/// writer, who goes by that name now.
fn shown_to_delete<'s>(entry: &EntryStatus, snapshot: &'s Snapshot, rules: &Rules) -> Shown<'s> {
    let mut ids = entry.remote_id.iter();
    match find_recorded(entry, snapshot, rules) {
        Shown::Absent if ids.any(|id| snapshot.has_id(id)) => Shown::Other,
        shown => shown,
    }
}

/// Whether another writer has changed it since our last write: an operator in another cluster perhaps,
/// which took the name over. What we sent without an answer may be the change, unless that was long before.
fn is_replaced(entry: &EntryStatus, remote: &Remote) -> bool {
    let may_be_attempt = entry.attempted.is_some() && !is_after_attempt(entry, remote);
    is_written_since(entry, remote) && !may_be_attempt
}

/// Whether another writer has made it: no write of ours was acknowledged, and the last one was sent long before.
fn is_made_later(entry: &EntryStatus, remote: &Remote) -> bool {
    !was_written(entry) && is_after_attempt(entry, remote)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use rstest::rstest;

    use super::*;
    use crate::{
        api::ProviderKind,
        controller::object::{time, unwritten},
        provider::{self, Listing},
    };

    /// Cases: R-10
    #[rstest]
    #[case::ours("A", "1", "ours")]
    #[case::made_anew("A", "2", "other")]
    #[case::renamed("B", "1", "other")]
    #[case::gone("B", "2", "absent")]
    fn what_another_writer_has_renamed_is_not_ours(
        #[case] name: &str,
        #[case] id: &str,
        #[case] expected: &str,
    ) {
        let entry = EntryStatus {
            remote_id: Some("1".to_owned()),
            last_write_time: Some(time(Timestamp::UNIX_EPOCH)),
            ..unwritten("A")
        };
        let remote = Remote {
            name: name.to_owned(),
            id: Some(id.to_owned()),
            ..Remote::default()
        };
        let listing = Listing {
            remotes: vec![remote],
            ..Listing::default()
        };
        for kind in [ProviderKind::PrimeIntellect, ProviderKind::Braintrust] {
            let rules = provider::rules(kind);
            let began = (Instant::now(), Timestamp::UNIX_EPOCH);
            let snapshot = Snapshot::new(began, listing.clone(), None, rules.fold);
            let shown = match shown_to_delete(&entry, &snapshot, rules) {
                Shown::Ours(_) => "ours",
                Shown::Other => "other",
                Shown::Absent => "absent",
            };
            assert_eq!(shown, expected, "{kind}");
        }
    }

    /// A write was sent at the beginning of the epoch without an answer, by an operator that recorded when, or not.
    /// Cases: R-10
    #[rstest]
    #[case::by_it(Some(0), "1970-01-01T00:02:00Z", (false, false))]
    #[case::long_after_it(Some(0), "1970-01-01T00:02:01Z", (true, true))]
    #[case::no_time_recorded(None, "1970-01-01T00:02:01Z", (false, false))]
    #[case::before_it(Some(0), "1969-12-31T00:00:00Z", (false, false))]
    #[case::shown_without_a_time(Some(0), "v2", (false, false))]
    fn a_write_without_an_answer_explains_what_is_shown_for_two_minutes(
        #[case] attempted: Option<i64>,
        #[case] version: &str,
        #[case] is_anothers: (bool, bool),
    ) {
        let first_write = EntryStatus {
            attempted: Some("digest".to_owned()),
            attempted_time: attempted.map(|second| time(Timestamp::from_second(second).unwrap())),
            ..unwritten("A")
        };
        let before = "1969-12-31T12:00:00Z";
        let rotation = EntryStatus {
            remote_version: Some(before.to_owned()),
            last_write_time: Some(time(before.parse().unwrap())),
            ..first_write.clone()
        };
        let remote = Remote {
            version: Some(version.to_owned()),
            ..Remote::default()
        };
        let is_told = (
            is_replaced(&rotation, &remote),
            is_made_later(&first_write, &remote),
        );
        assert_eq!(is_told, is_anothers);
        assert!(!is_made_later(&rotation, &remote));
    }
}
