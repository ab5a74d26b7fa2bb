//! The plots of docs/performance.md, of the results of several sizes.

use std::{collections::BTreeMap, fs, path::Path};

use serde_json::Value;

use super::{
    plot::{Axis, Line, Plot},
    support::say,
};

const OBJECTS: Axis = Axis::logarithmic("objects");
/// What memory should be at most, by objects, in MiB.
const BUDGET: [(f64, f64); 3] = [(1_000.0, 18.0), (10_000.0, 40.0), (100_000.0, 300.0)];

/// Results by the number of objects.
type Results = BTreeMap<u64, Value>;

/// Draws the results that are in a folder, as JSON, into another one.
pub(crate) fn draw(results: &Path, folder: &Path) {
    let results = read(results);
    fs::create_dir_all(folder).expect("the folder of the plots is made");
    for (name, plot) in [
        ("latency", latency(&results)),
        ("memory", memory(&results)),
        ("start", start(&results)),
        ("limit", limit(&results)),
    ] {
        let path = folder.join(format!("{name}.svg"));
        fs::write(&path, plot.svg()).expect("a plot is written");
        say("drawn", &path.display().to_string());
    }
}

/// The newest result of each size.
fn read(folder: &Path) -> Results {
    let mut results = Results::new();
    let entries = fs::read_dir(folder).expect("there is a folder of results");
    let files = entries.map(|entry| entry.expect("the folder is readable").path());
    for file in files.filter(|file| {
        file.extension()
            .is_some_and(|extension| extension == "json")
    }) {
        let text = fs::read_to_string(&file).expect("a result is text");
        let result: Value = serde_json::from_str(&text).expect("a result is JSON");
        let objects = result["objects"].as_u64().expect("a number of objects");
        let date = |result: &Value| result["date"].as_str().unwrap_or_default().to_owned();
        if results
            .get(&objects)
            .is_none_or(|other| date(other) <= date(&result))
        {
            results.insert(objects, result);
        }
    }
    results
}

/// A scenario of a result.
fn scenario<'a>(result: &'a Value, name: &str) -> Option<&'a Value> {
    let mut scenarios = result["scenarios"].as_array()?.iter();
    scenarios.find(|scenario| scenario["name"] == name)
}

/// A figure of a scenario.
fn figure(result: &Value, of: &str, name: &str) -> Option<f64> {
    let mut figures = scenario(result, of)?["figures"].as_array()?.iter();
    figures.find(|figure| figure["name"] == name)?["value"].as_f64()
}

/// A figure of a scenario, whatever the result.
fn of(scenario: &'static str, name: &'static str) -> impl Fn(&Value) -> Option<f64> {
    move |result| figure(result, scenario, name)
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a float holds every number of objects"
)]
fn over_objects(name: &str, results: &Results, value: impl Fn(&Value) -> Option<f64>) -> Line {
    let points = results.iter();
    let points = points.filter_map(|(objects, result)| Some((*objects as f64, value(result)?)));
    Line {
        name: name.to_owned(),
        points: points.collect(),
        is_dashed: false,
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a float holds every number of rotations"
)]
fn latency(results: &Results) -> Plot {
    let lines = results.iter().filter_map(|(objects, result)| {
        let times = scenario(result, "rotation")?["milliseconds"].as_array()?;
        let share = |index: usize| 100.0 * (index + 1) as f64 / times.len() as f64;
        let points = times.iter().enumerate();
        Some(Line {
            name: format!("{objects} objects"),
            points: points
                .filter_map(|(index, time)| Some((time.as_f64()?, share(index))))
                .collect(),
            is_dashed: false,
        })
    });
    Plot {
        title: "A changed Secret reaches the provider within so long",
        x: Axis::logarithmic("milliseconds"),
        y: Axis::linear("% of the rotations"),
        lines: lines.collect(),
    }
}

fn memory(results: &Results) -> Plot {
    let peak = |of: &'static str| {
        move |result: &Value| scenario(result, of)?["cost"]["rss_mib"][2].as_f64()
    };
    Plot {
        title: "Resident memory",
        x: OBJECTS,
        y: Axis::logarithmic("MiB"),
        lines: vec![
            over_objects("cold start, peak", results, peak("cold-start")),
            over_objects("restart, peak", results, peak("restart")),
            Line {
                name: "budget".to_owned(),
                points: BUDGET.into(),
                is_dashed: true,
            },
        ],
    }
}

fn start(results: &Results) -> Plot {
    Plot {
        title: "A start",
        x: OBJECTS,
        y: Axis::logarithmic("seconds"),
        lines: vec![
            over_objects("cold: all synced", results, of("cold-start", "all synced")),
            over_objects("cold: ready", results, of("cold-start", "ready")),
            over_objects("restart: ready", results, of("restart", "ready")),
        ],
    }
}

fn limit(results: &Results) -> Plot {
    Plot {
        title: "A cold start beside what the API server takes",
        x: OBJECTS,
        y: Axis::linear("objects a second"),
        lines: vec![
            over_objects("cold start", results, of("cold-start", "rate")),
            over_objects("the limit", results, of("api-server-limit", "bare loop")),
        ],
    }
}
