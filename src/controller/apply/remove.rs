//! Removes what is recorded and no longer desired.

use std::time::Duration;

use tokio::time::Instant;

use super::{
    Writer,
    halt::{Streak, order},
};
use crate::{
    account::ObjectName,
    api::{EntryStatus, Found, ProviderKind, Reason},
    controller::{
        error::Failure,
        plan::{
            PlannedRemoval, RemovalAction, Successor, absence_counts_in, listed_absence_counts_in,
        },
        report::messages,
        session::DeleteOutcome,
    },
    http::ProviderError,
    provider::{DeleteAnswer, SetKeys, Unit},
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
    /// After how long what is not shown, and may yet come, is to be looked for again.
    pub(crate) look_again: Option<Duration>,
    /// Whether it ended because the user has withdrawn the object.
    pub(crate) is_withdrawn: bool,
}

impl RemovalOutcome {
    /// Nothing was tried.
    pub(crate) fn not_tried(removals: &[PlannedRemoval]) -> Self {
        Self {
            kept: removals.iter().map(PlannedRemoval::leaving).collect(),
            ..Self::default()
        }
    }

    /// Notes what came of one deletion.
    fn note(&mut self, deleted: DeleteOutcome, name: String) {
        match deleted {
            DeleteOutcome::Deleted => self.deleted.push(name),
            // The caller keeps the record of what is not shown.
            DeleteOutcome::Gone | DeleteOutcome::NotShown(_) => {}
            DeleteOutcome::Orphaned => self.orphaned.push(name),
            DeleteOutcome::Replaced => self.replaced.push(name),
            DeleteOutcome::HandedOver(successor) => self.handed_over.push((name, successor)),
        }
    }

    /// Keeps the record of a name that the provider does not show, until its absence counts.
    fn keep(&mut self, leaving: EntryStatus, wait: Duration, provider: ProviderKind) {
        let failure = messages::not_shown(&leaving.name, provider, wait);
        self.look_again = self.look_again.into_iter().chain([wait]).min();
        self.kept.push(EntryStatus {
            reason: Some(failure.reason.as_str().to_owned()),
            ..leaving
        });
        self.failures.push(failure);
    }
}

impl Writer<'_> {
    /// Carries removals out, one after the other. It ends with a failure of the account, when the provider fails at one
    /// name after the other, and when the user withdraws the object.
    pub(crate) async fn remove(&self, mut removals: Vec<PlannedRemoval>) -> RemovalOutcome {
        let mut outcome = RemovalOutcome::default();
        // Names at which the provider fails hold up no others.
        removals.sort_by_cached_key(|removal| order(has_failed(removal)));
        // One listing for all of them, which may begin in this very moment.
        let now = Instant::now();
        let began = now.checked_sub(Duration::from_nanos(1)).unwrap_or(now);
        let (mut has_account_failed, mut streak, mut halted_by) = (false, Streak::default(), None);
        for removal in removals {
            let leaving = removal.leaving();
            let PlannedRemoval { record, action } = removal;
            let left = match action {
                RemovalAction::DropRecord => Some(DeleteOutcome::Gone),
                // Where the successor has gone since the plan was made, the plan deletes nothing all the same.
                RemovalAction::TransferOwner => {
                    Some(self.left(&record).unwrap_or(DeleteOutcome::Orphaned))
                }
                RemovalAction::Orphan => Some(DeleteOutcome::Orphaned),
                RemovalAction::Delete => None,
            };
            if let Some(left) = left {
                outcome.note(left, record.name);
                continue;
            }
            outcome.is_withdrawn |= !(self.is_wanted)();
            if has_account_failed || outcome.is_withdrawn {
                outcome.kept.push(leaving);
                continue;
            }
            if let Some(failure) = &halted_by {
                outcome.failures.push(Failure::clone(failure));
                outcome.kept.push(leaving);
                continue;
            }
            let error = match self.delete(&record, began).await {
                Ok(DeleteOutcome::NotShown(wait)) => {
                    outcome.keep(leaving, wait, self.session.choice.kind());
                    continue;
                }
                Ok(deleted) => {
                    streak = Streak::default();
                    outcome.note(deleted, record.name);
                    continue;
                }
                Err(error) => error,
            };
            has_account_failed = self.note_refusal(&error, &record.name);
            let failure = Failure::provider(&error, self.session.choice, Some(&record.name));
            if streak.is_long(Some(&failure)) {
                halted_by = Some(failure.clone());
            }
            outcome.kept.push(EntryStatus {
                reason: Some(failure.reason.as_str().to_owned()),
                ..leaving
            });
            outcome.failures.push(failure);
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
            Unit::Set => self.delete_member(record, began).await,
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
            Successor::Object(successor) => Some(DeleteOutcome::HandedOver(successor)),
        }
    }

    async fn delete_member(
        &self,
        record: &EntryStatus,
        began: Instant,
    ) -> Result<DeleteOutcome, ProviderError> {
        let asked_at = crate::clock::now();
        match self.session.provider.set_keys().await? {
            SetKeys::Shown(keys) if keys.contains(&record.name) => {
                let deleted = self.session.delete(record, None).await?;
                // A proxy between may answer 404 to what it does not know (docs/vendors.md#ge-3).
                if deleted == DeleteOutcome::Gone && self.is_key_shown(record).await? {
                    return Err(ProviderError::protocol());
                }
                Ok(deleted)
            }
            SetKeys::Shown(_) => {
                let wait = absence_counts_in(record, asked_at);
                Ok(DeleteOutcome::absent(wait))
            }
            // So may it to the question for a set: the list must lack it too.
            SetKeys::NoSet => {
                let listed = self.session.listing(began, Duration::ZERO).await?;
                let mut shown = listed.named(self.session.claimed_name(""));
                if shown.next().is_some() {
                    return Err(ProviderError::protocol());
                }
                let wait = listed_absence_counts_in(record, &listed);
                Ok(DeleteOutcome::absent(wait))
            }
            // It cannot be seen whether the key is there, or the set is not one that clients write.
            SetKeys::NotShown | SetKeys::Referenced => Ok(DeleteOutcome::Orphaned),
        }
    }

    async fn is_key_shown(&self, record: &EntryStatus) -> Result<bool, ProviderError> {
        let keys = self.session.provider.set_keys().await?;
        Ok(matches!(keys, SetKeys::Shown(keys) if keys.contains(&record.name)))
    }

    /// Deletes the set itself when this object made it, it is still of that kind, and nothing is left in it. `records`
    /// are those of the entries that were removed.
    ///
    /// # Errors
    /// What the provider answered; then the set may still be there.
    pub(crate) async fn delete_empty_set(
        &self,
        records: &[EntryStatus],
    ) -> Result<(), ProviderError> {
        let is_ours = made_set(records);
        let is_set = self.session.rules().unit == Unit::Set;
        if !is_set || !is_ours || self.claimed.successor("") != Successor::None {
            return Ok(());
        }
        let session = self.session;
        let mut lock = session.lock(self.names, "").await;
        // Another client may have put an image pull secret in its place, which has no keys either.
        let listed = session.listing(Instant::now(), Duration::ZERO).await?;
        let form = session.rules().form;
        if !listed
            .named(session.claimed_name(""))
            .any(|set| set.form == form)
        {
            return Ok(());
        }
        match session.provider.set_keys().await? {
            SetKeys::Shown(keys) if keys.is_empty() => {
                let deleted = session.provider.delete_set().await;
                lock.wrote();
                match deleted? {
                    DeleteAnswer::Done => Ok(()),
                    // It was shown just now; the next try finds out.
                    DeleteAnswer::NotThere => Err(ProviderError::protocol()),
                }
            }
            SetKeys::Shown(_) | SetKeys::NoSet | SetKeys::NotShown | SetKeys::Referenced => Ok(()),
        }
    }

    /// Deletes the set together with its last key where the provider refuses to delete that key alone, as one may that
    /// takes no set without keys (docs/vendors.md#pc-9), and this object made the set. `records` are those of the entries
    /// that were to be removed.
    pub(crate) async fn delete_with_last_key(
        &self,
        records: &[EntryStatus],
        outcome: &mut RemovalOutcome,
    ) {
        let ([last], [failure]) = (outcome.kept.as_slice(), outcome.failures.as_slice()) else {
            return;
        };
        let is_unclaimed = self.claimed.successor("") == Successor::None;
        if failure.reason != Reason::Rejected || !made_set(records) || !is_unclaimed {
            return;
        }
        let provider = &self.session.provider;
        let mut lock = self.session.lock(self.names, "").await;
        let keys = provider.set_keys().await;
        let is_last = matches!(keys, Ok(SetKeys::Shown(keys)) if keys == [last.name.as_str()]);
        if !is_last {
            return;
        }
        let deleted = provider.delete_set().await;
        lock.wrote();
        if deleted.is_err() {
            return;
        }
        // Only that it is not shown any more proves that it is gone: the answer may be of a proxy.
        if matches!(provider.set_keys().await, Ok(SetKeys::NoSet)) {
            outcome.deleted.push(last.name.clone());
            outcome.kept.clear();
            outcome.failures.clear();
        }
    }
}

/// Whether the object with these records made the set that it writes to.
fn made_set(records: &[EntryStatus]) -> bool {
    let says_so = |record: &EntryStatus| record.found == Some(Found::NoSet);
    records.iter().any(says_so)
}

/// Whether a deletion was tried the last time, and failed.
fn has_failed(removal: &PlannedRemoval) -> bool {
    let record = &removal.record;
    record.leaving && record.reason.as_deref() != Some(Reason::Progressing.as_str())
}
