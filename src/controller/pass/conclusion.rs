//! What a pass came to, before it is told.

use std::time::Duration;

use crate::{
    api::{Choice, EntryState, EntryStatus, Reason},
    controller::{dereference::Versions, report::Notice, trouble::Trouble},
    provider::{Provider, Settled},
};

/// What a pass came to.
pub(super) struct Conclusion {
    /// Everything that is not as wanted.
    pub(super) troubles: Vec<Trouble>,
    /// The records of all entries.
    pub(super) entries: Vec<EntryStatus>,
    /// The Secrets that were read.
    pub(super) sources: Versions,
    /// Whose secrets these are, where this pass learned it.
    pub(super) scope: Option<String>,
    /// Entries that the provider acknowledged.
    pub(super) written: usize,
    /// Whether the provider has finished what it accepted.
    pub(super) settled: Settled,
    /// What the digests were made with.
    pub(super) key_fingerprint: Option<String>,
    /// What else is to be told.
    pub(super) notices: Vec<Notice>,
    /// When the listing is looked at again, where it is not the usual time.
    pub(super) verify_in: Option<Duration>,
}

impl Conclusion {
    /// Nothing was done and nothing is wrong.
    pub(super) fn of(entries: Vec<EntryStatus>, sources: Versions) -> Self {
        Self {
            troubles: Vec::new(),
            entries,
            sources,
            scope: None,
            written: 0,
            settled: Settled::Ready,
            key_fingerprint: None,
            notices: Vec::new(),
            verify_in: None,
        }
    }

    /// The same with trouble.
    pub(super) fn with(mut self, trouble: Trouble) -> Self {
        self.troubles.push(trouble);
        self
    }

    /// The same after the provider was asked whether it has finished.
    pub(super) async fn settle(mut self, provider: &dyn Provider, choice: Choice<'_>) -> Self {
        match provider.settled().await {
            Ok(settled) => self.settled = settled,
            Err(error) => self.troubles.push(Trouble::provider(&error, choice, None)),
        }
        if self.settled == Settled::Failed {
            // What was accepted is not there: everything is sent again.
            for entry in &mut self.entries {
                entry.state = EntryState::Pending;
                entry.digest = None;
                entry.reason = Some(Reason::ProviderFailed.as_str().to_owned());
            }
        }
        self
    }
}
