//! Keys, and why an account cannot be added or changed.

use serde::{Deserialize, Serialize};

/// What a key may do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Access {
    /// Everything.
    #[default]
    Full,
    /// Reads; a write is answered with 403.
    ReadOnly,
    /// Nothing, as Pipecat's public keys, which only start sessions: 401.
    Public,
    /// Nothing any more: 401.
    Revoked,
}

/// A key to add to an account.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewKey {
    /// The credential; at one provider a key belongs to one account only.
    pub key: String,
    /// What it may do.
    #[serde(default)]
    pub access: Access,
    /// Baseten only: the team that a write without a team goes to; without one it is the default team.
    #[serde(default)]
    pub primary_team: Option<String>,
}

impl NewKey {
    /// A key with full access.
    pub fn new(key: impl Into<String>) -> Self {
        Self {
            key: key.into(),
            access: Access::Full,
            primary_team: None,
        }
    }
}

impl From<&str> for NewKey {
    fn from(key: &str) -> Self {
        Self::new(key)
    }
}

/// An account could not be added or changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AccountError {
    /// The provider has an account of that name.
    #[error("an account named {0:?} exists")]
    NameTaken(String),
    /// The provider has that key already.
    #[error("a key is used by account {account:?}")]
    KeyTaken {
        /// The account that has it.
        account: String,
    },
    /// The account has no such key.
    #[error("the account has no such key")]
    UnknownKey,
    /// The description of the account or of its variants is not understood.
    #[error("{0}")]
    Invalid(String),
}
