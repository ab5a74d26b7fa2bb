//! A stale cache of the API server: lists and watches show the state at a version, while reads and writes of one object
//! see the current one.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Resource, Store};

impl Store {
    /// The versions of the changes of a resource.
    pub(in crate::faults::simulation) fn versions(&self, resource: Resource) -> Vec<u64> {
        let state = self.lock();
        let changes = state.history.iter();
        let changes = changes.filter(|change| change.resource == resource);
        changes.map(|change| change.version).collect()
    }

    /// Lists and watches of a resource end at a version.
    pub(in crate::faults::simulation) fn serve_stale(&self, resource: Resource, version: u64) {
        self.lock().stale_at.insert(resource, version);
    }

    /// Watches go on from there, step by step.
    pub(in crate::faults::simulation) fn serve_current(&self) {
        self.lock().stale_at.clear();
        self.changed.send_modify(|count| *count += 1);
    }

    /// What a list shows, and the version that it is of.
    pub(super) fn shown(&self, resource: Resource, namespace: Option<&str>) -> (u64, Vec<Value>) {
        let present = self.list(resource, namespace);
        let state = self.lock();
        let Some(last) = state.stale_at.get(&resource) else {
            return (state.version, present);
        };
        let mut shown = BTreeMap::new();
        for change in &state.history {
            let metadata = &change.object["metadata"];
            let is_asked = namespace.is_none_or(|asked| metadata["namespace"] == asked);
            if change.resource != resource || change.version > *last || !is_asked {
                continue;
            }
            let name = (
                metadata["namespace"].to_string(),
                metadata["name"].to_string(),
            );
            if change.kind == "DELETED" {
                shown.remove(&name);
            } else {
                shown.insert(name, change.object.clone());
            }
        }
        (*last, shown.into_values().collect())
    }
}
