//! What a reconcile came to.

use std::time::Duration;

use crate::{
    api::{EntryStatus, Reason},
    controller::{error::Failure, events::Importance, object::Versions},
    provider::Settled,
};

/// What a reconcile came to.
pub(crate) struct Outcome {
    /// Everything that is not as desired.
    pub(crate) failures: Vec<Failure>,
    /// The records of all entries.
    pub(crate) entries: Vec<EntryStatus>,
    /// The Secrets that were read.
    pub(crate) sources: Versions,
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
    /// What a user should know although nothing failed.
    pub(crate) remark: Option<String>,
    /// When the listing is looked at again, where it is not the usual time.
    pub(crate) verify_in: Option<Duration>,
}

/// Something that is logged and sent as an event once.
#[derive(Clone, Debug)]
pub(crate) struct EventNote {
    pub(crate) importance: Importance,
    pub(crate) reason: Reason,
    pub(crate) action: &'static str,
    pub(crate) note: String,
}

impl Outcome {
    /// Nothing was done and nothing failed.
    pub(crate) fn of(entries: Vec<EntryStatus>, sources: Versions) -> Self {
        Self {
            failures: Vec::new(),
            entries,
            sources,
            scope: None,
            written: 0,
            settled: Settled::Ready,
            key_fingerprint: None,
            event_notes: Vec::new(),
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
