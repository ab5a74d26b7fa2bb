//! The `ProviderSecret` resource: what a user writes and what the operator answers.
//!
//! The doc comments below are the reference that `kubectl explain psec` prints, so they are
//! written for the person who fills in a manifest.

mod condition;
mod definition;
mod entry;
mod entry_status;
mod image_pull;
mod plan;
mod policy;
mod provider;
mod provider_secret;
mod status;

pub use condition::{Condition, READY, RECONCILING, Reason, STALLED, SUSPENDED};
pub use definition::definition;
pub use entry::*;
pub use entry_status::{DriftStatus, EntryState, EntryStatus, Found, MAX_NAME};
pub use image_pull::{ImagePullSecret, ImagePullSource, ReplaceImagePullSecret};
pub use plan::{ActionKind, MAX_ACTIONS, PlanStatus, PlannedAction};
pub use policy::{Approval, ConflictPolicy, DeletionPolicy};
pub use provider::*;
pub use provider_secret::{ProviderSecret, ProviderSecretSpec};
pub use status::{MAX_RECORDS, ProviderSecretStatus, SourceStatus, WriterStatus};

/// The API group; labels, annotations and the field manager share it as a prefix.
pub const GROUP: &str = "providersecrets.dev";
/// Keeps a deleted object until what it wrote is deleted, where its policy says so.
pub const FINALIZER: &str = "providersecrets.dev/cleanup";
/// A label of a Secret whose values may leave the cluster, with the value `true`, where the operator asks
/// for one.
pub const ALLOW: &str = "providersecrets.dev/allow";
/// An annotation of a namespace: the providers and endpoints that its objects may use, with commas between
/// them.
pub const ALLOWED_PROVIDERS: &str = "providersecrets.dev/allowed-providers";
/// An annotation that asks for a sync now; any new value does.
pub const SYNC_REQUESTED_AT: &str = "providersecrets.dev/sync-requested-at";
/// The same in the words of Flux, whose tools set it.
pub const FLUX_REQUESTED_AT: &str = "reconcile.fluxcd.io/requestedAt";
/// An annotation that lets a deleted object go without its remote secrets being deleted, with the
/// value `orphan`.
pub const DELETION_OVERRIDE: &str = "providersecrets.dev/deletion-override";
/// An annotation that approves the plan in status whose hash is its value.
pub const APPROVED_PLAN: &str = "providersecrets.dev/approved-plan";
