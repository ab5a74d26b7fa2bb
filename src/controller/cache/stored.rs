//! An object as the store keeps it: packed, because there may be a hundred thousand of them. Decoded,
//! each takes 3.5 KiB, and packed a seventh of that (docs/performance.md#what-costs-most).

use std::{borrow::Cow, sync::Arc};

use jiff::Timestamp;
use kube::core::ObjectMeta;
use lz4_flex::block::{compress_prepend_size_with_dict, decompress_size_prepended_with_dict};
use serde::{Deserialize, Serialize};

use crate::{
    api::{
        EntryState, ProviderKind, ProviderSecret, ProviderSecretSpec, ProviderSecretStatus, Reason,
    },
    clock,
    controller::{
        object::{Guarded, ready_condition, resource},
        plan::next_due,
    },
    telemetry::ObjectSample,
};

/// What objects have in common: a text that repeats a part of this one takes little room.
const DICTIONARY: &[u8] = include_bytes!("stored/dictionary.json");

/// The states of an entry, and their words in metrics.
const STATES: [(&str, EntryState); 3] = [
    ("Synced", EntryState::Synced),
    ("Failed", EntryState::Failed),
    ("Pending", EntryState::Pending),
];

/// An object as the store keeps it.
#[derive(Clone, Debug, Deserialize)]
#[serde(from = "Guarded")]
pub(crate) struct Stored {
    /// Name, namespace, uid and version. All of its metadata if the object does not decode: a deleted one
    /// is let go by that.
    meta: ObjectMeta,
    /// None if the object does not decode.
    content: Option<Content>,
}

/// The content of an object that decodes.
#[derive(Clone, Debug)]
struct Content {
    packed: Arc<[u8]>,
    /// The earliest time at which an entry has to be written again.
    next_due: Option<Timestamp>,
    sample: Sample,
}

/// What is packed of an object: all but what [`Stored::meta`] has.
#[derive(Serialize, Deserialize)]
struct Packed<'a> {
    metadata: ObjectMeta,
    spec: Cow<'a, ProviderSecretSpec>,
    status: Option<Cow<'a, ProviderSecretStatus>>,
}

/// What metrics tell of an object beside its name.
#[derive(Clone, Debug)]
struct Sample {
    /// None before the first reconcile, as the reason.
    provider: Option<ProviderKind>,
    /// None also where another version of the operator wrote it and this one does not know it.
    reason: Option<Reason>,
    is_ready: bool,
    is_suspended: bool,
    last_sync: Option<i64>,
    /// How many entries are in each of [`STATES`].
    entries: [u32; STATES.len()],
}

impl From<Guarded> for Stored {
    fn from(object: Guarded) -> Self {
        Self::of(&object)
    }
}

impl Stored {
    /// Packs an object.
    pub(crate) fn of(object: &Guarded) -> Self {
        match &object.0 {
            Ok(object) => Self::pack(object),
            Err(meta) => Self {
                meta: ObjectMeta::clone(meta),
                content: None,
            },
        }
    }

    fn pack(object: &ProviderSecret) -> Self {
        let mut rest = object.metadata.clone();
        let meta = ObjectMeta {
            name: rest.name.take(),
            namespace: rest.namespace.take(),
            uid: rest.uid.take(),
            resource_version: rest.resource_version.take(),
            ..ObjectMeta::default()
        };
        let packed = Packed {
            metadata: rest,
            spec: Cow::Borrowed(&object.spec),
            status: object.status.as_ref().map(Cow::Borrowed),
        };
        // Our own types are always JSON.
        let text = serde_json::to_vec(&packed).unwrap_or_default();
        Self {
            meta,
            content: Some(Content {
                packed: compress_prepend_size_with_dict(&text, DICTIONARY).into(),
                next_due: next_due(object, clock::now()),
                sample: Sample::of(object),
            }),
        }
    }

    /// The object, unless it does not decode.
    pub(crate) fn object(&self) -> Option<ProviderSecret> {
        let packed = &self.content.as_ref()?.packed;
        let text = decompress_size_prepended_with_dict(packed, DICTIONARY).ok()?;
        let unpacked: Packed<'_> = serde_json::from_slice(&text).ok()?;
        let meta = self.meta.clone();
        Some(ProviderSecret {
            metadata: ObjectMeta {
                name: meta.name,
                namespace: meta.namespace,
                uid: meta.uid,
                resource_version: meta.resource_version,
                ..unpacked.metadata
            },
            spec: unpacked.spec.into_owned(),
            status: unpacked.status.map(Cow::into_owned),
        })
    }

    /// Whether an entry has to be written again.
    pub(crate) fn is_due(&self, now: Timestamp) -> bool {
        let due = self.content.as_ref().and_then(|content| content.next_due);
        due.is_some_and(|due| due <= now)
    }

    /// What metrics tell of the object, if it decodes.
    pub(crate) fn sample(&self) -> Option<ObjectSample<'_>> {
        let sample = &self.content.as_ref()?.sample;
        Some(ObjectSample {
            namespace: self.meta.namespace.as_deref().unwrap_or_default(),
            name: self.meta.name.as_deref().unwrap_or_default(),
            provider: sample.provider.map_or("", ProviderKind::flag),
            reason: sample.reason.map_or("", Reason::as_str),
            is_ready: sample.is_ready,
            is_suspended: sample.is_suspended,
            last_sync: sample.last_sync,
            entries: std::array::from_fn(|at| (STATES[at].0, sample.entries[at])),
        })
    }
}

impl Sample {
    fn of(object: &ProviderSecret) -> Self {
        let status = object.status.as_ref();
        let conditions = status.map_or(&[][..], |status| &status.conditions);
        // Ready, or Suspended where there is no Ready.
        let reason = conditions.first().map(|first| first.reason.as_str());
        let provider = status.and_then(|status| status.provider.as_deref());
        let count = |state: EntryState| {
            let entries = status.iter().flat_map(|status| &status.entries);
            let count = entries.filter(|entry| entry.state == state).count();
            u32::try_from(count).unwrap_or(u32::MAX)
        };
        Self {
            provider: ProviderKind::ALL
                .into_iter()
                .find(|kind| Some(kind.as_str()) == provider),
            reason: Reason::ALL
                .iter()
                .copied()
                .find(|known| Some(known.as_str()) == reason),
            is_ready: ready_condition(object).is_some_and(|ready| ready.status == "True"),
            is_suspended: object.spec.is_suspended(),
            last_sync: status
                .and_then(|status| status.last_sync_time.as_ref())
                .map(|time| time.0.as_second()),
            entries: STATES.map(|(_, state)| count(state)),
        }
    }
}

resource!(Stored, this => &this.meta, &mut this.meta);

#[cfg(test)]
mod tests;
