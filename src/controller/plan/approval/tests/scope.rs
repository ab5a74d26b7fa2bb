//! What an approval is for: what changes it, and what does not.

use std::hash::{DefaultHasher, Hash, Hasher};

use super::*;
use crate::controller::plan::BulkKey;

fn spec(approval: &str) -> ProviderSecretSpec {
    serde_json::from_value(serde_json::json!({
        "provider": {"baseten": {"apiKeySecretRef": {"name": "key", "key": "k"}}},
        "data": [
            {"name": "A", "secretKeyRef": {"name": "source", "key": "a"}},
            {"name": "B", "secretKeyRef": {"name": "source", "key": "b"}},
        ],
        "approval": approval,
    }))
    .unwrap()
}

/// Other facts have another seal.
fn seal(facts: &[String]) -> String {
    let mut hasher = DefaultHasher::new();
    facts.hash(&mut hasher);
    hasher.finish().to_string()
}

fn scope(spec: &ProviderSecretSpec, names: &[&str], digest: &str) -> String {
    let names: Vec<_> = names.iter().map(|name| desired(name)).collect();
    let entries: Vec<_> = names
        .iter()
        .map(|name| PlannedEntry {
            digest: Some(digest.to_owned()),
            ..planned(name, Change::Keep)
        })
        .collect();
    approval_scope(spec, &entries, None, seal)
}

#[test]
fn an_approval_is_for_the_names_and_where_they_come_from() {
    let names = ["A", "B"];
    let manual = spec("Manual");
    let approved = scope(&manual, &names, "one");
    assert_eq!(scope(&manual, &names, "another"), approved, "a value");
    assert_ne!(scope(&manual, &["A", "B", "C"], "one"), approved, "a name");
    let mut other = manual.clone();
    other.data.as_mut().unwrap().reverse();
    other.verify_interval = Some("2m".to_owned());
    other.suspend = Some(false);
    assert_eq!(
        scope(&other, &names, "one"),
        approved,
        "the order, and the pace"
    );
    let mut other = spec("Manual");
    other.deletion_policy = Some(crate::api::DeletionPolicy::Delete);
    assert_ne!(scope(&other, &names, "one"), approved, "the policy");
    let every = spec("ManualEveryChange");
    assert_ne!(
        scope(&every, &names, "one"),
        scope(&every, &names, "another")
    );
}

#[rstest]
#[case("/provider/baseten/apiKeySecretRef/key")]
#[case("/provider/baseten/apiKeySecretRef/name")]
#[case("/data/0/secretKeyRef/key")]
#[case("/data/1/secretKeyRef/name")]
fn another_source_is_another_approval(#[case] field: &str) {
    let mut other = serde_json::to_value(spec("Manual")).unwrap();
    *other.pointer_mut(field).unwrap() = "other".into();
    let other = serde_json::from_value(other).unwrap();
    let names = ["A", "B"];
    assert_ne!(
        scope(&other, &names, "one"),
        scope(&spec("Manual"), &names, "one")
    );
}

/// The same with two sources of whole Secrets.
fn bulk_spec(approval: &str) -> ProviderSecretSpec {
    let sources = ["first", "second"].map(|name| serde_json::json!({"secretRef": {"name": name}}));
    ProviderSecretSpec {
        data_from: serde_json::from_value(sources.into()).unwrap(),
        ..spec(approval)
    }
}

/// An entry that a key of one of them gives.
fn given((source, key, name): (usize, &str, &str)) -> DesiredEntry {
    let key = key.to_owned();
    DesiredEntry {
        bulk: Some(BulkKey { source, key }),
        ..desired(name)
    }
}

/// What an approval is for where each of these is to be sent.
fn bulk_scope(
    spec: &ProviderSecretSpec,
    desired: &[DesiredEntry],
    approved: Option<&str>,
) -> String {
    let entries = desired.iter().map(|entry| planned(entry, Change::Create));
    approval_scope(spec, &entries.collect::<Vec<_>>(), approved, seal)
}

#[rstest]
#[case::of_another_source((1, "token", "TOKEN"))]
#[case::of_another_key((0, "api.token", "TOKEN"))]
#[case::another_name((0, "token", "APP_TOKEN"))]
fn another_key_for_a_name_is_another_approval(#[case] now: (usize, &str, &str)) {
    let spec = bulk_spec("Manual");
    let approved = bulk_scope(&spec, &[given((0, "token", "TOKEN"))], None);
    let after = |names: &[DesiredEntry]| bulk_scope(&spec, names, Some(&approved));
    assert_eq!(after(&[given((0, "token", "TOKEN"))]), approved);
    assert_ne!(after(&[given(now)]), approved);
    assert_ne!(
        after(&[given((0, "token", "TOKEN")), given((1, "b", "B"))]),
        approved
    );
}

#[rstest]
fn what_cannot_be_read_moves_no_approval(#[values("Manual", "ManualEveryChange")] approval: &str) {
    let spec = bulk_spec(approval);
    let own = desired("A");
    let bulk = [(0, "b", "B"), (1, "c", "C"), (1, "d", "D")].map(given);
    let entries = [
        planned(&own, Change::Keep),
        planned(&bulk[0], Change::Keep),
        planned(&bulk[1], Change::Keep),
        // The provider does not take such a name, so it was never written.
        planned(&bulk[2], refused()),
    ];
    let now = |entries: &[PlannedEntry<'_>], approved: Option<&str>| {
        approval_scope(&spec, entries, approved, seal)
    };
    let approved = now(&entries, None);
    assert_eq!(now(&entries[..3], None), approved);
    assert_eq!(now(&entries[..2], Some(&approved)), approved);
    assert_ne!(now(&entries[..2], None), approved, "it was not approved");
}

/// The provider refused its first write, say, and then its Secret was deleted.
#[test]
fn what_was_approved_and_has_no_value_now_moves_no_approval() {
    let spec = spec("Manual");
    let (own, mut gone, new) = (desired("A"), desired("B"), desired("C"));
    let scope = |entries: &[PlannedEntry<'_>], approved: Option<&str>| {
        approval_scope(&spec, entries, approved, seal)
    };
    let both = [planned(&own, Change::Keep), planned(&gone, Change::Create)];
    let approved = scope(&both, None);
    gone.value = Err(Failure::waiting(Reason::SecretNotFound, "It is gone."));
    let missing = || Change::Refuse(Failure::waiting(Reason::SecretNotFound, "It is gone."));
    let mut now = vec![planned(&own, Change::Keep), planned(&gone, missing())];
    assert_eq!(scope(&now, Some(&approved)), approved);
    // What had no value when the rest was approved is no part of that.
    let without = scope(&now, None);
    assert_ne!(without, approved);
    assert_eq!(scope(&now, Some(&without)), without);
    now.push(planned(&new, Change::Create));
    assert_ne!(scope(&now, Some(&approved)), approved, "a name");
}

/// Its key has gone, say, or another value waits in its Secret.
#[test]
fn a_refused_entry_counts_with_the_value_that_was_written() {
    let (spec, names) = (spec("ManualEveryChange"), ["A", "B"].map(desired));
    let record = EntryStatus {
        digest: Some("written".to_owned()),
        last_write_time: Some(time(jiff::Timestamp::UNIX_EPOCH)),
        ..unwritten("B")
    };
    let scope = |record: Option<&EntryStatus>, change: Change, digest: Option<&str>| {
        let second = PlannedEntry {
            record,
            digest: digest.map(str::to_owned),
            ..planned(&names[1], change)
        };
        let entries = [planned(&names[0], Change::Keep), second];
        approval_scope(&spec, &entries, None, seal)
    };
    let (held, another) = (Some(&record), Some("another"));
    let approved = scope(held, Change::Keep, Some("written"));
    assert_eq!(scope(held, refused(), None), approved);
    assert_eq!(scope(held, refused(), another), approved);
    assert_ne!(scope(held, Change::Update(None), another), approved);
    // What was never written is no part of it, whatever its value is.
    let without = scope(None, refused(), None);
    assert_eq!(scope(None, refused(), another), without);
    assert_ne!(without, approved);
}
