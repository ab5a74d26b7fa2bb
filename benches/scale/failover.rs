//! One of two processes goes, and the other one takes over.

use futures::join;
use tokio::time::Instant;

use super::support::{Bench, FLAGS, Latencies, Meter, milliseconds};

/// How often the leader goes in each way.
const ROUNDS: usize = 5;
/// The lease of an installation, where the tests have a longer one.
const LEASE: [&str; 2] = [
    "--leader-election-lease-duration=15s",
    "--leader-election-renew-deadline=10s",
];

/// Milliseconds from the signal until a provider had what was rotated right after it.
pub(crate) async fn measure(bench: &mut Bench) {
    let flags = [&FLAGS[..], &LEASE[..]].concat();
    // The lease of the scenarios before is longer.
    bench.env.operator.terminate().await;
    bench.start_operator(&flags).await;
    let meter = Meter::start(&bench.env).await;
    let (mut told, mut killed) = (Latencies::default(), Latencies::default());
    for round in 0..2 * ROUNDS {
        let standby = bench.env.further(&flags).await;
        let leader = std::mem::replace(&mut bench.env.operator, standby);
        let gone = Instant::now();
        let rotation = bench.population.rotated(&bench.env, round);
        let (times, (_, received)) = if round < ROUNDS {
            let ((_, rotated), times) = (join!(leader.terminate(), rotation), &mut told);
            (times, rotated)
        } else {
            leader.kill().await;
            (&mut killed, rotation.await)
        };
        times.push(milliseconds(received, gone));
    }
    let cost = meter.end(&bench.env).await;
    let mut figures = told.figures("SIGTERM ");
    figures.extend(killed.figures("SIGKILL "));
    bench
        .report
        .add("failover", (2 * ROUNDS, "failover"), figures, Some(cost));
}
