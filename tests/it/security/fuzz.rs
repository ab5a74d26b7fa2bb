//! The fuzz targets on a stable compiler: their corpus, the bodies that have hurt others, and random ones.

#[expect(unreachable_pub, reason = "the same file is a library for cargo-fuzz")]
#[path = "../../../fuzz/src/lib.rs"]
mod targets;

mod names;
mod nasty;

use std::{collections::BTreeSet, fs, path::PathBuf};

use proptest::prelude::*;

use crate::harness::root;

/// The files of a target's corpus.
fn corpus(target: &str) -> Vec<PathBuf> {
    let folder = root().join("fuzz/corpus").join(target);
    let files = fs::read_dir(folder).expect("each target has a corpus");
    let mut files: Vec<PathBuf> = files
        .map(|file| file.expect("the folder is readable").path())
        .collect();
    files.sort();
    files
}

#[test]
fn every_target_is_a_program_with_a_corpus() {
    let names: BTreeSet<String> = targets::TARGETS
        .iter()
        .map(|(name, _)| (*name).to_owned())
        .collect();
    let listed = |folder: &str| -> BTreeSet<String> {
        let entries = fs::read_dir(root().join("fuzz").join(folder)).unwrap();
        entries
            .map(|entry| {
                let path = entry.unwrap().path();
                path.file_stem().unwrap().to_string_lossy().into_owned()
            })
            .collect()
    };
    assert_eq!(listed("fuzz_targets"), names);
    assert_eq!(listed("corpus"), names);
    let manifest = fs::read_to_string(root().join("fuzz/Cargo.toml")).unwrap();
    for name in names {
        assert!(manifest.contains(&format!("path = \"fuzz_targets/{name}.rs\"")));
        assert!(!corpus(&name).is_empty());
    }
}

#[test]
fn the_corpus_of_every_target_does_no_harm() {
    for (name, target) in targets::TARGETS {
        for file in corpus(name) {
            target(&fs::read(&file).unwrap());
        }
    }
}

/// Five letters choose the scenario; these are all of its providers and operations, with the answers that matter.
fn scenarios() -> impl Iterator<Item = Vec<u8>> {
    let providers = b'a'..b'a' + 7;
    let operations = b'a'..b'a' + 10;
    providers.flat_map(move |provider| {
        operations.clone().flat_map(move |operation| {
            // 200 and 400 first, then 200; JSON and HTML.
            [*b"aaa", *b"aac", *b"iaa"]
                .map(|rest| [vec![provider, operation], rest.to_vec()].concat())
        })
    })
}

/// Cases: P-23, P-25, P-26
#[test]
fn nasty_bodies_are_errors_or_sane_and_never_calls_without_end() {
    let bodies = nasty::bodies();
    for scenario in scenarios() {
        for body in &bodies {
            targets::answers(&[scenario.as_slice(), body].concat());
        }
    }
}

/// A body of a megabyte takes its time, so these are for the operations that read one.
/// Cases: P-25, P-26
#[test]
fn large_bodies_are_bounded() {
    // To list, to create and to ask whether it is ready.
    let reads = |scenario: &Vec<u8>| b"acj".contains(&scenario[1]) && scenario.ends_with(b"aaa");
    for scenario in scenarios().filter(reads) {
        for body in nasty::large() {
            targets::answers(&[scenario.as_slice(), &body].concat());
        }
    }
}

/// A body that begins as a good one and is changed at one place, or cut.
fn damaged() -> impl Strategy<Value = Vec<u8>> {
    let bodies = nasty::good();
    let position = any::<prop::sample::Index>();
    let change = prop::option::of(any::<u8>());
    (prop::sample::select(bodies), position, change).prop_map(|(mut body, position, change)| {
        let position = position.index(body.len());
        match change {
            Some(byte) => body[position] = byte,
            None => body.truncate(position),
        }
        body
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Cases: P-22, P-23
    #[test]
    fn damaged_answers_are_errors_or_sane(
        head in prop::collection::vec(b'a'..=b'z', 5),
        body in damaged(),
    ) {
        targets::answers(&[head, body].concat());
    }

    /// Cases: P-23, P-26
    #[test]
    fn random_bytes_do_no_harm(input in prop::collection::vec(any::<u8>(), 0..512)) {
        for (_, target) in targets::TARGETS {
            target(&input);
        }
    }

    /// Cases: P-12
    #[test]
    fn random_waits_do_no_harm(input in "[ -~]{0,40}\n([ -~]{0,40}|[0-9]{1,40})") {
        targets::retry_after(input.as_bytes());
    }

    /// Cases: B-08
    #[test]
    fn damaged_resources_do_no_harm(
        body in prop::sample::select(nasty::resources()),
        position in any::<prop::sample::Index>(),
        change in prop::option::of(any::<u8>()),
    ) {
        let mut body = body;
        let position = position.index(body.len());
        match change {
            Some(byte) => body[position] = byte,
            None => body.truncate(position),
        }
        targets::resource(&body);
    }
}
