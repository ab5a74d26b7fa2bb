//! Seals: who may write status must not get a way to delete or change what he may not.
//!
//! Every record of an entry carries a keyed mark on what decides about deletions and about writes by
//! id. A record without the right mark is not believed. What it was made from decides what is left
//! of it: a digest that fits the wanted value proves that the object wrote it, and nothing else does.

use std::collections::HashSet;

use super::Pass;
use crate::{
    account::DigestKey,
    api::{EntryState, EntryStatus, Found},
    controller::{desired::Desired, plan, route::Route, trouble::Trouble},
};

impl Pass<'_> {
    /// Seals records that this pass made or believes.
    pub(super) fn sealed(&self, route: &Route<'_>, entries: Vec<EntryStatus>) -> Vec<EntryStatus> {
        let seal = |entry: EntryStatus| EntryStatus {
            seal: self.seal(route, &route.account.digests, &entry),
            ..entry
        };
        entries.into_iter().map(seal).collect()
    }

    /// Whether the operator itself made a record, under this key or under the one before.
    pub(super) fn is_believed(&self, route: &Route<'_>, entry: &EntryStatus) -> bool {
        let former = self
            .context
            .memos
            .with(&self.uid, |memo| memo.former_digests());
        let keys = [Some(route.account.digests.clone()), former];
        keys.iter()
            .flatten()
            .any(|key| self.seal(route, key, entry) == entry.seal)
    }

    /// The records that are believed as they are, and of the others what is proved.
    pub(super) fn believed(
        &self,
        route: &Route<'_>,
        desired: &[Desired],
        entries: &[EntryStatus],
    ) -> Vec<EntryStatus> {
        let former = self
            .context
            .memos
            .with(&self.uid, |memo| memo.former_digests());
        let believe = |entry: &EntryStatus| {
            if self.is_believed(route, entry) {
                return entry.clone();
            }
            let folded = (route.rules().fold)(&entry.name);
            let wanted = desired.iter().find(|wanted| wanted.folded == folded);
            let is_proved = wanted.is_some_and(|wanted| {
                let fits = |key: &DigestKey| route.digest_under(key, &self.uid, wanted);
                let keys = [Some(&route.account.digests), former.as_ref()];
                let digests: HashSet<_> = keys.into_iter().flatten().filter_map(fits).collect();
                entry
                    .digest
                    .as_ref()
                    .is_some_and(|digest| digests.contains(digest))
            });
            if is_proved {
                nameless(entry)
            } else {
                disowned(entry)
            }
        };
        entries.iter().map(believe).collect()
    }

    /// Seals records that were looked at, those that are believed only.
    pub(super) fn resealed(
        &self,
        route: &Route<'_>,
        entries: Vec<EntryStatus>,
    ) -> Vec<EntryStatus> {
        let pairs = self.recorded().iter().zip(entries);
        pairs
            .map(|(known, entry)| {
                if !self.is_believed(route, known) {
                    return entry;
                }
                EntryStatus {
                    seal: self.seal(route, &route.account.digests, &entry),
                    ..entry
                }
            })
            .collect()
    }

    /// The records of a deleted object, of which nothing is wanted any more. Where no key is at hand
    /// under which they were sealed, the names that its spec spells out are believed.
    pub(super) async fn believed_at_end(
        &self,
        route: &Route<'_>,
        entries: &[EntryStatus],
    ) -> Result<Vec<EntryStatus>, Trouble> {
        let status = self.object.status.as_ref();
        let known = status.and_then(|status| status.key_fingerprint.as_deref());
        let present = route.account.digests.scope();
        let has_former = self
            .context
            .memos
            .with(&self.uid, |memo| memo.former_digests().is_some());
        if has_former || known.is_none_or(|known| known == present) {
            return Ok(self.believed(route, &[], entries));
        }
        let fold = route.rules().fold;
        let spelled = self.object.spec.entries().iter();
        let spelled = spelled.map(|entry| fold(&entry.name)).collect();
        self.recognised(route, &spelled, entries).await
    }

    /// None for a record that claims nothing.
    fn seal(&self, route: &Route<'_>, key: &DigestKey, entry: &EntryStatus) -> Option<String> {
        let is_written = plan::was_written(entry);
        if !is_written && entry.remote_id.is_none() && entry.found.is_none() {
            return None;
        }
        let found = match entry.found {
            None => "",
            Some(Found::Absent) => "absent",
            Some(Found::NoSet) => "no-set",
            Some(Found::Foreign) => "foreign",
        };
        Some(key.seal(&[
            &self.uid,
            &route.target(),
            &(route.rules().fold)(&entry.name),
            entry.remote_id.as_deref().unwrap_or_default(),
            entry.remote_version.as_deref().unwrap_or_default(),
            found,
            if is_written { "written" } else { "" },
        ]))
    }
}

/// What is left of a record whose value is the object's: which secret it is must be found out.
pub(super) fn nameless(entry: &EntryStatus) -> EntryStatus {
    EntryStatus {
        remote_id: None,
        remote_version: None,
        found: None,
        ..entry.clone()
    }
}

/// What is left of a record that proves nothing: the name, which may be somebody else's.
pub(super) fn disowned(entry: &EntryStatus) -> EntryStatus {
    EntryStatus {
        state: EntryState::Pending,
        // The digest stays: that it is void must be written down before anything is sent.
        last_write_time: None,
        found: Some(Found::Foreign),
        ..nameless(entry)
    }
}
