//! How many bytes the values of one object may have together.

use std::cell::RefCell;

use rstest::rstest;
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::*;
use crate::controller::object::unwritten;

const MIB: usize = 1024 * 1024;

/// So many entries, each made of the same large key.
fn keys(count: usize) -> Vec<Value> {
    let names = (0..count).map(|number| format!("KEY_{number:03}"));
    names.map(|name| one(&name)).collect()
}

/// So many entries, each made of the same large key by a template.
fn templates(count: usize) -> Vec<Value> {
    let names = (0..count).map(|number| format!("MADE_{number:03}"));
    let entry = |name| json!({"name": name, "template": "{{ k }}", "secretRef": {"name": "s"}});
    names.map(entry).collect()
}

/// So many times the whole Secret, each time under other names.
fn prefixes(count: usize) -> Vec<Value> {
    let prefixes = (0..count).map(|number| format!("P{number:03}_"));
    prefixes
        .map(|prefix| json!({"prefix": prefix, "secretRef": {"name": "s"}}))
        .collect()
}

/// Cases: R-06
#[rstest]
#[case::keys(json!({"data": keys(499)}))]
#[case::prefixes(json!({"dataFrom": prefixes(40)}))]
#[case::templates_beside_keys(json!({"data": keys(20).into_iter().chain(templates(20)).collect::<Vec<_>>()}))]
#[case::keys_beside_prefixes(json!({"data": keys(30), "dataFrom": prefixes(10)}))]
fn values_are_copied_up_to_32_mebibytes_and_the_rest_is_refused(#[case] entries: Value) {
    let large = vec![b'x'; MIB - 1024];
    let mut entries = entries;
    let small = json!({"name": "SMALL", "secretKeyRef": {"name": "t", "key": "k"}});
    let mut data = entries["data"].as_array().cloned().unwrap_or_default();
    data.push(small);
    entries["data"] = data.into();
    let secrets = sources(&[("s", &[("k", &large)]), ("t", &[("k", b"small")])]);
    let desired = desired(&entries, &secrets, ProviderKind::Baseten).unwrap();
    let (sent, refused): (Vec<_>, Vec<_>) = desired
        .entries
        .iter()
        .partition(|entry| entry.value.is_ok());
    let sent = sent.iter().map(|entry| entry.value.as_ref().ok().unwrap());
    let sizes: Vec<usize> = sent.map(|value| value.expose_secret().len()).collect();
    let bytes: usize = sizes.iter().sum();
    assert!(bytes <= MOST_VALUES && bytes > MOST_VALUES - MIB, "{bytes}");
    assert!(sizes.contains(&"small".len()));
    assert!(!refused.is_empty());
    for entry in refused {
        let failure = entry.value.as_ref().map(|_| ()).unwrap_err();
        assert_eq!(failure.reason, Reason::ValueTooLarge);
        assert!(!failure.is_passing);
        let message = &failure.message;
        assert!(message.contains("Split the object") && message.contains(&entry.name));
        assert!(!message.contains("xxx"));
    }
}

/// Cases: R-06
#[rstest]
#[case::keys(json!({"data": keys(500)}))]
#[case::prefixes(json!({"dataFrom": prefixes(40)}))]
#[case::templates(json!({"data": templates(20)}))]
fn room_is_asked_for_before_a_value_is_copied(#[case] entries: Value) {
    let large = vec![b'x'; MIB];
    let secrets = sources(&[("s", &[("k", &large)])]);
    let asked = RefCell::new(Vec::new());
    let mut has_room = |bytes| {
        asked.borrow_mut().push(bytes);
        bytes <= 3 * MIB
    };
    let rules = provider::rules(ProviderKind::Baseten);
    let crowded = desired_state_within(&spec(&entries), "object", &secrets, rules, &mut has_room);
    // It is tried again, and nothing is said of it.
    assert!(crowded.is_err_and(|failure| failure.is_passing));
    // After the first no nothing more is made.
    assert_eq!(*asked.borrow(), [MIB, 2 * MIB, 3 * MIB, 4 * MIB]);
}

/// Cases: R-06
#[test]
fn what_never_fits_is_said_and_waits_for_no_room() {
    let large = vec![b'x'; MOST_VALUES + 1];
    let secrets = sources(&[("s", &[("k", &large)])]);
    let rules = provider::rules(ProviderKind::Baseten);
    let spec = spec(&json!({"data": keys(2)}));
    let desired = desired_state_within(&spec, "object", &secrets, rules, &mut |_| false).unwrap();
    for (name, value) in shown(&desired) {
        assert_eq!(value, Err(Reason::ValueTooLarge), "{name}");
    }
}

/// Cases: R-06
#[test]
fn keys_of_sources_are_counted_before_entries_are_made_of_them() {
    let names: Vec<String> = (0..300).map(|number| format!("k{number:03}")).collect();
    let data: Vec<(&str, &[u8])> = names
        .iter()
        .map(|name| (name.as_str(), b"1".as_slice()))
        .collect();
    let secrets = sources(&[("s", &data)]);
    let mut made = 0;
    let mut has_room = |bytes| {
        made = bytes;
        true
    };
    let rules = provider::rules(ProviderKind::Baseten);
    let spec = spec(&json!({"dataFrom": prefixes(16)}));
    let refused = desired_state_within(&spec, "object", &secrets, rules, &mut has_room);
    let reason = refused.err().map(|failure| failure.reason);
    assert_eq!(reason, Some(Reason::TooManyEntries));
    assert_eq!(made, 300);
}

#[test]
fn an_explicit_entry_takes_no_place_of_the_bulk_one_it_wins_over() {
    let names: Vec<String> = (0..MAX_ENTRIES)
        .map(|number| format!("k{number}"))
        .collect();
    let data: Vec<(&str, &[u8])> = names
        .iter()
        .map(|name| (name.as_str(), b"1".as_slice()))
        .collect();
    let both = json!({
        "data": [{"name": "k7", "secretKeyRef": {"name": "s", "key": "k8"}}],
        "dataFrom": [{"secretRef": {"name": "s"}}],
    });
    let accepted = desired(&both, &sources(&[("s", &data)]), ProviderKind::Baseten).unwrap();
    assert_eq!(accepted.entries.len(), MAX_ENTRIES);
}

/// A rename of all keys, as by another prefix, has twice as many records until the former names are gone.
#[rstest]
#[case::a_rename_of_the_most(500, 500, 7, true)]
#[case::one_more(500, 501, 7, false)]
#[case::few_beside_very_many(100, 900, 7, true)]
#[case::long_former_names(500, 500, 255, false)]
#[case::few_long_former_names(100, 500, 255, true)]
fn status_has_room_for_what_is_asked_for_beside_what_is_not_gone(
    #[case] asked: usize,
    #[case] others: usize,
    #[case] length: usize,
    #[case] has_room: bool,
) {
    let secrets = sources(&[("s", &[("k", b"1")])]);
    let entries = json!({"data": keys(asked)});
    let accepted = desired(&entries, &secrets, ProviderKind::Baseten).unwrap();
    let former = |number| unwritten(&format!("{}{number:03}", "O".repeat(length - 3)));
    let former: Vec<EntryStatus> = (0..others).map(former).collect();
    let former: Vec<&EntryStatus> = former.iter().collect();
    let room = ensure_recordable(&spec(&entries), &accepted.entries, &former);
    assert_eq!(room.is_ok(), has_room);
    if let Err(failure) = room {
        assert_eq!(failure.reason, Reason::TooManyEntries);
        let counts = format!("{asked} entries, and {others} others");
        assert!(failure.message.contains(&counts), "{}", failure.message);
    }
}
