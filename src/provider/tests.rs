//! What belongs to a provider is there, and nothing else knows a provider by name. A test that fails
//! says what is missing; CONTRIBUTING.md ("Adding a provider") has the whole list.

mod accounts;
mod canned; // answers that a test has written
mod listings; // what a listing may prove, whatever the provider
mod outcomes; // what the answer to a write or a deletion proves
mod places;

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};

use super::*;
use crate::api::{self, Entry, ProviderSpec};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Every file below a folder, by its path from the root.
fn files(folder: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                files.push(path.strip_prefix(root()).unwrap().to_owned());
            }
        }
    }
    files
}

/// The schema of the spec.
fn schema() -> Value {
    let definition = serde_json::to_value(api::definition()).unwrap();
    definition
        .pointer("/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties")
        .unwrap()
        .clone()
}

fn keys(object: &Value) -> BTreeSet<&str> {
    object
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect()
}

fn spec(members: &[&str]) -> ProviderSpec {
    let account = json!({"apiKeySecretRef": {"name": "s", "key": "k"}});
    let members = members
        .iter()
        .map(|member| ((*member).to_owned(), account.clone()));
    serde_json::from_value(Value::Object(members.collect())).unwrap()
}

/// The module of a provider: its file in `src/provider/` is named after it.
fn module(provider: &Descriptor) -> String {
    let files = files("src/provider");
    let mut stems = files.iter().filter_map(|file| file.file_stem()?.to_str());
    let is_its = |stem: &&str| stem.replace('_', "") == provider.flag;
    let module = stems.find(is_its);
    let missing = format!(
        "src/provider/{}.rs, or with underscores, is missing",
        provider.flag
    );
    module.expect(&missing).to_owned()
}

#[test]
fn each_member_of_the_spec_has_a_row_and_chooses_its_own_provider() {
    let schema = schema();
    let members = keys(&schema["provider"]["properties"]);
    let rows = ProviderKind::ALL.map(ProviderKind::member);
    assert_eq!(
        members,
        BTreeSet::from(rows),
        "members of ProviderSpec on the left, ProviderKind::ALL on the right"
    );
    for kind in ProviderKind::ALL {
        let member = kind.member();
        let chosen = spec(&[member]).choice().map(Choice::kind);
        assert_eq!(
            chosen,
            Some(kind),
            "the account of the descriptor of {member}"
        );
        let other = rows.into_iter().find(|row| *row != member).unwrap();
        assert!(
            spec(&[member, other]).choice().is_none(),
            "{member} and {other}"
        );
    }
    assert!(spec(&[]).choice().is_none());
}

/// A field that moved what was written to another account would leave it behind there, and an option
/// of another provider would be ignored in silence.
#[test]
fn fields_of_a_member_cannot_change_and_options_are_for_their_own_provider() {
    let definition = serde_json::to_value(api::definition()).unwrap();
    let schema = &definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
    let spec = &schema["properties"]["spec"];
    let rules = |of: &Value| of["x-kubernetes-validations"].to_string();
    let (of_provider, of_spec) = (rules(&spec["properties"]["provider"]), rules(spec));
    for kind in ProviderKind::ALL {
        let member = kind.member();
        let account = &spec["properties"]["provider"]["properties"][member]["properties"];
        for field in keys(account) {
            let is_fixed =
                account[field]["type"] == "string" && account[field].get("enum").is_none();
            let same = format!("self.{member}.{field} == oldSelf.{member}.{field}");
            assert!(
                !is_fixed || of_provider.contains(&same),
                "{field} is in no unchanged({member:?}, …) of ProviderSpec"
            );
        }
        let entry = &spec["properties"]["data"]["items"]["properties"];
        let own = format!("has(self.provider.{member}) || self.data.all(e, !has(e.{member}))");
        assert!(
            entry.get(member).is_none() || of_spec.contains(&own),
            "SPEC_RULES lets data[].{member} be given to another provider"
        );
    }
}

#[test]
fn names_are_told_apart_and_endpoints_are_safe() {
    let names = PROVIDERS.map(|provider| provider.name);
    let flags = PROVIDERS.map(|provider| provider.flag);
    assert_eq!(BTreeSet::from(names).len(), PROVIDERS.len());
    assert_eq!(BTreeSet::from(flags).len(), PROVIDERS.len());
    for provider in PROVIDERS {
        let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        assert!(provider.flag.bytes().all(is_plain), "{}", provider.flag);
        assert_eq!(
            provider.rules.kind, provider.kind,
            "the rules of {}",
            provider.name
        );
        let endpoints: BTreeSet<&str> = provider.endpoints.iter().map(|(name, _)| *name).collect();
        assert_eq!(endpoints.len(), provider.endpoints.len());
        assert!(
            endpoints.contains(Choice::DEFAULT_ENDPOINT),
            "{}",
            provider.name
        );
        for (name, url) in provider.endpoints {
            let flag = format!("{}/{name}={url}", provider.flag);
            assert!(
                flag.parse::<crate::account::EndpointFlag>().is_ok(),
                "{flag}"
            );
            assert!(url.starts_with("https://"), "{url}");
        }
    }
}

/// Another value of an option that the operator manages must be another digest, or a user's change
/// is lost.
#[test]
fn each_option_of_an_entry_enters_the_digest() {
    let schema = schema();
    let entry = &schema["data"]["items"]["properties"];
    let plain = Options::default().digest_text();
    for kind in ProviderKind::ALL {
        let member = kind.member();
        let Some(options) = entry.get(member) else {
            continue;
        };
        for option in keys(&options["properties"]) {
            let sample = match options["properties"][option]["type"].as_str() {
                Some("boolean") => json!(true),
                Some("integer") => json!(1),
                Some("object") => json!({"a": 1}),
                Some("array") => json!(["a"]),
                _ => json!("a"),
            };
            let entry = json!({"name": "A", member: {option: sample}});
            let entry: Entry = serde_json::from_value(entry).unwrap();
            assert_ne!(
                entry.options().digest_text(),
                plain,
                "data[].{member}.{option} is in no row of `managed`, or not in Entry::options"
            );
        }
    }
    let managed: Vec<&str> = PROVIDERS
        .iter()
        .flat_map(|provider| provider.managed)
        .map(|option| option.name)
        .collect();
    let distinct: BTreeSet<&str> = managed.iter().copied().collect();
    assert_eq!(
        distinct.len(),
        managed.len(),
        "two options have one name: {managed:?}"
    );
}

/// The lines of a file that are neither tests nor, in `api/`, text for `kubectl explain`.
fn program(path: &Path) -> Vec<(usize, String)> {
    let text = read(path);
    let text = text
        .split("#[cfg(test)]\nmod tests {")
        .next()
        .unwrap_or_default();
    let is_api = path.starts_with("src/api");
    let is_prose = |line: &str| {
        let line = line.trim_start();
        is_api && (line.starts_with("//") || line.starts_with("doc = "))
    };
    let lines = text.lines().enumerate().filter(|(_, line)| !is_prose(line));
    lines
        .map(|(index, line)| (index + 1, line.to_owned()))
        .collect()
}

/// All that differs from provider to provider is reached through its descriptor, its rules and its
/// methods. A name elsewhere is a case that the next provider would have to be added to.
#[test]
fn no_file_but_those_of_a_provider_knows_it_by_name() {
    let plain = |text: &str| text.to_lowercase().replace(['_', ' '], "");
    let modules = PROVIDERS.map(module);
    let is_touch_point = |path: &Path| {
        let shared = ["src/api/provider.rs", "src/api/entry.rs", "src/provider.rs"];
        let is_own = modules.iter().any(|module| {
            let own = Path::new("src/provider").join(module);
            path == own.with_extension("rs") || path.starts_with(own)
        });
        is_own || shared.iter().any(|shared| path == Path::new(shared))
    };
    let is_tests = |path: &Path| {
        let is_of_tests = |part: std::path::Component<'_>| {
            part.as_os_str() == "tests" || part.as_os_str() == "snapshots"
        };
        path.components().any(is_of_tests) || path.ends_with("tests.rs")
    };
    let mut found = Vec::new();
    for path in files("src") {
        if is_touch_point(&path) || is_tests(&path) {
            continue;
        }
        for (number, line) in program(&path) {
            let names = PROVIDERS
                .iter()
                .flat_map(|provider| [provider.name, provider.flag]);
            if names.map(plain).any(|name| plain(&line).contains(&name)) {
                found.push(format!("{}:{number}: {}", path.display(), line.trim()));
            }
        }
    }
    assert!(
        found.is_empty(),
        "these know a provider by name:\n{}",
        found.join("\n")
    );
}
