//! The metrics of the watches.

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::{Registry, Unit},
};

use super::Metrics;

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct KindLabel {
    kind: &'static str,
}

/// What the watches of a kind have shown.
#[derive(Default)]
pub(super) struct Watches {
    last_event: Family<KindLabel, Gauge>,
    deaf: Family<KindLabel, Counter>,
}

impl Watches {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register_with_unit(
            "watch_last_event_timestamp",
            "When a watch of the kind last showed something, as a Unix time",
            Unit::Seconds,
            self.last_event.clone(),
        );
        registry.register(
            "watch_deaf",
            "Watches that were begun anew because they did not show what had changed",
            self.deaf.clone(),
        );
    }
}

impl Metrics {
    /// Watches of a kind begin. The counter is there from now on, because Prometheus does not see a first event with which
    /// a counter comes.
    pub fn watch_begins(&self, kind: &'static str) {
        let deaf = &self.0.watches.deaf;
        deaf.get_or_create(&KindLabel { kind }).inc_by(0);
    }

    /// A watch of a kind showed something now.
    pub fn watch_heard(&self, kind: &'static str) {
        let last_event = &self.0.watches.last_event;
        let now = crate::clock::now().as_second();
        last_event.get_or_create(&KindLabel { kind }).set(now);
    }

    /// A watch of a kind is begun anew because it was deaf.
    pub fn watch_was_deaf(&self, kind: &'static str) {
        let deaf = &self.0.watches.deaf;
        deaf.get_or_create(&KindLabel { kind }).inc();
    }
}
