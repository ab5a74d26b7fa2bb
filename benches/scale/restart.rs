//! The operator ends by SIGTERM and starts again, with everything synced.

use std::time::Instant;

use super::support::{Bench, FLAGS, Figure, Meter, PATIENCE, wait};

/// The counter of the objects that were looked at.
const UNCHANGED: &str = "reconcile_total{kind=\"ProviderSecret\",result=\"unchanged\"}";

/// Until it is ready, and what it calls until it has looked at every object, which takes a minute.
pub(crate) async fn measure(bench: &mut Bench) {
    let stopping = Instant::now();
    bench.env.operator.terminate().await;
    let stopped = stopping.elapsed().as_secs_f64();
    let count = bench.population.count;
    let mut meter = Meter::start(&bench.env).await;
    let ready = bench.start_operator(&FLAGS).await;
    let looked_at = wait("every object was looked at", PATIENCE, async || {
        let looked_at = bench.counter(UNCHANGED).await;
        (looked_at >= count)
            .then_some(())
            .ok_or_else(|| format!("{looked_at} of {count}"))
    });
    meter.during(&bench.env, looked_at).await;
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
