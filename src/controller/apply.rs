//! Apply: carries the plan out at the provider. One failing entry does not stop the others; a
//! failure of the account does, and a provider that fails at one name after the other.

mod halt;
mod recreate;
mod remove;

use http::StatusCode;
use tokio::time::Instant;

use self::halt::{Streak, order};
pub(crate) use self::{
    halt::{Halt, lacks_new_names},
    remove::RemovalOutcome,
};
use super::{
    error::Failure,
    plan::{
        Change, Claimed, DesiredEntry, EntryOutcome, PlannedEntry, locate, may_be_there,
        name_conflict, referenced,
    },
    session::Session,
};
use crate::{
    account::{NameLock, NameLocks, Snapshot},
    api::{ConflictPolicy, EntryState, EntryStatus, Reason},
    http::{Detail, ErrorClass, ProviderError},
    provider::{ListingNeed, Unit, Write, Written},
};

/// Carries plans out.
pub(crate) struct Writer<'a> {
    pub(crate) session: &'a Session<'a>,
    pub(crate) names: &'a NameLocks,
    pub(crate) claimed: &'a (dyn Claimed + Sync),
    /// What becomes of a name that turns out to be another writer's.
    pub(crate) conflict: ConflictPolicy,
    /// Whether the user still wants the object to be written, as far as is known now.
    pub(crate) is_wanted: &'a (dyn Fn() -> bool + Sync),
    /// When it began: one listing that begins later serves all names that were not written since.
    pub(crate) began: Instant,
}

impl Writer<'_> {
    /// Writes the entries of a plan that was made from `snapshot`, and says of each what came of it.
    /// Gives why it ended early, if it did.
    pub(crate) async fn write_entries(
        &self,
        entries: &mut [PlannedEntry<'_>],
        snapshot: Option<&Snapshot>,
    ) -> Option<Halt> {
        for entry in &mut *entries {
            match &entry.change {
                Change::Keep => entry.outcome = EntryOutcome::Kept,
                Change::Refuse(failure) => entry.outcome = EntryOutcome::Failed(failure.clone()),
                Change::Create | Change::Update(_) => {}
            }
        }
        match self.session.rules().unit {
            Unit::Each => self.write_each(entries, snapshot).await,
            Unit::Set => self.write_set(entries).await,
        }
    }

    async fn write_each(
        &self,
        entries: &mut [PlannedEntry<'_>],
        snapshot: Option<&Snapshot>,
    ) -> Option<Halt> {
        let writes = entries.iter_mut().filter(|entry| entry.change.is_write());
        let mut writes: Vec<_> = writes.collect();
        // First what is news, then what was not tried.
        writes.sort_by_cached_key(|entry| {
            let state = entry.record.map(|record| record.state);
            let has_failed = state == Some(EntryState::Failed);
            (order(has_failed), state == Some(EntryState::Pending))
        });
        let mut streak = Streak::default();
        for entry in writes {
            let mut halt = None;
            entry.outcome = self.write_entry(entry, snapshot, &mut halt).await;
            if halt.is_some() {
                return halt;
            }
            let failure = match &entry.outcome {
                EntryOutcome::Failed(failure) => Some(failure),
                EntryOutcome::NotTried | EntryOutcome::Kept | EntryOutcome::Written(_) => None,
            };
            if streak.is_long(failure) {
                return failure.cloned().map(Halt::Provider);
            }
        }
        None
    }

    /// All desired entries that have a value go into each write of a set: where all have one, that is
    /// right whether the provider merges or replaces (docs/vendors.md#pc-1).
    async fn write_set(&self, entries: &mut [PlannedEntry<'_>]) -> Option<Halt> {
        if !entries.iter().any(|entry| entry.change.is_write()) {
            return None;
        }
        let written = {
            let mut lock = self.session.lock(self.names, "").await;
            if let Some(lost) = self.claimed.lost("") {
                let writes = entries.iter_mut().filter(|entry| entry.change.is_write());
                writes.for_each(|entry| entry.outcome = EntryOutcome::Failed(lost.clone()));
                return None;
            }
            if !(self.is_wanted)() {
                return Some(Halt::Withdrawn);
            }
            let accepted = entries
                .iter()
                .filter(|entry| !matches!(entry.change, Change::Refuse(_)));
            let writes: Vec<Write<'_>> = accepted
                .filter_map(|entry| write(entry.desired, None, None))
                .collect();
            let written = self.session.write(&writes).await;
            lock.wrote();
            written
        };
        let writes = entries.iter_mut().filter(|entry| entry.change.is_write());
        match written {
            Ok(written) => {
                writes.for_each(|entry| entry.outcome = EntryOutcome::Written(written.clone()));
                None
            }
            Err(error) => {
                let failure = self.failure(&error, None);
                writes.for_each(|entry| entry.outcome = EntryOutcome::Failed(failure.clone()));
                // A set is one write: whatever failed it, nothing else is tried.
                self.note_refusal(&error, self.session.claimed_name(""));
                Some(Halt::Account(failure))
            }
        }
    }

    /// Writes one entry, unless the user has withdrawn the object. That, and a failure of the account, is noted in
    /// `halt` as well.
    async fn write_entry(
        &self,
        planned: &PlannedEntry<'_>,
        snapshot: Option<&Snapshot>,
        halt: &mut Option<Halt>,
    ) -> EntryOutcome {
        let entry = planned.desired;
        let mut lock = self.session.lock(self.names, &entry.folded).await;
        if let Some(lost) = self.claimed.lost(&entry.folded) {
            return EntryOutcome::Failed(lost);
        }
        // The lock may have been another object's for as long as a call takes.
        if !(self.is_wanted)() {
            *halt = Some(Halt::Withdrawn);
            return EntryOutcome::NotTried;
        }
        let mut id = match &planned.change {
            Change::Update(id) => id.clone(),
            _ => None,
        };
        // No id and no record: another writer created it after planning.
        let may_be_ours = id.is_some() || planned.record.is_some_and(may_be_there);
        let is_left = self.conflict == ConflictPolicy::Fail && !may_be_ours;
        if self.session.rules().listing == ListingNeed::Create {
            // A listing that began before a write of this name ended says nothing of it.
            let is_current =
                |shown: &Snapshot| lock.last_write().is_none_or(|write| shown.began > write);
            let is_unknown = id.is_none() && !snapshot.is_some_and(is_current);
            // The secret of this id may have another name since, and would take each retry.
            if is_unknown || planned.record.is_some_and(was_rejected) {
                match self.find(planned, is_left, lock.last_write()).await {
                    Ok(found) => id = found,
                    Err(failed) if is_unknown => return failed.noting(halt),
                    Err(_) => {}
                }
            }
        }
        let mut written = self.send(entry, (id.as_deref(), None), &mut lock).await;
        if let Err(error) = &written
            && self.may_be_elsewhere(error, id.as_deref())
        {
            match self.find(planned, is_left, lock.last_write()).await {
                // Found under another id, or gone and created again.
                Ok(found) if found != id => {
                    written = self.send(entry, (found.as_deref(), None), &mut lock).await;
                }
                // The name is taken and the listing does not show by what: perhaps not yet.
                Ok(_) if error.is(StatusCode::CONFLICT) => {
                    written = Err(error.clone().with(ErrorClass::Protocol, Reason::Rejected));
                }
                Ok(_) => {}
                Err(failed) => return failed.noting(halt),
            }
        }
        match written {
            Ok(written) => EntryOutcome::Written(written),
            Err(error) => {
                let failed = Failed {
                    is_of_account: self.note_refusal(&error, &entry.folded),
                    ..self.failed(&error, entry)
                };
                failed.noting(halt)
            }
        }
    }

    /// Tells the account of a failed write of a name. Gives whether the failure is the account's and ends the
    /// reconcile: a 403 is the name's, until writes of two names were refused so, which opens the circuit.
    fn note_refusal(&self, error: &ProviderError, name: &str) -> bool {
        if error.class != ErrorClass::Auth || !error.is(StatusCode::FORBIDDEN) {
            return error.is_of_account();
        }
        self.session.account.limiter.write_refused(name, error);
        self.session.refusal().is_some()
    }

    /// Sends an entry, to the secret of this id, or to take the place of one in this region.
    async fn send(
        &self,
        entry: &DesiredEntry,
        (id, region): (Option<&str>, Option<&str>),
        lock: &mut NameLock,
    ) -> Result<Written, ProviderError> {
        let Some(write) = write(entry, id, region) else {
            return Err(ProviderError::config(Reason::InvalidSpec));
        };
        let written = self.session.write(&[write]).await;
        lock.wrote();
        written
    }

    /// Whether the answer may mean that the secret has another id, or got one meanwhile: a secret
    /// that was deleted by hand answers 404, or 400 (docs/vendors.md#bt-13), one that was renamed by hand
    /// shows its name, and a name that was created by another writer is refused where a write is not an
    /// upsert (docs/vendors.md#pi-1). An upsert by name needs no id, so its refusal says nothing of ids.
    fn may_be_elsewhere(&self, error: &ProviderError, id: Option<&str>) -> bool {
        let listing = self.session.rules().listing;
        match id {
            Some(_) => {
                listing != ListingNeed::Never
                    && (error.reason == Reason::TargetNotFound || error.is(StatusCode::BAD_REQUEST))
            }
            None => {
                listing == ListingNeed::Create
                    && error.class == ErrorClass::Config
                    && error.reason == Reason::Rejected
            }
        }
    }

    /// The id of an entry in a listing that began after the last write of its name, unless what is there is left alone.
    async fn find(
        &self,
        planned: &PlannedEntry<'_>,
        is_left: bool,
        last_write: Option<Instant>,
    ) -> Result<Option<String>, Failed> {
        let entry = planned.desired;
        let since = last_write.unwrap_or(self.began);
        let listed = self
            .session
            .listing_of_one_scope(since)
            .await
            .map_err(|error| self.failed(&error, entry))?;
        let known = planned
            .record
            .and_then(|record| record.remote_id.as_deref());
        let rules = self.session.rules();
        let located = match locate(entry, known, &listed, rules) {
            Ok(Some(_)) if is_left => Err(name_conflict(&entry.name, rules)),
            located => located,
        };
        match located {
            Ok(found) => Ok(found.and_then(|remote| remote.id.clone())),
            Err(failure) => Err(Failed {
                failure,
                is_of_account: false,
            }),
        }
    }

    fn failed(&self, error: &ProviderError, entry: &DesiredEntry) -> Failed {
        Failed {
            failure: self.failure(error, Some(&entry.name)),
            is_of_account: error.is_of_account(),
        }
    }

    /// A failed call, in the words for the person who wrote the object.
    fn failure(&self, error: &ProviderError, entry: Option<&str>) -> Failure {
        match self.session.set() {
            // The plan says it in the same words where what is shown tells it.
            Some((set, _)) if error.detail() == Some(&Detail::Referenced) => {
                referenced(set, self.session.rules())
            }
            _ => Failure::provider(error, self.session.choice, entry),
        }
    }
}

/// A failed write of one entry.
struct Failed {
    failure: Failure,
    is_of_account: bool,
}

impl Failed {
    fn noting(self, halt: &mut Option<Halt>) -> EntryOutcome {
        if self.is_of_account {
            *halt = Some(Halt::Account(self.failure.clone()));
        }
        EntryOutcome::Failed(self.failure)
    }
}

/// Whether the provider refused the last write of an entry.
fn was_rejected(record: &EntryStatus) -> bool {
    record.state == EntryState::Failed
        && record.reason.as_deref() == Some(Reason::Rejected.as_str())
}

fn write<'a>(
    entry: &'a DesiredEntry,
    id: Option<&'a str>,
    region: Option<&'a str>,
) -> Option<Write<'a>> {
    let value = entry.value.as_ref().ok()?;
    Some(Write {
        name: &entry.name,
        value,
        options: &entry.options,
        id,
        region,
    })
}
