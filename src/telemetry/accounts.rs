//! How many accounts are held back, and how many objects wait, in the queue or for an account, or could not be
//! verified: read when metrics are asked for, because a pause ends by itself.

use std::{collections::BTreeMap, fmt};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::{MetricType, gauge::ConstGauge},
};

use crate::api::{ProviderKind, Reason};

/// Where the states of all accounts come from.
pub trait AccountStates: fmt::Debug + Send + Sync + 'static {
    /// One for each account whose objects are held back now, and why.
    fn held_back(&self) -> Vec<(ProviderKind, Reason)>;

    /// One for each account, with the number of its objects that wait for a permit.
    fn parked(&self) -> Vec<(ProviderKind, usize)>;
}

#[derive(Debug)]
pub(super) struct AccountGauges<S>(pub(super) S);

impl<S: AccountStates> Collector for AccountGauges<S> {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let mut counts: BTreeMap<(&str, &str), i64> = BTreeMap::new();
        for (kind, reason) in self.0.held_back() {
            *counts.entry((kind.flag(), reason.as_str())).or_default() += 1;
        }
        let mut family = encoder.encode_descriptor(
            "accounts_held_back",
            "Accounts whose objects may not call, or only now and then, by the reason",
            None,
            MetricType::Gauge,
        )?;
        for ((provider, reason), count) in counts {
            let labels = [("provider", provider), ("reason", reason)];
            ConstGauge::new(count).encode(family.encode_family(&labels)?)?;
        }
        let parked = self.0.parked().into_iter();
        let help = "Objects that wait for a permit to call their provider";
        encode_objects(&mut encoder, "objects_parked", help, parked)
    }
}

/// Reads the provider of each object that could not be verified.
pub(super) struct UnverifiedObjects<F>(pub(super) F);

impl<F: Fn() -> Vec<ProviderKind> + Send + Sync + 'static> Collector for UnverifiedObjects<F> {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let objects = self.0().into_iter().map(|kind| (kind, 1));
        let help = "Objects with synced entries that could not be compared with their account for three intervals";
        encode_objects(&mut encoder, "objects_unverified", help, objects)
    }
}

impl<F> fmt::Debug for UnverifiedObjects<F> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("UnverifiedObjects")
    }
}

/// Reads how many objects wait in the queue.
pub(super) struct QueuedObjects<F>(pub(super) F);

impl<F: Fn() -> usize + Send + Sync + 'static> Collector for QueuedObjects<F> {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let help = "Objects that wait for a free place among the reconciles";
        let gauge = encoder.encode_descriptor("objects_queued", help, None, MetricType::Gauge)?;
        ConstGauge::new(self.0() as u64).encode(gauge)
    }
}

impl<F> fmt::Debug for QueuedObjects<F> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("QueuedObjects")
    }
}

/// Encodes a gauge of objects by their provider.
fn encode_objects(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    objects: impl Iterator<Item = (ProviderKind, usize)>,
) -> Result<(), fmt::Error> {
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    for (kind, count) in objects {
        *counts.entry(kind.flag()).or_default() += count as u64;
    }
    let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
    for (provider, count) in counts {
        ConstGauge::new(count).encode(family.encode_family(&[("provider", provider)])?)?;
    }
    Ok(())
}
