//! Entries for tests, here and of what acts on a plan.

use secrecy::SecretString;

use crate::{
    controller::plan::{Change, DesiredEntry, EntryOutcome, Marks, PlannedEntry},
    provider::Options,
};

pub(crate) fn entry(name: &str, value: &str) -> DesiredEntry {
    DesiredEntry {
        name: name.to_owned(),
        folded: name.replace('-', "_"),
        options: Options::default(),
        value: Ok(SecretString::from(value)),
        secret: "source".to_owned(),
        bulk: None,
        marks: Marks::default(),
    }
}

/// The entry in a plan of which nothing was carried out.
pub(crate) fn planned(desired: &DesiredEntry, change: Change) -> PlannedEntry<'_> {
    PlannedEntry {
        desired,
        record: None,
        digest: None,
        change,
        found: None,
        cause: None,
        attempted_time: None,
        is_inherited: false,
        drift: None,
        outcome: EntryOutcome::NotTried,
    }
}
