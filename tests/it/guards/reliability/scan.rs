//! The tests of this repository, and the cases that they say they show.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, mem,
    path::Path,
};

use crate::harness::root;

/// The tests of each case, as `file::name`.
pub(super) type Shown = BTreeMap<String, Vec<String>>;

const CASES: &str = "/// Cases: ";
const LONGEST_NAME: usize = 80;

/// A function that is a test, or that has a line of cases although it is none.
#[derive(Debug, PartialEq, Eq)]
struct Function<'a> {
    name: &'a str,
    is_test: bool,
    cases: Vec<&'a str>,
}

/// The cases that the tests of `src/` and `tests/` show.
pub(super) fn shown() -> Shown {
    let mut shown = BTreeMap::<String, BTreeSet<String>>::new();
    each_function(|file, function| {
        for case in &function.cases {
            let test = format!("{file}::{}", function.name);
            shown.entry((*case).to_owned()).or_default().insert(test);
        }
    });
    shown
        .into_iter()
        .map(|(case, tests)| (case, tests.into_iter().collect()))
        .collect()
}

/// Calls `see` with the path of the file, without its extension, and the function.
fn each_function(mut see: impl FnMut(&str, &Function<'_>)) {
    for folder in ["src", "tests"] {
        visit(&root().join(folder), &mut |path, text| {
            let path = path
                .strip_prefix(root())
                .expect("the path is of the checkout");
            let file = path.with_extension("").to_string_lossy().replace('\\', "/");
            for function in functions(text) {
                see(&file, &function);
            }
        });
    }
}

fn visit(folder: &Path, see: &mut impl FnMut(&Path, &str)) {
    for entry in fs::read_dir(folder).expect("the folder is readable") {
        let path = entry.expect("the folder is readable").path();
        if path.is_dir() {
            visit(&path, see);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            see(
                &path,
                &fs::read_to_string(&path).expect("a Rust file is text"),
            );
        }
    }
}

/// The functions with a test attribute or a line of cases.
fn functions(text: &str) -> Vec<Function<'_>> {
    let mut functions = Vec::new();
    let (mut is_test, mut cases) = (false, Vec::new());
    for line in text.lines().map(str::trim_start) {
        if let Some(list) = line.strip_prefix(CASES) {
            cases.extend(list.split(", "));
        }
        if ["#[test]", "#[rstest]", "#[tokio::test"]
            .iter()
            .any(|attribute| line.starts_with(attribute))
        {
            is_test = true;
        }
        let line = line.strip_prefix("async ").unwrap_or(line);
        let name = line
            .strip_prefix("fn ")
            .and_then(|rest| rest.split('(').next());
        if let Some(name) = name {
            let (is_test, cases) = (mem::take(&mut is_test), mem::take(&mut cases));
            if is_test || !cases.is_empty() {
                functions.push(Function {
                    name,
                    is_test,
                    cases,
                });
            }
        }
    }
    functions
}

/// What is wrong with a test's name: it is a sentence, and the cases are in a line of their own.
fn fault_of_name(name: &str) -> Option<&'static str> {
    let mut words = name.split('_');
    let is_case = words.next().is_some_and(|letter| letter.len() == 1)
        && words.next().is_some_and(|number| {
            number.len() == 2 && number.bytes().all(|byte| byte.is_ascii_digit())
        });
    if is_case {
        Some("it starts with the number of a case")
    } else if name.len() > LONGEST_NAME {
        Some("it is longer than 80 characters")
    } else {
        None
    }
}

#[test]
fn a_name_is_short_and_without_the_number_of_a_case() {
    let mut wrong = Vec::new();
    each_function(|file, function| {
        if !function.is_test {
            wrong.push(format!(
                "{file}::{}: cases, and it is no test",
                function.name
            ));
        } else if let Some(fault) = fault_of_name(function.name) {
            wrong.push(format!("{file}::{}: {fault}", function.name));
        }
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn faults_of_names_are_found() {
    assert_eq!(fault_of_name("a_429_pauses_the_account"), None);
    assert_eq!(fault_of_name("names_are_read"), None);
    assert_eq!(fault_of_name(&"n".repeat(80)), None);
    assert!(fault_of_name(&"n".repeat(81)).is_some());
    assert!(fault_of_name("p_09_a_429_pauses_the_account").is_some());
}

#[test]
fn cases_are_read() {
    // Lines of an array, so that this file itself shows no case.
    let text = [
        "fn helper() {}",
        "/// Cases: P-01",
        "#[rstest]",
        "#[case(1)]",
        "async fn one(#[case] number: u8) {}",
        "/// Cases: B-01",
        "fn no_test() {}",
        "proptest! {",
        "    /// With a comment.",
        "    /// Cases: P-02, C-11",
        "    #[test]",
        "    fn two(text in \".*\") {}",
        "}",
        "#[tokio::test(start_paused = true)]",
        "async fn none() {}",
    ]
    .join("\n");
    let function = |name, is_test, cases: &[&'static str]| Function {
        name,
        is_test,
        cases: cases.to_vec(),
    };
    assert_eq!(
        functions(&text),
        [
            function("one", true, &["P-01"]),
            function("no_test", false, &["B-01"]),
            function("two", true, &["P-02", "C-11"]),
            function("none", true, &[]),
        ]
    );
}
