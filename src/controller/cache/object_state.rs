//! What is remembered of an object between two reconciles, in memory only. After a restart status
//! alone tells that nothing moved.

mod deletion;
mod keys;
mod marks;
mod verifications;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::time::{Duration, Instant};

use self::{deletion::Life, marks::Marks};
pub(crate) use self::{
    deletion::{Deletion, KnownDeletion},
    verifications::OtherEntries,
};
use super::{backoff::Backoff, seen_status::SeenStatus};
use crate::{
    account::{Account, DigestKey, ObjectName},
    api::{ProviderKind, ProviderSecret},
    controller::object::{is_newer, version},
};

/// What a reconcile acted on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Acted {
    /// The generation of the spec.
    pub(crate) generation: i64,
    /// The Secrets that were read and their versions, sorted by name.
    pub(crate) sources: Vec<(String, String)>,
    /// The request for a sync that was seen and is not answered yet.
    pub(crate) request: Option<String>,
}

/// In which of its states an object is between two reconciles.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) enum ObjectState {
    /// Status records all that was acted on.
    #[default]
    Resting,
    /// Status does not record all of it, or a retry is due.
    Waiting {
        acted: Box<Acted>,
        /// When it is tried again without news; none means never.
        next_try: Option<Instant>,
    },
    /// What the last reconcile did could not be recorded: nothing is sent before that can be.
    Unrecorded,
    /// The object is deleted, and its cleanup has begun.
    Deleting(Box<Deletion>),
}

/// What is remembered of one object.
#[derive(Default)]
pub(crate) struct Tracked {
    pub(crate) state: ObjectState,
    /// The entries that are not as they were left.
    marks: Marks,
    /// Another object, or a user, asked for a reconcile, whatever the object waits for.
    pub(crate) is_requeued: bool,
    /// When what was written is compared with the account's listing again.
    pub(crate) verify_at: Option<Instant>,
    /// What becomes of the synced entries while something stops others.
    pub(crate) others: OtherEntries,
    /// When a listing last lacked what may be gone: only one that began later can tell.
    pub(crate) suspected_at: Option<Instant>,
    /// When the object counts as unverified, since a verification failed, unless one succeeds before.
    unverified_at: Option<Instant>,
    /// The generation in which a user suspended or deleted the object, if the watch shows it so.
    withdrawn: Option<i64>,
    /// Whether this process has written or verified what status says.
    pub(crate) knows_status: bool,
    /// Whether the watch has shown the object before it was deleted.
    life: Life,
    /// The waits after failures, while there are any.
    pub(crate) backoff: Backoff,
    /// The answer to our newest write, until the watch has caught up with it.
    newest: Option<Arc<ProviderSecret>>,
    /// The account, kept alive for its queue and its listing.
    account: Option<Arc<Account>>,
    /// The key that status says the records were made with, after the object began to use another,
    /// until the records have followed. Keys that were used in between made no record.
    former_key: Option<Box<DigestKey>>,
    /// The generation of the spec, and since when it is desired.
    desired_since: Option<(i64, Instant)>,
    /// When an entry was last written to the provider.
    pub(crate) written_at: Option<Instant>,
    /// Whether another writer set status back, or a version went back. The old state may lack entries that
    /// are still wanted.
    pub(crate) went_back: bool,
    /// The status that we last saw or wrote.
    pub(crate) seen_status: SeenStatus,
    /// The last version of which was told that it does not decode.
    pub(crate) undecodable: Option<Box<str>>,
}

/// What is remembered of all objects, by uid. Only the watch creates an entry: what comes late from
/// an object that is gone finds none.
#[derive(Default)]
pub(crate) struct ObjectStates(Mutex<HashMap<Arc<str>, Box<Tracked>>>);

impl ObjectStates {
    /// The watch shows an object. Gives the one copy of its uid.
    pub(crate) fn create(&self, uid: &str) -> Arc<str> {
        let mut states = self.lock();
        if let Some((known, _)) = states.get_key_value(uid) {
            return Arc::clone(known);
        }
        let uid: Arc<str> = uid.into();
        states.insert(Arc::clone(&uid), Box::default());
        uid
    }

    /// Lends what is remembered of an object, if the watch shows it.
    pub(crate) fn with<T>(&self, uid: &str, lend: impl FnOnce(&mut Tracked) -> T) -> Option<T> {
        self.lock().get_mut(uid).map(|tracked| lend(tracked))
    }

    /// Lends what is remembered of the cleanup of an object, if it has begun.
    pub(crate) fn deletion<T>(
        &self,
        uid: &str,
        lend: impl FnOnce(&mut Deletion) -> T,
    ) -> Option<T> {
        match &mut self.lock().get_mut(uid)?.state {
            ObjectState::Deleting(deletion) => Some(lend(deletion)),
            ObjectState::Resting | ObjectState::Waiting { .. } | ObjectState::Unrecorded => None,
        }
    }

    /// Whether the time has come for something that no event brings.
    pub(crate) fn is_due(&self, uid: &str, now: Instant) -> bool {
        self.lock()
            .get(uid)
            .is_some_and(|tracked| tracked.is_due(now))
    }

    /// The account of an object, where one is known.
    pub(crate) fn account(&self, uid: &str) -> Option<Arc<Account>> {
        self.lock().get(uid)?.account.clone()
    }

    /// The provider of each object that could not be verified for three intervals.
    pub(crate) fn unverified(&self, now: Instant) -> Vec<ProviderKind> {
        let states = self.lock();
        let unverified = states.values().filter(|tracked| tracked.is_overdue(now));
        let accounts = unverified.filter_map(|tracked| tracked.account.as_ref());
        accounts.map(|account| account.limiter.kind()).collect()
    }

    /// Drops what is remembered of an object that is gone, and gives back its account.
    pub(crate) fn forget(&self, uid: &str) -> Option<Arc<Account>> {
        self.lock().remove(uid)?.account
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Arc<str>, Box<Tracked>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The transitions between the states.
impl Tracked {
    /// A reconcile was reported. `acted` is what it acted on, if status does not tell.
    pub(crate) fn reported(&mut self, acted: Option<Acted>, next_try: Option<Instant>) {
        if self.is_unrecorded() {
            self.backoff.reset();
        }
        self.knows_status = true;
        self.state = match acted {
            Some(acted) => ObjectState::Waiting {
                acted: Box::new(acted),
                next_try,
            },
            None => ObjectState::Resting,
        };
    }

    /// What a reconcile did could not be recorded; the wait before it is tried again.
    pub(crate) fn could_not_record(&mut self) -> Duration {
        match &mut self.state {
            ObjectState::Deleting(deletion) => deletion.blocked = None,
            state => *state = ObjectState::Unrecorded,
        }
        // Else every scan for what is due would be a try.
        self.verify_at = None;
        self.backoff.briefly()
    }

    /// The account's circuit is open until then: what waits for a time waits for that one.
    pub(crate) fn wait_until(&mut self, until: Instant) {
        match &mut self.state {
            ObjectState::Waiting { next_try, .. } => *next_try = Some(until),
            ObjectState::Deleting(deletion) => deletion.wait_until(until),
            ObjectState::Resting | ObjectState::Unrecorded => {}
        }
    }

    /// Whether the last reconcile could not be recorded.
    pub(crate) fn is_unrecorded(&self) -> bool {
        self.state == ObjectState::Unrecorded
    }

    /// When the next try is due if there is no news: at once, where the account has granted `name` a
    /// permit to try.
    pub(crate) fn next_try(&self, name: &ObjectName, now: Instant) -> Option<Instant> {
        let next_try = match &self.state {
            ObjectState::Waiting { next_try, .. } => *next_try,
            ObjectState::Deleting(deletion) => deletion.blocked.as_ref().map(|(_, due)| *due),
            ObjectState::Resting | ObjectState::Unrecorded => None,
        };
        let is_granted = || {
            let account = self.account.as_ref();
            self.others != OtherEntries::AwaitPermit
                && account.is_some_and(|account| account.limiter.is_granted(name))
        };
        next_try.map(|due| if due > now && is_granted() { now } else { due })
    }

    /// Whether entries must be written because another object overwrote them, and no time is set at
    /// which they are tried.
    pub(crate) fn must_rewrite(&self) -> bool {
        let is_free = match &self.state {
            ObjectState::Resting => true,
            ObjectState::Waiting { next_try, .. } => next_try.is_none(),
            ObjectState::Unrecorded | ObjectState::Deleting(_) => false,
        };
        is_free && self.marks.dirty().next().is_some()
    }

    fn is_due(&self, now: Instant) -> bool {
        self.verify_at.is_some_and(|due| due <= now) || self.must_rewrite()
    }
}

/// Dirty names and versions.
impl Tracked {
    /// The folded names of entries that another object overwrote.
    pub(crate) fn dirty(&self) -> impl Iterator<Item = &str> {
        self.marks.dirty()
    }

    /// Notes which entries, by folded name, sources have removed; since when each.
    pub(crate) fn removed_by_sources(
        &mut self,
        names: BTreeSet<String>,
    ) -> BTreeMap<String, Instant> {
        let removed = self.marks.removed_by_sources(names, Instant::now());
        self.went_back &= !removed.is_empty();
        removed
    }

    /// Another object overwrote an entry.
    pub(crate) fn mark_overwritten(&mut self, folded: &str) {
        self.marks.mark_overwritten(folded);
    }

    /// An entry was written.
    pub(crate) fn written(&mut self, folded: &str) {
        self.marks.written(folded);
    }

    /// The newest known form of an object that the watch shows as `seen`, if that is not the newest:
    /// our own write's answer until the watch has caught up with it.
    pub(crate) fn newest(&mut self, seen: &ProviderSecret) -> Option<Arc<ProviderSecret>> {
        let newest = self.newer_than(seen);
        if newest.is_none() {
            self.newest = None;
        }
        newest
    }

    /// Our own write's answer, if it is newer than what is known of the object. It stays: the caller
    /// may know more than the watch has shown.
    pub(crate) fn newer_than(&self, known: &ProviderSecret) -> Option<Arc<ProviderSecret>> {
        let newest = self.newest.as_ref()?;
        is_newer(version(newest), version(known)).then(|| Arc::clone(newest))
    }

    /// Keeps the answer to a write of ours.
    pub(crate) fn wrote(&mut self, answer: &Arc<ProviderSecret>) {
        self.newest = Some(Arc::clone(answer));
        self.seen_status.note(answer);
    }

    /// The watch shows the object: whether a user wants it to be written.
    pub(crate) fn note_withdrawal(&mut self, shown: &ProviderSecret) {
        let is_deleted = shown.metadata.deletion_timestamp.is_some();
        let is_withdrawn = is_deleted || shown.spec.is_suspended();
        self.withdrawn = shown.metadata.generation.filter(|_| is_withdrawn);
    }

    /// Whether a user has suspended or deleted the object since it had this generation.
    pub(crate) fn is_withdrawn_since(&self, generation: Option<i64>) -> bool {
        self.withdrawn.is_some_and(|at| Some(at) >= generation)
    }

    /// The watch showed the object as `known`, and shows it as `shown` now.
    pub(crate) fn shown(&mut self, known: &ProviderSecret, shown: &ProviderSecret) {
        let newest = self.newer_than(known);
        let before = newest.as_deref().unwrap_or(known);
        // An echo of what we wrote before our newest write says nothing of another writer.
        let is_echo = newest.is_some()
            && is_newer(version(shown), version(known))
            && !is_newer(version(shown), version(before));
        if !is_echo {
            self.seen_status.changed(before, shown);
        }
        if is_newer(version(known), version(shown)) {
            self.newest = None;
            self.doubt();
        }
    }

    /// A version went back, because the data store was restored: any other version is news again.
    pub(crate) fn doubt(&mut self) {
        self.knows_status = false;
        self.went_back = true;
    }

    /// The data store was restored: a version that is seen again may be another one, so that everything is read
    /// again.
    pub(crate) fn distrust(&mut self) {
        self.newest = None;
        self.doubt();
        self.is_requeued = true;
    }

    /// Since when this generation is desired.
    pub(crate) fn desired_since(&mut self, generation: i64) -> Instant {
        match self.desired_since {
            Some((known, since)) if known == generation => since,
            _ => {
                let now = Instant::now();
                self.desired_since = Some((generation, now));
                now
            }
        }
    }

    /// A reconcile succeeded, or ended in something that waiting does not heal. While that cannot be
    /// recorded the waits grow all the same.
    pub(crate) fn reset_backoff(&mut self) {
        if !self.is_unrecorded() {
            self.backoff.reset();
        }
    }
}

#[cfg(test)]
mod tests;
