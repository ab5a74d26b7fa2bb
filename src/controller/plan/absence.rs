//! When it counts that the provider does not show a recorded name.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::again::{IN_FLIGHT_WINDOW, lies_ahead};
use crate::{account::Snapshot, api::EntryStatus};

/// How long after our last write of a name its absence counts: some providers show what they took a little later.
pub(crate) const ABSENCE_COUNTS_AFTER: SignedDuration = SignedDuration::from_secs(30);
/// After how long an empty listing is asked for again.
pub(crate) const EMPTY_LISTING_RETRY: Duration = Duration::from_secs(5);

/// How long after `now` the absence of a recorded name counts; none if it does. What was sent last may be shown later, or
/// still be on its way. A time that lies ahead says nothing.
pub(crate) fn absence_counts_in(recorded: &EntryStatus, now: Timestamp) -> Option<Duration> {
    let attempted = recorded.attempted.as_ref();
    let sent = attempted.and(recorded.attempted_time.as_ref());
    let waits = [
        (recorded.last_write_time.as_ref(), ABSENCE_COUNTS_AFTER),
        (sent, IN_FLIGHT_WINDOW),
    ];
    let rests = waits.into_iter().filter_map(|(at, wait)| {
        let at = at.filter(|at| !lies_ahead(at.0, now))?;
        Duration::try_from(wait - now.duration_since(at.0)).ok()
    });
    rests.filter(|rest| !rest.is_zero()).max()
}

/// The same where a listing lacks the name. An empty one must not be read as "all were deleted" (docs/vendors.md#bt-9):
/// it counts when those of the last 5 s were empty too.
pub(crate) fn listed_absence_counts_in(
    recorded: &EntryStatus,
    snapshot: &Snapshot,
) -> Option<Duration> {
    let empty_for = snapshot.empty_since.map(|since| snapshot.began - since);
    let rest = empty_for.map(|empty_for| EMPTY_LISTING_RETRY.saturating_sub(empty_for));
    let rest = rest.filter(|rest| !rest.is_zero());
    rest.max(absence_counts_in(recorded, snapshot.began_at))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use tokio::time::Instant;

    use super::*;
    use crate::{
        controller::object::{time, unwritten},
        provider::{Listing, Remote},
    };

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn recorded(written: Option<i64>, attempted: Option<i64>) -> EntryStatus {
        EntryStatus {
            last_write_time: written.map(|second| time(at(second))),
            attempted: attempted.map(|_| "digest".to_owned()),
            attempted_time: attempted.map(|second| time(at(second))),
            ..unwritten("A")
        }
    }

    /// At second 100.
    /// Cases: D-10, P-34
    #[rstest]
    #[case::never_sent(None, None, None)]
    #[case::written_just_now(Some(98), None, Some(28))]
    #[case::written_before(Some(70), None, None)]
    #[case::sent_without_an_answer(None, Some(69), Some(29))]
    #[case::sent_long_ago(None, Some(40), None)]
    #[case::written_and_sent_again(Some(80), Some(90), Some(50))]
    #[case::by_a_clock_that_was_ahead(Some(161), Some(161), None)]
    fn absence_counts_once_what_was_sent_must_be_shown(
        #[case] written: Option<i64>,
        #[case] attempted: Option<i64>,
        #[case] rest: Option<u64>,
    ) {
        let rest = rest.map(Duration::from_secs);
        assert_eq!(
            absence_counts_in(&recorded(written, attempted), at(100)),
            rest
        );
    }

    #[test]
    fn the_time_of_an_attempt_that_was_answered_says_nothing() {
        let answered = EntryStatus {
            attempted: None,
            ..recorded(None, Some(90))
        };
        assert_eq!(absence_counts_in(&answered, at(100)), None);
    }

    /// Cases: P-25
    #[rstest]
    #[case::not_empty(false, None, None)]
    #[case::the_first(true, None, Some(5))]
    #[case::at_once_again(true, Some(1), Some(4))]
    #[case::later_again(true, Some(5), None)]
    fn an_empty_listing_counts_after_another_of_five_seconds_before(
        #[case] is_empty: bool,
        #[case] empty_for: Option<u64>,
        #[case] rest: Option<u64>,
    ) {
        let began = Instant::now();
        let remotes = if is_empty {
            Vec::new()
        } else {
            vec![Remote::default()]
        };
        let listing = Listing {
            remotes,
            ..Listing::default()
        };
        let empty_since = empty_for.map(|seconds| began - Duration::from_secs(seconds));
        let snapshot = Snapshot::new((began, at(100)), listing, empty_since, str::to_owned);
        let counts_in = listed_absence_counts_in(&recorded(Some(0), None), &snapshot);
        assert_eq!(counts_in, rest.map(Duration::from_secs));
    }
}
