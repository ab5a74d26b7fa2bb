//! The four vendors, by name; the only place that lists them besides the match in `admin/accounts.rs`.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// A simulated vendor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Provider {
    /// `https://api.baseten.co`
    Baseten,
    /// `https://api.primeintellect.ai`
    #[serde(rename = "primeintellect")]
    PrimeIntellect,
    /// `https://api.pipecat.daily.co`
    Pipecat,
    /// `https://api.braintrust.dev`
    Braintrust,
}

impl Provider {
    /// All of them, in the order of the documents.
    pub const ALL: [Self; 4] = [
        Self::Baseten,
        Self::PrimeIntellect,
        Self::Pipecat,
        Self::Braintrust,
    ];

    /// The name in URLs, flags and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Baseten => "baseten",
            Self::PrimeIntellect => "primeintellect",
            Self::Pipecat => "pipecat",
            Self::Braintrust => "braintrust",
        }
    }
}

impl fmt::Display for Provider {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for Provider {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|provider| provider.name() == name)
            .ok_or_else(|| format!("unknown provider {name:?}, expected one of baseten, primeintellect, pipecat, braintrust"))
    }
}
