//! The status that this process last wrote or saw: it tells when another writer edits status, sets it back, or names
//! another API key in it.

use std::{
    cmp::Ordering,
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
};

use crate::{
    api::{EntryStatus, ProviderSecret, ProviderSecretStatus},
    controller::{
        object::{is_asked_alike, is_newer, raw_records, requested, version},
        plan::{is_held_back, was_held_back},
    },
};

/// The status of one object, as this process last wrote or saw it.
#[derive(Default)]
pub(crate) struct SeenStatus {
    /// What stands for the version of the object and its status.
    seen: Option<(u64, u64)>,
    /// What stands for the two statuses that we sent last: their answers may be lost, and the statuses be there.
    sent: [Option<u64>; 2],
    /// The key that the records were made with, as status named it when this process first saw it, or last wrote it.
    /// What another writer names since does not count.
    made_with: Option<Box<str>>,
    /// The object before another writer edited its status, until the next reconcile.
    before: Option<Box<ProviderSecret>>,
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

    /// Whether this status is one of the two that we sent last.
    pub(crate) fn is_sent(&self, object: &ProviderSecret) -> bool {
        let status = status_hash(object.status.as_ref());
        self.sent.contains(&Some(status))
    }

    /// The key that the records were made with.
    pub(crate) fn made_with(&self) -> Option<&str> {
        self.made_with.as_deref()
    }

    /// The records were made with this key.
    pub(crate) fn made_under(&mut self, key: Option<&str>) {
        self.made_with = key.map(Box::from);
    }

    /// Whether another writer edited status since we last saw or wrote it.
    pub(crate) fn is_edited(&mut self, object: &ProviderSecret) -> bool {
        let version = hash(&version(object));
        // The status of this version was compared before.
        if self.seen.is_some_and(|(seen, _)| seen == version) {
            return false;
        }
        let status = status_hash(object.status.as_ref());
        // One of ours that another writer put back is not.
        let is_ours = self.before.is_none() && self.sent.contains(&Some(status));
        match self.seen {
            None => self.made_under(key(object)),
            Some((_, seen)) if seen != status && !is_ours => return true,
            Some(_) => {}
        }
        self.seen = Some((version, status));
        false
    }

    /// The watch shows the object as `shown`, where it was `known`. If another writer edited a status that we know,
    /// the object is kept as it was: no later event shows that again.
    pub(crate) fn changed(&mut self, known: &ProviderSecret, shown: &ProviderSecret) {
        if known.status == shown.status {
            return;
        }
        if self.is_sent(shown) && !self.is_former(known, shown) {
            self.before = None;
            return;
        }
        let is_ours = |(_, seen): (u64, u64)| seen == status_hash(known.status.as_ref());
        if self.seen.is_some_and(is_ours) {
            self.before = Some(Box::new(known.clone()));
        }
    }

    /// Whether another writer put the status back that we sent before our newest: that one is there, so an answer of ours
    /// that comes late has no newer version.
    fn is_former(&self, known: &ProviderSecret, shown: &ProviderSecret) -> bool {
        let statuses = [known, shown].map(|object| Some(status_hash(object.status.as_ref())));
        self.sent == statuses && is_newer(version(shown), version(known))
    }

    /// What is to be put back could not be put back yet.
    pub(crate) fn keep_before(&mut self, before: Box<ProviderSecret>) {
        self.before = Some(before);
    }

    /// The object before other writers edited its status, if they set it back, so that it is to be put back. In how
    /// many steps they did does not count.
    pub(crate) fn take_before(&mut self, object: &ProviderSecret) -> Option<Box<ProviderSecret>> {
        let before = self.before.take();
        before.filter(|before| is_set_back(before, object))
    }
}

/// Whether status forgot a write, shows an older one, or tells otherwise of one: a backup was restored, or a user
/// edited it. Another operator only ever shows newer ones. The same where it forgot what was acted on, so that an old
/// edit or request would confirm what is held, or what is held itself; and where it names another key or scope and no
/// newer write.
fn is_set_back(known: &ProviderSecret, shown: &ProviderSecret) -> bool {
    let records = |object| -> HashMap<&str, &EntryStatus> {
        let records = raw_records(object).iter();
        records.map(|entry| (entry.name.as_str(), entry)).collect()
    };
    let written = |entry: &EntryStatus| entry.last_write_time.as_ref().map(|time| time.0);
    let (known_records, shown_records) = (records(known), records(shown));
    let is_same_key = key(known) == key(shown);
    let is_older = |(&name, &known): (&&str, &&EntryStatus)| {
        let shown = shown_records.get(name).copied();
        // None is before any time.
        match shown.and_then(written).cmp(&written(known)) {
            Ordering::Less => true,
            Ordering::Equal => {
                let is_told_otherwise = known.last_write_time.is_some()
                    && shown.is_some_and(|shown| tells_otherwise(known, shown, is_same_key));
                is_told_otherwise || (is_held(known) && !shown.is_some_and(is_held))
            }
            Ordering::Greater => false,
        }
    };
    let is_newer = |(&name, &shown): (&&str, &&EntryStatus)| {
        let known = known_records.get(name).copied();
        written(shown) > known.and_then(written)
    };
    known_records.iter().any(is_older)
        || forgets_what_was_asked(known, shown)
        || (names_another(known, shown) && !shown_records.iter().any(is_newer))
}

/// Whether the removal of an entry is held, or was until the object fell silent. No seal covers that.
fn is_held(record: &EntryStatus) -> bool {
    is_held_back(record) || was_held_back(record)
}

/// Whether a record was edited by hand: what is sealed changed and the seal did not, or the seal alone, or it is gone;
/// or it says that another value was written, or no more that one may be on its way, which no seal covers. Another
/// operator that wrote the name in the same second changes facts and seal.
fn tells_otherwise(known: &EntryStatus, shown: &EntryStatus, is_same_key: bool) -> bool {
    let facts = |entry: &EntryStatus| {
        let EntryStatus {
            remote_id,
            remote_version,
            found,
            leaving,
            attempted_time,
            ..
        } = entry.clone();
        (remote_id, remote_version, found, leaving, attempted_time)
    };
    let is_other_value = shown.digest.is_some() && shown.digest != known.digest;
    let is_confirmed = shown.attempted.is_none() && known.attempted.is_some();
    // The seal of a state before the last try is a right one.
    let is_before = is_same_key && shown.attempted_time < known.attempted_time;
    match (facts(known) == facts(shown), known.seal == shown.seal) {
        (true, true) => is_same_key && (is_other_value || is_confirmed),
        (true, false) => is_same_key,
        (false, is_same_seal) => is_same_seal || shown.seal.is_none() || is_before,
    }
}

/// Whether status says of less than it did that it was acted on, while users ask the same.
fn forgets_what_was_asked(known: &ProviderSecret, shown: &ProviderSecret) -> bool {
    let generation = |object: &ProviderSecret| object.status.as_ref()?.observed_generation;
    let is_alike = is_asked_alike(known, shown);
    generation(shown) < generation(known)
        || (is_alike && requested(known).is_none() && requested(shown).is_some())
}

/// Whether status names another key than it did, or another scope: whose the records are.
fn names_another(known: &ProviderSecret, shown: &ProviderSecret) -> bool {
    let is_another = |known: Option<&str>, shown: Option<&str>| known.is_some() && known != shown;
    is_another(key(known), key(shown)) || is_another(scope(known), scope(shown))
}

/// The key that status names.
fn key(object: &ProviderSecret) -> Option<&str> {
    object.status.as_ref()?.key_fingerprint.as_deref()
}

/// The scope that status names.
fn scope(object: &ProviderSecret) -> Option<&str> {
    object.status.as_ref()?.scope.as_deref()
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

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;

    /// An object with this version, and the record of one entry in its status, both with edits.
    fn object(version: &str, edits: (&Value, &Value)) -> ProviderSecret {
        let mut entry = json!({
            "name": "A",
            "state": "Synced",
            "remoteId": "1",
            "lastWriteTime": "2026-01-01T00:00:00Z",
            "record": {
                "digest": "d",
                "attempted": "several",
                "attemptedTime": "2026-01-01T00:00:00Z",
                "seal": "s",
            },
        });
        json_patch::merge(&mut entry, edits.1);
        let mut object = json!({
            "apiVersion": "providersecrets.dev/v1alpha1",
            "kind": "ProviderSecret",
            "metadata": {"name": "o", "uid": "u", "generation": 2, "resourceVersion": version},
            "spec": {"provider": {}},
            "status": {
                "observedGeneration": 2,
                "scope": "team",
                "keyFingerprint": "key:1",
                "entries": [entry],
            },
        });
        json_patch::merge(&mut object["status"], edits.0);
        serde_json::from_value(object).unwrap()
    }

    fn as_written() -> ProviderSecret {
        object("1", (&json!({}), &json!({})))
    }

    /// A status that was seen once.
    fn seen(known: &ProviderSecret) -> SeenStatus {
        let mut seen = SeenStatus::default();
        assert!(!seen.is_edited(known));
        seen
    }

    /// Cases: A-19, R-19
    #[rstest]
    #[case::another_key(json!({"keyFingerprint": "AAAA"}), json!({}), true)]
    #[case::no_key(json!({"keyFingerprint": null}), json!({}), true)]
    #[case::another_scope(json!({"scope": "other"}), json!({}), true)]
    #[case::another_value(json!({}), json!({"record": {"digest": "AAAA"}}), true)]
    #[case::a_value_that_is_not_on_its_way(json!({}), json!({"record": {"attempted": null}}), true)]
    #[case::a_later_try(json!({}), json!({"record": {"attemptedTime": "2026-01-01T00:09:00Z"}}), true)]
    #[case::a_deletion(json!({}), json!({"record": {"leaving": true}}), true)]
    #[case::before_a_try(json!({}), json!({"record": {"attempted": null, "attemptedTime": null, "seal": "r"}}), true)]
    // What another operator writes.
    #[case::before_a_write(json!({}), json!({"state": "Pending", "record": {"digest": null}}), false)]
    #[case::a_try(json!({}), json!({"record": {"attemptedTime": "2026-01-01T00:09:00Z", "seal": "t"}}), false)]
    #[case::before_a_deletion(json!({}), json!({"record": {"leaving": true, "seal": "t"}}), false)]
    #[case::a_write(
        json!({}),
        json!({"lastWriteTime": "2026-01-01T00:00:01Z", "record": {"digest": "e", "seal": "t"}}),
        false
    )]
    #[case::a_write_under_another_key(
        json!({"keyFingerprint": "key:2"}),
        json!({"lastWriteTime": "2026-01-01T00:00:01Z", "record": {"digest": "e", "seal": "t"}}),
        false
    )]
    #[case::a_message(json!({"summary": "9/9"}), json!({}), false)]
    fn an_edit_that_gives_a_right_is_put_back(
        #[case] of_status: Value,
        #[case] of_entry: Value,
        #[case] is_put_back: bool,
    ) {
        let known = as_written();
        let shown = object("2", (&of_status, &of_entry));
        let mut seen = seen(&known);
        seen.changed(&known, &shown);
        assert!(seen.is_edited(&shown));
        let before = seen.take_before(&shown);
        assert_eq!(before.is_some(), is_put_back);
        assert!(before.is_none_or(|before| before.status == known.status));
        assert!(seen.take_before(&shown).is_none(), "once");
    }

    const HELD: &str = "RemovalHeld";

    /// Cases: R-09, R-19
    #[rstest]
    #[case::that_waits(json!({"state": "Failed", "reason": "Progressing"}), true)]
    #[case::that_is_synced(json!({}), true)]
    #[case::that_is_still_held(json!({"state": "Failed", "reason": HELD, "remoteId": "1"}), false)]
    // The object says nothing of what it holds.
    #[case::while_the_object_is_suspended(json!({"state": "Failed", "reason": "Suspended", "record": {"digest": null}}), false)]
    // Its key is back and has another value.
    #[case::that_was_written_since(json!({"lastWriteTime": "2026-01-01T00:00:01Z"}), false)]
    fn an_edit_of_what_is_held_confirms_nothing(#[case] edit: Value, #[case] is_put_back: bool) {
        let held = json!({"state": "Failed", "reason": HELD});
        let known = object("1", (&json!({}), &held));
        let shown = object("2", (&json!({"summary": "9/9"}), &edit));
        let mut seen = seen(&known);
        seen.changed(&known, &shown);
        assert!(seen.is_edited(&shown));
        assert_eq!(seen.take_before(&shown).is_some(), is_put_back);
    }

    /// The status before our newest one was ours too, and may still be shown, in its own version.
    /// Cases: R-19
    #[rstest]
    #[case::by_another_writer("3", true)]
    #[case::by_a_watch_that_lags("1", false)]
    fn the_status_of_before_is_put_back_where_another_writer_restores_it(
        #[case] version: &str,
        #[case] is_put_back: bool,
    ) {
        let held = json!({"state": "Failed", "reason": HELD});
        let [former, newest] = [("1", json!({})), ("2", held)]
            .map(|(version, edit)| object(version, (&json!({}), &edit)));
        let mut seen = seen(&former);
        for sent in [&former, &newest] {
            seen.send(sent.status.as_ref().unwrap());
            seen.note(sent);
        }
        let shown = object(version, (&json!({}), &json!({})));
        seen.changed(&newest, &shown);
        assert_eq!(seen.is_edited(&shown), is_put_back);
        assert_eq!(seen.take_before(&shown).is_some(), is_put_back);
    }

    #[rstest]
    #[case::after_another(json!({"summary": "9/9"}), json!({"keyFingerprint": "AAAA"}))]
    #[case::before_another(json!({"keyFingerprint": "AAAA"}), json!({"keyFingerprint": "AAAA", "summary": "9/9"}))]
    fn an_edit_in_two_steps_is_put_back(#[case] first: Value, #[case] second: Value) {
        let known = as_written();
        let steps = [(first, "2"), (second, "3")];
        let steps = steps.map(|(edit, version)| object(version, (&edit, &json!({}))));
        let mut seen = seen(&known);
        seen.changed(&known, &steps[0]);
        seen.changed(&steps[0], &steps[1]);
        let before = seen.take_before(&steps[1]);
        assert_eq!(before.map(|before| before.status), Some(known.status));
    }

    #[test]
    fn the_key_of_the_records_is_the_one_that_was_seen_first() {
        let known = as_written();
        let mut seen = seen(&known);
        let edited = object("2", (&json!({"keyFingerprint": "AAAA"}), &json!({})));
        assert!(seen.is_edited(&edited));
        // Also where the answer to a write of ours shows it.
        seen.note(&edited);
        assert!(!seen.is_edited(&edited));
        assert_eq!(seen.made_with(), Some("key:1"));
        seen.made_under(Some("key:2"));
        assert_eq!(seen.made_with(), Some("key:2"));
    }
}
