//! `status`: what the operator has done and knows.

#![expect(
    unreachable_pub,
    reason = "KubeSchema copies each struct, pub and all, into a function"
)]

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Condition, EntryStatus, PlanStatus};

/// How many entries status holds at most: as many as an object may have, and as many that are to go.
pub const MAX_RECORDS: usize = 1000;

/// What the operator has done and knows. It holds names, versions and times, never a value.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct ProviderSecretStatus {
    /// The state of the object in conditions that kubectl, Helm, Flux and Argo CD understand:
    /// Ready, but for an object that was suspended before it was synced; Reconciling while the operator works or waits,
    /// Stalled while a person must act, Suspended while `spec.suspend` is true.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,

    /// The generation of the spec that the operator acted on last; -1 before the first time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,

    /// The name of the provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub provider: Option<String>,

    /// Whose secrets these are: the team, user or organization as the provider reports it, else
    /// the team of the spec, else a fingerprint of the API key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 255))]
    pub scope: Option<String>,

    /// How many of the wanted entries the provider has acknowledged, such as 3/3.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16))]
    pub summary: Option<String>,

    /// When anything was last written to the provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_sync_time: Option<Time>,

    /// The value of the annotation providersecrets.dev/sync-requested-at (or
    /// reconcile.fluxcd.io/requestedAt) that was acted on last. A tool that set one waits until it
    /// is here. Of a longer value the first 1024 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub last_handled_sync_request: Option<String>,

    /// A fingerprint of the API key under which the digests of the entries were made. It tells that
    /// the key was exchanged; the key cannot be found from it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub key_fingerprint: Option<String>,

    /// The versions of the Secrets that the entries were made from, the credential's included.
    /// While a newer version cannot be acted on, the older one stays here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 520))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub sources: Vec<SourceStatus>,

    /// Shows that the operator wrote sources: it is made with the API key, from the versions above
    /// and observedGeneration. Without it a new operator reads the Secrets once to compare them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub sources_seal: Option<String>,

    /// What would be done at the provider, and waits: for approval under spec.approval, or for the end of a
    /// suspension, for which the provider was not asked what it holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<PlanStatus>,

    /// Shows what was approved: it is made with the API key, from the account, the names, and the Secrets
    /// and keys that they come from, with a part for each source in dataFrom. While these are the same a
    /// changed value needs no approval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 640))]
    pub approval_seal: Option<String>,

    /// The hash of the plan that was approved last and is carried out. It makes the hash of every later plan
    /// another one, so that an approval counts once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub last_approved_plan: Option<String>,

    /// Which process wrote this, where several share a Lease: a later one writes over what an earlier
    /// one wrote, and never the other way round.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub writer: Option<WriterStatus>,

    /// What the operator wrote and knows of it, sorted by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = MAX_RECORDS))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub entries: Vec<EntryStatus>,
}

/// One Secret that was read.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct SourceStatus {
    /// The name of the Secret.
    #[schemars(length(max = 253))]
    pub name: String,

    /// The version of the Secret that was acted on.
    #[schemars(length(max = 64))]
    pub resource_version: String,
}

/// The process that wrote a status.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct WriterStatus {
    /// The number of its term: spec.leaseTransitions of the Lease that it held.
    #[schemars(range(min = 0))]
    pub epoch: i64,
}
