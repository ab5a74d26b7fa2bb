//! `docs/reliability.md`: which test shows which case of the catalogue.
//!
//! A test says what it shows in a line above its attributes: `/// Cases: P-09, C-11`. What no test shows has a sentence in
//! `docs/reliability.yaml`. The table is generated from both, and a test holds it to them.

mod scan;

use std::{collections::BTreeMap, fmt::Write as _, fs};

use serde::Deserialize;

use self::scan::Shown;
use super::assert_generated;
use crate::harness::root;

/// The numbers of the cases of a group.
#[derive(Clone, Copy)]
enum Numbers {
    /// From 1 to this one.
    To(usize),
    /// These: the list that they come from has no others.
    Of(&'static [usize]),
}

use Numbers::{Of, To};

impl Numbers {
    fn list(self) -> Vec<usize> {
        match self {
            To(last) => (1..=last).collect(),
            Of(numbers) => numbers.to_vec(),
        }
    }
}

/// Letter, what the group is about, and the numbers of its cases.
const CASES_PER_GROUP: [(char, &str, Numbers); 12] = [
    ('B', "Bad custom resources", To(16)),
    ('C', "Source and credential Secrets", To(28)),
    ('P', "Answers of providers", To(43)),
    ('A', "Faults of the Kubernetes API", To(28)),
    ('L', "Crashes, leadership, lifecycle", To(18)),
    ('D', "Deletion and namespaces", To(15)),
    ('M', "Ownership and several writers", To(9)),
    ('H', "Hostile tenants", To(15)),
    ('S', "Leaks", To(11)),
    ('K', "Posture", To(11)),
    ('N', "Load", To(10)),
    (
        'R',
        "Reports of users of such operators",
        Of(&[
            1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 14, 16, 17, 18, 19, 20, 22, 23, 24, 26,
        ]),
    ),
];

/// One case, and why it is not covered as a whole. At most one of the reasons is given.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Standing {
    case: String,
    /// Tests show some of it, but not this.
    lacks: Option<String>,
    /// There is nothing here that could fail so.
    absent: Option<String>,
    /// No test shows it.
    open: Option<String>,
}

/// Where a case stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum State {
    Covered,
    Partly,
    Absent,
    Open,
}

impl Standing {
    /// The state and the sentence, or what is wrong about it.
    fn state(&self, is_shown: bool) -> Result<(State, &str), &'static str> {
        match (is_shown, &self.lacks, &self.absent, &self.open) {
            (true, None, None, None) => Ok((State::Covered, "")),
            (true, Some(lacks), None, None) => Ok((State::Partly, lacks)),
            (false, None, Some(absent), None) => Ok((State::Absent, absent)),
            (false, None, None, Some(open)) => Ok((State::Open, open)),
            (true, ..) => Err("a test shows it: it may lack something, but is not absent or open"),
            (false, ..) => Err("no test shows it: say that it is absent or open, and why"),
        }
    }
}

fn cases() -> BTreeMap<String, Standing> {
    let text = fs::read_to_string(root().join("docs/reliability.yaml"));
    serde_saphyr::from_str(&text.expect("the cases are readable")).expect("the cases are cases")
}

/// The document, or everything that is wrong.
fn document(cases: &BTreeMap<String, Standing>, shown: &Shown) -> Result<String, Vec<String>> {
    let mut wrong: Vec<String> = shown
        .keys()
        .filter(|id| !cases.contains_key(*id))
        .map(|id| format!("{id}: a test shows it, and there is no such case"))
        .collect();
    let (mut tables, mut counts) = (String::new(), String::new());
    let mut sum = [0; 4];
    for (letter, title, numbers) in CASES_PER_GROUP {
        let (mut count, numbers) = ([0; 4], numbers.list());
        let size = numbers.len();
        let _ = write!(
            tables,
            "\n## {letter}: {title}\n\n| Case | What | Where it stands |\n|---|---|---|\n"
        );
        for number in numbers {
            let id = format!("{letter}-{number:02}");
            let Some(case) = cases.get(&id) else {
                wrong.push(format!("{id}: it is not in docs/reliability.yaml"));
                continue;
            };
            let tests = shown.get(&id);
            match case.state(tests.is_some()) {
                Err(what) => wrong.push(format!("{id}: {what}")),
                Ok((state, sentence)) => {
                    count[state as usize] += 1;
                    let _ = writeln!(
                        tables,
                        "| {id} | {} | {} |",
                        case.case,
                        standing(state, sentence, tests)
                    );
                }
            }
        }
        let [covered, partly, absent, open] = count;
        let _ = writeln!(
            counts,
            "| {letter}: {title} | {size} | {covered} | {partly} | {absent} | {open} |"
        );
        for (all, one) in sum.iter_mut().zip(count) {
            *all += one;
        }
    }
    let groups = CASES_PER_GROUP.into_iter();
    let known: usize = groups.map(|(.., numbers)| numbers.list().len()).sum();
    if cases.len() > known {
        wrong.push(format!("there are {} cases and not {known}", cases.len()));
    }
    if !wrong.is_empty() {
        return Err(wrong);
    }
    let [covered, partly, absent, open] = sum;
    let _ = writeln!(
        counts,
        "| **All** | **{known}** | **{covered}** | **{partly}** | **{absent}** | **{open}** |"
    );
    Ok(format!("{HEAD}\n{counts}{tables}"))
}

const HEAD: &str = "\
<!-- Generated from the tests and docs/reliability.yaml by `make reliability`. -->

# Reliability

What can go wrong, and which test shows that it does no harm. A test names the cases it shows in a line above
it: `/// Cases: P-09`. A case is *partly* covered where its tests leave something out, *not applicable* where there is
nothing here that could fail so, and *open* where no test shows it, whether or not it works.

| Group | Cases | Covered | Partly | Not applicable | Open |
|---|---|---|---|---|---|";

fn standing(state: State, sentence: &str, tests: Option<&Vec<String>>) -> String {
    let tests: Vec<String> = tests
        .into_iter()
        .flatten()
        .map(|test| format!("`{test}`"))
        .collect();
    let tests = tests.join("<br>");
    match state {
        State::Covered => tests,
        State::Partly => format!("**partly**, without {sentence}<br>{tests}"),
        State::Absent => format!("not applicable: {sentence}"),
        State::Open => format!("**open**: {sentence}"),
    }
}

#[test]
fn the_document_is_that_of_the_tests() {
    let document = document(&cases(), &scan::shown()).unwrap_or_else(|wrong| {
        panic!(
            "docs/reliability.yaml and the tests differ:\n{}",
            wrong.join("\n")
        )
    });
    let path = root().join("docs/reliability.md");
    assert_generated(&BTreeMap::from([(path, document)]), "reliability");
}

#[test]
fn a_case_says_what_is_so() {
    let case = |lacks: bool, absent: bool, open: bool| {
        let given = |is: bool| is.then(|| "why".to_owned());
        Standing {
            case: "A case".to_owned(),
            lacks: given(lacks),
            absent: given(absent),
            open: given(open),
        }
    };
    let state = |case: Standing, is_shown| case.state(is_shown).map(|(state, _)| state).ok();
    assert_eq!(state(case(false, false, false), true), Some(State::Covered));
    assert_eq!(state(case(true, false, false), true), Some(State::Partly));
    assert_eq!(state(case(false, true, false), false), Some(State::Absent));
    assert_eq!(state(case(false, false, true), false), Some(State::Open));
    for (wrong, is_shown) in [
        (case(false, false, false), false),
        (case(true, false, false), false),
        (case(false, true, false), true),
        (case(false, false, true), true),
        (case(true, false, true), true),
        (case(false, true, true), false),
    ] {
        assert_eq!(state(wrong, is_shown), None);
    }
}
