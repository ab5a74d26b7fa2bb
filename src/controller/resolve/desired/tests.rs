//! Names, values and collisions.

mod image_pull;
mod sizes;
mod templates;

use proptest::prelude::*;
use rstest::rstest;
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::*;
use crate::{api::ProviderKind, provider};

fn spec(value: &Value) -> ProviderSecretSpec {
    let mut spec = json!({"provider": {}});
    spec.as_object_mut()
        .unwrap()
        .extend(value.as_object().unwrap().clone());
    serde_json::from_value(spec).unwrap()
}

type Data<'a> = &'a [(&'a str, &'a [u8])];

fn sources(secrets: &[(&str, Data<'_>)]) -> Sources {
    secrets
        .iter()
        .map(|(name, data)| {
            let data = data
                .iter()
                .map(|(key, value)| ((*key).to_owned(), Zeroizing::new(value.to_vec())));
            ((*name).to_owned(), Ok(Arc::new(data.collect())))
        })
        .collect()
}

fn desired(value: &Value, secrets: &Sources, kind: ProviderKind) -> Result<DesiredState, Failure> {
    desired_state(&spec(value), "object", secrets, provider::rules(kind))
}

/// Name and value, or the reason that there is none.
fn shown(desired: &DesiredState) -> Vec<(String, Result<String, Reason>)> {
    desired
        .entries
        .iter()
        .map(|entry| {
            let value = entry
                .value
                .as_ref()
                .map(|value| value.expose_secret().to_owned());
            (entry.name.clone(), value.map_err(|failure| failure.reason))
        })
        .collect()
}

fn one(name: &str) -> Value {
    json!({"name": name, "secretKeyRef": {"name": "s", "key": "k"}})
}

#[test]
fn a_bulk_source_is_filtered_transformed_and_prefixed_in_this_order() {
    let secrets = sources(&[(
        "s",
        &[("api-key", b"1"), ("debug-key", b"2"), ("other", b"3")],
    )]);
    let from = json!({"dataFrom": [{
        "secretRef": {"name": "s"}, "include": ["*-key"], "exclude": ["debug*"],
        "nameTransform": "UpperSnake", "prefix": "app_",
    }]});
    let desired = desired(&from, &secrets, ProviderKind::Baseten).unwrap();
    assert_eq!(
        shown(&desired),
        [("app_API_KEY".to_owned(), Ok("1".to_owned()))]
    );
}

#[test]
fn a_bulk_entry_tells_the_source_and_the_key_that_give_it() {
    let secrets = sources(&[("s", &[("k", b"1")]), ("t", &[("api.key", b"2")])]);
    let from = json!({"data": [one("NAME")], "dataFrom": [
        {"secretRef": {"name": "s"}, "prefix": "s_"},
        {"secretRef": {"name": "t"}, "nameTransform": "UpperSnake"},
    ]});
    let desired = desired(&from, &secrets, ProviderKind::Baseten).unwrap();
    let bulk = |source, key: &str| {
        let key = key.to_owned();
        Some(BulkKey { source, key })
    };
    let given = desired.entries.into_iter();
    let given: Vec<_> = given.map(|entry| (entry.name, entry.bulk)).collect();
    let expected = [
        ("API_KEY", bulk(1, "api.key")),
        ("NAME", None),
        ("s_k", bulk(0, "k")),
    ];
    assert_eq!(given, expected.map(|(name, bulk)| (name.to_owned(), bulk)));
}

#[test]
fn an_explicit_entry_wins_over_a_bulk_one_also_when_they_only_fold_together() {
    let secrets = sources(&[("s", &[("k", b"explicit"), ("hf-token", b"bulk")])]);
    let both = json!({"data": [one("hf_token")], "dataFrom": [{"secretRef": {"name": "s"}, "exclude": ["k"]}]});
    let baseten = desired(&both, &secrets, ProviderKind::Baseten).unwrap();
    assert_eq!(
        shown(&baseten),
        [("hf_token".to_owned(), Ok("explicit".to_owned()))]
    );
    let pipecat = desired(&both, &secrets, ProviderKind::Pipecat).unwrap();
    assert_eq!(pipecat.entries.len(), 2);
}

#[rstest]
#[case::folded(json!({"data": [one("hf-token"), one("hf_token")]}), ProviderKind::Baseten, Some(Reason::Conflict))]
#[case::not_folded(json!({"data": [one("hf-token"), one("hf_token")]}), ProviderKind::Pipecat, None)]
#[case::two_sources(
    json!({"dataFrom": [{"secretRef": {"name": "s"}}, {"secretRef": {"name": "s"}}]}),
    ProviderKind::Pipecat,
    Some(Reason::Conflict)
)]
#[case::bad_pattern(
    json!({"dataFrom": [{"secretRef": {"name": "s"}, "include": ["[a"]}]}),
    ProviderKind::Pipecat,
    Some(Reason::InvalidSpec)
)]
fn what_is_unfit_as_a_whole_is_refused(
    #[case] value: Value,
    #[case] kind: ProviderKind,
    #[case] reason: Option<Reason>,
) {
    let secrets = sources(&[("s", &[("k", b"1")])]);
    assert_eq!(
        desired(&value, &secrets, kind)
            .err()
            .map(|failure| failure.reason),
        reason
    );
}

#[test]
fn more_than_500_entries_are_refused() {
    let keys: Vec<String> = (0..=MAX_ENTRIES)
        .map(|number| format!("k{number}"))
        .collect();
    let data: Vec<(&str, &[u8])> = keys
        .iter()
        .map(|key| (key.as_str(), b"1".as_slice()))
        .collect();
    let from = json!({"dataFrom": [{"secretRef": {"name": "s"}}]});
    let refused = desired(&from, &sources(&[("s", &data)]), ProviderKind::Baseten);
    assert_eq!(
        refused.err().map(|failure| failure.reason),
        Some(Reason::TooManyEntries)
    );
    let accepted = desired(&from, &sources(&[("s", &data[1..])]), ProviderKind::Baseten).unwrap();
    assert_eq!(accepted.entries.len(), MAX_ENTRIES);
}

#[rstest]
#[case::text(
    b"line\r\n\x01\xef\xbb\xbf{{x}}",
    ProviderKind::Baseten,
    Ok("line\r\n\u{1}\u{feff}{{x}}")
)]
#[case::empty(b"", ProviderKind::Baseten, Err(Reason::EmptyValue))]
#[case::binary(&[0xff, 0x00], ProviderKind::Braintrust, Err(Reason::InvalidEncoding))]
fn a_text_is_sent_as_it_is_or_refused(
    #[case] bytes: &[u8],
    #[case] kind: ProviderKind,
    #[case] expected: Result<&str, Reason>,
) {
    let secrets = sources(&[("s", &[("k", bytes)])]);
    let desired = desired(&json!({"data": [one("NAME")]}), &secrets, kind).unwrap();
    assert_eq!(
        shown(&desired),
        [("NAME".to_owned(), expected.map(str::to_owned))]
    );
}

/// Cases: R-24
#[rstest]
#[case::little_endian(b"k\0e\0y\0", "looks like UTF-16")]
#[case::big_endian(b"\0k\0e\0y", "looks like UTF-16")]
#[case::one_nul(b"key\0", "holds NUL")]
#[case::with_its_mark(b"\xff\xfek\0e\0y\0", "looks like UTF-16")]
#[case::the_other_mark(b"\xfe\xff\0k\0e\0y", "looks like UTF-16")]
fn a_text_full_of_nul_is_refused_and_a_file_is_not(#[case] bytes: &[u8], #[case] part: &str) {
    let secrets = sources(&[("s", &[("k", bytes)])]);
    let mut file = one("FILE");
    file["primeIntellect"] = json!({"isFile": true});
    for kind in ProviderKind::ALL {
        let mut data = vec![one("NAME")];
        data.extend((kind == ProviderKind::PrimeIntellect).then(|| file.clone()));
        let desired = desired(&json!({"data": data}), &secrets, kind).unwrap();
        for entry in &desired.entries {
            let Err(failure) = &entry.value else {
                assert_eq!(entry.name, "FILE");
                continue;
            };
            assert_eq!(failure.reason, Reason::InvalidEncoding);
            assert!(failure.message.contains(part), "{}", failure.message);
        }
    }
}

/// Cases: R-24
#[test]
fn a_byte_order_mark_is_known_and_sent_as_it_is() {
    let secrets = sources(&[("s", &[("k", b"\xef\xbb\xbfkey".as_slice())])]);
    let desired = desired(
        &json!({"data": [one("NAME")]}),
        &secrets,
        ProviderKind::Baseten,
    );
    let entry = &desired.unwrap().entries[0];
    assert!(entry.marks.has_byte_order_mark && !entry.marks.is_line);
    let sent = entry.value.as_ref().map(ExposeSecret::expose_secret);
    assert_eq!(sent.ok(), Some("\u{feff}key"));
}

#[test]
fn a_name_that_is_not_taken_is_told_with_the_rule_and_the_way_out() {
    let bad = "bad/key";
    for (kind, rule) in [
        (
            ProviderKind::Baseten,
            "letters, digits, `-`, `.` and `_` only",
        ),
        (
            ProviderKind::PrimeIntellect,
            "upper-case letters, digits and `_` only",
        ),
        (
            ProviderKind::Pipecat,
            "letters, digits, `-` and `_` only, at most 64",
        ),
        (ProviderKind::Braintrust, "no control characters"),
    ] {
        let name = if kind == ProviderKind::Braintrust {
            "bad\nkey"
        } else {
            bad
        };
        let secrets = sources(&[("s", &[(name, b"value".as_slice())])]);
        let from = json!({"dataFrom": [{"secretRef": {"name": "s"}}]});
        let desired = desired(&from, &secrets, kind).unwrap();
        let failure = desired.entries[0].value.as_ref().unwrap_err();
        assert_eq!(failure.reason, Reason::InvalidKeyName);
        for part in [rule, "Rename", "nameTransform", "exclude"] {
            assert!(
                failure.message.contains(part),
                "{part}: {}",
                failure.message
            );
        }
    }
}

#[test]
fn a_file_is_sent_in_base64_up_to_64_kilobytes_of_it() {
    let mut entry = one("NAME");
    entry["primeIntellect"] = json!({"isFile": true});
    let value = |bytes: &[u8]| {
        let secrets = sources(&[("s", &[("k", bytes)])]);
        let desired = desired(
            &json!({"data": [entry]}),
            &secrets,
            ProviderKind::PrimeIntellect,
        )
        .unwrap();
        shown(&desired).remove(0).1
    };
    assert_eq!(value(&[0xff, 0xfe]), Ok("//4=".to_owned()));
    assert_eq!(
        value(&vec![0; 48 * 1024]).map(|text| text.len()),
        Ok(64 * 1024)
    );
    assert_eq!(value(&vec![0; 48 * 1024 + 1]), Err(Reason::ValueTooLarge));
}

#[test]
fn what_is_missing_is_waited_for_and_the_others_go_on() {
    let secrets = sources(&[("s", &[("k", b"1")])]);
    let data = json!({"data": [
        one("HERE"),
        {"name": "NO_KEY", "secretKeyRef": {"name": "s", "key": "absent"}},
        {"name": "NO_SECRET", "secretKeyRef": {"name": "absent", "key": "k"}},
    ], "dataFrom": [{"secretRef": {"name": "gone"}}]});
    let desired = desired(&data, &secrets, ProviderKind::PrimeIntellect).unwrap();
    let expected = [
        ("HERE".to_owned(), Ok("1".to_owned())),
        ("NO_KEY".to_owned(), Err(Reason::KeyNotFound)),
        ("NO_SECRET".to_owned(), Err(Reason::SecretNotFound)),
    ];
    assert_eq!(shown(&desired), expected);
    assert_eq!(
        desired.unread.values().next().map(|failure| failure.reason),
        Some(Reason::SecretNotFound)
    );
}

proptest! {
    #[test]
    fn a_transformed_key_is_a_prime_intellect_name_or_is_refused_before_any_call(key in "[-._a-zA-Z0-9]{1,253}") {
        let secrets = sources(&[("s", &[(key.as_str(), b"1")])]);
        let from = json!({"dataFrom": [{"secretRef": {"name": "s"}, "nameTransform": "UpperSnake"}]});
        let desired = desired(&from, &secrets, ProviderKind::PrimeIntellect).unwrap();
        let (name, value) = shown(&desired).remove(0);
        let is_name = name.len() <= 255
            && name.starts_with(|letter: char| letter.is_ascii_uppercase())
            && name.chars().all(|letter| letter.is_ascii_uppercase() || letter.is_ascii_digit() || letter == '_');
        prop_assert_eq!(value.is_ok(), is_name);
    }

    /// What is accepted fits into status, whatever the provider answers.
    #[test]
    fn an_accepted_object_has_a_status_below_256_kibibytes(
        count in 0..=MAX_ENTRIES, name in 1..=250_usize, secret in 1..=248_usize, is_shared in any::<bool>(),
    ) {
        let data: Vec<Value> = (0..count)
            .map(|number| {
                let secret = format!("{}{:03}", "s".repeat(secret), if is_shared { 0 } else { number });
                json!({"name": format!("{}{number:03}", "N".repeat(name)), "secretKeyRef": {"name": secret, "key": "k"}})
            })
            .collect();
        let spec = spec(&json!({"data": data}));
        let accepted = desired_state(&spec, "object", &Sources::default(), provider::rules(ProviderKind::PrimeIntellect));
        let Ok(accepted) = accepted else { return Ok(()) };
        let entries = accepted.entries.iter().map(|entry| crate::api::EntryStatus {
            name: entry.name.clone(),
            state: crate::api::EntryState::Pending,
            reason: Some(Reason::ProgressingWithRetry.as_str().to_owned()),
            digest: Some("0".repeat(32)),
            remote_id: Some("i".repeat(crate::provider::LONGEST_ID)),
            remote_version: Some("2026-11-21T12:00:00.123456789Z".to_owned()),
            last_write_time: Some(crate::controller::object::time(jiff::Timestamp::UNIX_EPOCH)),
            found: Some(crate::api::Found::Foreign),
            drift: Some(crate::api::DriftStatus {
                repairs: 100,
                since: crate::controller::object::time(jiff::Timestamp::UNIX_EPOCH),
            }),
            // What leaves has no digest.
            leaving: false,
            seal: Some("0".repeat(32)),
            attempted: Some("several".to_owned()),
            attempted_time: Some(crate::controller::object::time(jiff::Timestamp::UNIX_EPOCH)),
        });
        let sources = spec.secret_names().into_iter().map(|name| crate::api::SourceStatus {
            name: name.to_owned(),
            resource_version: u64::MAX.to_string(),
        });
        let status = crate::api::ProviderSecretStatus {
            entries: entries.collect(),
            sources: sources.collect(),
            ..crate::api::ProviderSecretStatus::default()
        };
        let size = serde_json::to_vec(&status).unwrap().len() + STATUS_OVERHEAD;
        prop_assert!(size <= MAX_STATUS, "{size} bytes");
    }
}
