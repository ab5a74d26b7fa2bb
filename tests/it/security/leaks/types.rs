//! Types that hold a value cannot be printed. A test of each would miss the next one, so the rule is
//! held to the source: what is erased when it is dropped derives nothing that shows it.

use std::{fs, path::Path};

use crate::harness::root;

/// What holds a value or a key and would show it. `SecretString` is not among them: it prints as
/// `[REDACTED]` and cannot be serialised.
const HOLDERS: [&str; 4] = ["Zeroizing<", "HeaderValue", " Bytes", "ByteString"];
/// What shows the fields of a type.
const PRINTERS: [&str; 3] = ["Debug", "Display", "Serialize"];

/// The files of the operator.
fn sources(folder: &Path, see: &mut impl FnMut(&str)) {
    for entry in fs::read_dir(folder).expect("the folder is readable") {
        let path = entry.expect("the folder is readable").path();
        if path.is_dir() {
            sources(&path, see);
        } else {
            see(&fs::read_to_string(&path).expect("a source is text"));
        }
    }
}

/// The types of a file: what they derive, their names and their fields.
fn types(text: &str) -> Vec<(String, String, String)> {
    let (mut types, mut derived) = (Vec::new(), String::new());
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let line = line.trim_start();
        if line.starts_with("#[derive") {
            derived.push_str(line);
            continue;
        }
        let words: Vec<&str> = line.split([' ', '<', '(', '{', ';']).collect();
        let at = words
            .iter()
            .position(|word| ["struct", "enum"].contains(word));
        let Some(name) = at.filter(|at| *at < 3).and_then(|at| words.get(at + 1)) else {
            if !line.starts_with(['#', '/', ')', ']']) {
                derived.clear();
            }
            continue;
        };
        let mut fields = line.to_owned();
        if !line.ends_with([';', '}']) {
            let rest = lines
                .by_ref()
                .map(str::trim)
                .take_while(|line| *line != "}");
            fields.extend(rest.flat_map(|line| [" ", line]));
        }
        types.push((std::mem::take(&mut derived), (*name).to_owned(), fields));
    }
    types
}

/// The types of a file that hold a value and show it.
fn shown(text: &str) -> Vec<String> {
    let mut shown = Vec::new();
    for (derived, name, fields) in types(text) {
        let holds = HOLDERS.iter().any(|holder| fields.contains(holder));
        // What is made of an exposed value goes into a body, and must not go anywhere else.
        let is_body = derived.contains("Serialize") && !derived.contains("Debug");
        let prints = |printer: &&str| {
            let implements = text.lines().any(|line| {
                line.starts_with("impl")
                    && line.contains(*printer)
                    && line.ends_with(&format!(" for {name} {{"))
            });
            derived.contains(*printer) || implements
        };
        if holds && PRINTERS.iter().any(prints) {
            shown.push(name.clone());
        }
        if text.contains("expose_secret()") && derived.contains("Serialize") && !is_body {
            shown.push(name);
        }
    }
    shown
}

/// Cases: S-02
#[test]
fn a_type_that_holds_a_value_cannot_be_printed() {
    let (mut all, mut holders) = (Vec::new(), 0);
    sources(&root().join("src"), &mut |text| {
        let types = types(text);
        let holds = |fields: &str| HOLDERS.iter().any(|holder| fields.contains(holder));
        holders += types.iter().filter(|(_, _, fields)| holds(fields)).count();
        all.extend(shown(text));
    });
    assert_eq!(all, Vec::<String>::new());
    // It has looked at what there is.
    assert!(holders >= 5, "{holders}");
}

#[test]
fn a_type_that_prints_is_found() {
    let cases = [
        (
            "#[derive(Clone, Debug)]\nstruct Held {\n    data: Zeroizing<Vec<u8>>,\n}",
            1,
        ),
        (
            "#[derive(Clone)]\npub struct Held {\n    data: Zeroizing<Vec<u8>>,\n}",
            0,
        ),
        (
            "struct Held(Zeroizing<u8>);\nimpl fmt::Debug for Held {\n}",
            1,
        ),
        (
            "pub(super) struct Held(Zeroizing<u8>);\nimpl fmt::Debug for Other {\n}",
            0,
        ),
        ("#[derive(Debug)]\npub enum Held {\n    One( Bytes),\n}", 1),
        (
            "value.expose_secret();\n#[derive(Debug, Serialize)]\nstruct Body {\n}",
            1,
        ),
        (
            "value.expose_secret();\n#[derive(Serialize)]\nstruct Body {\n}",
            0,
        ),
        (
            "#[derive(Debug)]\n#[serde(x)]\n/// Held.\nstruct Held {\n    data: SecretString,\n}",
            0,
        ),
    ];
    for (text, count) in cases {
        assert_eq!(shown(text).len(), count, "{text}");
    }
}
