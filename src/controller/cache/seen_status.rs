//! The status that this process last wrote or saw: it tells when another writer edits status, or sets it
//! back.

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
};

use jiff::Timestamp;

use crate::{
    api::{ProviderSecret, ProviderSecretStatus},
    controller::object::version,
};

/// The status of one object, as this process last wrote or saw it.
#[derive(Default)]
pub(crate) struct SeenStatus {
    /// What stands for the version of the object and its status.
    seen: Option<(u64, u64)>,
    /// What stands for the status that we sent last: its answer may be lost, and the status be there.
    sent: Option<u64>,
    /// What status said before another writer set it back, until the next reconcile.
    before: Option<Box<ProviderSecretStatus>>,
}

impl SeenStatus {
    /// The status of the object is the one that we know of.
    pub(crate) fn note(&mut self, object: &ProviderSecret) {
        let status = status_hash(object.status.as_ref());
        self.seen = Some((hash(&version(object)), status));
    }

    /// This status is sent.
    pub(crate) fn send(&mut self, status: &ProviderSecretStatus) {
        self.sent = Some(status_hash(Some(status)));
    }

    /// Whether another writer edited status since we last saw or wrote it.
    pub(crate) fn is_edited(&mut self, object: &ProviderSecret) -> bool {
        let version = hash(&version(object));
        // The status of this version was compared before.
        if self.seen.is_some_and(|(seen, _)| seen == version) {
            return false;
        }
        let status = status_hash(object.status.as_ref());
        let (_, seen) = *self.seen.get_or_insert((version, status));
        if seen != status && self.sent != Some(status) {
            return true;
        }
        self.seen = Some((version, status));
        false
    }

    /// The watch shows the object as `shown`, where it was `known`. If its status was set back, what it
    /// said before is kept: no later event shows that again.
    pub(crate) fn changed(&mut self, known: &ProviderSecret, shown: &ProviderSecret) {
        if known.status == shown.status {
            return;
        }
        if !is_set_back(known, shown) || self.sent == Some(status_hash(shown.status.as_ref())) {
            self.before = None;
            return;
        }
        let is_ours = |(_, seen): (u64, u64)| seen == status_hash(known.status.as_ref());
        if self.seen.is_some_and(is_ours) {
            self.before = known.status.clone().map(Box::new);
        }
    }

    /// What status said before could not be put back yet.
    pub(crate) fn keep_before(&mut self, before: ProviderSecretStatus) {
        self.before = Some(Box::new(before));
    }

    /// What status said before another writer set it back, to be put back.
    pub(crate) fn take_before(&mut self) -> Option<Box<ProviderSecretStatus>> {
        self.before.take()
    }
}

/// Whether status forgot a write, or shows an older one: a backup was restored perhaps. Another
/// operator only ever shows newer ones.
fn is_set_back(known: &ProviderSecret, shown: &ProviderSecret) -> bool {
    let shown = write_times(shown);
    let known = write_times(known).into_iter();
    // None is before any time.
    let mut older = known.filter(|(name, time)| shown.get(name).copied().flatten() < *time);
    older.next().is_some()
}

/// When each entry was last written, by name.
fn write_times(object: &ProviderSecret) -> HashMap<&str, Option<Timestamp>> {
    let entries = object.status.iter().flat_map(|status| &status.entries);
    let time = |entry: &crate::api::EntryStatus| entry.last_write_time.as_ref().map(|time| time.0);
    entries
        .map(|entry| (entry.name.as_str(), time(entry)))
        .collect()
}

fn status_hash(status: Option<&ProviderSecretStatus>) -> u64 {
    // Our own types are always JSON.
    hash(&serde_json::to_string(&status).unwrap_or_default())
}

fn hash(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}
