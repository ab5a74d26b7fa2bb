//! The states of all objects, for the metrics.

use std::sync::Arc;

use kube::runtime::reflector::Store;

use crate::{
    controller::cache::Stored,
    telemetry::{ObjectSample, ObjectSamples},
};

/// Reads the store when metrics are asked for.
#[derive(Debug)]
pub(crate) struct StoreSamples(pub(crate) Store<Stored>);

impl ObjectSamples for StoreSamples {
    type Object = Arc<Stored>;

    fn objects(&self) -> Vec<Arc<Stored>> {
        self.0.state()
    }

    fn sample(object: &Arc<Stored>) -> Option<ObjectSample<'_>> {
        object.sample()
    }
}
