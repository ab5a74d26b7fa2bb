//! The root of the resource: `ProviderSecret` and its spec.

#![expect(
    unreachable_pub,
    reason = "KubeSchema copies each struct, pub and all, into a function"
)]

use std::time::Duration;

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use super::{
    Approval, ConflictPolicy, DataFromSource, DeletionPolicy, Entry, ProviderSecretStatus,
    ProviderSpec, policy, provider,
};

/// What a ProviderSecret asks for: where values go and which values they are.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[kube(
    group = "providersecrets.dev",
    version = "v1alpha1",
    kind = "ProviderSecret",
    namespaced,
    status = "ProviderSecretStatus",
    derive = "PartialEq",
    shortname = "psec",
    category = "provider-secrets",
    doc = "A ProviderSecret keeps keys of Kubernetes Secrets in the secret store of an account at Baseten, PrimeIntellect, Pipecat Cloud or Braintrust.",
    printcolumn(name = "Provider", type_ = "string", json_path = ".status.provider"),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status"
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        // Of the first condition: Ready, or Suspended where there is no Ready.
        json_path = ".status.conditions[0].reason"
    ),
    printcolumn(name = "Synced", type_ = "string", json_path = ".status.summary"),
    printcolumn(name = "Last-Sync", type_ = "date", json_path = ".status.lastSyncTime"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    validation = provider::rule_of_the_object()
)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = provider::add_rules_of_the_spec)]
#[x_kube(
    validation = Rule::new(policy::within_bounds("verifyInterval")).message("verifyInterval must be between 1m and 168h"),
    validation = Rule::new(policy::within_bounds("rewriteInterval")).message("rewriteInterval must be between 1m and 168h")
)]
pub struct ProviderSecretSpec {
    /// The account that receives the values. Exactly one member is set. The member and its scope
    /// fields cannot change; apiKeySecretRef can.
    pub provider: ProviderSpec,

    /// Entries that name one key of one Secret each, or a template with keys of one Secret. An entry
    /// here wins over an entry of the same name that comes from dataFrom. What happens at the
    /// provider to an entry that is removed here is up to deletionPolicy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 500))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub data: Option<Vec<Entry>>,

    /// Secrets of which every key becomes an entry. Two items that give one name are refused
    /// before anything is written. A Secret that disappears, or loses all its keys, deletes nothing
    /// at the provider. All entries together, data included, may be at most 500.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub data_from: Option<Vec<DataFromSource>>,

    /// `kubectl explain` shows the text of [`DeletionPolicy`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deletion_policy: Option<DeletionPolicy>,

    /// `kubectl explain` shows the text of [`ConflictPolicy`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conflict_policy: Option<ConflictPolicy>,

    /// How old the listing of the account may be before it is compared again with what this object
    /// wrote, in hours, minutes and seconds such as 10m or 1h30m, between 1m and 168h. What is
    /// missing, or was changed by another writer, is written again. All objects of an account share
    /// one listing. The default is 10m unless the operator was started with another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 2, max = 16), regex(pattern = policy::INTERVAL))]
    pub verify_interval: Option<String>,

    /// How long after its last write an entry is written again although nothing changed, between
    /// 1m and 168h. Only needed where the provider does not show that another writer changed a
    /// value: at Baseten and Pipecat Cloud. Without it nothing is written unless something changed.
    /// It is not for an image pull secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 2, max = 16), regex(pattern = policy::INTERVAL))]
    pub rewrite_interval: Option<String>,

    /// `kubectl explain` shows the text of [`Approval`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<Approval>,

    /// While true, nothing is written to the provider, whatever changes. What was written stays,
    /// unless the object is deleted: its cleanup is carried out. Set it to false, or remove it, to
    /// go on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspend: Option<bool>,
}

impl ProviderSecretSpec {
    /// Whether the user asked for a pause.
    pub fn is_suspended(&self) -> bool {
        self.suspend.unwrap_or(false)
    }

    /// What happens at the provider to what goes away.
    pub fn deletion_policy(&self) -> DeletionPolicy {
        self.deletion_policy.unwrap_or_default()
    }

    /// Whether what would be done waits for a person.
    pub fn approval(&self) -> Approval {
        self.approval.unwrap_or_default()
    }

    /// What happens to a name that exists and is not this object's.
    pub fn conflict_policy(&self) -> ConflictPolicy {
        self.conflict_policy.unwrap_or_default()
    }

    /// How old the listing of the account may be; none where the spec leaves it to the operator.
    pub fn verify_interval(&self) -> Option<Duration> {
        self.verify_interval.as_deref().and_then(policy::interval)
    }

    /// After how long an entry is written again whatever happened.
    pub fn rewrite_interval(&self) -> Option<Duration> {
        self.rewrite_interval.as_deref().and_then(policy::interval)
    }

    /// The explicit entries.
    pub fn entries(&self) -> &[Entry] {
        self.data.as_deref().unwrap_or_default()
    }

    /// The Secrets of which every key is an entry.
    pub fn bulk_sources(&self) -> &[DataFromSource] {
        self.data_from.as_deref().unwrap_or_default()
    }
}
