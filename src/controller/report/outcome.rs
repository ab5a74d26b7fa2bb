//! What a reconcile came to.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::{
    api::{EntryStatus, PlanStatus},
    controller::{error::Failure, events::EventNote, object::Versions, plan::lies_ahead},
    provider::Settled,
};

/// What a reconcile came to.
pub(crate) struct Outcome {
    /// Everything that is not as desired.
    pub(crate) failures: Vec<Failure>,
    /// The records of all entries.
    pub(crate) entries: Vec<EntryStatus>,
    /// The Secrets that the records were made from, as status names them.
    pub(crate) sources: Versions,
    /// The Secrets that were read, which is what was acted on.
    pub(crate) read: Versions,
    /// The seal of the sources, where they can be sealed.
    pub(crate) sources_seal: Option<String>,
    /// What would be done, and waits.
    pub(crate) plan: Option<PlanStatus>,
    /// What an approval of the present entries is for, as seals, where plans wait for approval and one was made.
    pub(crate) approval_scope: Option<String>,
    /// Whether a plan was carried out, and the provider has finished what it accepted: what is synced can be compared
    /// with it whatever failed.
    pub(crate) is_carried_out: bool,
    /// Whether it answers a request for a sync: everything was looked at and tried.
    pub(crate) answers_request: bool,
    /// Why the provider did not show what it holds, where that was to be looked at. It decides on the next try alone.
    pub(crate) unchecked: Option<Failure>,
    /// Whose secrets these are, where this reconcile learned it.
    pub(crate) scope: Option<String>,
    /// How many entries the provider acknowledged.
    pub(crate) written: usize,
    /// Whether the provider has finished what it accepted.
    pub(crate) settled: Settled,
    /// The key that the digests and seals were made with, where they were made anew.
    pub(crate) key_fingerprint: Option<String>,
    /// Events besides that of the transition.
    pub(crate) event_notes: Vec<EventNote>,
    /// When the object is tried again, where that is not what its failures ask for.
    pub(crate) try_in: Option<Duration>,
    /// What a user should know, whether anything failed or not.
    pub(crate) remark: Option<String>,
    /// When the listing is looked at again, where it is not the usual time.
    pub(crate) verify_in: Option<Duration>,
}

impl Outcome {
    /// How long before `now` an entry was last written; none if none was. What has a time ahead was written by a process
    /// before this one, which has led for `led_for`.
    pub(crate) fn since_write(&self, now: Timestamp, led_for: Duration) -> Option<SignedDuration> {
        let times = self.entries.iter();
        let times = times.filter_map(|entry| entry.last_write_time.as_ref());
        let since = times.map(|written| {
            if lies_ahead(written.0, now) {
                SignedDuration::try_from(led_for).unwrap_or(SignedDuration::MAX)
            } else {
                now.duration_since(written.0)
            }
        });
        since.min()
    }

    /// Nothing was done and nothing failed.
    pub(crate) fn of(entries: Vec<EntryStatus>, sources: Versions) -> Self {
        Self {
            failures: Vec::new(),
            entries,
            read: sources.clone(),
            sources,
            sources_seal: None,
            plan: None,
            approval_scope: None,
            is_carried_out: false,
            answers_request: false,
            unchecked: None,
            scope: None,
            written: 0,
            settled: Settled::Ready,
            key_fingerprint: None,
            event_notes: Vec::new(),
            try_in: None,
            remark: None,
            verify_in: None,
        }
    }

    /// The same with a failure.
    pub(crate) fn with(mut self, failure: Failure) -> Self {
        self.failures.push(failure);
        self
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::controller::object::{time, unwritten};

    /// Cases: A-23
    #[rstest]
    #[case::none(&[], None)]
    #[case::unwritten(&[None], None)]
    #[case::the_newest(&[Some(-600), None, Some(-5)], Some(5))]
    #[case::clocks_differ_a_little(&[Some(-600), Some(2)], Some(-2))]
    #[case::ahead(&[Some(-600), Some(3 * 3600)], Some(40))]
    #[case::one_ahead_and_one_just_now(&[Some(3 * 3600), Some(0)], Some(0))]
    fn a_write_with_a_time_ahead_is_as_old_as_the_term(
        #[case] written: &[Option<i64>],
        #[case] since: Option<i64>,
    ) {
        let now = Timestamp::UNIX_EPOCH;
        let after = |seconds| time(now + SignedDuration::from_secs(seconds));
        let entries = written.iter().map(|written| EntryStatus {
            last_write_time: written.map(after),
            ..unwritten("A")
        });
        let outcome = Outcome::of(entries.collect(), Versions::new());
        let shown = outcome.since_write(now, Duration::from_secs(40));
        assert_eq!(shown, since.map(SignedDuration::from_secs));
    }
}
