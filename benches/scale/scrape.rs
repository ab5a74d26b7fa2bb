//! `/metrics` with the series of each object, as is the default.

use std::time::Instant;

use super::support::{Bench, FLAGS, Figure, Latencies, Meter};

/// Scrapes that are timed.
const SCRAPES: usize = 10;

/// Time and size of a scrape, after a restart of the operator with these series.
pub(crate) async fn measure(bench: &mut Bench) {
    bench.env.operator.terminate().await;
    bench.start_operator(&["--log-level=info"]).await;
    let meter = Meter::start(&bench.env).await;
    let mut latencies = Latencies::default();
    let mut size = 0;
    for _ in 0..SCRAPES {
        let started = Instant::now();
        size = bench.env.operator.get("/metrics").await.1.len();
        latencies.push(started.elapsed().as_secs_f64() * 1000.0);
    }
    let cost = meter.end(&bench.env).await;
    let mut figures = vec![Figure::count("size", size, "bytes")];
    figures.extend(latencies.figures(""));
    bench
        .report
        .add("scrape", (SCRAPES, "scrape"), figures, Some(cost));
    bench.env.operator.terminate().await;
    bench.start_operator(&FLAGS).await;
}
