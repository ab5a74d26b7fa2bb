//! `docs/reasons.yaml`: the one table of reasons and alerts, and everything that is made of it.

use std::{collections::BTreeMap, fmt::Write as _, fs, path::PathBuf};

use provider_secrets::api::Reason;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::assert_generated;
use crate::harness::root;

/// Where a page is read from outside of a clone.
const PAGES: &str = "https://github.com/provider-secrets/provider-secrets/blob/main/docs/runbooks";

const REFERENCE: &str = "docs/reference.md";

const BEGIN: &str = "<!-- Generated from docs/reasons.yaml by `make reasons`. -->\n";
const END: &str = "<!-- End of what is generated. -->";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    reasons: Vec<ReasonRow>,
    alerts: Vec<AlertRow>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReasonRow {
    reason: String,
    class: String,
    meaning: String,
    cause: String,
    steps: [String; 3],
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AlertRow {
    alert: String,
    expr: String,
    r#for: String,
    severity: Severity,
    summary: String,
    meaning: String,
    steps: [String; 3],
}

#[derive(Clone, Copy, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
enum Severity {
    Warning,
    Critical,
}

fn table() -> Table {
    let text = fs::read_to_string(root().join("docs/reasons.yaml")).expect("the table is there");
    serde_saphyr::from_str(&text).expect("the table is one")
}

/// A text of the table, whose links are those of the reference, on a page one folder below it.
fn on_a_page(text: &str) -> String {
    let here = "](runbooks/";
    let reference = REFERENCE.replace("docs/", "](../");
    text.replace("](#", &format!("{reference}#"))
        .replace("](../charts", "](../../charts")
        .replace("](vendors", "](../vendors")
        .replace("](reference", "](../reference")
        .replace(here, "](")
        .replace("see [below]", "see [the reference]")
}

fn page(title: &str, head: &str, body: &str, steps: &[String; 3]) -> String {
    let mut page = format!("{BEGIN}\n# {title}\n\n{head}\n\n{body}\n\nWhat to do:\n\n");
    for (step, number) in steps.iter().zip(1..) {
        let _ = writeln!(page, "{number}. {}", on_a_page(step));
    }
    page
}

fn reason_page(row: &ReasonRow) -> String {
    let head = match row.class.as_str() {
        "event only" => "The reason of an event; no condition has it.".to_owned(),
        class => format!("Condition that is True with it: {class}."),
    };
    let body = format!("Meaning: {}.\n\n{}", on_a_page(&row.meaning), row.cause);
    page(&format!("`{}`", row.reason), &head, &body, &row.steps)
}

fn alert_page(row: &AlertRow) -> String {
    let severity = match row.severity {
        Severity::Warning => "warning",
        Severity::Critical => "critical",
    };
    let head = match row.r#for.as_str() {
        "0m" => format!("An alert, {severity}, at once."),
        time => format!("An alert, {severity}, after {time}."),
    };
    let body = format!("{}\n\n```promql\n{}\n```", row.meaning, row.expr);
    page(&format!("Alert {}", row.alert), &head, &body, &row.steps)
}

fn index(table: &Table) -> String {
    let mut index = format!(
        "{BEGIN}\n# Runbooks\n\nA page for each alert of the chart, and for each reason of a condition or an event.\n\n## Alerts\n\n"
    );
    for row in &table.alerts {
        let _ = writeln!(index, "- [{0}]({0}.md)", row.alert);
    }
    index.push_str("\n## Reasons\n\n");
    for row in &table.reasons {
        let _ = writeln!(index, "- [{0}]({0}.md): {1}", row.reason, row.class);
    }
    index
}

/// The rules as Prometheus reads them.
fn rules(table: &Table) -> Value {
    let rules: Vec<Value> = table
        .alerts
        .iter()
        .map(|row| {
            json!({
                "alert": row.alert,
                "expr": row.expr,
                "for": row.r#for,
                "labels": {"severity": row.severity},
                "annotations": {
                    "summary": row.summary,
                    "description": row.meaning,
                    "runbook_url": format!("{PAGES}/{}.md", row.alert),
                },
            })
        })
        .collect();
    json!({"groups": [{"name": "provider-secrets", "rules": rules}]})
}

fn reference(table: &Table, committed: &str) -> String {
    let (before, rest) = committed.split_once(BEGIN).expect("the table begins");
    let (_, after) = rest.split_once(END).expect("the table ends");
    let mut rows =
        "| reason | class | what it means, and what to do |\n| --- | --- | --- |\n".to_owned();
    for row in &table.reasons {
        let name = &row.reason;
        let _ = writeln!(
            rows,
            "| [`{name}`](runbooks/{name}.md) | {} | {} |",
            row.class, row.meaning
        );
    }
    format!("{before}{BEGIN}{rows}{END}{after}")
}

/// Every file that is made of the table, as it must be.
fn files(table: &Table) -> BTreeMap<PathBuf, String> {
    let runbooks = root().join("docs/runbooks");
    let mut files = BTreeMap::new();
    for row in &table.reasons {
        files.insert(
            runbooks.join(format!("{}.md", row.reason)),
            reason_page(row),
        );
    }
    for row in &table.alerts {
        files.insert(runbooks.join(format!("{}.md", row.alert)), alert_page(row));
    }
    files.insert(runbooks.join("README.md"), index(table));
    let rules = serde_saphyr::to_string(&rules(table)).expect("the rules are YAML");
    let head = "# Generated from docs/reasons.yaml by `make reasons`. A file of rules as Prometheus reads it.\n";
    files.insert(root().join(ALERTS), format!("{head}{rules}"));
    let path = root().join(REFERENCE);
    let committed = fs::read_to_string(&path).expect("the reference is there");
    files.insert(path, reference(table, &committed));
    files
}

/// The rules, which Prometheus reads and the chart installs.
pub(crate) const ALERTS: &str = "charts/provider-secrets/files/prometheus/alerts.yaml";

#[test]
fn everything_is_made_of_the_one_table() {
    let files = files(&table());
    assert_generated(&files, "reasons");
    let pages = fs::read_dir(root().join("docs/runbooks")).expect("a folder");
    for page in pages {
        let page = page.expect("a page").path();
        assert!(files.contains_key(&page), "{} is of no row", page.display());
    }
}

#[test]
fn each_reason_of_the_code_has_a_row_and_no_row_is_of_none() {
    let table = table();
    let rows: Vec<&str> = table
        .reasons
        .iter()
        .map(|row| row.reason.as_str())
        .collect();
    let mut sorted: Vec<&str> = rows.clone();
    sorted.sort_unstable();
    let mut reasons: Vec<&str> = Reason::ALL.iter().map(|reason| reason.as_str()).collect();
    reasons.sort_unstable();
    assert_eq!(sorted, reasons);
}

/// A metric that is renamed would leave an alert that never fires.
#[test]
fn an_alert_asks_for_metrics_that_there_are() {
    let reference = fs::read_to_string(root().join(REFERENCE)).expect("a reference");
    for row in table().alerts {
        let metrics = row
            .expr
            .split(|c: char| c != '_' && !c.is_ascii_alphanumeric());
        let metrics: Vec<&str> = metrics
            .filter(|word| word.starts_with("provider_secrets_"))
            .collect();
        assert!(!metrics.is_empty(), "{}", row.alert);
        for metric in metrics {
            let is_known = reference.contains(&format!("| `{metric}` |"));
            assert!(is_known, "{}: {metric}", row.alert);
        }
        for reason in row.expr.split("reason").skip(1) {
            let Some(named) = reason.split('"').nth(1) else {
                continue;
            };
            for word in named.split('|') {
                let is_known = Reason::ALL.iter().any(|reason| reason.as_str() == word);
                assert!(is_known, "{}: {word}", row.alert);
            }
        }
    }
}
