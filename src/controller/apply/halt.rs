//! Why what is left of a plan is not tried.

use crate::{
    api::Reason,
    controller::{
        error::Failure,
        plan::{EntryOutcome, PlannedEntry, was_written},
    },
    http::ErrorClass,
};

/// After failures at so many names in a row it is the provider that fails, and not what one of the names holds.
const IN_A_ROW: usize = 3;

/// Why what is left of a plan is not tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Halt {
    /// The account failed, or the set, which is one write.
    Account(Failure),
    /// The provider failed at several names in a row, the last time so.
    Provider(Failure),
    /// The user has suspended or deleted the object, or it is gone.
    Withdrawn,
}

impl Halt {
    /// The failure that halted it.
    pub(crate) fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Account(failure) | Self::Provider(failure) => Some(failure),
            Self::Withdrawn => None,
        }
    }
}

/// Whether no name that is new came to the provider, although one was sent or no other is wanted. What goes may be
/// all that works then, as where all names of an object are to change and the provider takes none of the new ones.
pub(crate) fn lacks_new_names(entries: &[PlannedEntry<'_>]) -> bool {
    let is_new = |entry: &&PlannedEntry<'_>| !entry.record.is_some_and(was_written);
    let new: Vec<_> = entries.iter().filter(is_new).collect();
    let came = |entry: &&PlannedEntry<'_>| {
        use EntryOutcome::{Kept, Written};
        matches!(entry.outcome, Kept | Written(_))
    };
    let is_sent = new.iter().any(|entry| entry.change.is_write());
    let is_all = !new.is_empty() && new.len() == entries.len();
    (is_sent || is_all) && !new.iter().any(came)
}

/// The order of names of which some failed the last time: those come last, and each time in another order, so that
/// none of them waits behind the same others for ever.
pub(super) fn order(has_failed: bool) -> (bool, u32) {
    (has_failed, if has_failed { fastrand::u32(..) } else { 0 })
}

/// At how many names in a row the provider has failed.
#[derive(Debug, Default)]
pub(super) struct Streak(usize);

impl Streak {
    /// Counts what came of one name, and says whether the provider has failed at too many in a row.
    pub(super) fn is_long(&mut self, failure: Option<&Failure>) -> bool {
        match failure {
            Some(failure) if is_of_provider(failure) => self.0 += 1,
            // The provider was not asked.
            Some(failure) if !failure.is_answer => {}
            Some(_) | None => self.0 = 0,
        }
        self.0 >= IN_A_ROW
    }
}

/// Whether the provider failed, at whatever it was asked: a 5xx, or an answer that is none of its API.
fn is_of_provider(failure: &Failure) -> bool {
    match failure.class {
        ErrorClass::Transient => failure.is_answer,
        ErrorClass::Protocol => failure.reason == Reason::UnexpectedResponse,
        ErrorClass::Waiting
        | ErrorClass::Config
        | ErrorClass::Auth
        | ErrorClass::Throttled
        | ErrorClass::UnknownOutcome => false,
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use rstest::rstest;

    use super::*;
    use crate::{
        controller::{
            object::{time, unwritten},
            plan::{Change, tests::samples},
        },
        provider::Written,
    };

    /// What came of an entry: of one that is at the provider, or of one that is new.
    #[derive(Clone, Copy, Debug)]
    enum Came {
        Kept,
        Rotated,
        NotRotated,
        Created,
        NotCreated,
        NotTried,
        /// The operator did not send it: its name is refused perhaps, or its Secret is missing.
        NotSent,
    }

    #[rstest]
    #[case::none_of_a_rename(&[Came::NotCreated, Came::NotCreated], true)]
    #[case::none_beside_what_stays(&[Came::Kept, Came::Rotated, Came::NotCreated], true)]
    #[case::none_before_it_was_halted(&[Came::NotCreated, Came::NotTried], true)]
    #[case::none_that_could_be_sent(&[Came::NotSent, Came::NotSent], true)]
    #[case::one_of_a_rename(&[Came::NotCreated, Came::Created, Came::NotSent], false)]
    #[case::none_sent_beside_what_stays(&[Came::Kept, Came::NotSent], false)]
    #[case::no_new_ones(&[Came::Kept, Came::NotRotated], false)]
    #[case::nothing_wanted(&[], false)]
    fn what_goes_waits_while_no_new_name_comes(#[case] all: &[Came], #[case] waits: bool) {
        let desired = samples::entry("A", "new");
        let mut record = unwritten("A");
        record.last_write_time = Some(time(Timestamp::UNIX_EPOCH));
        let failure = || Failure::config(Reason::Rejected, "refused");
        let failed = || EntryOutcome::Failed(failure());
        let written = || EntryOutcome::Written(Written::default());
        let entry = |came: &Came| {
            let (is_new, change, outcome) = match came {
                Came::Kept => (false, Change::Keep, EntryOutcome::Kept),
                Came::Rotated => (false, Change::Update(None), written()),
                Came::NotRotated => (false, Change::Update(None), failed()),
                Came::Created => (true, Change::Create, written()),
                Came::NotCreated => (true, Change::Create, failed()),
                Came::NotTried => (true, Change::Create, EntryOutcome::NotTried),
                Came::NotSent => (true, Change::Refuse(failure()), failed()),
            };
            PlannedEntry {
                record: (!is_new).then_some(&record),
                outcome,
                ..samples::planned(&desired, change)
            }
        };
        let entries: Vec<_> = all.iter().map(entry).collect();
        assert_eq!(lacks_new_names(&entries), waits, "{all:?}");
    }

    const DOWN: (ErrorClass, Reason) = (ErrorClass::Transient, Reason::ProviderUnavailable);
    const STRANGE: (ErrorClass, Reason) = (ErrorClass::Protocol, Reason::UnexpectedResponse);
    const TAKEN: (ErrorClass, Reason) = (ErrorClass::Protocol, Reason::Rejected);
    const REFUSED: (ErrorClass, Reason) = (ErrorClass::Config, Reason::Rejected);

    /// None is a success.
    #[rstest]
    #[case::down(&[Some(DOWN), Some(DOWN), Some(DOWN)], true)]
    #[case::down_and_strange(&[Some(DOWN), Some(STRANGE), Some(DOWN)], true)]
    #[case::two(&[Some(DOWN), Some(DOWN)], false)]
    #[case::a_success_between(&[Some(DOWN), Some(DOWN), None, Some(DOWN)], false)]
    #[case::a_refusal_between(&[Some(DOWN), Some(DOWN), Some(REFUSED), Some(DOWN)], false)]
    #[case::names_that_are_taken(&[Some(TAKEN), Some(TAKEN), Some(TAKEN)], false)]
    #[case::refusals(&[Some(REFUSED), Some(REFUSED), Some(REFUSED)], false)]
    fn a_provider_that_fails_at_three_names_in_a_row_fails_at_all(
        #[case] outcomes: &[Option<(ErrorClass, Reason)>],
        #[case] is_halted: bool,
    ) {
        let failure = |(class, reason)| Failure {
            class,
            is_answer: true,
            ..Failure::waiting(reason, "")
        };
        let mut streak = Streak::default();
        let mut is_last_halted = false;
        for outcome in outcomes {
            is_last_halted = streak.is_long(outcome.map(failure).as_ref());
        }
        assert_eq!(is_last_halted, is_halted);
    }

    #[test]
    fn what_was_not_asked_for_neither_counts_nor_begins_the_count_anew() {
        let down = Failure {
            is_answer: true,
            ..Failure::transient(Reason::ProviderUnavailable, "")
        };
        let owned = Failure::config(Reason::Conflict, "another object's");
        let mut streak = Streak::default();
        let mut is_long = |failure| streak.is_long(Some(failure));
        assert_eq!([&down, &down, &owned].map(&mut is_long), [false; 3]);
        assert!(is_long(&down));
    }
}
