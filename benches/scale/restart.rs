//! The operator ends by SIGTERM and starts again, with everything synced.

use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::support::{Bench, FLAGS, Figure, Meter};

/// How long calls are counted after it is ready: the time of its first look at every object.
const FIRST_LOOK: Duration = Duration::from_secs(65);

/// Until it is ready, and what it calls until it has looked at every object.
pub(crate) async fn measure(bench: &mut Bench) {
    let stopping = Instant::now();
    bench.env.operator.terminate().await;
    let stopped = stopping.elapsed().as_secs_f64();
    let count = bench.population.count;
    let meter = Meter::start(&bench.env).await;
    let ready = bench.start_operator(&FLAGS).await;
    sleep(FIRST_LOOK).await;
    let looked_at = bench.counter("reconcile_total{result=\"unchanged\"}").await;
    assert!(looked_at >= count, "{looked_at} of {count} were looked at");
    let cost = meter.end(&bench.env).await;
    let figures = vec![
        Figure::new("stopped", stopped, "s"),
        Figure::new("ready", ready, "s"),
        Figure::count(
            "provider calls",
            cost.provider(true) + cost.provider(false),
            "",
        ),
        Figure::count("Kubernetes writes", cost.kubernetes_writes(), ""),
        Figure::count("Secret reads", cost.secret_reads(), ""),
    ];
    bench
        .report
        .add("restart", (count, "object"), figures, Some(cost));
}
