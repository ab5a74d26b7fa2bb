//! Who has a name when an object gives it up.

use rstest::rstest;

use super::*;

/// What this process knows of the key of another object.
#[derive(Clone, Copy, Debug)]
enum Known {
    /// It has not read the key: there is none, perhaps.
    Nothing,
    /// The spec names the scope, and no call under the key has succeeded.
    NamesTheScope,
    OpensTheScope,
    OpensAnother,
    IsTheSame,
}

/// A user may name any scope in a spec, and a user who may write status any scope and any write.
/// Cases: A-19, M-02
#[rstest]
#[case::without_a_key(Known::Nothing, Successor::Stranger)]
#[case::with_a_key_that_is_refused(Known::NamesTheScope, Successor::Stranger)]
#[case::with_a_key_of_another_scope(Known::OpensAnother, Successor::None)]
#[case::with_another_key_of_the_scope(Known::OpensTheScope, goes_to("evil", "b"))]
#[case::with_the_same_key(Known::IsTheSame, goes_to("evil", "b"))]
fn a_name_goes_over_to_an_object_whose_key_opens_the_scope(
    #[case] known: Known,
    #[case] expected: Successor,
    #[values(0, 2)] age: i64,
    #[values(false, true)] acknowledged: bool,
) {
    let claims = Claims::default();
    let mine = Draft {
        acknowledged: true,
        scope: Some("team"),
        ..DRAFT
    };
    let other = Draft {
        name: "b",
        namespace: "evil",
        age,
        acknowledged,
        ..mine
    };
    note(&claims, &object(&mine));
    note(&claims, &object(&other));
    claims.identify("a", KEY, Some(scope("team", true)));
    match known {
        Known::Nothing => Vec::new(),
        Known::NamesTheScope => claims.identify("b", OTHER_KEY, Some(scope("team", false))),
        Known::OpensTheScope => claims.identify("b", OTHER_KEY, Some(scope("team", true))),
        Known::OpensAnother => claims.identify("b", OTHER_KEY, Some(scope("another", true))),
        Known::IsTheSame => claims.identify("b", KEY, None),
    };
    assert_eq!(successor(&claims, "a"), expected);
}

#[test]
fn what_an_answer_has_shown_of_a_key_stays_shown() {
    let claims = Claims::default();
    note(&claims, &object(&DRAFT));
    note(
        &claims,
        &object(&Draft {
            name: "b",
            secret: "other",
            age: 0,
            ..DRAFT
        }),
    );
    claims.identify("a", KEY, Some(scope("team", false)));
    for (is_answered, expected) in [
        (false, Successor::Stranger),
        (true, goes_to("ml", "b")),
        (false, goes_to("ml", "b")),
    ] {
        claims.identify("b", OTHER_KEY, Some(scope("team", is_answered)));
        assert_eq!(successor(&claims, "a"), expected);
    }
}

/// Under `conflictPolicy: Fail` an object leaves alone what it did not write.
/// Cases: M-03, M-06
#[rstest]
#[case::overwrites("Overwrite", false, true)]
#[case::leaves_it_alone("Fail", false, false)]
#[case::has_written_it("Fail", true, true)]
fn a_name_goes_over_to_a_next_one_that_takes_what_is_there(
    #[case] conflict: &'static str,
    #[case] acknowledged: bool,
    #[case] takes: bool,
    #[values("key", "unread")] secret: &'static str,
) {
    let claims = Claims::default();
    let next = Draft {
        name: "b",
        age: 0,
        acknowledged,
        conflict,
        secret,
        scope: Some("team"),
        ..DRAFT
    };
    note(&claims, &object(&DRAFT));
    note(&claims, &object(&next));
    claims.identify("a", KEY, Some(scope("team", true)));
    let expected = match secret {
        _ if !takes => Successor::None,
        "key" => goes_to("ml", "b"),
        _ => Successor::Stranger,
    };
    assert_eq!(successor(&claims, "a"), expected);
    // The oldest of those that are left is the next owner, and no younger one.
    let youngest = Draft {
        name: "c",
        age: -1,
        ..DRAFT
    };
    note(&claims, &object(&youngest));
    let expected = match secret {
        "key" => expected,
        _ => goes_to("ml", "c"),
    };
    assert_eq!(successor(&claims, "a"), expected);
}

/// A Pipecat object that asks for `HF_TOKEN` in the set `agents`; deleted, if it is.
fn set_object(name: &str, age: i64, is_deleting: bool) -> ProviderSecret {
    let mut object = object(&Draft { age, ..DRAFT });
    let key = json!({"name": "key", "key": "k"});
    let provider = json!({"pipecat": {"apiKeySecretRef": key, "setName": "agents"}});
    object.spec.provider = serde_json::from_value(provider).unwrap();
    object.metadata.name = Some(name.to_owned());
    object.metadata.uid = Some(name.to_owned());
    if is_deleting {
        object.metadata.deletion_timestamp = object.metadata.creation_timestamp.clone();
    }
    object
}

/// Cases: D-15, M-05
#[test]
fn a_set_goes_over_with_its_owner_and_not_with_an_entry_that_it_gives_up() {
    let claims = Claims::default();
    note(&claims, &set_object("a", 1, false));
    note(&claims, &set_object("b", 0, false));
    assert_eq!(claims.successor("a", "agents", None), Successor::None);
    assert_eq!(claims.successor("b", "agents", None), goes_to("ml", "a"));
    note(&claims, &set_object("a", 1, true));
    assert_eq!(claims.successor("a", "agents", None), goes_to("ml", "b"));
}

/// What a next object of a set asks for besides `HF_TOKEN`.
/// Cases: D-15, M-05
#[rstest]
#[case::by_its_spec("HF_TOKEN", json!({}), json!({}), goes_to("ml", "b"))]
#[case::by_its_status("OTHER", json!({}), json!({"entries": [{"name": "OTHER", "state": "Failed"}]}), goes_to("ml", "b"))]
#[case::not_at_all("OTHER", json!({}), json!({}), Successor::None)]
#[case::by_a_source_that_was_not_read("OTHER", json!({"prefix": "OT"}), json!({}), Successor::Stranger)]
#[case::by_no_source("OTHER", json!({"prefix": "X_"}), json!({}), Successor::None)]
#[case::by_no_source_that_was_read("OTHER", json!({"prefix": "OT"}), json!({"sources": [{"name": "bulk", "resourceVersion": "1"}]}), Successor::None)]
#[case::by_a_source_of_before("OTHER", json!({"prefix": "OT"}), json!({"observedGeneration": 1, "sources": [{"name": "bulk", "resourceVersion": "1"}]}), Successor::Stranger)]
fn a_key_of_a_set_goes_over_to_an_object_that_asks_for_it(
    #[case] key: &str,
    #[case] source: serde_json::Value,
    #[case] status: serde_json::Value,
    #[case] expected: Successor,
    #[values(false, true)] is_older: bool,
) {
    let claims = Claims::default();
    note(&claims, &set_object("a", 1, true));
    let mut next = set_object("b", if is_older { 2 } else { 0 }, false);
    if source != json!({}) {
        let mut source = source;
        source["secretRef"] = json!({"name": "bulk"});
        next.spec.data_from = Some(vec![serde_json::from_value(source).unwrap()]);
    }
    next.status = serde_json::from_value(status).unwrap();
    note(&claims, &next);
    assert_eq!(claims.successor("a", "agents", Some(key)), expected);
    // The set itself is the next object's in any case.
    assert_eq!(claims.successor("a", "agents", None), goes_to("ml", "b"));
}
