//! Which provider it is, and its names.

use std::fmt;

/// One of the four providers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ProviderKind {
    /// Baseten, <https://api.baseten.co>.
    Baseten,
    /// PrimeIntellect, <https://api.primeintellect.ai>.
    PrimeIntellect,
    /// Pipecat Cloud, <https://api.pipecat.daily.co>.
    Pipecat,
    /// Braintrust, <https://api.braintrust.dev>.
    Braintrust,
}

impl ProviderKind {
    /// Every provider, in the order of the documentation.
    pub const ALL: [Self; 4] = [
        Self::Baseten,
        Self::PrimeIntellect,
        Self::Pipecat,
        Self::Braintrust,
    ];

    /// The name in status, events and messages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Baseten => "Baseten",
            Self::PrimeIntellect => "PrimeIntellect",
            Self::Pipecat => "Pipecat",
            Self::Braintrust => "Braintrust",
        }
    }

    /// The name in flags and metric labels.
    pub const fn flag(self) -> &'static str {
        match self {
            Self::Baseten => "baseten",
            Self::PrimeIntellect => "primeintellect",
            Self::Pipecat => "pipecat",
            Self::Braintrust => "braintrust",
        }
    }
}

impl fmt::Display for ProviderKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}
