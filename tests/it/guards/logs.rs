//! The fields of the log are those of its documentation: a query that is written by it finds every line.

use std::{collections::BTreeSet, fs, path::Path};

use crate::harness::root;

const LEVELS: [&str; 5] = ["trace", "debug", "info", "warn", "error"];

#[test]
fn every_field_of_the_log_is_documented() {
    let documented = documented();
    let mut unknown = BTreeSet::new();
    sources(&root().join("src"), &mut |text| {
        unknown.extend(fields(text).filter(|field| !documented.contains(field)));
    });
    assert_eq!(unknown, BTreeSet::new(), "not in docs/reference.md#logs");
}

#[test]
fn fields_are_found_in_each_form() {
    let text = r#"
        tracing::info!(one, two = "a, b", ?three, %four, five.six = f(1, 2), "{seven}: {}", eight);
        tracing::warn!("{nine}");
        tracing::error!(
            ten = ten.join(", "),
            "it ends"
        );
    "#;
    let found: Vec<String> = fields(text).collect();
    assert_eq!(found, ["one", "two", "three", "four", "five.six", "ten"]);
}

/// The fields in the table of the documentation.
fn documented() -> BTreeSet<String> {
    let reference = fs::read_to_string(root().join("docs/reference.md")).expect("the reference");
    let logs = reference
        .split("\n## ")
        .find(|part| part.starts_with("Logs\n"));
    let rows = logs.expect("the part about logs").lines();
    let names = rows.filter_map(|row| row.strip_prefix("| ")?.split('|').next());
    let words = names.flat_map(|names| names.split('`').skip(1).step_by(2));
    words.map(str::to_owned).collect()
}

/// Gives the text of each source file but those of tests.
fn sources(folder: &Path, give: &mut impl FnMut(&str)) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let is_test = path.file_stem().is_some_and(|name| name == "tests");
        if path.is_dir() && !is_test {
            sources(&path, give);
        } else if path.extension().is_some_and(|end| end == "rs") && !is_test {
            give(&fs::read_to_string(&path).expect("a source file"));
        }
    }
}

/// The names of the fields of each line that is logged.
fn fields(text: &str) -> impl Iterator<Item = String> {
    let macros = text.split("tracing::").skip(1).filter_map(|after| {
        let (level, arguments) = after.split_once("!(")?;
        LEVELS.contains(&level).then_some(arguments)
    });
    macros.flat_map(|text| {
        // The message ends them.
        let fields = arguments(text).into_iter();
        let fields = fields.take_while(|argument| !argument.starts_with('"'));
        fields.map(|field| {
            let name = field.split('=').next().unwrap_or_default();
            name.trim_matches(['?', '%', ' ']).to_owned()
        })
    })
}

/// The arguments of a macro, up to its closing bracket.
fn arguments(text: &str) -> Vec<String> {
    let (mut all, mut depth, mut is_quoted) = (vec![String::new()], 0_usize, false);
    for character in text.chars() {
        match character {
            '"' => is_quoted = !is_quoted,
            '(' | '[' | '{' if !is_quoted => depth += 1,
            ')' if !is_quoted && depth == 0 => break,
            ')' | ']' | '}' if !is_quoted => depth -= 1,
            ',' if !is_quoted && depth == 0 => {
                all.push(String::new());
                continue;
            }
            _ => {}
        }
        if let Some(last) = all.last_mut() {
            last.push(character);
        }
    }
    let all = all.into_iter().map(|argument| argument.trim().to_owned());
    all.filter(|argument| !argument.is_empty()).collect()
}
