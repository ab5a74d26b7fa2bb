//! Documents and code cite only what is in this repository: a link leads to a file and an anchor that
//! exist, and so does each mention of a document in code. An id of a vendor's trap or of a case of the
//! catalogue is one that its document has.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Component, Path, PathBuf},
};

use crate::harness::root;

/// Where citations are looked for.
const PLACES: [&str; 12] = [
    "src",
    "tests",
    "benches",
    "fuzz",
    "examples",
    "docs",
    "charts",
    "deploy",
    "README.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "CHANGELOG.md",
];
/// Texts that hold citations; other files are data.
const TEXTS: [&str; 7] = ["rs", "md", "toml", "yaml", "yml", "tpl", "sh"];
/// Folders of what is generated or found by fuzzing.
const SKIPPED: [&str; 3] = ["target", "corpus", "found"];
/// How a document's name ends.
const END: &str = ".md";
/// The traps of vendors: the document, and how their ids begin.
const VENDORS: &str = "docs/vendors.md";
const TRAPS: [&str; 5] = ["GE", "BA", "PI", "PC", "BT"];
/// The catalogue of cases.
const CATALOGUE: &str = "docs/reliability.md";

#[test]
fn every_link_leads_to_a_file_and_an_anchor() {
    let mut wrong = Vec::new();
    for (file, text) in texts().iter().filter(|(file, _)| file.ends_with(END)) {
        for target in links(text).filter(|target| !target.contains(':')) {
            let (path, anchor) = target.split_once('#').unwrap_or((&target, ""));
            let folder = Path::new(file).parent().unwrap_or_else(|| Path::new(""));
            let cited = match path {
                "" => file.clone(),
                path => normal(&folder.join(path)),
            };
            if let Err(what) = lookup(&cited, anchor) {
                wrong.push(format!("{file}: {target}: {what}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_document_that_is_mentioned_exists() {
    let mut wrong = Vec::new();
    for (file, text) in texts() {
        let folder = Path::new(&file).parent().unwrap_or_else(|| Path::new(""));
        for (
            line,
            Mention {
                path,
                anchor,
                after,
            },
        ) in mentions(&text)
        {
            // From the root, as code does, else beside the file, as documents do.
            let beside = normal(&folder.join(&path));
            let cited = [path.clone(), beside]
                .into_iter()
                .find(|cited| is_there(cited));
            let found = match cited {
                None => Err("there is no such document"),
                Some(_) if after.starts_with(|next: char| next.is_ascii_digit()) => {
                    Err("sections have no numbers: cite an anchor")
                }
                Some(cited) => lookup(&cited, &anchor),
            };
            if let Err(what) = found {
                wrong.push(format!("{file}:{line}: {path} {anchor}: {what}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_trap_and_case_that_is_cited_exists() {
    let vendors = anchors(&read(VENDORS));
    let cases = read(CATALOGUE);
    let mut wrong = Vec::new();
    for (file, text) in texts() {
        for (number, line) in text.lines().enumerate() {
            let traps = ids(line, |prefix| TRAPS.contains(&prefix));
            let traps = traps.filter(|id| !vendors.contains(&id.to_lowercase()));
            // Single letters mean much else, so they count beside the name of their document only.
            let is_catalogue = line.contains(CATALOGUE) && file != CATALOGUE;
            let ids = ids(line, |prefix| is_catalogue && prefix.len() == 1);
            let ids = ids.filter(|id| !cases.contains(&format!("\n| {id} |")));
            wrong.extend(
                traps
                    .chain(ids)
                    .map(|id| format!("{file}:{}: {id}", number + 1)),
            );
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_decision_is_in_the_index() {
    let index = read("docs/decisions/README.md");
    let pages = fs::read_dir(root().join("docs/decisions")).expect("decisions");
    for page in pages {
        let name = page.expect("a page").file_name();
        let name = name.to_string_lossy();
        let is_listed = name == "README.md" || index.contains(&format!("]({name})"));
        assert!(is_listed, "docs/decisions/README.md does not list {name}");
    }
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).expect("a document is readable")
}

fn is_there(path: &str) -> bool {
    !path.starts_with("..") && root().join(path).exists()
}

/// Whether a path of the repository exists, and the anchor in it.
fn lookup(path: &str, anchor: &str) -> Result<(), &'static str> {
    if !is_there(path) {
        return Err("there is no such file");
    }
    match anchor {
        "" => Ok(()),
        _ if !path.ends_with(END) => Err("only documents have anchors: lines move"),
        _ if anchors(&read(path)).contains(anchor) => Ok(()),
        _ => Err("there is no such anchor"),
    }
}

/// Every text in which citations are looked for, by its path from the root.
fn texts() -> BTreeMap<String, String> {
    let mut texts = BTreeMap::new();
    for place in PLACES {
        collect(&root().join(place), &mut texts);
    }
    texts
}

fn collect(path: &Path, texts: &mut BTreeMap<String, String>) {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    if path.is_dir() {
        if SKIPPED.contains(&&*name) {
            return;
        }
        for entry in fs::read_dir(path).expect("a folder is readable") {
            collect(&entry.expect("a folder is readable").path(), texts);
        }
    } else if TEXTS.iter().any(|end| name.ends_with(&format!(".{end}"))) {
        let path = path.strip_prefix(root()).expect("a path of the checkout");
        let text = fs::read_to_string(root().join(path)).expect("a text is readable");
        texts.insert(normal(path), text);
    }
}

/// A path without `.` and `..`, as far as it stays inside of the checkout.
fn normal(path: &Path) -> String {
    let mut parts = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if parts.file_name().is_some() => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.to_string_lossy().replace('\\', "/")
}

/// The lines of a document outside of code blocks.
fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut is_code = false;
    text.lines().filter(move |line| {
        let is_fence = line.trim_start().starts_with("```");
        is_code ^= is_fence;
        !is_code && !is_fence
    })
}

/// The targets of a document's links, code left out.
fn links(text: &str) -> impl Iterator<Item = String> {
    prose(text).flat_map(|line| {
        let outside: String = line.split('`').step_by(2).collect::<Vec<_>>().join("`");
        let targets = outside.split("](").skip(1);
        let targets = targets.filter_map(|rest| rest.split([')', ' ']).next());
        targets.map(str::to_owned).collect::<Vec<_>>()
    })
}

/// What a document can be entered at: its headings, as GitHub names them, and its explicit anchors.
fn anchors(text: &str) -> BTreeSet<String> {
    let (mut anchors, mut seen) = (BTreeSet::new(), BTreeMap::<String, usize>::new());
    for line in prose(text) {
        let ids = line.split("<a id=\"").skip(1);
        anchors.extend(ids.filter_map(|rest| rest.split('"').next().map(str::to_owned)));
        let title = line.trim_start_matches('#');
        let depth = line.len() - title.len();
        if (1..=6).contains(&depth) && title.starts_with(' ') {
            let slug = slug(title.trim());
            let count = seen.entry(slug.clone()).or_default();
            anchors.insert(match *count {
                0 => slug,
                count => format!("{slug}-{count}"),
            });
            *count += 1;
        }
    }
    anchors
}

/// GitHub's rule: the text without marks and tags, in lower case, with `-` for each space.
fn slug(title: &str) -> String {
    let mut text = String::new();
    for (index, part) in title.split(['<', '>']).enumerate() {
        // Every second part is a tag.
        if index % 2 == 0 {
            text.push_str(part);
        }
    }
    // Of a link its text counts.
    while let Some((before, rest)) = text.split_once("](") {
        let after = rest.split_once(')').map_or("", |(_, after)| after);
        text = format!("{before}{after}");
    }
    let kept = text.chars().filter_map(|letter| match letter {
        ' ' => Some('-'),
        '-' | '_' => Some(letter),
        letter => letter.is_alphanumeric().then_some(letter),
    });
    kept.flat_map(char::to_lowercase).collect()
}

/// A document that a text names.
#[derive(Debug, PartialEq, Eq)]
struct Mention {
    path: String,
    anchor: String,
    /// What follows after a space, on the same line.
    after: String,
}

/// The documents that a text names, with their lines. Addresses are of other places.
fn mentions(text: &str) -> impl Iterator<Item = (usize, Mention)> {
    text.lines().enumerate().flat_map(|(number, line)| {
        let found = line.match_indices(END).filter_map(move |(at, _)| {
            let (before, rest) = (&line[..at], &line[at + END.len()..]);
            let word = before.rsplit([' ', '(', '[', '<', '"', '\'', '`']).next()?;
            let start = before.trim_end_matches(|letter: char| {
                letter.is_ascii_alphanumeric() || "-_./".contains(letter)
            });
            let name = &before[start.len()..];
            let is_name = !name.is_empty() && !name.ends_with('/') && !word.contains("://");
            if !is_name || rest.starts_with(|next: char| next.is_ascii_alphanumeric()) {
                return None;
            }
            let anchor = rest.strip_prefix('#').unwrap_or_default();
            let length = anchor
                .find(|letter: char| !(letter.is_alphanumeric() || "-_".contains(letter)))
                .unwrap_or(anchor.len());
            Some(Mention {
                path: format!("{name}{END}"),
                anchor: anchor[..length].to_owned(),
                after: rest.strip_prefix(' ').unwrap_or_default().to_owned(),
            })
        });
        found.map(move |mention| (number + 1, mention))
    })
}

/// The ids of a line, such as `P-09`, whose prefix is one of those asked for.
fn ids(line: &str, is_asked: impl Fn(&str) -> bool) -> impl Iterator<Item = String> {
    let words = line.split(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '-'));
    words.filter_map(move |word| {
        let (prefix, number) = word.split_once('-')?;
        let is_number = !number.is_empty() && number.bytes().all(|digit| digit.is_ascii_digit());
        (is_number && is_asked(prefix)).then(|| word.to_owned())
    })
}

#[test]
fn anchors_are_named_as_github_names_them() {
    let text = "# One, `two` & three\n## Same\n## Same\n```sh\n# no heading\n```\n<a id=\"x-1\"></a>\n### X-1: A [link](to.it) _here_\n#hash\n";
    let expected = [
        "one-two--three",
        "same",
        "same-1",
        "x-1",
        "x-1-a-link-_here_",
    ];
    assert_eq!(anchors(text), expected.map(str::to_owned).into());
}

#[test]
fn mentions_links_and_ids_are_read() {
    // Not written out, because this file is looked through as well.
    let line = format!("(docs/a{END}#b-1, see https://c.d/e{END} and f{END} 7.3): GE-1 X-1a GE-");
    let read: Vec<Mention> = mentions(&line).map(|(_, mention)| mention).collect();
    let mention = |path: &str, anchor: &str, after: &str| Mention {
        path: format!("{path}{END}"),
        anchor: anchor.to_owned(),
        after: after.to_owned(),
    };
    assert_eq!(read.len(), 2);
    assert_eq!(read[0], mention("docs/a", "b-1", ""));
    assert_eq!(read[1].path, format!("f{END}"));
    assert!(read[1].after.starts_with("7.3"));
    assert_eq!(ids(&line, |_| true).collect::<Vec<_>>(), ["b-1", "GE-1"]);
    let text = "[a](b#c) `[no](link)` [d](e \"title\")\n```\n[no](code)\n```";
    assert_eq!(links(text).collect::<Vec<_>>(), ["b#c", "e"]);
    assert_eq!(normal(Path::new("docs/x/../../src/./y")), "src/y");
}
