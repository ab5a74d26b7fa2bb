//! How an entry stands in status: what a person reads, and beside it `record`, which the operator
//! reads.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{DriftStatus, EntryState, EntryStatus, Found, MAX_NAME};

/// One entry as the operator knows it.
#[derive(JsonSchema, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "EntryStatus")]
pub(super) struct StoredEntry {
    /// The name at the provider.
    #[schemars(length(max = MAX_NAME))]
    name: String,

    /// Whether the provider holds the wanted value. Synced: it has acknowledged it. Failed: the value
    /// could not be written; the reason says why. Pending: it is being written, or the outcome of the
    /// last write is not known.
    state: EntryState,

    /// Why the entry is not synced, as a stable word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    reason: Option<String>,

    /// The id of the secret at the provider, where the provider gives one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    remote_id: Option<String>,

    /// When this entry was last written to the provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last_write_time: Option<Time>,

    /// What the operator has to remember of the entry. People need not read it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    record: Option<EntryRecord>,

    /// Where older operators kept record.digest. It is read, and not written.
    #[serde(default, skip_serializing)]
    #[schemars(length(max = 64))]
    digest: Option<String>,

    /// Where older operators kept record.attempted. It is read, and not written.
    #[serde(default, skip_serializing)]
    #[schemars(length(max = 64))]
    attempted: Option<String>,

    /// Where older operators kept record.remoteVersion. It is read, and not written.
    #[serde(default, skip_serializing)]
    #[schemars(length(max = 64))]
    remote_version: Option<String>,

    /// Where older operators kept record.found. It is read, and not written.
    #[serde(default, skip_serializing)]
    found: Option<Found>,

    /// Where older operators kept record.drift. It is read, and not written.
    #[serde(default, skip_serializing)]
    drift: Option<DriftStatus>,

    /// Where older operators kept record.seal. It is read, and not written.
    #[serde(default, skip_serializing)]
    #[schemars(length(max = 64))]
    seal: Option<String>,
}

/// What the operator has to remember of an entry.
#[derive(JsonSchema, Serialize, Deserialize, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub(super) struct EntryRecord {
    /// A keyed digest of what was written last. It tells which entry of a changed Secret really
    /// changed; it cannot be compared between entries, objects or API keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    digest: Option<String>,

    /// The digest of what was sent and may still come in at the provider, because its outcome is
    /// not known; `several` where that may be another value than the one acknowledged. Then it is written
    /// once more after a minute, and this is gone then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    attempted: Option<String>,

    /// When that was sent last, to the minute: what the provider shows to be written long after it is
    /// another writer's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    attempted_time: Option<Time>,

    /// The version of the secret at the provider after the last write, where the provider gives
    /// one: the time of its last change or of its creation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    remote_version: Option<String>,

    /// What the provider showed of the name before this object wrote it for the first time. It
    /// tells which secrets may be deleted under deletionPolicy Delete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    found: Option<Found>,

    /// How often another writer changed or deleted the secret lately.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    drift: Option<DriftStatus>,

    /// Whether the secret is being deleted at the provider, because the entry is no longer wanted.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    leaving: bool,

    /// Shows that the operator wrote this record: it is made with the API key, from the name, the
    /// id, the versions and the times. A record that was edited by another writer is not
    /// believed, and nothing is deleted because of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    seal: Option<String>,
}

impl From<StoredEntry> for EntryStatus {
    fn from(stored: StoredEntry) -> Self {
        let record = stored.record.unwrap_or(EntryRecord {
            digest: stored.digest,
            attempted: stored.attempted,
            attempted_time: None,
            remote_version: stored.remote_version,
            found: stored.found,
            drift: stored.drift,
            leaving: false,
            seal: stored.seal,
        });
        Self {
            name: stored.name,
            state: stored.state,
            reason: stored.reason,
            remote_id: stored.remote_id,
            last_write_time: stored.last_write_time,
            digest: record.digest,
            attempted: record.attempted,
            attempted_time: record.attempted_time,
            remote_version: record.remote_version,
            found: record.found,
            drift: record.drift,
            leaving: record.leaving,
            seal: record.seal,
        }
    }
}

impl From<EntryStatus> for StoredEntry {
    fn from(entry: EntryStatus) -> Self {
        let record = EntryRecord {
            digest: entry.digest,
            attempted: entry.attempted,
            attempted_time: entry.attempted_time,
            remote_version: entry.remote_version,
            found: entry.found,
            drift: entry.drift,
            leaving: entry.leaving,
            seal: entry.seal,
        };
        Self {
            name: entry.name,
            state: entry.state,
            reason: entry.reason,
            remote_id: entry.remote_id,
            last_write_time: entry.last_write_time,
            record: (record != EntryRecord::default()).then_some(record),
            digest: None,
            attempted: None,
            remote_version: None,
            found: None,
            drift: None,
            seal: None,
        }
    }
}
