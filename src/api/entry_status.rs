//! `status.entries`: what the operator wrote and knows of each name.

mod stored;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::stored::StoredEntry;

/// How long a name at the provider may be in status: a key of 253 characters, of which `nameTransform` makes 379,
/// after a prefix of 128.
pub const MAX_NAME: usize = 512;

/// One entry as the operator knows it. Status shows what a person reads beside `record`, which holds
/// the rest.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(from = "StoredEntry", into = "StoredEntry")]
pub struct EntryStatus {
    /// The name at the provider.
    pub name: String,
    /// Whether the provider holds the wanted value.
    pub state: EntryState,
    /// Why the entry is not synced, as a stable word.
    pub reason: Option<String>,
    /// The id of the secret at the provider, where the provider gives one.
    pub remote_id: Option<String>,
    /// When this entry was last written to the provider.
    pub last_write_time: Option<Time>,
    /// The keyed digest of what was written last.
    pub digest: Option<String>,
    /// The digest of what was sent and may still come in at the provider, or `several`.
    pub attempted: Option<String>,
    /// When that was sent last.
    pub attempted_time: Option<Time>,
    /// The version of the secret at the provider after the last write.
    pub remote_version: Option<String>,
    /// What the provider showed of the name before this object wrote it for the first time.
    pub found: Option<Found>,
    /// How often another writer changed or deleted the secret lately.
    pub drift: Option<DriftStatus>,
    /// Whether it is being deleted at the provider, which nothing need confirm any more.
    pub leaving: bool,
    /// Shows that the operator wrote this record.
    pub seal: Option<String>,
}

impl JsonSchema for EntryStatus {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        StoredEntry::schema_name()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        StoredEntry::json_schema(generator)
    }
}

/// What the provider showed of a name before the object wrote it for the first time. It tells which
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

impl Found {
    /// The word for it, which seals of records are made of: another word would break each that is in a cluster.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Absent => "Absent",
            Self::NoSet => "NoSet",
            Self::Foreign => "Foreign",
        }
    }
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
