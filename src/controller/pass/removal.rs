//! Getting rid of what is no longer wanted at the provider.

use kube::{Api, ResourceExt};
use tokio::time::Instant;

use super::{Pass, words};
use crate::{
    api::{EntryState, EntryStatus, Found, ProviderSecret},
    controller::{
        kubernetes::{Failure, bounded},
        plan::{Claimed as _, Removed, Riddance},
        report::Notice,
        route::{Deletion, Route},
        trouble::Trouble,
    },
    http::ProviderError,
    provider::Unit,
};

/// What came of getting rid of entries.
#[derive(Default)]
pub(super) struct Rid {
    /// The records of those that are not gone yet.
    pub(super) kept: Vec<EntryStatus>,
    pub(super) troubles: Vec<Trouble>,
    /// Names of those that were deleted.
    pub(super) deleted: Vec<String>,
    /// Names of those that were left at the provider.
    pub(super) left: Vec<String>,
    pub(super) notices: Vec<Notice>,
}

impl Rid {
    /// Nothing was tried.
    pub(super) fn untouched(going: Vec<Removed>) -> Self {
        Self {
            kept: going.into_iter().map(|removed| removed.entry).collect(),
            ..Self::default()
        }
    }
}

impl Pass<'_> {
    /// Gets rid of entries, one after the other; trouble of the account ends it.
    pub(super) async fn rid(&self, route: &Route<'_>, going: Vec<Removed>) -> Result<Rid, Failure> {
        let mut rid = Rid::default();
        let is_deletion = |removed: &Removed| removed.riddance == Riddance::Delete;
        if going.iter().any(is_deletion) {
            self.still_wants().await?;
        }
        let began = Instant::now();
        let mut is_ended = false;
        for Removed { entry, riddance } in going {
            let outcome = match riddance {
                Riddance::Forget | Riddance::HandOver => Ok(Deletion::Gone),
                Riddance::LeaveBehind => Ok(Deletion::Left),
                Riddance::Delete if is_ended => {
                    rid.kept.push(entry);
                    continue;
                }
                Riddance::Delete => self.delete(route, &entry, began).await,
            };
            match outcome {
                Ok(Deletion::Deleted) => rid.deleted.push(entry.name),
                Ok(Deletion::Gone) => {}
                Ok(Deletion::Left) => rid.left.push(entry.name),
                Err(error) => {
                    is_ended |= error.is_of_account();
                    let trouble = Trouble::provider(&error, route.choice, Some(&entry.name));
                    rid.kept.push(EntryStatus {
                        state: EntryState::Pending,
                        reason: Some(trouble.reason.as_str().to_owned()),
                        digest: None,
                        ..entry
                    });
                    rid.troubles.push(trouble);
                }
            }
        }
        let kind = route.choice.kind();
        self.context.metrics.keys_deleted(kind, rid.deleted.len());
        self.context.metrics.keys_left_behind(kind, rid.left.len());
        rid.notices.extend(words::deleted(kind, &rid.deleted));
        rid.notices.extend(words::left_behind(kind, &rid.left));
        Ok(rid)
    }

    async fn delete(
        &self,
        route: &Route<'_>,
        entry: &EntryStatus,
        began: Instant,
    ) -> Result<Deletion, ProviderError> {
        let folded = (route.rules().fold)(&entry.name);
        let mut lock = route.lock(&self.context.accounts.name_locks, &folded).await;
        // Somebody may have come to claim it since the plan was made.
        if self.claims(route).has_heir(&folded) {
            return Ok(Deletion::Gone);
        }
        let outcome = match route.rules().unit {
            Unit::Set => self.delete_member(route, entry).await,
            Unit::Each if is_id_enough(entry, route) && !self.is_unknowable(route) => {
                route.delete(entry, None).await
            }
            Unit::Each => route.delete_shown(entry, began).await,
        };
        lock.wrote();
        outcome
    }

    async fn delete_member(
        &self,
        route: &Route<'_>,
        entry: &EntryStatus,
    ) -> Result<Deletion, ProviderError> {
        match route.provider.members().await? {
            Some(keys) if keys.contains(&entry.name) => route.delete(entry, None).await,
            Some(_) | None => Ok(Deletion::Gone),
        }
    }

    /// Before anything is deleted, or tried again, the object is read live once: a store that lags
    /// must not delete.
    pub(super) async fn still_wants(&self) -> Result<(), Failure> {
        let api: Api<ProviderSecret> =
            Api::namespaced(self.context.client.clone(), &self.namespace);
        let live = bounded(api.get(&self.object.name_any())).await?;
        if live.uid() != self.object.uid() {
            return Err(Failure::NotFound);
        }
        let is_same = live.metadata.generation == self.object.metadata.generation
            && live.metadata.deletion_timestamp == self.object.metadata.deletion_timestamp;
        if is_same {
            Ok(())
        } else {
            Err(Failure::Conflict)
        }
    }

    /// Deletes the set itself when nothing is left in it and this object made it.
    pub(super) async fn rid_of_set(
        &self,
        route: &Route<'_>,
        entries: &[EntryStatus],
    ) -> Result<(), ProviderError> {
        let is_ours = entries
            .iter()
            .any(|entry| entry.found == Some(Found::NoSet));
        if route.rules().unit != Unit::Set || !is_ours || self.claims(route).has_heir("") {
            return Ok(());
        }
        let _lock = route.lock(&self.context.accounts.name_locks, "").await;
        match route.provider.members().await? {
            Some(keys) if keys.is_empty() => route.provider.delete_set().await,
            Some(_) | None => Ok(()),
        }
    }
}

/// Whether an id alone names what is deleted.
fn is_id_enough(entry: &EntryStatus, route: &Route<'_>) -> bool {
    entry.remote_id.is_some() && !route.rules().deletes_by_name
}
