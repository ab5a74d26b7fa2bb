//! One series set for each object, read from the store when metrics are asked for, so that the
//! series of a deleted object vanish with it.

use std::fmt;

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::gauge::ConstGauge,
};

/// What metrics tell of one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectSample {
    /// The namespace.
    pub namespace: String,
    /// The name.
    pub name: String,
    /// The provider, empty before the first reconcile.
    pub provider: String,
    /// The reason of `Ready`, empty before the first reconcile.
    pub reason: String,
    /// Whether `Ready` is True.
    pub is_ready: bool,
    /// Seconds since the epoch of the last write to the provider.
    pub last_sync: Option<i64>,
}

/// Where the states of all objects come from.
pub trait ObjectSamples: fmt::Debug + Send + Sync + 'static {
    /// The state of every object there is now.
    fn samples(&self) -> Vec<ObjectSample>;
}

#[derive(Debug)]
pub(super) struct Objects<S>(S);

impl<S: ObjectSamples> Objects<S> {
    pub(super) fn new(states: S) -> Self {
        Self(states)
    }
}

impl<S: ObjectSamples> Collector for Objects<S> {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let states = self.0.samples();
        let kind = prometheus_client::metrics::MetricType::Gauge;
        let mut ready = encoder.encode_descriptor(
            "resource_ready",
            "Whether an object is Ready",
            None,
            kind,
        )?;
        for state in &states {
            let labels = [
                ("namespace", state.namespace.as_str()),
                ("name", state.name.as_str()),
                ("provider", state.provider.as_str()),
                ("reason", state.reason.as_str()),
            ];
            ConstGauge::new(i64::from(state.is_ready)).encode(ready.encode_family(&labels)?)?;
        }
        let mut last_sync = encoder.encode_descriptor(
            "resource_last_sync_timestamp_seconds",
            "When anything of an object was last written to its provider",
            None,
            kind,
        )?;
        for state in &states {
            let Some(seconds) = state.last_sync else {
                continue;
            };
            let labels = [
                ("namespace", state.namespace.as_str()),
                ("name", state.name.as_str()),
            ];
            ConstGauge::new(seconds).encode(last_sync.encode_family(&labels)?)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::Metrics;

    #[derive(Debug)]
    struct Many(usize);

    impl ObjectSamples for Many {
        fn samples(&self) -> Vec<ObjectSample> {
            let state = |number| ObjectSample {
                namespace: "team".to_owned(),
                name: format!("object-{number}"),
                provider: "Baseten".to_owned(),
                reason: "Synced".to_owned(),
                is_ready: true,
                last_sync: Some(1),
            };
            (0..self.0).map(state).collect()
        }
    }

    fn series(count: usize) -> usize {
        let metrics = Metrics::default();
        metrics.register_objects(Many(count));
        let text = metrics.render();
        text.lines().filter(|line| !line.starts_with('#')).count()
    }

    /// Cases: S-08
    #[test]
    fn an_object_has_two_series_however_many_there_are() {
        assert_eq!(series(10_000) - series(0), 20_000);
    }
}
