//! The brake on removals. What the spec removes is deleted at once. What a source removes may be a
//! mistake of the owner of the Secret, and deleting cannot be taken back: it waits for a grace time, and
//! much of it at once is held until a user confirms it.

use std::{collections::BTreeMap, time::Duration};

use tokio::time::Instant;

use super::{PlannedRemoval, RemovalAction};
use crate::api::{EntryState, EntryStatus, Reason};

/// How many entries sources may remove at once; more are held if they are more than half.
const MAX_UNHELD: usize = 5;
/// While an object says one of these, it says nothing of what is held, because a user keeps the operator from it.
const SILENT_REASONS: [Reason; 2] = [Reason::Suspended, Reason::AwaitingApproval];

/// Whether status says that the brake holds a record.
pub(crate) fn is_held_back(record: &EntryStatus) -> bool {
    record.reason.as_deref() == Some(Reason::RemovalHeld.as_str())
}

/// Whether an object that says this says nothing of what it held before.
pub(crate) fn is_silent(said: Reason) -> bool {
    SILENT_REASONS.contains(&said)
}

/// Whether a record that is not desired may have been held until the object fell silent.
pub(crate) fn was_held_back(record: &EntryStatus) -> bool {
    let is_reason = |reason: &Reason| record.reason.as_deref() == Some(reason.as_str());
    // What was desired then, and was not carried out, has a digest.
    let has_mark = record.state == EntryState::Failed && record.digest.is_none();
    has_mark && SILENT_REASONS.iter().any(is_reason)
}

/// Whether status says that a source no longer gives a record, which waits until the grace time is over.
pub(crate) fn is_removed_by_source(record: &EntryStatus) -> bool {
    record.state == EntryState::Failed
        && record.reason.as_deref() == Some(Reason::Progressing.as_str())
}

/// Whether sources removed so much of what was recorded that it is held.
pub(crate) fn is_much(removed: usize, recorded: usize) -> bool {
    removed > MAX_UNHELD && 2 * removed > recorded
}

/// What becomes of what sources have removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Brake {
    /// Nothing waits.
    Open,
    /// Entries wait for the end of the grace time, which is so far off.
    Waiting(Duration),
    /// Entries are held until a user confirms it.
    Held,
}

/// What decides about what sources have removed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BrakeInputs<'a> {
    /// Since when each entry, by folded name, is known to be removed by a source.
    pub(crate) removed: &'a BTreeMap<String, Instant>,
    /// How many entries the object had at the provider.
    pub(crate) recorded: usize,
    /// Whether what is gone may only be forgotten: status or a Secret went back to an older state.
    pub(crate) went_back: bool,
    /// How long what a source removes waits.
    pub(crate) grace: Duration,
    pub(crate) now: Instant,
}

/// Splits removals into those that go now and those that stay, and says why these stay.
pub(crate) fn brake(
    removals: Vec<PlannedRemoval>,
    inputs: BrakeInputs<'_>,
    fold: fn(&str) -> String,
) -> (Vec<PlannedRemoval>, Vec<PlannedRemoval>, Brake) {
    let since = |removal: &PlannedRemoval| inputs.removed.get(&fold(&removal.record.name)).copied();
    let (removed, going): (Vec<_>, Vec<_>) = removals
        .into_iter()
        .partition(|removal| removal.action.loses_a_value() && since(removal).is_some());
    if removed.is_empty() {
        return (going, removed, Brake::Open);
    }
    // A hold ends with a confirmation, and not because a part of the keys is back.
    let is_held = removed
        .iter()
        .any(|removal| is_held_back(&removal.record) || was_held_back(&removal.record));
    if is_much(removed.len(), inputs.recorded) || is_held || inputs.went_back {
        return (going, removed, Brake::Held);
    }
    let wait = |removal: &PlannedRemoval| {
        let since = since(removal).unwrap_or(inputs.now);
        (since + inputs.grace).saturating_duration_since(inputs.now)
    };
    let (over, waiting): (Vec<_>, Vec<_>) = removed
        .into_iter()
        .partition(|removal| wait(removal).is_zero());
    let next = waiting.iter().map(wait).min();
    let brake = next.map_or(Brake::Open, Brake::Waiting);
    (going.into_iter().chain(over).collect(), waiting, brake)
}

impl RemovalAction {
    /// Whether a value, or the record of one, is lost with the removal.
    fn loses_a_value(self) -> bool {
        matches!(self, Self::Delete | Self::Orphan)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;
    use crate::controller::object::unwritten;

    const GRACE: Duration = Duration::from_mins(1);

    fn removals(count: usize, action: RemovalAction) -> Vec<PlannedRemoval> {
        let removal = |number| PlannedRemoval {
            record: unwritten(&format!("KEY_{number}")),
            action,
        };
        (0..count).map(removal).collect()
    }

    /// `count` of `recorded` entries are removed since so long.
    fn braked(count: usize, recorded: usize, since: Duration, went_back: bool) -> (usize, Brake) {
        let now = Instant::now();
        let names = (0..count).map(|number| (format!("KEY_{number}"), now - since));
        let inputs = BrakeInputs {
            removed: &names.collect(),
            recorded,
            went_back,
            grace: GRACE,
            now,
        };
        let (going, staying, brake) = brake(
            removals(count, RemovalAction::Delete),
            inputs,
            str::to_owned,
        );
        assert_eq!(going.len() + staying.len(), count);
        (going.len(), brake)
    }

    const HALF: Duration = Duration::from_secs(30);

    #[rstest]
    #[case::one(1, 10, HALF, 0, Brake::Waiting(HALF))]
    #[case::one_after_the_grace(1, 10, GRACE, 1, Brake::Open)]
    #[case::few_of_few(5, 5, GRACE, 5, Brake::Open)]
    #[case::six_of_six(6, 6, GRACE, 0, Brake::Held)]
    #[case::six_of_twelve(6, 12, GRACE, 6, Brake::Open)]
    #[case::seven_of_thirteen(7, 13, GRACE, 0, Brake::Held)]
    #[case::many_of_very_many(150, 500, HALF, 0, Brake::Waiting(HALF))]
    #[case::most_of_very_many(300, 500, HALF, 0, Brake::Held)]
    fn what_a_source_takes_away_waits_or_is_held(
        #[case] count: usize,
        #[case] recorded: usize,
        #[case] since: Duration,
        #[case] going: usize,
        #[case] brake: Brake,
    ) {
        assert_eq!(braked(count, recorded, since, false), (going, brake));
    }

    #[test]
    fn what_an_old_state_does_not_know_is_held_however_little_it_is() {
        assert_eq!(braked(1, 500, GRACE * 9, true), (0, Brake::Held));
    }

    /// Nor does it end because the object said something else for a while.
    #[rstest]
    fn a_hold_does_not_end_because_a_part_of_the_keys_is_back(
        #[values(Reason::RemovalHeld, Reason::Suspended, Reason::AwaitingApproval)] reason: Reason,
    ) {
        let now = Instant::now();
        let mut removals = removals(2, RemovalAction::Delete);
        removals[0].record.state = EntryState::Failed;
        removals[0].record.reason = Some(reason.as_str().to_owned());
        let removed = ["KEY_0", "KEY_1"].map(|name| (name.to_owned(), now - GRACE * 9));
        let inputs = BrakeInputs {
            removed: &removed.into(),
            recorded: 10,
            went_back: false,
            grace: GRACE,
            now,
        };
        let (going, staying, brake) = brake(removals, inputs, str::to_owned);
        assert_eq!((going.len(), staying.len()), (0, 2));
        assert_eq!(brake, Brake::Held);
    }

    proptest! {
        /// What the spec removes goes at once, and what loses nothing too.
        #[test]
        fn only_what_a_source_takes_away_is_held_up(
            count in 0..40_usize, by_source in 0..40_usize, is_kept in any::<bool>(), went_back in any::<bool>(),
        ) {
            let action = if is_kept { RemovalAction::TransferOwner } else { RemovalAction::Delete };
            let now = Instant::now();
            let removed = (0..by_source).map(|number| (format!("KEY_{number}"), now)).collect();
            let inputs = BrakeInputs { removed: &removed, recorded: count, went_back, grace: GRACE, now };
            let (going, staying, brake) = brake(removals(count, action), inputs, str::to_owned);
            let stays = if is_kept { 0 } else { by_source.min(count) };
            prop_assert_eq!((going.len(), staying.len()), (count - stays, stays));
            prop_assert_eq!(brake == Brake::Open, stays == 0);
        }
    }
}
