//! The figures of the documents are those of the newest files in `benches/results`, and beside one that misses its budget
//! stands the budget. `make figures` writes them; what was not measured stays as it is.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use serde::Deserialize;
use serde_json::{Value, json};

use super::assert_generated;
use crate::harness::root;

/// The results by their number of objects.
type Results = BTreeMap<usize, Value>;

/// What is published of them, as that file explains it.
const TABLE: &str = "benches/figures.yaml";

/// The numbers of objects that have budgets.
const BUDGETED: [usize; 3] = [1_000, 10_000, 100_000];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    rows: Vec<Row>,
    budgets: BTreeMap<String, [f64; 3]>,
    least: BTreeMap<String, [f64; 3]>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    page: String,
    /// The first cell of the row, as the page has it.
    #[serde(rename = "row")]
    label: String,
    first: usize,
    sizes: Vec<usize>,
    cell: String,
}

/// What was measured, and what is published of it.
struct Figures {
    table: Table,
    results: Results,
}

/// The newest results of each size.
fn newest() -> Results {
    let mut newest = Results::new();
    let files = fs::read_dir(root().join("benches/results")).expect("there are results");
    let files: BTreeSet<_> = files.map(|file| file.expect("a file").path()).collect();
    for file in files {
        let text = fs::read_to_string(&file).expect("a text");
        let results: Value = serde_json::from_str(&text).expect("results are JSON");
        let objects = results["objects"].as_u64().expect("a number");
        let objects = usize::try_from(objects).expect("a number of objects");
        let is_newer = |known: &Value| known["date"].as_str() <= results["date"].as_str();
        if newest.get(&objects).is_none_or(is_newer) {
            newest.insert(objects, results);
        }
    }
    newest
}

/// What is at `/pointer` of the results, or at `scenario/figure` or `scenario/pointer`.
fn at<'a>(results: &'a Value, path: &str) -> Option<&'a Value> {
    if path.starts_with('/') {
        return results.pointer(path);
    }
    let (scenario, figure) = path.split_once('/')?;
    let mut scenarios = results["scenarios"].as_array()?.iter();
    let scenario = scenarios.find(|known| known["name"] == scenario)?;
    let mut figures = scenario["figures"].as_array()?.iter();
    let known = figures.find(|known| known["name"] == figure);
    known.map_or_else(
        || scenario.pointer(&format!("/{figure}")),
        |known| known.get("value"),
    )
}

impl Figures {
    /// The budget of a figure, if it misses it.
    fn missed(&self, path: &str, objects: usize, value: f64) -> Option<f64> {
        let size = BUDGETED.iter().position(|size| *size == objects)?;
        let most = self.table.budgets.get(path).map(|budgets| budgets[size]);
        let least = self.table.least.get(path).map(|budgets| budgets[size]);
        most.filter(|most| value > *most)
            .or_else(|| least.filter(|least| value < *least))
    }

    /// A figure as a cell names it; none where it was not measured.
    fn shown(&self, objects: usize, figure: &str) -> Option<String> {
        let (path, format) = figure.split_once(':').unwrap_or((figure, ""));
        let in_seconds = format.strip_suffix('s');
        let decimals: usize = in_seconds.unwrap_or(format).parse().unwrap_or(0);
        if let Some((fixed, each)) = path.strip_prefix('=').and_then(|sum| sum.split_once('+')) {
            let [fixed, each] = [fixed, each].map(|part| part.parse::<f64>().expect("a number"));
            let count = u32::try_from(objects).expect("some objects");
            return Some(format!("{:.decimals$}", fixed + each * f64::from(count)));
        }
        let value = at(self.results.get(&objects)?, path)?;
        let Some(number) = value.as_f64() else {
            return value.as_str().map(str::to_owned);
        };
        let unit = if in_seconds.is_some() { 1000.0 } else { 1.0 };
        let text = format!("{:.decimals$}", number / unit);
        Some(match self.missed(path, objects, number) {
            Some(budget) => format!("{text} (**not met**: {})", budget / unit),
            None => text,
        })
    }

    /// A cell with its figures; none where one was not measured.
    fn cell(&self, objects: usize, template: &str) -> Option<String> {
        let (mut text, mut rest) = (String::new(), template);
        while let Some((before, after)) = rest.split_once('{') {
            let (figure, after) = after.split_once('}')?;
            text.push_str(before);
            text.push_str(&self.shown(objects, figure)?);
            rest = after;
        }
        text.push_str(rest);
        Some(text)
    }

    /// A page with the figures of a row.
    fn in_page(&self, page: &str, row: &Row) -> String {
        let begin = format!("\n| {} |", row.label);
        let found = page.find(&begin);
        assert!(found.is_some(), "{} has no row {}", row.page, row.label);
        let (before, rest) = page.split_at(found.unwrap_or_default() + 1);
        let (line, after) = rest.split_once('\n').expect("a line ends");
        let line = line.trim_start_matches("| ").trim_end_matches(" |");
        let mut cells: Vec<String> = line.split(" | ").map(str::to_owned).collect();
        for (objects, place) in row.sizes.iter().zip(row.first..) {
            if let Some(cell) = self.cell(*objects, &row.cell) {
                cells[place] = cell;
            }
        }
        format!("{before}| {} |\n{after}", cells.join(" | "))
    }
}

#[test]
fn the_documents_publish_the_newest_figures_and_mark_what_is_missed() {
    let table = fs::read_to_string(root().join(TABLE)).expect("the table is there");
    let figures = Figures {
        table: serde_saphyr::from_str(&table).expect("the table is one"),
        results: newest(),
    };
    let mut pages = BTreeMap::new();
    for row in &figures.table.rows {
        let path = root().join(&row.page);
        let page = pages
            .entry(path.clone())
            .or_insert_with(|| fs::read_to_string(&path).expect("the page is there"));
        *page = figures.in_page(page, row);
    }
    assert_generated(&pages, "figures");
}

#[test]
fn a_figure_that_misses_its_budget_stands_beside_it() {
    let results = json!({"date": "2026-11-30", "scenarios": [
        {"name": "rotation", "per": 200, "figures": [{"name": "p99", "value": 49.96}]},
        {"name": "limit", "figures": [{"name": "share", "value": 89.9}]},
        {"name": "failover", "figures": [{"name": "worst", "value": 512.0}]},
        {"name": "restart", "figures": [], "cost": {"rss_mib": [1, 2]}},
    ]});
    let table = json!({
        "rows": [],
        "budgets": {"rotation/p99": [30, 30, 50], "failover/worst": [500, 500, 500]},
        "least": {"limit/share": [90, 90, 85]},
    });
    let figures = Figures {
        table: serde_json::from_value(table).expect("a table"),
        results: [(100, results.clone()), (1_000, results)].into(),
    };
    let cell = |objects, template| figures.cell(objects, template).unwrap_or_default();
    let rotation = "{rotation/p99:0} ms of {rotation/per:0}";
    assert_eq!(cell(1_000, rotation), "50 (**not met**: 30) ms of 200");
    // There is no budget for so few.
    assert_eq!(cell(100, rotation), "50 ms of 200");
    let share = "{limit/share:0} %";
    assert_eq!(cell(1_000, share), "90 (**not met**: 90) %");
    let failover = "{failover/worst:2s} s";
    assert_eq!(cell(1_000, failover), "0.51 (**not met**: 0.5) s");
    let others = "{/date}: {=14+0.5:1}, {restart/cost/rss_mib/1:1}";
    assert_eq!(cell(1_000, others), "2026-11-30: 514.0, 2.0");
    assert_eq!(figures.cell(1_000, "{rest/ready:1}"), None);
    assert_eq!(figures.cell(10_000, rotation), None);
}
