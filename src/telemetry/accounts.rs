//! How many accounts are held back and how many objects wait for them, read when metrics are asked for: a pause ends
//! by itself.

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
        let mut parked: BTreeMap<&str, u64> = BTreeMap::new();
        for (kind, objects) in self.0.parked() {
            *parked.entry(kind.flag()).or_default() += objects as u64;
        }
        let mut family = encoder.encode_descriptor(
            "objects_parked",
            "Objects that wait for a permit to call their provider",
            None,
            MetricType::Gauge,
        )?;
        for (provider, objects) in parked {
            ConstGauge::new(objects).encode(family.encode_family(&[("provider", provider)])?)?;
        }
        Ok(())
    }
}
