//! `make bench`: what the operator costs and how fast it is, in its release build, against a real API server and the
//! simulated providers.
//!
//! Each scenario has a file in `benches/scale`. Times are those of the machine it runs on, with the API server, etcd, the
//! providers and this program beside the operator on the same cores.

#[expect(
    dead_code,
    unused_imports,
    reason = "the harness is the tests'; a measurement needs a part of it"
)]
#[path = "../tests/it"]
mod it {
    pub(crate) mod harness;
}

mod scale {
    pub(crate) mod burst;
    pub(crate) mod cold_start;
    pub(crate) mod failover;
    pub(crate) mod heavy_neighbours;
    pub(crate) mod hot_source;
    pub(crate) mod large_sources;
    pub(crate) mod many_entries;
    pub(crate) mod new_object;
    pub(crate) mod plot;
    pub(crate) mod plots;
    pub(crate) mod rest;
    pub(crate) mod restart;
    pub(crate) mod restored_data_store;
    pub(crate) mod rotation;
    pub(crate) mod scrape;
    pub(crate) mod shared_secret;
    pub(crate) mod support;
    pub(crate) mod throttled_account;
}

use std::{path::PathBuf, time::Duration};

use clap::{Parser, ValueEnum};
use it::harness::{operator, run};
use scale::{
    burst, cold_start, failover, heavy_neighbours, hot_source, large_sources, many_entries,
    new_object, plots, rest, restart, restored_data_store, rotation, scrape, shared_secret,
    support::{Bench, Report},
    throttled_account,
};

/// What make passes on.
#[derive(Parser)]
struct Settings {
    /// The operator to measure, in its release build
    #[arg(long)]
    binary: PathBuf,

    /// Objects, spread evenly over the five APIs
    #[arg(long, default_value_t = 1_000)]
    objects: usize,

    /// The scenarios, with commas between them; all where none is named
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Scenario>,

    /// Seconds for which the operator is watched at rest
    #[arg(long, default_value_t = 60)]
    rest: u64,

    /// The commit that is measured, for the report
    #[arg(long, default_value = "unknown")]
    commit: String,

    /// Where the figures are written as JSON
    #[arg(long)]
    json: Option<PathBuf>,

    /// A folder into which the results beside `--json` are drawn, as SVG
    #[arg(long, requires = "json")]
    plots: Option<PathBuf>,
}

/// What can be measured, in the order in which it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Scenario {
    /// Runs before every other that has N objects, because it makes them.
    ColdStart,
    Restart,
    Failover,
    NewObject,
    Rotation,
    ThrottledAccount,
    Burst,
    SharedSecret,
    ManyEntries,
    HotSource,
    HeavyNeighbours,
    Scrape,
    Rest,
    /// Its size does not depend on N.
    LargeSources,
    /// Its size does not depend on N.
    RestoredDataStore,
}

impl Scenario {
    /// Whether it has the N objects.
    fn is_populated(self) -> bool {
        !matches!(self, Self::LargeSources | Self::RestoredDataStore)
    }

    /// Measures one that has the N objects, which the cold start has made.
    async fn measure_populated(self, bench: &mut Bench) {
        match self {
            Self::ColdStart | Self::LargeSources | Self::RestoredDataStore => {}
            Self::Restart => restart::measure(bench).await,
            Self::Failover => failover::measure(bench).await,
            Self::NewObject => new_object::measure(bench).await,
            Self::Rotation => rotation::measure(bench).await,
            Self::ThrottledAccount => throttled_account::measure(bench).await,
            Self::Burst => burst::measure(bench).await,
            Self::SharedSecret => shared_secret::measure(bench).await,
            Self::ManyEntries => many_entries::measure(bench).await,
            Self::HotSource => hot_source::measure(bench).await,
            Self::HeavyNeighbours => heavy_neighbours::measure(bench).await,
            Self::Scrape => scrape::measure(bench).await,
            Self::Rest => rest::measure(bench).await,
        }
    }

    /// Measures one that has an environment of its own.
    async fn measure_alone(self, report: &mut Report) {
        match self {
            Self::LargeSources => large_sources::measure(report).await,
            Self::RestoredDataStore => restored_data_store::measure(report).await,
            _ => {}
        }
    }
}

fn main() {
    let settings = Settings::parse();
    let binary = operator::BINARY.set(settings.binary.clone());
    binary.expect("nothing has run yet");
    run(measure(settings));
}

async fn measure(settings: Settings) {
    let Settings {
        objects,
        only,
        rest,
        commit,
        json,
        plots,
        ..
    } = settings;
    let mut report = Report::new(commit, objects);
    let chosen: Vec<Scenario> = Scenario::value_variants()
        .iter()
        .filter(|scenario| only.is_empty() || only.contains(scenario))
        .copied()
        .collect();
    if chosen.iter().any(|scenario| scenario.is_populated()) {
        let mut bench = Bench::populate(report, objects, Duration::from_secs(rest)).await;
        cold_start::measure(&mut bench).await;
        for scenario in &chosen {
            scenario.measure_populated(&mut bench).await;
        }
        report = bench.report;
    }
    for scenario in chosen {
        scenario.measure_alone(&mut report).await;
    }
    if let Some(path) = json {
        report.write(&path);
        if let (Some(folder), Some(results)) = (plots, path.parent()) {
            plots::draw(results, &folder);
        }
    }
}
