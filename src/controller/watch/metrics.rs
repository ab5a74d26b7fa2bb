//! The states of all objects, for the metrics.

use std::sync::Arc;

use kube::runtime::reflector::Store;

use crate::{
    api::{EntryState, READY},
    controller::object::Guarded,
    telemetry::{ObjectSample, ObjectSamples},
};

/// Reads the store when metrics are asked for.
#[derive(Debug)]
pub(crate) struct StoreSamples(pub(crate) Store<Guarded>);

impl ObjectSamples for StoreSamples {
    type Object = Arc<Guarded>;

    fn objects(&self) -> Vec<Arc<Guarded>> {
        self.0.state()
    }

    fn sample(object: &Arc<Guarded>) -> Option<ObjectSample<'_>> {
        let object = object.0.as_ref().ok()?;
        let status = object.status.as_ref();
        let mut conditions = status.iter().flat_map(|status| &status.conditions);
        // Ready, or Suspended where there is no Ready.
        let first = conditions.clone().next();
        let ready = conditions.find(|condition| condition.r#type == READY);
        let last_sync = status.and_then(|status| status.last_sync_time.as_ref());
        let count = |state: EntryState| {
            let entries = status.iter().flat_map(|status| &status.entries);
            entries.filter(|entry| entry.state == state).count()
        };
        Some(ObjectSample {
            namespace: object.metadata.namespace.as_deref().unwrap_or_default(),
            name: object.metadata.name.as_deref().unwrap_or_default(),
            provider: status
                .and_then(|status| status.provider.as_deref())
                .unwrap_or_default(),
            reason: first.map_or("", |first| first.reason.as_str()),
            is_ready: ready.is_some_and(|ready| ready.status == "True"),
            is_suspended: object.spec.is_suspended(),
            last_sync: last_sync.map(|time| time.0.as_second()),
            entries: [
                ("Synced", count(EntryState::Synced)),
                ("Failed", count(EntryState::Failed)),
                ("Pending", count(EntryState::Pending)),
            ],
        })
    }
}
