//! Getting removal of what is no longer wanted at the provider.

use kube::{Api, ResourceExt};
use tokio::time::Instant;

use super::Reconcile;
use crate::{
    api::{EntryState, EntryStatus, Found, ProviderSecret},
    controller::{
        error::Failure,
        kubernetes::{KubernetesError, bounded},
        plan::{Claimed as _, PlannedRemoval, RemovalAction},
        report::{EventNote, messages},
        session::{DeleteOutcome, Session},
    },
    http::ProviderError,
    provider::Unit,
};

/// What came of getting removal of entries.
#[derive(Default)]
pub(crate) struct RemovalOutcome {
    /// The records of those that are not gone yet.
    pub(crate) kept: Vec<EntryStatus>,
    pub(crate) failures: Vec<Failure>,
    /// Names of those that were deleted.
    pub(crate) deleted: Vec<String>,
    /// Names of those that were left at the provider.
    pub(crate) left: Vec<String>,
    pub(crate) event_notes: Vec<EventNote>,
}

impl RemovalOutcome {
    /// Nothing was tried.
    pub(crate) fn untouched(going: Vec<PlannedRemoval>) -> Self {
        Self {
            kept: going.into_iter().map(|removed| removed.entry).collect(),
            ..Self::default()
        }
    }
}

impl Reconcile<'_> {
    /// Gets removal of entries, one after the other; failure of the account ends it.
    pub(crate) async fn remove(
        &self,
        session: &Session<'_>,
        going: Vec<PlannedRemoval>,
    ) -> Result<RemovalOutcome, KubernetesError> {
        let mut removal = RemovalOutcome::default();
        let is_deletion = |removed: &PlannedRemoval| removed.action == RemovalAction::Delete;
        if going.iter().any(is_deletion) {
            self.still_wants().await?;
        }
        let began = Instant::now();
        let mut is_ended = false;
        for PlannedRemoval { entry, action } in going {
            let outcome = match action {
                RemovalAction::DropRecord | RemovalAction::TransferOwner => Ok(DeleteOutcome::Gone),
                RemovalAction::Orphan => Ok(DeleteOutcome::Orphaned),
                RemovalAction::Delete if is_ended => {
                    removal.kept.push(entry);
                    continue;
                }
                RemovalAction::Delete => self.delete(session, &entry, began).await,
            };
            match outcome {
                Ok(DeleteOutcome::Deleted) => removal.deleted.push(entry.name),
                Ok(DeleteOutcome::Gone) => {}
                Ok(DeleteOutcome::Orphaned) => removal.left.push(entry.name),
                Err(error) => {
                    is_ended |= error.is_of_account();
                    let failure = Failure::provider(&error, session.choice, Some(&entry.name));
                    removal.kept.push(EntryStatus {
                        state: EntryState::Pending,
                        reason: Some(failure.reason.as_str().to_owned()),
                        digest: None,
                        ..entry
                    });
                    removal.failures.push(failure);
                }
            }
        }
        let kind = session.choice.kind();
        self.context
            .metrics
            .keys_deleted(kind, removal.deleted.len());
        self.context
            .metrics
            .keys_left_behind(kind, removal.left.len());
        removal
            .event_notes
            .extend(messages::deleted(kind, &removal.deleted));
        removal
            .event_notes
            .extend(messages::left_behind(kind, &removal.left));
        Ok(removal)
    }

    async fn delete(
        &self,
        session: &Session<'_>,
        entry: &EntryStatus,
        began: Instant,
    ) -> Result<DeleteOutcome, ProviderError> {
        let folded = (session.rules().fold)(&entry.name);
        let mut lock = session
            .lock(&self.context.accounts.name_locks, &folded)
            .await;
        // Somebody may have come to claim it since the plan was made.
        if self.claims(session).has_successor(&folded) {
            return Ok(DeleteOutcome::Gone);
        }
        let outcome = match session.rules().unit {
            Unit::Set => self.delete_member(session, entry).await,
            Unit::Each if is_id_enough(entry, session) && !self.cannot_verify(session) => {
                session.delete(entry, None).await
            }
            Unit::Each => session.delete_shown(entry, began).await,
        };
        lock.wrote();
        outcome
    }

    async fn delete_member(
        &self,
        session: &Session<'_>,
        entry: &EntryStatus,
    ) -> Result<DeleteOutcome, ProviderError> {
        match session.provider.members().await? {
            Some(keys) if keys.contains(&entry.name) => session.delete(entry, None).await,
            Some(_) | None => Ok(DeleteOutcome::Gone),
        }
    }

    /// Before anything is deleted, or tried again, the object is read live once: a store that lags
    /// must not delete.
    pub(crate) async fn still_wants(&self) -> Result<(), KubernetesError> {
        let api: Api<ProviderSecret> =
            Api::namespaced(self.context.client.clone(), &self.namespace);
        let live = bounded(api.get(&self.object.name_any())).await?;
        if live.uid() != self.object.uid() {
            return Err(KubernetesError::NotFound);
        }
        let is_same = live.metadata.generation == self.object.metadata.generation
            && live.metadata.deletion_timestamp == self.object.metadata.deletion_timestamp;
        if is_same {
            Ok(())
        } else {
            Err(KubernetesError::Conflict)
        }
    }

    /// Deletes the set itself when nothing is left in it and this object made it.
    pub(crate) async fn delete_empty_set(
        &self,
        session: &Session<'_>,
        entries: &[EntryStatus],
    ) -> Result<(), ProviderError> {
        let is_ours = entries
            .iter()
            .any(|entry| entry.found == Some(Found::NoSet));
        if session.rules().unit != Unit::Set || !is_ours || self.claims(session).has_successor("") {
            return Ok(());
        }
        let _lock = session.lock(&self.context.accounts.name_locks, "").await;
        match session.provider.members().await? {
            Some(keys) if keys.is_empty() => session.provider.delete_set().await,
            Some(_) | None => Ok(()),
        }
    }
}

/// Whether an id alone names what is deleted.
fn is_id_enough(entry: &EntryStatus, session: &Session<'_>) -> bool {
    entry.remote_id.is_some() && !session.rules().deletes_by_name
}
