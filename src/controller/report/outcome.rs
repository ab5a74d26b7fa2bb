//! What a reconcile came to.

use std::time::Duration;

use jiff::SignedDuration;

use crate::{
    api::{EntryStatus, PlanStatus},
    clock,
    controller::{error::Failure, events::EventNote, object::Versions},
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
    /// What a user should know although nothing failed.
    pub(crate) remark: Option<String>,
    /// When the listing is looked at again, where it is not the usual time.
    pub(crate) verify_in: Option<Duration>,
}

impl Outcome {
    /// How long ago an entry was last written; none if none was.
    pub(crate) fn since_write(&self) -> Option<SignedDuration> {
        let times = self.entries.iter();
        let times = times.filter_map(|entry| entry.last_write_time.as_ref());
        let newest = times.max()?;
        Some(clock::now().duration_since(newest.0))
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
