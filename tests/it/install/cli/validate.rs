//! `validate`: its exit code, and where it says what.

use assert_cmd::Command;

use super::{Ended, assert_refused, provider_secrets};
use crate::harness::root;

/// Runs `validate` in a folder with these files, and standard input.
fn validate(arguments: &[&str], files: &[(&str, &str)], stdin: &str) -> Ended {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).expect("a file is written");
    }
    let output = Command::new(env!("CARGO_BIN_EXE_provider-secrets"))
        .arg("validate")
        .args(arguments)
        .current_dir(folder.path())
        .env_clear()
        .write_stdin(stdin)
        .output()
        .expect("it runs");
    Ended {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).expect("it prints text"),
        stderr: String::from_utf8(output.stderr).expect("it prints text"),
    }
}

const GOOD: &str = "
apiVersion: providersecrets.dev/v1alpha1
kind: ProviderSecret
metadata: {name: good}
spec:
  provider: {baseten: {apiKeySecretRef: {name: api, key: key}}}
  dataFrom: [{secretRef: {name: source}}]
";

const BAD: &str = "
apiVersion: providersecrets.dev/v1alpha1
kind: ProviderSecret
metadata: {name: bad}
spec:
  provider: {baseten: {apiKeySecretRef: {name: api, key: key}}}
";

#[test]
fn every_example_is_valid() {
    let examples = root().join("examples").display().to_string();
    let ended = provider_secrets(&["validate", "--recursive", "--filename", &examples], &[]);
    assert_eq!(ended.code, Some(0), "{}{}", ended.stdout, ended.stderr);
    assert_eq!(ended.stderr, "");
    let count = std::fs::read_dir(&examples).expect("examples");
    let count = count
        .filter_map(|entry| {
            entry
                .expect("an entry")
                .path()
                .extension()
                .map(ToOwned::to_owned)
        })
        .filter(|extension| extension == "yaml")
        .count();
    assert!(count > 10, "{count}");
    let words = ended.stdout.split(' ').collect::<Vec<_>>();
    let valid: usize = words[1].parse().expect("how many are valid");
    assert!(valid >= count, "{}", ended.stdout);
}

#[test]
fn what_is_invalid_is_exit_code_1_and_said_on_standard_output() {
    let files = [("good.yaml", GOOD), ("bad.yaml", BAD)];
    let expected = "bad.yaml: bad: spec: name what to send: give data, dataFrom or both\n1 of 2 ProviderSecrets is invalid.\n";
    for arguments in [
        &["-f", "good.yaml", "bad.yaml"][..],
        &["-f", "good.yaml", "-f", "bad.yaml"],
        &["--filename=good.yaml", "--filename=bad.yaml"],
    ] {
        let ended = validate(arguments, &files, "");
        assert_eq!(ended.stdout, expected, "{arguments:?}");
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(1), ""));
    }
    let ended = validate(&["-f", "."], &files, "");
    assert_eq!(ended.stdout, format!("./{expected}"));
    let ended = validate(&["-f", "good.yaml"], &files, "");
    assert_eq!(
        (ended.code, ended.stdout.as_str()),
        (Some(0), "The ProviderSecret is valid.\n")
    );
}

#[test]
fn standard_input_is_read() {
    let ended = validate(&["-f", "-"], &[], &format!("{GOOD}---\n{BAD}"));
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert!(
        ended.stdout.starts_with("standard input: bad: spec: "),
        "{}",
        ended.stdout
    );
}

#[test]
fn what_cannot_be_read_is_wrong_usage() {
    for (arguments, parts) in [
        (
            &["-f", "absent.yaml"][..],
            &["absent.yaml does not exist"][..],
        ),
        (&["-f", "good.yaml", "-f", "absent.yaml"], &["absent.yaml"]),
        (
            &["-f", "broken.yaml"],
            &["broken.yaml is not YAML in line 1"],
        ),
        (
            &["-f", "values.yaml"],
            &["values.yaml", "apiVersion or kind"],
        ),
        (&["-f", "empty.yaml"], &["no object"]),
        (&["-f", "-"], &["no object"]),
        (&[], &["--filename"]),
        (&["good.yaml"], &["good.yaml"]),
        (&["-f", "good.yaml", "-o", "xml"], &["xml"]),
    ] {
        let files = [
            ("good.yaml", GOOD),
            ("broken.yaml", "a: {"),
            ("values.yaml", "replicaCount: 2"),
            ("empty.yaml", "# nothing\n"),
        ];
        assert_refused(&validate(arguments, &files, ""), parts);
    }
}
