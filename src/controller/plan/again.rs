//! What is written again when its time has come: what `spec.rewriteInterval` asks for, and what a
//! write without an answer may have overwritten.
//!
//! A write without an answer may still be on its way when the next one is acknowledged, and come in
//! after it. So the record keeps what may be on its way until a later write has confirmed the
//! value. It is kept in status and not in memory: the operator may die meanwhile.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::Cause;
use crate::{
    api::{EntryState, EntryStatus, ProviderSecret},
    controller::object::time,
};

/// How long a write without an answer may be on its way.
pub(super) const IN_FLIGHT_WINDOW: SignedDuration = SignedDuration::from_mins(1);
/// How far ahead of this process's clock a time in status may lie, and how far apart a provider's clock and this one may
/// be: the clocks of two machines differ a little.
pub(super) const MAX_CLOCK_SKEW: SignedDuration = SignedDuration::from_mins(1);
/// Stands for the digest of what was sent where more than one value may be on its way.
const SEVERAL_DIGESTS: &str = "several";

/// What is known of other writes of a name when one is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SentAfter {
    /// None is on its way any more: this one confirms the value.
    All,
    /// What the record says.
    Recorded,
    /// A process that is gone may have sent any value, this one included.
    Unknown,
}

/// What is recorded as attempted before a value with this digest is sent.
pub(super) fn attempted(
    recorded: Option<&EntryStatus>,
    digest: Option<&str>,
    others: SentAfter,
) -> Option<String> {
    unconfirmed(recorded, digest, others).or_else(|| digest.map(str::to_owned))
}

/// What stays recorded as attempted after a value with this digest was acknowledged.
pub(super) fn unconfirmed(
    recorded: Option<&EntryStatus>,
    digest: Option<&str>,
    others: SentAfter,
) -> Option<String> {
    let is_unsure = match others {
        SentAfter::All => false,
        SentAfter::Recorded => is_other_under_way(recorded, digest),
        SentAfter::Unknown => true,
    };
    is_unsure.then(|| SEVERAL_DIGESTS.to_owned())
}

/// When what is sent `now` counts as sent. What was recorded within the last minute stays, so that not each try costs a
/// write of status.
pub(crate) fn attempted_at(recorded: Option<&Time>, now: Timestamp) -> Time {
    let is_recent = |at: &&Time| {
        let since = now.duration_since(at.0);
        !since.is_negative() && since < IN_FLIGHT_WINDOW
    };
    let recent = recorded.filter(is_recent);
    recent.cloned().unwrap_or_else(|| time(now))
}

/// Whether something else than the value with this digest may be on its way.
fn is_other_under_way(recorded: Option<&EntryStatus>, digest: Option<&str>) -> bool {
    recorded.is_some_and(|recorded| match recorded.attempted.as_deref() {
        None => false,
        Some(SEVERAL_DIGESTS) => true,
        // What was answered, with a failure, has arrived; then the record is Failed.
        attempted => recorded.state == EntryState::Pending && attempted != digest,
    })
}

/// Whether a time in status lies ahead: the clock that it was taken from was wrong, or this process's is. It does not
/// tell how long ago that was.
pub(crate) fn lies_ahead(time: Timestamp, now: Timestamp) -> bool {
    time.duration_since(now) > MAX_CLOCK_SKEW
}

/// Why an entry that is synced is written again now, if it is.
pub(crate) fn due(
    entry: &EntryStatus,
    rewrite_interval: Option<Duration>,
    now: Timestamp,
) -> Option<Cause> {
    let mut again = again(entry, rewrite_interval, now);
    again.find_map(|(at, cause)| (at <= now).then_some(cause))
}

/// The earliest time at which an entry of the object is [due].
pub(crate) fn next_due(object: &ProviderSecret, now: Timestamp) -> Option<Timestamp> {
    let interval = object.spec.rewrite_interval();
    let entries = object.status.iter().flat_map(|status| &status.entries);
    let times = entries.flat_map(|entry| again(entry, interval, now));
    times.map(|(at, _)| at).min()
}

/// When a synced entry is written again, and why: the more urgent cause first. Where the time of the last write lies
/// ahead that is now, whatever the cause. Such a write confirms nothing, because a write without an answer may still be
/// on its way; but it is recorded with a time from which the minute counts.
fn again(
    entry: &EntryStatus,
    rewrite_interval: Option<Duration>,
    now: Timestamp,
) -> impl Iterator<Item = (Timestamp, Cause)> {
    let confirm = entry
        .attempted
        .is_some()
        .then_some((IN_FLIGHT_WINDOW.unsigned_abs(), Cause::Unsure));
    let rewrite = rewrite_interval.map(|interval| (interval, Cause::Due));
    let written = written(entry);
    let waits = confirm.into_iter().chain(rewrite);
    waits.filter_map(move |(wait, cause)| {
        let written = written?;
        if lies_ahead(written, now) {
            return Some((now, Cause::Due));
        }
        Some((written.checked_add(wait).ok()?, cause))
    })
}

/// After which time an entry has to be confirmed; none also where that should have been already.
pub(crate) fn confirm_in(entry: &EntryStatus, now: Timestamp) -> Option<Duration> {
    entry.attempted.as_ref()?;
    let (at, _) = again(entry, None, now).next()?;
    let wait = Duration::try_from(at.duration_since(now)).ok()?;
    (!wait.is_zero()).then_some(wait)
}

/// When a synced entry was written.
fn written(entry: &EntryStatus) -> Option<Timestamp> {
    let written = entry.last_write_time.as_ref();
    let written = written.filter(|_| entry.state == EntryState::Synced)?;
    Some(written.0)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::controller::object::unwritten;

    fn record(state: EntryState, digest: Option<&str>, attempted: Option<&str>) -> EntryStatus {
        EntryStatus {
            state,
            digest: digest.map(str::to_owned),
            attempted: attempted.map(str::to_owned),
            last_write_time: Some(time(Timestamp::UNIX_EPOCH)),
            ..unwritten("A")
        }
    }

    use EntryState::{Failed, Pending, Synced};

    #[rstest]
    #[case::nothing_sent(record(Pending, None, None), false)]
    #[case::the_same_again(record(Pending, None, Some("b")), false)]
    #[case::another_unanswered(record(Pending, None, Some("a")), true)]
    #[case::another_answered(record(Failed, None, Some("a")), false)]
    #[case::not_confirmed(record(Synced, Some("b"), Some(SEVERAL_DIGESTS)), true)]
    #[case::not_confirmed_and_refused(record(Failed, None, Some(SEVERAL_DIGESTS)), true)]
    fn what_may_come_in_later_is_known_until_it_was_outdone(
        #[case] recorded: EntryStatus,
        #[case] is_unsure: bool,
    ) {
        let (recorded, digest) = (Some(&recorded), Some("b"));
        let several = is_unsure.then_some(SEVERAL_DIGESTS);
        let before = |others| attempted(recorded, digest, others);
        assert_eq!(before(SentAfter::Recorded).as_deref(), several.or(digest));
        assert_eq!(before(SentAfter::All).as_deref(), digest);
        assert_eq!(before(SentAfter::Unknown).as_deref(), Some(SEVERAL_DIGESTS));
        let after = |others| unconfirmed(recorded, digest, others);
        assert_eq!(after(SentAfter::Recorded).as_deref(), several);
        assert_eq!(after(SentAfter::All), None);
        // Also where it is the same value that may be on its way.
        assert_eq!(after(SentAfter::Unknown).as_deref(), Some(SEVERAL_DIGESTS));
    }

    #[rstest]
    #[case::the_first(None, 100)]
    #[case::again(Some(41), 41)]
    #[case::after_a_minute(Some(40), 100)]
    #[case::by_a_clock_that_is_ahead(Some(101), 100)]
    fn the_time_of_an_attempt_is_renewed_once_a_minute(
        #[case] recorded: Option<i64>,
        #[case] expected: i64,
    ) {
        let at = |second| Timestamp::from_second(second).unwrap();
        let recorded = recorded.map(|second| time(at(second)));
        let attempted = attempted_at(recorded.as_ref(), at(100));
        assert_eq!(attempted, time(at(expected)));
    }

    #[rstest]
    #[case::at_rest(record(Synced, Some("a"), None), None, None)]
    #[case::by_interval(record(Synced, Some("a"), None), Some(30), Some(Cause::Due))]
    #[case::unconfirmed(
        record(Synced, Some("a"), Some(SEVERAL_DIGESTS)),
        Some(600),
        Some(Cause::Unsure)
    )]
    #[case::not_synced(record(Failed, Some("a"), Some(SEVERAL_DIGESTS)), Some(30), None)]
    fn what_is_written_again_and_when(
        #[case] entry: EntryStatus,
        #[case] interval: Option<u64>,
        #[case] cause: Option<Cause>,
    ) {
        let interval = interval.map(Duration::from_secs);
        let after = |seconds| Timestamp::from_second(seconds).unwrap();
        assert_eq!(due(&entry, interval, after(29)), None);
        assert_eq!(due(&entry, interval, after(60)), cause);
        let is_unsure = cause == Some(Cause::Unsure);
        let wait = is_unsure.then_some(Duration::from_secs(20));
        assert_eq!(confirm_in(&entry, after(40)), wait);
        assert_eq!(confirm_in(&entry, after(60)), None);
    }

    /// The clock of the process that wrote it was hours ahead, or this one's has been set back since.
    /// Cases: A-23
    #[rstest]
    #[case::unconfirmed(Some(SEVERAL_DIGESTS), None, Some(Cause::Due))]
    #[case::by_interval(None, Some(86_400), Some(Cause::Due))]
    #[case::at_rest(None, None, None)]
    fn what_has_a_time_ahead_is_written_with_a_right_one_and_then_confirmed(
        #[case] attempted: Option<&str>,
        #[case] interval: Option<u64>,
        #[case] cause: Option<Cause>,
    ) {
        let interval = interval.map(Duration::from_secs);
        let entry = record(Synced, Some("a"), attempted);
        let before = |seconds: i64| Timestamp::from_second(-seconds).unwrap();
        let is_due = |seconds| due(&entry, interval, before(seconds));
        assert_eq!(is_due(3 * 3600), cause);
        assert_eq!(is_due(61), cause);
        // Clocks of two machines differ by so much.
        assert_eq!(is_due(60), None);
        assert_eq!(confirm_in(&entry, before(3 * 3600)), None);
        let several = attempted.map(str::to_owned);
        assert_eq!(
            unconfirmed(Some(&entry), Some("a"), SentAfter::Recorded),
            several
        );
        let wait = attempted.map(|_| Duration::from_secs(65));
        assert_eq!(confirm_in(&entry, before(5)), wait);
    }
}
