//! The `ProviderSecret` resource: what a user writes and what the operator answers.
//!
//! The doc comments below are the reference that `kubectl explain psec` prints, so they are
//! written for the person who fills in a manifest.

mod condition;
mod definition;
mod entry;
mod provider;
mod provider_secret;
mod status;

pub use condition::{Condition, READY, RECONCILING, Reason, STALLED};
pub use definition::definition;
pub use entry::{
    BraintrustOptions, DataFromSource, Entry, EntrySource, NameTransform, PrimeIntellectOptions,
    SecretKeyRef, SecretRef,
};
pub use provider::{
    Baseten, Braintrust, Choice, Pipecat, PrimeIntellect, ProviderKind, ProviderSpec,
};
pub use provider_secret::{ProviderSecret, ProviderSecretSpec};
pub use status::{EntryState, EntryStatus, ProviderSecretStatus, SourceStatus};

/// The API group; labels, annotations and the field manager share it as a prefix.
pub const GROUP: &str = "providersecrets.dev";
