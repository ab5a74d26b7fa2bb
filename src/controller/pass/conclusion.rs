//! What a pass came to, before it is told.

use crate::{
    api::{Choice, EntryState, EntryStatus, Reason},
    controller::{dereference::Versions, trouble::Trouble, warnings::Warning},
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
    /// What works and is probably not meant.
    pub(super) warnings: Vec<Warning>,
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
            warnings: Vec::new(),
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
