//! The metric of rotations.

use std::time::Duration;

use prometheus_client::{
    metrics::{family::Family, histogram::Histogram},
    registry::{Registry, Unit},
};

use super::{Metrics, labels::ProviderLabel};
use crate::api::ProviderKind;

/// Upper bounds in seconds. A rotation takes a few calls, or as long as a provider is down or its key is refused.
const SECONDS: [f64; 12] = [
    0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0, 60.0, 300.0, 3600.0,
];

/// How long rotations took.
pub(super) struct Rotations(Family<ProviderLabel, Histogram>);

impl Default for Rotations {
    fn default() -> Self {
        Self(Family::new_with_constructor(|| Histogram::new(SECONDS)))
    }
}

impl Rotations {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register_with_unit(
            "rotation_duration",
            "How long it took from a change of a Secret until its provider had acknowledged all of an object",
            Unit::Seconds,
            self.0.clone(),
        );
    }
}

impl Metrics {
    /// What a Secret changed of an object is acknowledged.
    pub fn rotated(&self, kind: ProviderKind, elapsed: Duration) {
        let provider = kind.flag();
        let rotations = &self.0.rotations.0;
        rotations
            .get_or_create(&ProviderLabel { provider })
            .observe(elapsed.as_secs_f64());
    }
}
