//! The annotations of Chart.yaml that Artifact Hub shows: that they say what the repository says.

use std::{collections::BTreeSet, fs};

use serde_json::{Value, json};

use super::{documents, read};
use crate::harness::root;

/// The YAML that an annotation holds.
fn annotation(name: &str) -> Vec<Value> {
    let chart = documents(&read("charts/provider-secrets/Chart.yaml")).remove(0);
    let text = chart["annotations"][format!("artifacthub.io/{name}")].as_str();
    let list = documents(text.expect("an annotation")).remove(0);
    list.as_array().expect("a list").clone()
}

#[test]
fn the_definition_is_that_of_crds() {
    let definition = documents(&read("crds/providersecrets.yaml")).remove(0);
    let [shown] = &annotation("crds")[..] else {
        panic!("there is one definition");
    };
    assert_eq!(shown["name"], definition["metadata"]["name"]);
    assert_eq!(shown["kind"], definition["spec"]["names"]["kind"]);
    let versions = definition["spec"]["versions"].as_array().expect("versions");
    let stored = versions.iter().find(|version| version["storage"] == true);
    assert_eq!(shown["version"], stored.expect("one is stored")["name"]);
}

#[test]
fn each_example_is_one_of_examples_and_each_provider_has_one() {
    let folder = fs::read_dir(root().join("examples")).expect("a folder");
    let files = folder.map(|entry| entry.expect("an entry").path());
    let texts = files.filter_map(|path| fs::read_to_string(path).ok());
    let examples: Vec<Value> = texts.flat_map(|text| documents(&text)).collect();
    let mut providers = BTreeSet::new();
    for shown in annotation("crdsExamples") {
        assert!(examples.contains(&shown), "{shown:#}");
        let provider = shown["spec"]["provider"].as_object().expect("a provider");
        providers.extend(provider.keys().cloned());
    }
    let definition = documents(&read("crds/providersecrets.yaml")).remove(0);
    let schema = "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/provider";
    let provider = definition.pointer(schema).expect("spec.provider");
    let known = provider["properties"].as_object().expect("members");
    assert_eq!(providers, known.keys().cloned().collect());
}

#[test]
fn the_image_is_that_of_the_values() {
    let values = documents(&read("charts/provider-secrets/values.yaml")).remove(0);
    let repository = values["image"]["repository"].as_str().expect("a name");
    let image = format!("{repository}:{}", env!("CARGO_PKG_VERSION"));
    let expected = json!({"name": "provider-secrets", "image": image});
    assert_eq!(annotation("images"), [expected]);
}

#[test]
fn each_link_into_the_repository_leads_to_something() {
    let links = annotation("links");
    assert!(links.len() >= 4, "{links:?}");
    for link in links {
        let url = link["url"].as_str().expect("a URL");
        let repository = "https://github.com/provider-secrets/provider-secrets";
        let path = url.strip_prefix(repository).expect("it is of the project");
        if let Some(file) = path.strip_prefix("/tree/main/") {
            assert!(root().join(file).exists(), "{file}");
        }
    }
}

/// The bullets of the newest version in CHANGELOG.md, each in one line.
fn newest() -> Vec<String> {
    let text = read("CHANGELOG.md");
    let mut sections = text.split("\n## ").skip(1);
    let section = sections.find(|section| section.contains("\n- "));
    let section = section.expect("a version");
    let bullets = section.split("\n- ").skip(1);
    bullets
        .map(|bullet| bullet.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect()
}

#[test]
fn the_changes_are_sentences_of_the_changelog_and_all_that_break() {
    let bullets = newest();
    let changes = annotation("changes");
    for change in &changes {
        let text = change["description"].as_str().expect("a text");
        assert!(bullets.iter().any(|bullet| bullet.contains(text)), "{text}");
        let kinds = [
            "added",
            "changed",
            "deprecated",
            "removed",
            "fixed",
            "security",
        ];
        assert!(kinds.iter().any(|kind| change["kind"] == *kind), "{change}");
    }
    for bullet in &bullets {
        for breaking in bullet.split("BREAKING: ").skip(1) {
            let (sentence, _) = breaking.split_once(". ").unwrap_or((breaking, ""));
            let is_it = |change: &&Value| {
                let text = change["description"].as_str().unwrap_or_default();
                text.trim_end_matches('.') == sentence.trim_end_matches('.')
            };
            let change = changes.iter().find(is_it);
            let kind = &change.expect(sentence)["kind"];
            assert_eq!(kind, "changed", "{sentence}");
        }
    }
}
