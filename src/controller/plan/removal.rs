//! What is done about entries that go away.

use super::{Claimed, was_written};
use crate::{
    api::{DeletionPolicy, EntryState, EntryStatus, Found},
    provider::Rules,
};

/// An entry that is recorded and not wanted, and what is done about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::controller) struct Removed {
    pub(in crate::controller) entry: EntryStatus,
    pub(in crate::controller) riddance: Riddance,
}

/// How an entry goes away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::controller) enum Riddance {
    /// Its record is dropped and nothing else.
    Forget,
    /// It is deleted at the provider.
    Delete,
    /// Another object claims it and writes it.
    HandOver,
    /// It may be there, but it cannot be told from what somebody else wrote: it stays, and is named.
    LeaveBehind,
}

/// Decides about entries that go away.
pub(in crate::controller) fn removals<'a>(
    unwanted: impl IntoIterator<Item = &'a EntryStatus>,
    policy: DeletionPolicy,
    rules: &Rules,
    claimed: &dyn Claimed,
) -> Vec<Removed> {
    unwanted
        .into_iter()
        .map(|entry| Removed {
            riddance: riddance(entry, policy, &(rules.fold)(&entry.name), claimed),
            entry: entry.clone(),
        })
        .collect()
}

fn riddance(
    entry: &EntryStatus,
    policy: DeletionPolicy,
    folded: &str,
    claimed: &dyn Claimed,
) -> Riddance {
    if policy == DeletionPolicy::Retain || !may_be_there(entry) {
        Riddance::Forget
    } else if claimed.lost(folded).is_some() || claimed.has_heir(folded) {
        Riddance::HandOver
    } else if is_ours(entry) {
        Riddance::Delete
    } else {
        Riddance::LeaveBehind
    }
}

/// Whether what is at the provider under this name, if anything is, is what we wrote: a write was
/// acknowledged, or there was nothing before.
pub(in crate::controller) fn is_ours(entry: &EntryStatus) -> bool {
    was_written(entry) || matches!(entry.found, Some(Found::Absent | Found::NoSet))
}

/// Whether something that we sent may be at the provider.
pub(in crate::controller) fn may_be_there(entry: &EntryStatus) -> bool {
    was_written(entry) || (entry.state == EntryState::Pending && entry.found.is_some())
}
