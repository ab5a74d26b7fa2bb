//! Warnings: what works and is probably not meant. They are sent as events and change nothing.

use std::collections::BTreeMap;

use crate::{
    api::{EntryState, ProviderSecretStatus, Reason},
    controller::{
        events::{EventNote, Importance},
        plan::{DesiredEntry, PlannedEntry},
    },
};

/// Values that were sent with more than the user hardly means: one line with the newline after it, as
/// `echo` writes it, or a text with a byte order mark before it, as some editors do. One warning of
/// each kind for each Secret.
///
/// A user is warned when the provider acknowledges the value, and not again for the version of the
/// Secret that `recorded`, the status before this reconcile, says it was acknowledged under. So
/// neither a restart nor an edit of a Secret's metadata repeats it: both find the value as it was
/// recorded and send nothing. `versions` are those of the Secrets that were read.
pub(crate) fn of_values(
    entries: &[PlannedEntry<'_>],
    recorded: Option<&ProviderSecretStatus>,
    versions: &[(String, String)],
) -> Vec<EventNote> {
    let is_same_version = |secret: &str| {
        let recorded = recorded.into_iter().flat_map(|status| &status.sources);
        let before = recorded.filter(|source| source.name == secret);
        let now = versions.iter().find(|(name, _)| name == secret);
        before
            .map(|source| &source.resource_version)
            .any(|before| now.is_some_and(|(_, now)| now == before))
    };
    let mut by_secret: BTreeMap<(&str, Kind), Vec<&str>> = BTreeMap::new();
    for entry in entries.iter().filter(|entry| entry.written().is_some()) {
        let desired = entry.desired;
        if was_acknowledged(entry) && is_same_version(&desired.secret) {
            continue;
        }
        for kind in Kind::ALL.into_iter().filter(|kind| kind.is_of(desired)) {
            let names = by_secret.entry((&desired.secret, kind)).or_default();
            names.push(&desired.name);
        }
    }
    let warning = |((secret, kind), names): ((&str, Kind), Vec<&str>)| EventNote {
        importance: Importance::Warning,
        reason: kind.reason(),
        action: "Push",
        note: kind.note(secret, &names),
    };
    by_secret.into_iter().map(warning).collect()
}

/// What a value holds that is hardly meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    TrailingNewline,
    ByteOrderMark,
}

/// Whether the provider had acknowledged the entry, also where it failed to apply it later.
fn was_acknowledged(entry: &PlannedEntry<'_>) -> bool {
    entry.record.is_some_and(|recorded| {
        recorded.state == EntryState::Synced
            || recorded.reason.as_deref() == Some(Reason::ProviderFailed.as_str())
    })
}

impl Kind {
    const ALL: [Self; 2] = [Self::TrailingNewline, Self::ByteOrderMark];

    fn is_of(self, desired: &DesiredEntry) -> bool {
        match self {
            Self::TrailingNewline => desired.marks.is_line,
            Self::ByteOrderMark => desired.marks.has_byte_order_mark,
        }
    }

    fn reason(self) -> Reason {
        match self {
            Self::TrailingNewline => Reason::TrailingNewline,
            Self::ByteOrderMark => Reason::ByteOrderMark,
        }
    }

    fn note(self, secret: &str, names: &[&str]) -> String {
        let others = match names.len() - 1 {
            0 => String::new(),
            1 => " So does one more entry of this Secret.".to_owned(),
            count => format!(" So do {count} more entries of this Secret."),
        };
        let (what, advice) = match self {
            Self::TrailingNewline => (
                "is one line and ends in a newline, which is sent as it is",
                "If it is not meant, make the Secret with kubectl create secret --from-literal, or its file with printf instead of echo; \
                 in a template write |- instead of | in YAML, or use the filter trim.",
            ),
            Self::ByteOrderMark => (
                "begins with a byte order mark, or is made of a key that does, and the mark is sent as it is",
                "If it is not meant, store the file as UTF-8 without one.",
            ),
        };
        format!(
            "The value of entry {} from Secret {secret} {what}.{others} {advice}",
            names.first().unwrap_or(&"")
        )
    }
}

#[cfg(test)]
mod tests {
    use secrecy::SecretString;
    use serde_json::json;

    use super::*;
    use crate::{
        api::EntryStatus,
        controller::{
            error::Failure,
            plan::{Change, EntryOutcome, Marks},
        },
        provider::{Options, Written},
    };

    fn desired(name: &str, is_line: bool) -> DesiredEntry {
        DesiredEntry {
            name: name.to_owned(),
            folded: name.to_owned(),
            options: Options::default(),
            value: Ok(SecretString::from("value\n")),
            secret: "db".to_owned(),
            bulk: None,
            marks: Marks {
                is_line,
                has_byte_order_mark: false,
            },
        }
    }

    fn planned<'a>(
        desired: &'a DesiredEntry,
        record: Option<&'a EntryStatus>,
        outcome: EntryOutcome,
    ) -> PlannedEntry<'a> {
        PlannedEntry {
            desired,
            record,
            digest: None,
            change: Change::Create,
            found: None,
            cause: None,
            attempted_time: None,
            is_inherited: false,
            drift: None,
            outcome,
        }
    }

    /// How many warnings there are of an entry, recorded as `recorded`, when the Secret has version 2.
    fn warned(outcome: EntryOutcome, recorded: Option<(&str, &str)>, version: &str) -> usize {
        let record: Option<EntryStatus> = recorded.map(|(state, reason)| {
            serde_json::from_value(json!({"name": "A", "state": state, "reason": reason})).unwrap()
        });
        let status = json!({"sources": [{"name": "db", "resourceVersion": version}]});
        let status = serde_json::from_value(status).unwrap();
        let versions = [("db".to_owned(), "2".to_owned())];
        let desired = desired("A", true);
        let entries = [planned(&desired, record.as_ref(), outcome)];
        of_values(&entries, Some(&status), &versions).len()
    }

    /// Cases: C-12
    #[test]
    fn a_version_of_a_secret_is_warned_of_once() {
        let written = || EntryOutcome::Written(Written::default());
        assert_eq!(warned(written(), None, "2"), 1);
        assert_eq!(warned(written(), Some(("Synced", "")), "1"), 1);
        // The first try failed, or the object was suspended.
        assert_eq!(warned(written(), Some(("Failed", "Timeout")), "2"), 1);
        assert_eq!(warned(written(), Some(("Pending", "Suspended")), "2"), 1);
        // Other options, another API key, or a set that failed after it was accepted.
        assert_eq!(warned(written(), Some(("Synced", "")), "2"), 0);
        assert_eq!(
            warned(written(), Some(("Pending", "ProviderFailed")), "2"),
            0
        );
        assert_eq!(warned(EntryOutcome::Kept, Some(("Synced", "")), "1"), 0);
        assert_eq!(warned(EntryOutcome::NotTried, None, "1"), 0);
        let failed = EntryOutcome::Failed(Failure::transient(Reason::Timeout, "Later."));
        assert_eq!(warned(failed, None, "1"), 0);
    }

    /// Cases: C-12
    #[test]
    fn the_entries_of_one_secret_are_one_warning_that_an_event_can_hold() {
        let name = |letter: &str| letter.repeat(255);
        let desired: Vec<DesiredEntry> = [("A", true), ("B", false), ("C", true)]
            .map(|(letter, is_line)| DesiredEntry {
                secret: "s".repeat(253),
                ..desired(&name(letter), is_line)
            })
            .into();
        let written = || EntryOutcome::Written(Written::default());
        let entries = desired
            .iter()
            .map(|desired| planned(desired, None, written()));
        let entries: Vec<PlannedEntry<'_>> = entries.collect();
        let warnings = of_values(&entries, None, &[]);
        assert_eq!(warnings.len(), 1);
        let note = &warnings[0].note;
        assert!(
            note.contains(&name("A")) && note.contains("So does one more"),
            "{note}"
        );
        assert!(!note.contains(&name("B")) && note.len() <= 1024, "{note}");
    }

    /// Cases: R-24
    #[test]
    fn a_byte_order_mark_is_a_warning_of_its_own() {
        let desired = DesiredEntry {
            marks: Marks::of(b"\xef\xbb\xbfkey\n"),
            ..desired("A", false)
        };
        let written = EntryOutcome::Written(Written::default());
        let warnings = of_values(&[planned(&desired, None, written)], None, &[]);
        let reasons: Vec<Reason> = warnings.iter().map(|warning| warning.reason).collect();
        assert_eq!(reasons, [Reason::TrailingNewline, Reason::ByteOrderMark]);
        let note = &warnings[1].note;
        assert!(note.contains("entry A from Secret db"), "{note}");
    }
}
