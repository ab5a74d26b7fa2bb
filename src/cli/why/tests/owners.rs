//! Which object owns a name: an older one at the same account, or none.

use super::*;

/// Of a provider that tells no scope, such as Baseten of a key that sees two teams, the API key stands for it.
#[rstest]
#[case::of_another_key(Some("key:1a"), "elsewhere", Some("key:2b"), None)]
#[case::of_an_unknown_key(Some("key:1a"), "elsewhere", None, None)]
#[case::of_the_same_key(Some("key:1a"), "elsewhere", Some("key:1a"), Some("owns HF_TOKEN at"))]
#[case::of_the_same_secret(Some("key:1a"), "ml", None, Some("owns HF_TOKEN at"))]
#[case::where_nothing_is_known(
    None,
    "elsewhere",
    Some("key:2b"),
    Some("claims HF_TOKEN too, and owns it if")
)]
fn an_older_object_of_another_api_key_owns_no_name(
    #[case] key: Option<&str>,
    #[case] namespace: &str,
    #[case] of_older: Option<&str>,
    #[case] expected: Option<&str>,
) {
    let with_key = |place: &str, key: Option<&str>| {
        let mut object = in_state(place, "Stalled", "Conflict", "It is so.");
        object.status.as_mut().unwrap().key_fingerprint = key.map(str::to_owned);
        object
    };
    let mut facts = facts(with_key("ml/second", key));
    let mut older = with_key(&format!("{namespace}/older"), of_older);
    older.metadata.creation_timestamp = serde_json::from_value(ago(40 * 86_400).into()).unwrap();
    facts.peers = Known::Read(vec![Peer::of(&older)]);
    let said = said(&facts);
    let owner = expected.map(|words| format!("/older {words}"));
    let is_named = owner.is_some_and(|owner| said.what.contains(&owner));
    assert_eq!(is_named, expected.is_some(), "{}", said.what);
    let is_next = said.command.contains("status older");
    assert_eq!(is_next, expected.is_some(), "{}", said.command);
}

#[test]
fn two_entries_of_one_name_are_no_conflict_between_objects() {
    let message = "Baseten takes HF_TOKEN and HF-TOKEN for one name. Nothing is written.";
    let mut second = in_state("ml/second", "Stalled", "Conflict", message);
    let entries = second.spec.data.as_mut().unwrap();
    let mut twin = entries[0].clone();
    twin.name = "HF-TOKEN".to_owned();
    entries.push(twin);
    let mut older = in_state("ml/older", "Ready", "Synced", "m");
    older.metadata.creation_timestamp = serde_json::from_value(ago(40 * 86_400).into()).unwrap();
    let mut facts = facts(second);
    facts.peers = Known::Read(vec![Peer::of(&older)]);
    let what = said(&facts).what;
    assert!(what.ends_with("for one name."), "{what}");
}

#[test]
fn a_conflict_with_another_client_is_none_between_objects() {
    let message = "Baseten holds HF_TOKEN, which this object did not write. Delete it there.";
    let said = said(&facts(in_state(
        "ml/second",
        "Stalled",
        "Conflict",
        message,
    )));
    assert!(
        said.what.contains("which this object did not write"),
        "{}",
        said.what
    );
}
