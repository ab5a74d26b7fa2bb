//! Nothing happens.

use std::time::Duration;

use super::support::{Bench, Figure, Meter};

/// Longer than what is confirmed a minute after a write takes.
const SETTLED: Duration = Duration::from_secs(70);

/// What the operator does while nothing changes.
pub(crate) async fn measure(bench: &mut Bench) {
    let mut meter = Meter::start(&bench.env).await;
    meter.quiet(&bench.env, SETTLED).await;
    let meter = Meter::start(&bench.env).await;
    tokio::time::sleep(bench.rest).await;
    let cost = meter.end(&bench.env).await;
    let figures = vec![
        Figure::count("provider writes", cost.provider(true), ""),
        Figure::count("provider reads", cost.provider(false), ""),
        Figure::count("Kubernetes writes", cost.kubernetes_writes(), ""),
        Figure::count("Secret reads", cost.secret_reads(), ""),
        Figure::new(
            "CPU of the operator",
            100.0 * cost.cpu_seconds["operator"] / bench.rest.as_secs_f64(),
            "% of a core",
        ),
    ];
    let count = bench.population.count;
    bench
        .report
        .add("rest", (count, "object"), figures, Some(cost));
}
