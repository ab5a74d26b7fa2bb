//! Which object owns a name: an older one at the same account, or none.

use super::*;

/// Of a provider that tells no scope, such as Baseten of a key that sees two teams, the API key stands for it.
#[rstest]
#[case::of_another_key(Some("key:1a"), "elsewhere", Some("key:2b"), false)]
#[case::of_an_unknown_key(Some("key:1a"), "elsewhere", None, false)]
#[case::of_the_same_key(Some("key:1a"), "elsewhere", Some("key:1a"), true)]
#[case::of_the_same_secret(Some("key:1a"), "ml", None, true)]
#[case::where_nothing_is_known(None, "elsewhere", Some("key:2b"), true)]
fn an_older_object_of_another_api_key_owns_no_name(
    #[case] key: Option<&str>,
    #[case] namespace: &str,
    #[case] of_older: Option<&str>,
    #[case] is_owner: bool,
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
    let what = said(&facts).what;
    assert_eq!(what.contains("/older owns HF_TOKEN"), is_owner, "{what}");
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
