//! `status`: what the operator has done and knows.

#![expect(
    unreachable_pub,
    reason = "KubeSchema copies each struct, pub and all, into a function"
)]

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Condition;

/// What the operator has done and knows. It holds names, versions and times, never a value.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct ProviderSecretStatus {
    /// The state of the object in conditions that kubectl, Helm, Flux and Argo CD understand:
    /// Ready always, Reconciling while the operator works or waits, Stalled while a person must act.
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
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 520))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub sources: Vec<SourceStatus>,

    /// What the operator wrote and knows of it, sorted by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 500))]
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

/// One entry as the operator knows it.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct EntryStatus {
    /// The name at the provider.
    #[schemars(length(max = 400))]
    pub name: String,

    /// Whether the provider holds the wanted value. Synced: it has acknowledged it. Failed: the value
    /// could not be written; the reason says why. Pending: it is being written, or the outcome of the
    /// last write is not known.
    pub state: EntryState,

    /// Why the entry is not synced, as a stable word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub reason: Option<String>,

    /// A keyed digest of what was written last. It tells which entry of a changed Secret really
    /// changed; it cannot be compared between entries, objects or API keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub digest: Option<String>,

    /// The digest of what was sent and may still come in at the provider, because its outcome is
    /// not known; `several` where that may be another value than the one acknowledged. Then it is written
    /// once more after a minute, and this is gone then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub attempted: Option<String>,

    /// The id of the secret at the provider, where the provider gives one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub remote_id: Option<String>,

    /// The version of the secret at the provider after the last write, where the provider gives
    /// one: the time of its last change or of its creation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub remote_version: Option<String>,

    /// When this entry was last written to the provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_write_time: Option<Time>,

    /// What the provider showed of the name before this object wrote it for the first time. It
    /// tells which secrets may be deleted under deletionPolicy Delete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub found: Option<Found>,

    /// How often another writer changed or deleted the secret lately.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drift: Option<DriftStatus>,

    /// Shows that the operator wrote this record: it is made with the API key, from the name, the
    /// id, the version and the times above. A record that was edited by another writer is not
    /// believed, and nothing is deleted because of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub seal: Option<String>,
}

/// What the provider showed of a name before this object wrote it for the first time. It tells which
/// secrets may be deleted under deletionPolicy Delete. Absent: nothing, so that what is there later is
/// this object's; at Pipecat Cloud the set was there, without the key. NoSet, at Pipecat Cloud: not
/// even the set. Foreign: a secret that another writer wrote.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// Nothing: what is there later is the object's. At Pipecat Cloud the set was there, without
    /// the key.
    Absent,
    /// At Pipecat Cloud: not even the set.
    NoSet,
    /// A secret that another writer wrote. A state that a newer operator wrote is read as this one.
    #[serde(other)]
    Foreign,
}

/// How often another writer changed or deleted a secret lately.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct DriftStatus {
    /// How often it was written again because of that since the time below.
    #[schemars(range(min = 0, max = 100))]
    pub repairs: i32,

    /// When the count began. It begins anew after a day.
    pub since: Time,
}

/// Whether the provider holds the wanted value.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryState {
    /// The provider has acknowledged the wanted value.
    Synced,
    /// The wanted value could not be written; the reason says why.
    Failed,
    /// The value is being written, or the outcome of the last write is not known. A state that a
    /// newer operator wrote is read as this one: it never counts as synced.
    #[serde(other)]
    Pending,
}
