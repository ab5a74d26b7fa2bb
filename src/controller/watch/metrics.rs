//! The states of all objects, for the metrics.

use kube::{ResourceExt, runtime::reflector::Store};

use crate::{
    api::READY,
    controller::object::Guarded,
    telemetry::{ObjectSample, ObjectSamples},
};

/// Reads the store when metrics are asked for.
#[derive(Debug)]
pub(crate) struct StoreSamples(pub(crate) Store<Guarded>);

impl ObjectSamples for StoreSamples {
    fn samples(&self) -> Vec<ObjectSample> {
        self.0
            .state()
            .iter()
            .filter_map(|object| object.0.as_ref().ok())
            .map(|object| {
                let status = object.status.as_ref();
                let ready = status.and_then(|status| {
                    status
                        .conditions
                        .iter()
                        .find(|condition| condition.r#type == READY)
                });
                // Ready, or Suspended where there is no Ready.
                let first = status.and_then(|status| status.conditions.first());
                ObjectSample {
                    namespace: object.namespace().unwrap_or_default(),
                    name: object.name_any(),
                    provider: status
                        .and_then(|status| status.provider.clone())
                        .unwrap_or_default(),
                    reason: first.map(|first| first.reason.clone()).unwrap_or_default(),
                    is_ready: ready.is_some_and(|ready| ready.status == "True"),
                    last_sync: status
                        .and_then(|status| status.last_sync_time.as_ref())
                        .map(|time| time.0.as_second()),
                }
            })
            .collect()
    }
}
