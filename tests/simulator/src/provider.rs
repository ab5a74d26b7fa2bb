//! The vendors: one row of the table for each, from which everything that is for all of them derives.

use std::{fmt, str::FromStr};

use axum::http::request::Parts;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    account::{Account, AccountError},
    call::{Refusal, Reply},
    simulator::Simulator,
};

/// What the simulator asks of a vendor's module; an account answers for itself (`Tenant`).
pub(crate) struct Vendor {
    /// Answers a request whose key the vendor does not know, in the default variant.
    pub(crate) refuse: fn(&Refusal) -> Reply,
    /// Redirects to the exact path before the key is looked at, at a vendor whose framework routes first.
    pub(crate) redirect: Option<fn(&Parts) -> Option<Reply>>,
    /// Adds an account that is described by the JSON form of the vendor's `NewAccount`.
    pub(crate) add_json: fn(&Simulator, Value) -> Result<Account, AccountError>,
    /// Adds an account with this name, this key and the scopes that a demo needs.
    pub(crate) add_demo: fn(&Simulator, &str, &str) -> Result<Account, AccountError>,
}

/// Makes [`Provider`] from rows of variant, name and the module that has the vendor's `VENDOR`.
macro_rules! providers {
    ($($(#[$meta:meta])* $variant:ident = $name:literal in $module:ident;)+) => {
        /// A simulated vendor.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum Provider {
            $($(#[$meta])* #[serde(rename = $name)] $variant,)+
        }

        impl Provider {
            /// All of them, in the order of the documents.
            pub const ALL: [Self; [$($name),+].len()] = [$(Self::$variant),+];

            /// The name in URLs, flags and JSON.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }

            pub(crate) const fn vendor(self) -> &'static Vendor {
                match self {
                    $(Self::$variant => &crate::$module::VENDOR,)+
                }
            }
        }
    };
}

providers! {
    /// `https://api.baseten.co`
    Baseten = "baseten" in baseten;
    /// `https://api.primeintellect.ai`
    PrimeIntellect = "primeintellect" in prime_intellect;
    /// `https://api.pipecat.daily.co`
    Pipecat = "pipecat" in pipecat;
    /// `https://api.braintrust.dev`
    Braintrust = "braintrust" in braintrust;
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
            .ok_or_else(|| {
                let names = Self::ALL.map(Self::name).join(", ");
                format!("unknown provider {name:?}, expected one of {names}")
            })
    }
}
