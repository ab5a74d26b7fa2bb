//! One Secret after the other is rotated, and nothing else happens.

use std::time::Duration;

use super::support::{Bench, Latencies, Meter};

/// Rotations that are timed.
const ROTATIONS: usize = 200;

/// Milliseconds from the API server's answer to the change of a Secret until the provider had the value.
pub(crate) async fn measure(bench: &mut Bench) {
    let count = ROTATIONS.min(bench.population.count);
    let mut meter = Meter::start(&bench.env).await;
    let mut latencies = Latencies::default();
    for index in 0..count {
        latencies.push(bench.population.rotate(&bench.env, index).await);
    }
    meter.quiet(&bench.env, Duration::from_secs(1)).await;
    let cost = meter.end(&bench.env).await;
    let milliseconds = latencies.sorted();
    let figures = latencies.figures("");
    bench
        .report
        .add("rotation", (count, "rotation"), figures, Some(cost));
    bench.report.add_times(milliseconds);
}
