//! Each fact about a vendor says where it is from.

use std::{collections::BTreeMap, fs};

use crate::harness::root;

const DOCUMENT: &str = "docs/vendors.md";
const MARKS: [&str; 6] = [
    "seed",
    "client",
    "document",
    "third party",
    "inferred",
    "unknown",
];

fn text() -> String {
    fs::read_to_string(root().join(DOCUMENT)).expect("the document is readable")
}

/// The clients of the table of sources, with their version or commit.
fn clients(text: &str) -> BTreeMap<String, String> {
    let rows = text.lines().filter(|line| line.starts_with("| `"));
    rows.filter_map(|row| {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let [_, name, _, version, date, _, _] = cells[..] else {
            return None;
        };
        let is_dated = date.starts_with("20") && date.len() >= "2026-08".len();
        is_dated.then(|| (name.trim_matches('`').to_owned(), version.to_owned()))
    })
    .collect()
}

/// What is wrong with the marks of a text.
fn faults(text: &str) -> Vec<String> {
    let clients = clients(text);
    let mut faults = Vec::new();
    for section in text.split("\n### ").skip(1) {
        let (title, rest) = section.split_once('\n').unwrap_or((section, ""));
        let is_trap = title.split(':').next().is_some_and(|id| id.contains('-'));
        let has_mark = MARKS
            .iter()
            .any(|mark| rest.contains(&format!("**{mark}**")));
        if is_trap && !has_mark {
            faults.push(format!("{title}: no mark"));
        }
        // Lines end anywhere.
        let rest = rest.split_whitespace().collect::<Vec<_>>().join(" ");
        for mark in rest.split("**client**").skip(1) {
            let name = mark.trim_start().strip_prefix('`');
            let name = name.and_then(|rest| rest.split_once('`'));
            let Some((name, after)) = name else {
                if mark.starts_with(" |") {
                    continue;
                }
                faults.push(format!("{title}: a client without its name"));
                continue;
            };
            match clients.get(name) {
                None => faults.push(format!("{title}: {name} is in no table")),
                Some(version) => {
                    let is_told = after.trim_start().starts_with(version.as_str());
                    if !is_told && !after.starts_with(", commit ") {
                        faults.push(format!("{title}: {name} without {version}"));
                    }
                }
            }
        }
    }
    faults
}

#[test]
fn each_fact_about_a_vendor_has_its_source() {
    let text = text();
    assert!(clients(&text).len() > 10, "{:?}", clients(&text));
    let faults = faults(&text);
    assert!(faults.is_empty(), "{faults:#?}");
}

#[test]
fn a_fact_without_a_source_is_found() {
    let table = "\n### Sources\n| `a` | V | 1.0 | 2026-11-28 | running it |\n";
    let faults = |trap: &str| faults(&format!("{table}\n### BA-1: T\n{trap}")).len();
    assert_eq!(faults("It is so (**seed**)."), 0);
    assert_eq!(faults("It is so (**client**\n`a` 1.0)."), 0);
    assert_eq!(faults("It is so."), 1);
    assert_eq!(faults("It is so (**client**)."), 1);
    assert_eq!(faults("It is so (**client** `b` 1.0)."), 1);
    assert_eq!(faults("It is so (**client** `a` 0.9)."), 1);
}
