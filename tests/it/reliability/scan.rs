//! The tests of this repository, and the cases that their names say they show.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use crate::support::root;

/// The tests of each case, as `file::name`.
pub(super) type Shown = BTreeMap<String, Vec<String>>;

/// The cases that the tests of `src/` and `tests/` show.
pub(super) fn shown() -> Shown {
    let mut shown = BTreeMap::<String, BTreeSet<String>>::new();
    for folder in ["src", "tests"] {
        visit(&root().join(folder), &mut |path, text| {
            let path = path
                .strip_prefix(root())
                .expect("the path is of the checkout");
            let file = path.with_extension("").to_string_lossy().replace('\\', "/");
            for name in tests(text) {
                for id in ids(name) {
                    let test = format!("{file}::{name}");
                    shown.entry(id).or_default().insert(test);
                }
            }
        });
    }
    shown
        .into_iter()
        .map(|(id, tests)| (id, tests.into_iter().collect()))
        .collect()
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

/// The names of functions with a test attribute.
fn tests(text: &str) -> Vec<&str> {
    let (mut names, mut is_test) = (Vec::new(), false);
    for line in text.lines().map(str::trim_start) {
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
            if is_test {
                names.push(name);
            }
            is_test = false;
        }
    }
    names
}

/// The cases that a name begins with: `p_09_c_11_what_it_shows` begins with P-09 and C-11.
fn ids(name: &str) -> Vec<String> {
    let (mut words, mut ids) = (name.split('_'), Vec::new());
    while let (Some(letter), Some(number)) = (words.next(), words.next()) {
        let is_letter = letter.len() == 1 && "abcdhklmnps".contains(letter);
        let is_number = number.len() == 2 && number.bytes().all(|byte| byte.is_ascii_digit());
        if !(is_letter && is_number) {
            break;
        }
        ids.push(format!("{}-{number}", letter.to_uppercase()));
    }
    ids
}

#[test]
fn names_are_read() {
    assert_eq!(ids("p_09_a_429_pauses_the_account"), ["P-09"]);
    assert_eq!(ids("c_12_c_11_odd_values_arrive"), ["C-12", "C-11"]);
    assert!(ids("a_503_with_retry_after_is_throttling").is_empty());
    assert!(ids("a_01").len() == 1 && ids("a_1_b").is_empty() && ids("p").is_empty());
    let text = "
        fn helper() {}
        #[rstest]
        #[case(1)]
        async fn p_01_one(#[case] number: u8) {}
        fn b_01_no_test() {}
        proptest! {
            /// With a comment.
            #[test]
            fn p_02_two(text in \".*\") {}
        }
        #[tokio::test(start_paused = true)]
        async fn p_03_three() {}
    ";
    assert_eq!(tests(text), ["p_01_one", "p_02_two", "p_03_three"]);
}
