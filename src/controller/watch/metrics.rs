//! The states of all objects, for the metrics.

use kube::runtime::reflector::Store;

use crate::{
    controller::cache::Stored,
    telemetry::{ObjectSample, ObjectSamples},
};

/// Reads the store when metrics are asked for.
#[derive(Debug)]
pub(crate) struct StoreSamples(pub(crate) Store<Stored>);

impl ObjectSamples for StoreSamples {
    fn samples(&self) -> Vec<ObjectSample> {
        let objects = self.0.state();
        objects
            .iter()
            .filter_map(|object| object.sample())
            .collect()
    }
}
