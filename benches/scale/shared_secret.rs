//! A thousand objects read one Secret, and it changes.

use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;

use super::support::{
    Bench, Figure, Latencies, Meter, PATIENCE, Tenant, arrival, in_parallel, milliseconds,
    one_entry, value, wait,
};
use crate::it::harness::{Target, TestEnv};

/// Objects that read it.
const READERS: usize = 1_000;
const SECRET: &str = "shared";

/// How often the Secret is read for one change, and when each entry has arrived.
pub(crate) async fn measure(bench: &mut Bench) {
    let env = &bench.env;
    let tenant = Tenant::new(env, Target::BasetenTeam, "shared").await;
    let (first, second) = (value("shared", 1), value("shared", 2));
    let start = env.simulator().last_sequence();
    tenant.secret(SECRET, &[("key", &first)]).await;
    let name = |number: usize| format!("shared-{number}");
    in_parallel(0..READERS, async |number| {
        let entry = format!("SHARED_{number}");
        tenant
            .object(&name(number), one_entry(&entry, SECRET))
            .await;
    })
    .await;
    arrivals(env, start, &first).await;
    let mut meter = Meter::start(env).await;
    meter.quiet(env, Duration::from_secs(2)).await;

    let mut meter = Meter::start(env).await;
    tenant.change(SECRET, &json!({"key": second})).await;
    let answered = Instant::now();
    let arriving = arrivals(env, meter.sequence(), &second);
    let arrived = meter.during(env, arriving).await;
    meter.quiet(env, Duration::from_secs(1)).await;
    let cost = meter.end(env).await;
    let mut latencies = Latencies::default();
    for time in arrived {
        latencies.push(milliseconds(time, answered));
    }
    let secret = (tenant.namespace.clone(), SECRET.to_owned());
    let reads = cost.secret_reads.get(&secret).copied().unwrap_or(0);
    let mut figures = vec![Figure::count("GETs of the Secret", reads, "")];
    figures.extend(latencies.figures(""));
    tenant.delete((0..READERS).map(name)).await;
    bench
        .report
        .add("shared-secret", (READERS, "reader"), figures, Some(cost));
}

/// Waits until each reader has sent this value; when each was taken.
async fn arrivals(env: &TestEnv, sequence: u64, value: &str) -> Vec<Instant> {
    wait("every reader has sent the value", PATIENCE, async || {
        let requests = env.simulator().requests_since(sequence);
        let arrived: Vec<Instant> = requests
            .iter()
            .filter_map(|request| arrival(request, value))
            .collect();
        let count = arrived.len();
        (count >= READERS)
            .then_some(arrived)
            .ok_or_else(|| format!("{count} of {READERS}"))
    })
    .await
}
