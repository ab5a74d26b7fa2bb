//! A Secret that changes a hundred times a second.

use std::time::Duration;

use serde_json::json;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::support::{Bench, Figure, Meter, PATIENCE, Tenant, arrival, milliseconds, value, wait};
use crate::it::harness::Target;

/// Changes a second.
const RATE: u32 = 100;
const DURATION: Duration = Duration::from_mins(1);
const NAME: &str = "hot";

/// Provider writes in a minute of changes, and when the last value has arrived.
pub(crate) async fn measure(bench: &mut Bench) {
    let env = &bench.env;
    let tenant = Tenant::new(env, Target::BasetenTeam, "hot").await;
    let start = env.simulator().last_sequence();
    let first = value("hot", 0);
    tenant.pair(NAME, "HOT", &first).await;
    wait("the first value arrives", PATIENCE, async || {
        let requests = env.simulator().requests_since(start);
        let arrived = requests.iter().find_map(|request| arrival(request, &first));
        arrived.ok_or_else(|| "it has not".to_owned())
    })
    .await;
    let mut meter = Meter::start(env).await;
    meter.quiet(env, Duration::from_secs(2)).await;

    let mut meter = Meter::start(env).await;
    let mut ticks = interval(Duration::from_secs(1) / RATE);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut changes = 0;
    let started = Instant::now();
    while started.elapsed() < DURATION {
        ticks.tick().await;
        changes += 1;
        let value = value("hot", changes);
        tenant.change(NAME, &json!({"key": value})).await;
    }
    let answered = Instant::now();
    let requests = env.simulator().requests_since(meter.sequence());
    let writes = requests.iter().filter(|request| request.is_write()).count();
    let last = value("hot", changes);
    let arrived = wait("the last value arrives", PATIENCE, async || {
        let requests = env.simulator().requests_since(meter.sequence());
        let arrived = requests.iter().find_map(|request| arrival(request, &last));
        arrived.ok_or_else(|| "it has not".to_owned())
    })
    .await;
    meter.quiet(env, Duration::from_secs(2)).await;
    let cost = meter.end(env).await;
    let figures = vec![
        Figure::count("changes", changes, "in 60 s"),
        Figure::count("provider writes", writes, "in 60 s"),
        Figure::new("last value after", milliseconds(arrived, answered), "ms"),
    ];
    tenant.delete([NAME.to_owned()]).await;
    bench
        .report
        .add("hot-source", (changes, "change"), figures, Some(cost));
}
