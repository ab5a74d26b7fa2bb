//! One object with as many entries as an object may have.

use std::{collections::BTreeMap, time::Duration};

use serde_json::{Map, Value, json};
use tokio::time::Instant;

use super::support::{Bench, Figure, Meter, PATIENCE, Tenant, milliseconds, value, wait};
use crate::it::harness::Target;

/// The most that an object may have.
const ENTRIES: usize = 500;
const NAME: &str = "many";

/// At each API: all entries for the first time, one of them rotated, all of them rotated.
pub(crate) async fn measure(bench: &mut Bench) {
    for target in Target::ALL {
        at(bench, target).await;
    }
}

async fn at(bench: &mut Bench, target: Target) {
    let api = format!("{target:?}");
    let env = &bench.env;
    let tenant = Tenant::new(env, target, &format!("many-{}", api.to_lowercase())).await;
    let mut values: BTreeMap<String, String> = (0..ENTRIES)
        .map(|number| (format!("ENTRY_{number}"), value("many", number)))
        .collect();
    let data: Vec<(&str, &str)> = values
        .iter()
        .map(|(key, value)| (key.as_str(), value.as_str()))
        .collect();
    tenant.secret(NAME, &data).await;

    let mut meter = Meter::start(env).await;
    tenant
        .object(NAME, json!({"dataFrom": [{"secretRef": {"name": NAME}}]}))
        .await;
    let first = seconds_until(&tenant, &values).await;
    meter.quiet(env, Duration::from_millis(1500)).await;

    let changed = ("ENTRY_7".to_owned(), value("one", 7));
    let patch = json!({&changed.0: &changed.1});
    values.extend([changed]);
    tenant.change(NAME, &patch).await;
    let one = seconds_until(&tenant, &values).await;
    meter.quiet(env, Duration::from_millis(1500)).await;

    for (number, value) in values.values_mut().enumerate() {
        *value = super::support::value("all", number);
    }
    let patch: Map<String, Value> = values
        .iter()
        .map(|(key, value)| (key.clone(), value.as_str().into()))
        .collect();
    tenant.change(NAME, &patch.into()).await;
    let all = seconds_until(&tenant, &values).await;
    meter.quiet(env, Duration::from_millis(1500)).await;
    let cost = meter.end(env).await;
    let figures = vec![
        Figure::new("all for the first time", first, "s"),
        Figure::new("one rotated", one, "s"),
        Figure::new("all rotated", all, "s"),
    ];
    tenant.delete([NAME.to_owned()]).await;
    let name = format!("many-entries-{}", api.to_lowercase());
    bench
        .report
        .add(&name, (ENTRIES, "entry"), figures, Some(cost));
}

/// Seconds until the provider holds exactly these.
async fn seconds_until(tenant: &Tenant, values: &BTreeMap<String, String>) -> f64 {
    let started = Instant::now();
    let scope = if tenant.target == Target::Pipecat {
        Some(NAME.to_owned())
    } else {
        tenant.target.scope(&tenant.namespace)
    };
    wait("the provider holds every entry", PATIENCE, async || {
        let held = tenant.account.values(scope.as_deref());
        let right = held
            .iter()
            .filter(|(name, value)| values.get(*name) == Some(*value));
        let right = right.count();
        (right == values.len())
            .then_some(())
            .ok_or_else(|| format!("{right} are right"))
    })
    .await;
    milliseconds(Instant::now(), started) / 1000.0
}
