//! What is done about entries that go away.

use super::{Claimed, Successor, was_written};
use crate::{
    api::{DeletionPolicy, EntryState, EntryStatus, Found, Reason},
    provider::Rules,
};

/// An entry that is recorded and not wanted, and what is done about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PlannedRemoval {
    pub(crate) record: EntryStatus,
    pub(crate) action: RemovalAction,
}

impl PlannedRemoval {
    /// The record from before the removal on, until it is done: nothing need confirm it any more or write it again in its
    /// time, and if the entry is wanted again it must be written again.
    pub(crate) fn leaving(&self) -> EntryStatus {
        if self.record.leaving {
            return self.record.clone();
        }
        EntryStatus {
            state: EntryState::Pending,
            reason: Some(Reason::Progressing.as_str().to_owned()),
            digest: None,
            leaving: self.action == RemovalAction::Delete,
            ..self.record.clone()
        }
    }
}

/// How an entry is removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RemovalAction {
    /// Its record is dropped and nothing else.
    DropRecord,
    /// It is deleted at the provider.
    Delete,
    /// Another object has it now: it stays, and an event names both.
    TransferOwner,
    /// It may be there, but may be another writer's, or another object's: it stays, and an event names it.
    Orphan,
}

/// Decides about entries that are no longer desired. The records of the `unverified` entries prove
/// nothing, so what they name is never deleted.
pub(crate) fn plan_removals<'a>(
    unwanted: impl IntoIterator<Item = &'a EntryStatus>,
    unverified: &[String],
    policy: DeletionPolicy,
    rules: &Rules,
    claimed: &dyn Claimed,
) -> Vec<PlannedRemoval> {
    let unwanted = unwanted.into_iter();
    let removal = |record: &EntryStatus| {
        let folded = (rules.fold)(&record.name);
        let is_unverified = unverified.contains(&record.name);
        let is_nothing =
            policy == DeletionPolicy::Retain || (!is_unverified && !may_be_there(record));
        let action = if is_nothing {
            RemovalAction::DropRecord
        } else {
            match claimed.successor(&folded) {
                Successor::Object(_) => RemovalAction::TransferOwner,
                Successor::None if !is_unverified && is_ours(record) => RemovalAction::Delete,
                Successor::None | Successor::Stranger => RemovalAction::Orphan,
            }
        };
        PlannedRemoval {
            record: record.clone(),
            action,
        }
    };
    unwanted.map(removal).collect()
}

/// Whether what is at the provider under this name, if anything is, is what we wrote: a write was
/// acknowledged, or there was nothing before.
pub(crate) fn is_ours(entry: &EntryStatus) -> bool {
    was_written(entry) || matches!(entry.found, Some(Found::Absent | Found::NoSet))
}

/// Whether something that we sent may be at the provider.
pub(crate) fn may_be_there(entry: &EntryStatus) -> bool {
    let was_tried = entry.state == EntryState::Pending || entry.attempted.is_some();
    was_written(entry) || (was_tried && entry.found.is_some())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        api::ProviderKind,
        controller::{
            error::Failure,
            object::{time, unwritten},
        },
        provider,
    };

    struct Others(Successor);

    impl Claimed for Others {
        fn lost(&self, _folded: &str) -> Option<Failure> {
            None
        }

        fn successor(&self, _folded: &str) -> Successor {
            self.0.clone()
        }
    }

    fn successors() -> impl Strategy<Value = Successor> {
        let successor = ("team".to_owned(), "next".to_owned());
        prop::sample::select(vec![
            Successor::None,
            Successor::Stranger,
            Successor::Object(successor),
        ])
    }

    fn founds() -> impl Strategy<Value = Option<Found>> {
        prop::sample::select(vec![
            None,
            Some(Found::Absent),
            Some(Found::NoSet),
            Some(Found::Foreign),
        ])
    }

    proptest! {
        /// Only what was acknowledged, or what was not there before it was sent, is deleted; and
        /// nothing under Retain, and nothing that another object claims.
        /// Cases: D-04, D-13, D-15
        #[test]
        fn only_what_is_known_to_be_ours_is_deleted(
            is_written in any::<bool>(), is_pending in any::<bool>(), is_tried in any::<bool>(), found in founds(),
            is_delete in any::<bool>(), successor in successors(),
        ) {
            let state = if is_pending { EntryState::Pending } else { EntryState::Failed };
            let entry = EntryStatus {
                state,
                found,
                attempted: is_tried.then(String::new),
                last_write_time: is_written.then(|| time(jiff::Timestamp::UNIX_EPOCH)),
                ..unwritten("A")
            };
            let policy = if is_delete { DeletionPolicy::Delete } else { DeletionPolicy::Retain };
            let rules = provider::rules(ProviderKind::Baseten);
            let removed = plan_removals([&entry], &[], policy, rules, &Others(successor.clone()));
            let is_there = is_written || ((is_pending || is_tried) && found.is_some());
            let is_ours = is_written || matches!(found, Some(Found::Absent | Found::NoSet));
            let expected = match successor {
                _ if !is_delete || !is_there => RemovalAction::DropRecord,
                Successor::Object(_) => RemovalAction::TransferOwner,
                Successor::None if is_ours => RemovalAction::Delete,
                Successor::None | Successor::Stranger => RemovalAction::Orphan,
            };
            prop_assert_eq!(removed[0].action, expected);
        }
    }
}
