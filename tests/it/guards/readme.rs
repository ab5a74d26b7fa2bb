//! The documentation: the tables are complete.

use std::process::Command;

use provider_secrets::api::Reason;

use crate::harness::root;

#[test]
fn every_reason_is_explained() {
    let reference = std::fs::read_to_string(root().join("docs/reference.md")).expect("a reference");
    for reason in Reason::ALL {
        let row = format!("\n| [`{reason}`](runbooks/{reason}.md) |");
        assert!(
            reference.contains(&row),
            "docs/reference.md does not explain {reason}"
        );
    }
}

#[test]
fn every_flag_is_explained() {
    let help = Command::new(env!("CARGO_BIN_EXE_provider-secrets"))
        .args(["run", "--help"])
        .output();
    let help = String::from_utf8(help.expect("the operator runs").stdout).expect("text");
    let reference = std::fs::read_to_string(root().join("docs/reference.md")).expect("a reference");
    let flags = help
        .lines()
        .filter_map(|line| line.trim().strip_prefix("--")?.split([' ', '[']).next());
    let flags: Vec<&str> = flags.collect();
    assert!(flags.len() >= 9, "{help}");
    for flag in flags {
        assert!(
            reference.contains(&format!("`--{flag}")),
            "docs/reference.md does not explain --{flag}"
        );
    }
}

#[test]
fn the_readme_of_the_tests_names_every_room() {
    let readme = std::fs::read_to_string(root().join("tests/README.md")).expect("a README");
    let files = |folder: &str| {
        let entries = std::fs::read_dir(root().join("tests/it").join(folder)).expect("a folder");
        let paths = entries.map(|entry| entry.expect("the folder is readable").path());
        paths.filter(|path| path.is_file()).collect::<Vec<_>>()
    };
    let mut missing = Vec::new();
    for room in files("") {
        let room = room
            .file_stem()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        if matches!(room.as_str(), "main" | "harness") {
            continue;
        }
        for test in files(&room) {
            let test = test
                .file_stem()
                .expect("a name")
                .to_string_lossy()
                .into_owned();
            let name = format!("`{room}/{test}`");
            if !readme.contains(&name) {
                missing.push(name);
            }
        }
    }
    assert!(
        missing.is_empty(),
        "tests/README.md does not name {missing:?}"
    );
}
