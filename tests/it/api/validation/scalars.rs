//! Unquoted words: kubectl reads YAML 1.1, in which `no` is false and `0777` a number.

use assert_cmd::Command;

use super::case;
use crate::harness::{operator::binary, run};

/// Words that YAML, or some version of it, takes for something else than a text.
const WORDS: [&str; 63] = [
    "y",
    "Y",
    "n",
    "N",
    "yes",
    "Yes",
    "YES",
    "no",
    "No",
    "NO",
    "on",
    "On",
    "ON",
    "off",
    "Off",
    "OFF",
    "true",
    "True",
    "TRUE",
    "false",
    "null",
    "Null",
    "NULL",
    "~",
    "",
    "0",
    "7",
    "-7",
    "+7",
    "0777",
    "0o17",
    "0x1F",
    "0b11",
    "1_000",
    "_1",
    "1e3",
    "1E3",
    "1.5",
    ".5",
    "5.",
    "+.5",
    "-.5",
    "1.e3",
    ".inf",
    ".Inf",
    "-.INF",
    ".nan",
    ".NaN",
    "2001-01-01",
    "2001-01-01T00:00:00Z",
    "12:30",
    "12:30:45",
    "10m",
    "1d",
    "08",
    "0o9",
    "0x",
    "=",
    "<<",
    "1,000",
    "0.0.0",
    "1e",
    "99999999999999999999",
];

fn manifest(field: &str, word: &str) -> String {
    let (name, suspend) = match field {
        "name" => (word, "false"),
        _ => ("A", word),
    };
    format!(
        "apiVersion: providersecrets.dev/v1alpha1
kind: ProviderSecret
metadata:
  name: object
spec:
  provider: {{baseten: {{apiKeySecretRef: {{name: account, key: a}}}}}}
  suspend: {suspend}
  data:
  - secretKeyRef: {{name: a, key: a}}
    name: {name}
"
    )
}

#[test]
fn an_unquoted_word_is_what_it_is_to_kubectl() {
    run(async {
        let case = case().await;
        let create = [
            "create",
            "--dry-run=server",
            "--namespace",
            &case.namespace,
            "-f",
            "-",
        ];
        let mut differences = Vec::new();
        for word in WORDS {
            for field in ["name", "suspend"] {
                let manifest = manifest(field, word);
                let cluster = &case.env.cluster;
                let theirs = cluster.kubectl_output(&create, Some(&manifest)).await;
                let theirs = theirs.expect("kubectl runs");
                let ours = Command::new(binary())
                    .args(["validate", "-f", "-"])
                    .write_stdin(manifest)
                    .output()
                    .expect("it runs");
                if theirs.success != ours.status.success() {
                    let ours = String::from_utf8_lossy(&ours.stdout).into_owned();
                    differences.push(format!("{field}: {word}\n{}\n{ours}", theirs.stderr));
                }
            }
        }
        assert!(differences.is_empty(), "{}", differences.join("\n"));
        case.finish().await;
    });
}
