//! How many accounts are held back, read when metrics are asked for: a pause ends by itself.

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
}

#[derive(Debug)]
pub(super) struct AccountsHeldBack<S>(pub(super) S);

impl<S: AccountStates> Collector for AccountsHeldBack<S> {
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
        Ok(())
    }
}
