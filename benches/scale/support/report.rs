//! The figures of a run: a table on the screen, and JSON.

use std::{collections::BTreeMap, fs, io::Write as _, path::Path};

use jiff::Timestamp;
use serde::Serialize;

use super::{Cost, Machine, machine};

/// A number with its unit.
#[derive(Debug, Serialize)]
pub(crate) struct Figure {
    name: String,
    value: f64,
    unit: &'static str,
}

impl Figure {
    pub(crate) fn new(name: &str, value: f64, unit: &'static str) -> Self {
        Self {
            name: name.to_owned(),
            value,
            unit,
        }
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "nothing is counted here that a float does not hold exactly"
    )]
    pub(crate) fn count(name: &str, value: usize, unit: &'static str) -> Self {
        Self::new(name, value as f64, unit)
    }

    fn text(&self) -> String {
        let Self { name, value, unit } = self;
        let number = if value.fract() == 0.0 {
            format!("{value}")
        } else {
            format!("{value:.2}")
        };
        format!("{name} {number} {unit}").trim_end().to_owned()
    }
}

/// Everything that a run has measured so far.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    version: &'static str,
    commit: String,
    date: String,
    machine: Machine,
    objects: usize,
    scenarios: Vec<Scenario>,
}

#[derive(Debug, Serialize)]
struct Scenario {
    name: String,
    /// What the calls are divided by.
    per: usize,
    load: f64,
    figures: Vec<Figure>,
    cost: Option<Cost>,
    /// Every time that was measured, in their order, where one wants to see how they are spread.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    milliseconds: Vec<f64>,
}

impl Report {
    pub(crate) fn new(commit: String, objects: usize) -> Self {
        let machine = Machine::now();
        say("machine", &machine.line());
        say(
            "operator",
            &format!("{} at {commit}", env!("CARGO_PKG_VERSION")),
        );
        say("objects", &objects.to_string());
        Self {
            version: env!("CARGO_PKG_VERSION"),
            commit,
            date: Timestamp::now().strftime("%F").to_string(),
            machine,
            objects,
            scenarios: Vec::new(),
        }
    }

    /// Adds what a scenario measured, where its calls were for `per` things of a kind, and shows it.
    pub(crate) fn add(
        &mut self,
        name: &str,
        (per, things): (usize, &str),
        figures: Vec<Figure>,
        cost: Option<Cost>,
    ) {
        let texts: Vec<String> = figures.iter().map(Figure::text).collect();
        say(name, &texts.join(", "));
        for line in cost.iter().flat_map(|cost| lines(cost, per, things)) {
            say("", &line);
        }
        self.scenarios.push(Scenario {
            name: name.to_owned(),
            per,
            load: machine::load(),
            figures,
            cost,
            milliseconds: Vec::new(),
        });
    }

    /// Adds every time to the scenario that was added last.
    pub(crate) fn add_times(&mut self, milliseconds: Vec<f64>) {
        if let Some(scenario) = self.scenarios.last_mut() {
            scenario.milliseconds = milliseconds;
        }
    }

    /// Writes the report as JSON.
    pub(crate) fn write(&self, path: &Path) {
        let text = serde_json::to_string_pretty(self).expect("a report is JSON");
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).expect("the folder of the report is made");
        }
        fs::write(path, text + "\n").expect("the report is written");
        say("written", &path.display().to_string());
    }
}

/// What a person reads of the cost.
fn lines(cost: &Cost, per: usize, things: &str) -> Vec<String> {
    let [before, after, peak] = cost.rss_mib;
    let cpu: Vec<String> = cost
        .cpu_seconds
        .iter()
        .map(|(name, seconds)| format!("{name} {seconds:.2}"))
        .collect();
    vec![
        format!(
            "{:.1} s; CPU seconds: {}; RSS {before:.1}, then {after:.1}, peak {peak:.1} MiB; largest queue {}",
            cost.seconds,
            cpu.join(", "),
            cost.largest_queue
        ),
        format!(
            "providers (for each {things}): {}",
            calls(&cost.provider_calls, per)
        ),
        format!(
            "Kubernetes (for each {things}): {}",
            calls(&cost.kubernetes_calls, per)
        ),
    ]
}

#[expect(
    clippy::cast_precision_loss,
    reason = "nothing is counted here that a float does not hold exactly"
)]
fn calls(calls: &BTreeMap<String, usize>, per: usize) -> String {
    let texts: Vec<String> = calls
        .iter()
        .map(|(name, count)| {
            let share = *count as f64 / per.max(1) as f64;
            format!("{name} {count} ({share:.2})")
        })
        .collect();
    if texts.is_empty() {
        "no call".to_owned()
    } else {
        texts.join(", ")
    }
}

/// A line of the table.
pub(crate) fn say(what: &str, figure: &str) {
    let _ = writeln!(std::io::stdout(), "{what:<22} {figure}");
}
