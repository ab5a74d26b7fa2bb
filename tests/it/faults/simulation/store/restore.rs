//! A data store that is put back from a snapshot, or moved to a new one in which versions begin anew.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Id, Resource, Store};

/// How far versions go on above those of before.
const BUMP: u64 = 1_000_000;

/// What a snapshot of the data store holds.
pub(in crate::faults::simulation) struct Snapshot {
    version: u64,
    objects: BTreeMap<Id, Value>,
}

impl Snapshot {
    /// What there was of a resource, if that is newer than the data store.
    pub(super) fn shown(
        &self,
        version: u64,
        resource: Resource,
        namespace: Option<&str>,
    ) -> Option<(u64, Vec<Value>)> {
        let is_asked = |id: &Id| id.0 == resource && namespace.is_none_or(|name| name == id.1);
        let objects = self.objects.iter().filter(|(id, _)| is_asked(id));
        let objects = objects.map(|(_, object)| object.clone()).collect();
        (version < self.version).then_some((self.version, objects))
    }
}

impl Store {
    /// Keeps everything as it is now.
    pub(in crate::faults::simulation) fn snapshot(&self) -> Snapshot {
        let state = self.lock();
        Snapshot {
            version: state.version,
            objects: state.objects.clone(),
        }
    }

    /// Puts a snapshot back. Open watches stay open, and silent until the versions have caught up. With
    /// `goes_on` the versions go on from far above, and those of before are forgotten.
    pub(in crate::faults::simulation) fn restore(&self, snapshot: &Snapshot, goes_on: bool) {
        let kept = self.snapshot();
        let mut state = self.lock();
        let newest = state.version;
        state.kept = Some(kept);
        state.version = snapshot.version;
        state.objects.clone_from(&snapshot.objects);
        state
            .history
            .retain(|change| change.version <= snapshot.version);
        if goes_on {
            state.version = newest + BUMP;
            state.history.clear();
            let compacted = state.version;
            for resource in [Resource::ProviderSecrets, Resource::Secrets] {
                state.compacted.insert(resource, compacted);
            }
            drop(state);
            self.changed.send_modify(|count| *count += 1);
        }
    }

    /// Gives every object a new version, from 1 on: what a backup does that is restored into a new
    /// data store. No watch survives that.
    pub(in crate::faults::simulation) fn renumber(&self) {
        let mut state = self.lock();
        let mut version = 0;
        for object in state.objects.values_mut() {
            version += 1;
            object["metadata"]["resourceVersion"] = version.to_string().into();
        }
        state.version = version;
        state.history.clear();
    }
}
