//! Metrics in the forms of Prometheus. But for names of objects, label values are words of our own.

mod labels;
mod rotations;
mod watches;

use std::{
    iter,
    sync::{Arc, Mutex, OnceLock, PoisonError, atomic::AtomicU64},
    time::Duration,
};

use prometheus_client::{
    encoding::text::encode_registry,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram, info::Info},
    registry::{Registry, Unit},
};

use self::{
    labels::{DriftLabels, ProviderLabel, ReconcileLabels, RequestLabels, WriteLabels},
    rotations::Rotations,
    watches::Watches,
};
use super::{
    AccountStates, ObjectSamples,
    accounts::{AccountGauges, QueuedObjects, UnverifiedObjects},
    exposition::Exposition,
    objects::ObjectSeries,
    process::ProcessMemory,
};
use crate::api::ProviderKind;

/// What the names of all metrics begin with.
pub(super) const PREFIX: &str = "provider_secrets";

/// Upper bounds in seconds. A reconcile that only looks takes under a millisecond, a call to a provider
/// tens to hundreds, and 30 s is the deadline of a call.
const SECONDS: [f64; 12] = [
    0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0,
];

/// What one reconcile ended in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReconcileResult {
    /// Nothing had changed.
    Unchanged,
    /// Every entry is acknowledged.
    Synced,
    /// The object waits, or will be tried again.
    Reconciling,
    /// A person must act.
    Stalled,
    /// The object is suspended.
    Suspended,
    /// A deleted object was let go.
    Deleted,
    /// The reconcile ended early: parked behind its account, or the object is gone.
    Abandoned,
    /// A panic, which is a bug.
    Panicked,
}

impl ReconcileResult {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Unchanged => "unchanged",
            Self::Synced => "synced",
            Self::Reconciling => "reconciling",
            Self::Stalled => "stalled",
            Self::Suspended => "suspended",
            Self::Deleted => "deleted",
            Self::Abandoned => "abandoned",
            Self::Panicked => "panicked",
        }
    }
}

/// The metrics of the process. Cheap to clone.
#[derive(Clone)]
pub struct Metrics(Arc<Inner>);

struct Inner {
    registry: Mutex<Registry>,
    /// What has a name that is not of our own.
    process: Registry,
    objects: OnceLock<Box<dyn ObjectSeries>>,
    reconciles: Family<ReconcileLabels, Counter>,
    reconcile_seconds: Histogram,
    provider_requests: Family<RequestLabels, Counter>,
    provider_seconds: Family<ProviderLabel, Histogram>,
    throttled_seconds: Family<ProviderLabel, Counter<f64, AtomicU64>>,
    keys_written: Family<WriteLabels, Counter>,
    keys_deleted: Family<ProviderLabel, Counter>,
    keys_left_behind: Family<ProviderLabel, Counter>,
    drift_detected: Family<DriftLabels, Counter>,
    rotations: Rotations,
    watches: Watches,
    undecodable: Counter,
    events_dropped: Counter,
    leader: Gauge,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix(PREFIX);
        let mut process = Registry::default();
        process.register_collector(Box::new(ProcessMemory));
        let inner = Inner {
            reconciles: Family::default(),
            reconcile_seconds: histogram(),
            provider_requests: Family::default(),
            provider_seconds: Family::new_with_constructor(histogram),
            throttled_seconds: of_each_provider(),
            keys_written: Family::default(),
            keys_deleted: Family::default(),
            keys_left_behind: of_each_provider(),
            drift_detected: Family::default(),
            rotations: Rotations::default(),
            watches: Watches::default(),
            undecodable: Counter::default(),
            events_dropped: Counter::default(),
            leader: Gauge::default(),
            registry: Mutex::default(),
            process,
            objects: OnceLock::new(),
        };
        let build = Info::new([
            ("version", env!("CARGO_PKG_VERSION")),
            (
                "revision",
                option_env!("PROVIDER_SECRETS_REVISION").unwrap_or("unknown"),
            ),
        ]);
        registry.register("build", "The version of the operator", build);
        registry.register(
            "reconcile",
            "Reconciles of objects, by what they ended in",
            inner.reconciles.clone(),
        );
        registry.register_with_unit(
            "reconcile_duration",
            "How long reconciles took",
            Unit::Seconds,
            inner.reconcile_seconds.clone(),
        );
        registry.register(
            "provider_requests",
            "Requests to providers, by the status of the answer or the reason there was none",
            inner.provider_requests.clone(),
        );
        registry.register_with_unit(
            "provider_request_duration",
            "How long requests to providers took",
            Unit::Seconds,
            inner.provider_seconds.clone(),
        );
        registry.register_with_unit(
            "provider_throttled",
            "How long providers asked accounts to pause, each pause in full when it is asked for",
            Unit::Seconds,
            inner.throttled_seconds.clone(),
        );
        registry.register(
            "keys_written",
            "Entries that a provider acknowledged",
            inner.keys_written.clone(),
        );
        registry.register(
            "keys_deleted",
            "Entries that were deleted at a provider",
            inner.keys_deleted.clone(),
        );
        registry.register(
            "keys_left_behind",
            "Entries that were to be deleted and were left at a provider",
            inner.keys_left_behind.clone(),
        );
        registry.register(
            "drift_detected",
            "Entries that another writer changed or deleted at a provider",
            inner.drift_detected.clone(),
        );
        inner.rotations.register(&mut registry);
        inner.watches.register(&mut registry);
        registry.register(
            "undecodable_objects",
            "ProviderSecrets seen that do not fit the operator's schema",
            inner.undecodable.clone(),
        );
        registry.register(
            "events_dropped",
            "Kubernetes events that were not sent, because there were too many or the API refused",
            inner.events_dropped.clone(),
        );
        registry.register(
            "leader",
            "Whether this process leads: 1, or 0 while it stands by",
            inner.leader.clone(),
        );
        *inner
            .registry
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = registry;
        Self(Arc::new(inner))
    }
}

/// A counter for each provider from the start: Prometheus does not see the growth with which a counter comes.
fn of_each_provider<C: Default>() -> Family<ProviderLabel, C> {
    let family = Family::<ProviderLabel, C>::default();
    for provider in ProviderKind::ALL.map(ProviderKind::flag) {
        drop(family.get_or_create(&ProviderLabel { provider }));
    }
    family
}

fn histogram() -> Histogram {
    Histogram::new(SECONDS)
}

impl Metrics {
    /// Adds series for each object, read from `samples` when metrics are asked for.
    pub fn register_objects(&self, samples: impl ObjectSamples) {
        // A process has one controller.
        let _ = self.0.objects.set(Box::new(samples));
    }

    /// A reconcile ended.
    pub fn reconciled(&self, result: ReconcileResult, elapsed: Duration) {
        let labels = ReconcileLabels {
            kind: "ProviderSecret",
            result: result.as_str(),
        };
        self.0.reconciles.get_or_create(&labels).inc();
        self.0.reconcile_seconds.observe(elapsed.as_secs_f64());
    }

    /// A request to a provider ended.
    pub fn provider_request(
        &self,
        kind: ProviderKind,
        operation: &'static str,
        code: &str,
        elapsed: Duration,
    ) {
        let provider = kind.flag();
        let labels = RequestLabels {
            provider,
            operation,
            code: code.to_owned(),
        };
        self.0.provider_requests.get_or_create(&labels).inc();
        self.0
            .provider_seconds
            .get_or_create(&ProviderLabel { provider })
            .observe(elapsed.as_secs_f64());
    }

    /// Tells how many accounts are held back and how many objects are parked, read from `states` when metrics are asked for.
    pub fn register_accounts(&self, states: impl AccountStates) {
        let mut registry = self
            .0
            .registry
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        registry.register_collector(Box::new(AccountGauges(states)));
    }

    /// Tells how many objects wait in the queue; `objects` counts them when metrics are asked for.
    pub fn register_queue(&self, objects: impl Fn() -> usize + Send + Sync + 'static) {
        let mut registry = self
            .0
            .registry
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        registry.register_collector(Box::new(QueuedObjects(objects)));
    }

    /// Tells how many objects could not be verified; `objects` gives the provider of each when metrics are asked for.
    pub fn register_unverified(
        &self,
        objects: impl Fn() -> Vec<ProviderKind> + Send + Sync + 'static,
    ) {
        let mut registry = self
            .0
            .registry
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        registry.register_collector(Box::new(UnverifiedObjects(objects)));
    }

    /// A provider asked an account to pause for so much longer, if at all. All of it counts at once.
    pub fn paused(&self, kind: ProviderKind, longer: Duration) {
        let provider = kind.flag();
        self.0
            .throttled_seconds
            .get_or_create(&ProviderLabel { provider })
            .inc_by(longer.as_secs_f64());
    }

    /// A provider acknowledged `count` entries; `operation` is what was done with them.
    pub fn keys_written(&self, kind: ProviderKind, operation: &'static str, count: usize) {
        if count > 0 {
            let provider = kind.flag();
            let labels = WriteLabels {
                provider,
                operation,
            };
            let counter = self.0.keys_written.get_or_create(&labels);
            counter.inc_by(count as u64);
        }
    }

    /// `count` entries were deleted at a provider.
    pub fn keys_deleted(&self, kind: ProviderKind, count: usize) {
        add(&self.0.keys_deleted, kind, count);
    }

    /// `count` entries that were to be deleted were left at a provider.
    pub fn keys_left_behind(&self, kind: ProviderKind, count: usize) {
        add(&self.0.keys_left_behind, kind, count);
    }

    /// Another writer touched `count` entries at a provider, in the way that `drift` names.
    pub fn drift_detected(&self, kind: ProviderKind, drift: &'static str, count: usize) {
        if count > 0 {
            let labels = DriftLabels {
                provider: kind.flag(),
                kind: drift,
            };
            let counter = self.0.drift_detected.get_or_create(&labels);
            counter.inc_by(count as u64);
        }
    }

    /// An object was seen that does not decode.
    pub fn undecodable(&self) {
        self.0.undecodable.inc();
    }

    /// An event was not sent.
    pub fn event_dropped(&self) {
        self.0.events_dropped.inc();
    }

    /// Whether this process leads.
    pub fn leads(&self, leads: bool) {
        self.0.leader.set(i64::from(leads));
    }

    /// Everything in OpenMetrics, in one text.
    #[must_use]
    pub fn render(&self) -> String {
        self.chunks(Exposition::OpenMetrics).collect()
    }

    /// Everything, in texts that are short and quick to make. The objects are those of now.
    pub(super) fn chunks(
        &self,
        exposition: Exposition,
    ) -> impl Iterator<Item = String> + Send + use<> {
        let objects = self.0.objects.get().map(|objects| objects.chunks());
        iter::once(exposition.families(self.families()))
            .chain(objects.into_iter().flatten())
            .chain(iter::once(exposition.end().to_owned()))
            .filter(|chunk| !chunk.is_empty())
    }

    /// All but the series of objects, in OpenMetrics.
    fn families(&self) -> String {
        let mut text = String::new();
        let registry = self
            .0
            .registry
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        // Writing to a String does not fail.
        let _ = encode_registry(&mut text, &registry);
        let _ = encode_registry(&mut text, &self.0.process);
        text
    }
}

/// A counter has a series for a provider as soon as there is something to count.
fn add(family: &Family<ProviderLabel, Counter>, kind: ProviderKind, count: usize) {
    if count > 0 {
        let provider = kind.flag();
        family
            .get_or_create(&ProviderLabel { provider })
            .inc_by(count as u64);
    }
}

#[cfg(test)]
mod tests;
