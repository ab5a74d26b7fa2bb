//! What a listing proves of a name that this operator wrote.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::Reconcile;
use crate::{
    account::{LastWrite, Snapshot},
    api::EntryStatus,
    controller::{
        plan::{self, ABSENCE_COUNTS_AFTER, Evidence},
        session::Session,
    },
};

impl Reconcile<'_> {
    /// What a listing may prove about a name: nothing if it began before our last write of it ended.
    pub(super) fn evidence(
        &self,
        session: &Session<'_>,
        folded: &str,
        entry: &EntryStatus,
        snapshot: &Snapshot,
    ) -> Evidence {
        let last = self.last_write(session, folded);
        match last {
            LastWrite::UnderWay => return Evidence::None,
            LastWrite::At(ended) if snapshot.began <= ended => return Evidence::None,
            LastWrite::At(_) | LastWrite::LongAgo => {}
        }
        let since = self.since_write(last, entry, snapshot);
        let is_settled = since.is_none_or(|since| since >= ABSENCE_COUNTS_AFTER);
        if is_settled && snapshot.proves_absence {
            Evidence::Full
        } else {
            Evidence::Presence
        }
    }

    /// How long after our last write of a name a listing began; none if nothing tells.
    pub(super) fn since_write(
        &self,
        last: LastWrite,
        entry: &EntryStatus,
        snapshot: &Snapshot,
    ) -> Option<SignedDuration> {
        let led_for = self.context.leadership.led_for();
        since_write(last, entry, snapshot, (crate::clock::now(), led_for))
    }

    /// When our last write of a name ended.
    pub(super) fn last_write(&self, session: &Session<'_>, folded: &str) -> LastWrite {
        let name = session.lock_name(session.claimed_name(folded));
        self.context.accounts.name_locks.last_write(&name)
    }
}

/// How long after our last write of a name a listing began, by what is known `now` in a process that has led for
/// `led_for`; none if nothing tells.
fn since_write(
    last: LastWrite,
    entry: &EntryStatus,
    snapshot: &Snapshot,
    (now, led_for): (Timestamp, Duration),
) -> Option<SignedDuration> {
    match last {
        LastWrite::UnderWay => Some(SignedDuration::ZERO),
        LastWrite::At(ended) => {
            let since = snapshot.began.saturating_duration_since(ended);
            SignedDuration::try_from(since).ok()
        }
        LastWrite::LongAgo => {
            let written = entry.last_write_time.as_ref()?.0;
            if plan::lies_ahead(written, now) {
                // A process before this one wrote it, by a clock that was wrong.
                let led_for = led_for.saturating_sub(snapshot.began.elapsed());
                return SignedDuration::try_from(led_for).ok();
            }
            Some(snapshot.began_at.duration_since(written))
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use tokio::time::Instant;

    use super::*;
    use crate::{
        controller::object::{time, unwritten},
        provider::Listing,
    };

    /// The listing began 10 s ago, and the process has led for 50 s.
    /// Cases: A-23
    #[rstest]
    #[case::under_way(LastWrite::UnderWay, Some(-600), Some(0))]
    #[case::by_another_process(LastWrite::LongAgo, Some(-600), Some(590))]
    #[case::after_the_listing_began(LastWrite::LongAgo, Some(-5), Some(-5))]
    #[case::by_a_clock_that_was_ahead(LastWrite::LongAgo, Some(3 * 3600), Some(40))]
    #[case::never(LastWrite::LongAgo, None, None)]
    #[tokio::test(start_paused = true)]
    async fn a_write_with_a_time_ahead_is_as_old_as_the_term(
        #[case] last: LastWrite,
        #[case] written: Option<i64>,
        #[case] since: Option<i64>,
    ) {
        let began = (Instant::now(), Timestamp::UNIX_EPOCH);
        let snapshot = Snapshot::new(began, Listing::default(), None, str::to_owned);
        tokio::time::advance(Duration::from_secs(10)).await;
        let now = Timestamp::UNIX_EPOCH + SignedDuration::from_secs(10);
        let entry = EntryStatus {
            last_write_time: written.map(|at| time(now + SignedDuration::from_secs(at))),
            ..unwritten("A")
        };
        let shown = since_write(last, &entry, &snapshot, (now, Duration::from_secs(50)));
        assert_eq!(shown, since.map(SignedDuration::from_secs));
    }
}
