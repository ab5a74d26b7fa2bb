//! What all scenarios use: the environment with its objects, and what is measured around them.

mod arrivals;
mod latency;
mod machine;
mod memory_limit;
mod meter;
mod population;
mod process;
mod report;

use std::time::Duration;

use cluster::Cluster;
use tokio::time::Instant;

pub(crate) use self::{
    arrivals::{Arrivals, arrival, texts},
    latency::Latencies,
    machine::Machine,
    memory_limit::MemoryLimit,
    meter::{Cost, Meter},
    population::{
        INTERVAL, Population, Tenant, create_namespace, in_parallel, milliseconds, one_entry, value,
    },
    process::memory,
    report::{Figure, Report, say},
};
use crate::it::harness::TestEnv;

/// The flags of the operator. Series for each object are left out, so that looking at the counters costs nothing; what
/// they cost has a scenario of its own.
pub(crate) const FLAGS: [&str; 2] = ["--log-level=info", "--metrics-per-resource=false"];

/// In bytes: 100,000 objects and their older versions fill more than the 2 GiB of the default.
const ETCD_QUOTA: u64 = 8 * 1024 * 1024 * 1024;

/// How long anything of one size may take before the run is given up.
pub(crate) const PATIENCE: Duration = Duration::from_mins(30);

/// The objects, the environment that they are in, and the figures so far.
pub(crate) struct Bench {
    pub(crate) env: TestEnv,
    pub(crate) population: Population,
    pub(crate) report: Report,
    /// How long the operator is watched at rest.
    pub(crate) rest: Duration,
}

impl Bench {
    /// Starts everything, measures the operator without objects and ends it; then creates the objects.
    pub(crate) async fn populate(mut report: Report, count: usize, rest: Duration) -> Self {
        let env = environment(&FLAGS).await;
        // Everything that happens in one scenario.
        env.simulator().set_log_capacity(200_000 + 3 * count);
        let (idle, _) = memory(env.operator.process().id()).expect("the operator runs");
        report.add(
            "idle",
            (1, "run"),
            vec![Figure::new("RSS", idle, "MiB")],
            None,
        );
        env.operator.terminate().await;
        let started = Instant::now();
        let population = Population::create(&env, count).await;
        say(
            "",
            &format!("created in {:.1} s", started.elapsed().as_secs_f64()),
        );
        Self {
            env,
            population,
            report,
            rest,
        }
    }

    /// Starts the operator after its end, and waits until it is ready: seconds from its start.
    pub(crate) async fn start_operator(&mut self, flags: &[&str]) -> f64 {
        let started = Instant::now();
        self.env.operator = self.env.further_unready(flags).await;
        wait("the operator is ready", PATIENCE, async || {
            match self.env.operator.get("/readyz").await {
                (200, _) => Ok(()),
                (_, body) => Err(body),
            }
        })
        .await;
        started.elapsed().as_secs_f64()
    }

    /// A counter of the operator.
    pub(crate) async fn counter(&self, series: &str) -> usize {
        counter(&self.env.operator.get("/metrics").await.1, series)
    }
}

/// An environment with an etcd that takes everything.
pub(crate) async fn environment(flags: &[&str]) -> TestEnv {
    let cluster = Cluster::builder()
        .etcd_flag(format!("--quota-backend-bytes={ETCD_QUOTA}"))
        .start();
    TestEnv::on(cluster.await.expect("the cluster starts"), flags).await
}

/// Polls until `look` gives a value.
///
/// # Panics
/// When it gives none within `limit`, with the last error of `look`.
#[expect(clippy::panic, reason = "a figure that cannot be had ends the run")]
pub(crate) async fn wait<T>(
    what: &str,
    limit: Duration,
    mut look: impl AsyncFnMut() -> Result<T, String>,
) -> T {
    let started = Instant::now();
    loop {
        match look().await {
            Ok(found) => return found,
            Err(state) if started.elapsed() > limit => panic!("{what}: not in time. {state}"),
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}

/// A counter in the text of `/metrics`.
fn counter(metrics: &str, series: &str) -> usize {
    let value = metrics.lines().find_map(|line| {
        let rest = line.strip_prefix("provider_secrets_")?;
        rest.strip_prefix(series)?.trim().parse().ok()
    });
    value.unwrap_or(0)
}
