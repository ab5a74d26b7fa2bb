//! Removes what is recorded and no longer desired.

use std::time::Duration;

use tokio::time::Instant;

use super::Writer;
use crate::{
    account::ObjectName,
    api::{EntryStatus, Found},
    controller::{
        error::Failure,
        plan::{PlannedRemoval, RemovalAction, Successor},
        session::DeleteOutcome,
    },
    http::ProviderError,
    provider::{SetKeys, Unit},
};

/// What came of removals.
#[derive(Default)]
pub(crate) struct RemovalOutcome {
    /// The records of what is not gone yet.
    pub(crate) kept: Vec<EntryStatus>,
    pub(crate) failures: Vec<Failure>,
    /// Names of what the provider deleted.
    pub(crate) deleted: Vec<String>,
    /// Names of what stays at the provider without an owner.
    pub(crate) orphaned: Vec<String>,
    /// Names of what another writer has written since, which stays.
    pub(crate) replaced: Vec<String>,
    /// Names of what other objects have now, which stays, and these objects.
    pub(crate) handed_over: Vec<(String, ObjectName)>,
}

impl RemovalOutcome {
    /// Nothing was tried.
    pub(crate) fn not_tried(removals: &[PlannedRemoval]) -> Self {
        Self {
            kept: removals.iter().map(PlannedRemoval::leaving).collect(),
            ..Self::default()
        }
    }
}

impl Writer<'_> {
    /// Carries removals out, one after the other; a failure of the account ends it.
    pub(crate) async fn remove(&self, removals: Vec<PlannedRemoval>) -> RemovalOutcome {
        let mut outcome = RemovalOutcome::default();
        // One listing for all of them, which may begin in this very moment.
        let now = Instant::now();
        let began = now.checked_sub(Duration::from_nanos(1)).unwrap_or(now);
        let mut has_account_failed = false;
        for removal in removals {
            let leaving = removal.leaving();
            let PlannedRemoval { record, action } = removal;
            let deleted = match action {
                RemovalAction::DropRecord => Ok(DeleteOutcome::Gone),
                // Where the heir has gone since the plan was made, the plan deletes nothing all the same.
                RemovalAction::TransferOwner => {
                    Ok(self.left(&record).unwrap_or(DeleteOutcome::Orphaned))
                }
                RemovalAction::Orphan => Ok(DeleteOutcome::Orphaned),
                RemovalAction::Delete if has_account_failed => {
                    outcome.kept.push(leaving);
                    continue;
                }
                RemovalAction::Delete => self.delete(&record, began).await,
            };
            match deleted {
                Ok(DeleteOutcome::Deleted) => outcome.deleted.push(record.name),
                Ok(DeleteOutcome::Gone) => {}
                Ok(DeleteOutcome::Orphaned) => outcome.orphaned.push(record.name),
                Ok(DeleteOutcome::Replaced) => outcome.replaced.push(record.name),
                Ok(DeleteOutcome::HandedOver(heir)) => {
                    outcome.handed_over.push((record.name, heir));
                }
                Err(error) => {
                    has_account_failed |= self.is_of_account(&error, &record.name);
                    let failure =
                        Failure::provider(&error, self.session.choice, Some(&record.name));
                    outcome.kept.push(EntryStatus {
                        reason: Some(failure.reason.as_str().to_owned()),
                        ..leaving
                    });
                    outcome.failures.push(failure);
                }
            }
        }
        outcome
    }

    async fn delete(
        &self,
        record: &EntryStatus,
        began: Instant,
    ) -> Result<DeleteOutcome, ProviderError> {
        let session = self.session;
        let folded = (session.rules().fold)(&record.name);
        let mut lock = session.lock(self.names, &folded).await;
        // Another object may have come to claim it since the plan was made.
        if let Some(left) = self.left(record) {
            return Ok(left);
        }
        let outcome = match session.rules().unit {
            Unit::Set => self.delete_member(record).await,
            Unit::Each => session.delete_shown(record, began).await,
        };
        lock.wrote();
        outcome
    }

    /// What comes of a name that other objects claim: it is left to them. None if no other object does.
    fn left(&self, record: &EntryStatus) -> Option<DeleteOutcome> {
        let folded = (self.session.rules().fold)(&record.name);
        match self.claimed.successor(&folded) {
            Successor::None => None,
            Successor::Stranger => Some(DeleteOutcome::Orphaned),
            Successor::Heir(heir) => Some(DeleteOutcome::HandedOver(heir)),
        }
    }

    async fn delete_member(&self, record: &EntryStatus) -> Result<DeleteOutcome, ProviderError> {
        match self.session.provider.members().await? {
            SetKeys::Shown(keys) if keys.contains(&record.name) => {
                self.session.delete(record, None).await
            }
            SetKeys::Shown(_) | SetKeys::NoSet => Ok(DeleteOutcome::Gone),
            // It cannot be seen whether the key is there, or the set is not one that clients write.
            SetKeys::NotShown | SetKeys::Referenced => Ok(DeleteOutcome::Orphaned),
        }
    }

    /// Deletes the set itself when nothing is left in it and this object made it. `records` are those
    /// of the entries that were removed.
    ///
    /// # Errors
    /// What the provider answered; then the set may still be there.
    pub(crate) async fn delete_empty_set(
        &self,
        records: &[EntryStatus],
    ) -> Result<(), ProviderError> {
        let is_ours = records
            .iter()
            .any(|record| record.found == Some(Found::NoSet));
        let is_set = self.session.rules().unit == Unit::Set;
        if !is_set || !is_ours || self.claimed.successor("") != Successor::None {
            return Ok(());
        }
        let _lock = self.session.lock(self.names, "").await;
        match self.session.provider.members().await? {
            SetKeys::Shown(keys) if keys.is_empty() => self.session.provider.delete_set().await,
            SetKeys::Shown(_) | SetKeys::NoSet | SetKeys::NotShown | SetKeys::Referenced => Ok(()),
        }
    }
}
