//! The status that this process last wrote or saw: it tells when another writer edits status, or sets it
//! back.

use std::{
    cmp::Ordering,
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
};

use crate::{
    api::{EntryStatus, ProviderSecret, ProviderSecretStatus},
    controller::{
        gate::{is_asked_alike, requested},
        object::version,
        session::raw_records,
    },
};

/// The status of one object, as this process last wrote or saw it.
#[derive(Default)]
pub(crate) struct SeenStatus {
    /// What stands for the version of the object and its status.
    seen: Option<(u64, u64)>,
    /// What stands for the two statuses that we sent last: their answers may be lost, and the statuses be there.
    sent: [Option<u64>; 2],
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
        let sent = Some(status_hash(Some(status)));
        if self.sent[0] != sent {
            self.sent = [sent, self.sent[0]];
        }
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
        if seen != status && !self.sent.contains(&Some(status)) {
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
        let is_ours = || (self.sent).contains(&Some(status_hash(shown.status.as_ref())));
        if !is_set_back(known, shown) || is_ours() {
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

/// Whether status forgot a write, shows an older one, or tells otherwise of one: a backup was restored, or a user
/// edited it. Another operator only ever shows newer ones. The same where it forgot what was acted on, so that an old
/// edit or request would confirm what is held.
fn is_set_back(known: &ProviderSecret, shown: &ProviderSecret) -> bool {
    let records = |object| -> HashMap<&str, &EntryStatus> {
        let records = raw_records(object).iter();
        records.map(|entry| (entry.name.as_str(), entry)).collect()
    };
    let key = |object: &ProviderSecret| object.status.as_ref()?.key_fingerprint.clone();
    let (shown_records, is_same_key) = (records(shown), key(known) == key(shown));
    let is_older = |(name, known): (&str, &EntryStatus)| {
        let shown = shown_records.get(name).copied();
        let before = |entry: &EntryStatus| entry.last_write_time.as_ref().map(|time| time.0);
        // None is before any time.
        match shown.and_then(before).cmp(&before(known)) {
            Ordering::Less => true,
            Ordering::Equal => {
                known.last_write_time.is_some()
                    && shown.is_some_and(|shown| tells_otherwise(known, shown, is_same_key))
            }
            Ordering::Greater => false,
        }
    };
    records(known).into_iter().any(is_older) || forgets_what_was_asked(known, shown)
}

/// Whether a record was edited by hand: what is sealed changed and the seal did not, or the seal alone, or it is gone.
/// Another operator that wrote the name in the same second changes both.
fn tells_otherwise(known: &EntryStatus, shown: &EntryStatus, is_same_key: bool) -> bool {
    let facts = |entry: &EntryStatus| {
        let EntryStatus {
            remote_id,
            remote_version,
            found,
            ..
        } = entry.clone();
        (remote_id, remote_version, found)
    };
    match (facts(known) == facts(shown), known.seal == shown.seal) {
        (true, true) => false,
        (true, false) => is_same_key,
        (false, is_same_seal) => is_same_seal || shown.seal.is_none(),
    }
}

/// Whether status says of less than it did that it was acted on, while users ask the same.
fn forgets_what_was_asked(known: &ProviderSecret, shown: &ProviderSecret) -> bool {
    let generation = |object: &ProviderSecret| object.status.as_ref()?.observed_generation;
    let is_alike = is_asked_alike(known, shown);
    generation(shown) < generation(known)
        || (is_alike && requested(known).is_none() && requested(shown).is_some())
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
