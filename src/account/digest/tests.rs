use rstest::rstest;
use serde_json::{Value, json};

use super::*;
use crate::api::{Entry, PrimeIntellectOptions, ProviderKind};

fn digest(key: &str, uid: &str, name: &str, value: &str, options: &Options) -> String {
    DigestKey::derive(&SecretString::from(key)).digest(&Digested {
        uid,
        target: "Baseten/default/",
        name,
        value: &SecretString::from(value),
        options,
    })
}

#[test]
fn whatever_an_entry_is_changes_its_digest() {
    let plain = Options::default();
    let described = Options {
        prime_intellect: PrimeIntellectOptions {
            description: Some("d".to_owned()),
            ..PrimeIntellectOptions::default()
        },
        ..Options::default()
    };
    let hosted = Options {
        host: Some("https://ghcr.io".to_owned()),
        ..Options::default()
    };
    let base = digest("key", "u", "A", "1", &plain);
    assert_eq!(base, digest("key", "u", "A", "1", &plain));
    assert_eq!(base.len(), 32);
    let others = [
        digest("other", "u", "A", "1", &plain),
        digest("key", "v", "A", "1", &plain),
        digest("key", "u", "B", "1", &plain),
        digest("key", "u", "A", "2", &plain),
        digest("key", "uA", "", "1", &plain),
        digest("key", "u", "A", "1", &described),
        digest("key", "u", "A", "1", &hosted),
    ];
    assert!(others.iter().all(|other| *other != base));
}

#[test]
fn whatever_a_record_says_changes_its_seal() {
    let seal_of = |key: &str, uid, name, facts, attempted_time| {
        DigestKey::derive(&SecretString::from(key)).seal(&Sealed {
            uid,
            target: "t",
            name,
            facts,
            leaving: false,
            attempted_time,
        })
    };
    let seal = |key, uid, name, facts| seal_of(key, uid, name, facts, None);
    let base = seal("key", "u", "A", [Some("id"), None, None, None]);
    let others = [
        seal("other", "u", "A", [Some("id"), None, None, None]),
        seal("key", "v", "A", [Some("id"), None, None, None]),
        seal("key", "u", "B", [Some("id"), None, None, None]),
        seal("key", "u", "A", [Some("other"), None, None, None]),
        seal("key", "u", "A", [None, Some("id"), None, None]),
        seal("key", "u", "A", [Some("id"), Some(""), None, None]),
        seal_of("key", "u", "A", [Some("id"), None, None, None], Some("t")),
        seal_of("key", "u", "A", [Some("id"), None, None, None], Some("")),
    ];
    assert!(others.iter().all(|other| *other != base));
}

/// The options of an entry as `spec.data` gives them.
fn options_of(options: Value) -> Options {
    let mut entry = json!({"name": "A", "secretKeyRef": {"name": "s", "key": "k"}});
    if let (Value::Object(entry), Value::Object(options)) = (&mut entry, options) {
        entry.extend(options);
    }
    let entry: Entry = serde_json::from_value(entry).unwrap();
    entry.options()
}

/// An operator whose digests differ from those in status writes every secret of every user again.
#[rstest]
#[case::baseten(ProviderKind::Baseten, "default/", json!({}), None, "ec2912c99efaa06b405251e5ceaae7d3")]
#[case::baseten_team(ProviderKind::Baseten, "default/team-1", json!({}), None, "13a804d2b176cff6515b12c5876d3f16")]
#[case::prime_intellect(ProviderKind::PrimeIntellect, "default/", json!({}), None, "1b291ebaac8f31e8d19f1b8c8b232756")]
#[case::prime_intellect_text(ProviderKind::PrimeIntellect, "default/", json!({"primeIntellect": {"isFile": false}}), None, "1b291ebaac8f31e8d19f1b8c8b232756")]
#[case::prime_intellect_file(ProviderKind::PrimeIntellect, "default/", json!({"primeIntellect": {"isFile": true}}), None, "a5f8dc09c7eacab302715362b9461fce")]
#[case::prime_intellect_described(ProviderKind::PrimeIntellect, "default/t", json!({"primeIntellect": {"description": "d"}}), None, "92f4c24e213bcd66a7be9a7828f7e401")]
#[case::prime_intellect_described_empty(ProviderKind::PrimeIntellect, "default/t", json!({"primeIntellect": {"description": ""}}), None, "f908819314a44207b17f9c17425361d9")]
#[case::pipecat(ProviderKind::Pipecat, "default/", json!({}), None, "8d3652367841995441b730167a88ce0b")]
#[case::pipecat_image_pull(ProviderKind::Pipecat, "default/", json!({}), Some("https://ghcr.io"), "95f23263aca4dd0364b751d95d8498e0")]
#[case::braintrust(ProviderKind::Braintrust, "eu/org", json!({}), None, "09cce8fa7d3a1fa43ce9af60aaa2a07f")]
#[case::braintrust_typed(ProviderKind::Braintrust, "eu/org", json!({"braintrust": {"type": "openai"}}), None, "7f042ff4e7fd66bcbe9407868ffb954c")]
#[case::braintrust_metadata(ProviderKind::Braintrust, "eu/org", json!({"braintrust": {"type": "azure", "metadata": {"b": 1, "a": {"d": null, "c": [true]}}}}), None, "2ec79f2803aaf4402c576fd80f9e60cb")]
#[case::braintrust_no_metadata(ProviderKind::Braintrust, "eu/org", json!({"braintrust": {"metadata": {}}}), None, "6723102d291a316f050fcffe5546e74a")]
fn the_digests_of_what_is_written_never_change(
    #[case] kind: ProviderKind,
    #[case] place: &str,
    #[case] options: Value,
    #[case] host: Option<&str>,
    #[case] expected: &str,
) {
    let options = Options {
        host: host.map(str::to_owned),
        ..options_of(options)
    };
    let digest = DigestKey::derive(&SecretString::from("api-key")).digest(&Digested {
        uid: "0d4b6a52-5b0e-4f6e-9d8a-2f8f3c1f7a10",
        target: &format!("{kind}/{place}"),
        name: "API_KEY",
        value: &SecretString::from("value"),
        options: &options,
    });
    assert_eq!(digest, expected);
}
