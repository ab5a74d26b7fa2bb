//! Who owns a name.

mod successors;

use serde_json::json;

use super::*;

#[derive(Clone, Copy)]
struct Draft {
    name: &'static str,
    namespace: &'static str,
    age: i64,
    entries: &'static [&'static str],
    acknowledged: bool,
    conflict: &'static str,
    scope: Option<&'static str>,
    secret: &'static str,
}

const DRAFT: Draft = Draft {
    name: "a",
    namespace: "ml",
    age: 1,
    entries: &["HF_TOKEN"],
    acknowledged: false,
    conflict: "Overwrite",
    scope: None,
    secret: "key",
};

const KEY: ([u8; 32], &str) = ([1; 32], "key:1");
const OTHER_KEY: ([u8; 32], &str) = ([2; 32], "key:2");

/// The scope of a key, as an answer of the provider has it, or the spec alone.
const fn scope(id: &str, is_answered: bool) -> ReportedScope<'_> {
    ReportedScope { id, is_answered }
}

fn object(draft: &Draft) -> ProviderSecret {
    let created = Timestamp::from_second(1_000_000 - draft.age).unwrap();
    let data: Vec<_> = draft
        .entries
        .iter()
        .map(|name| json!({"name": name, "secretKeyRef": {"name": "s", "key": "k"}}))
        .collect();
    let written: Vec<_> = draft
        .entries
        .iter()
        .filter(|_| draft.acknowledged)
        .map(|name| json!({"name": name, "state": "Synced", "lastWriteTime": "2026-01-01T00:00:00Z", "remoteId": "id-1"}))
        .collect();
    serde_json::from_value(json!({
        "apiVersion": "providersecrets.dev/v1alpha1",
        "kind": "ProviderSecret",
        "metadata": {
            "name": draft.name,
            "namespace": draft.namespace,
            "uid": draft.name,
            "creationTimestamp": created.to_string(),
        },
        "spec": {
            "provider": {"baseten": {"apiKeySecretRef": {"name": draft.secret, "key": "k"}}},
            "data": data,
            "conflictPolicy": draft.conflict,
        },
        "status": {"scope": draft.scope, "entries": written},
    }))
    .unwrap()
}

/// Notes an object as the watch does.
fn note(claims: &Claims, object: &ProviderSecret) -> Vec<ObjectName> {
    claims.note(&Arc::from(object.uid().unwrap()), object)
}

fn owner(claims: &Claims, uid: &str) -> Option<String> {
    claims.owner(uid, "HF_TOKEN").map(|rival| rival.name.1)
}

fn successor(claims: &Claims, uid: &str) -> Successor {
    claims.successor(uid, "HF_TOKEN", None)
}

fn goes_to(namespace: &str, name: &str) -> Successor {
    Successor::Object((namespace.to_owned(), name.to_owned()))
}

/// Cases: M-01
#[test]
fn the_older_of_two_objects_owns_a_name() {
    let claims = Claims::default();
    note(&claims, &object(&DRAFT));
    let younger = Draft {
        name: "b",
        age: 0,
        entries: &["HF-TOKEN"],
        ..DRAFT
    };
    note(&claims, &object(&younger));
    assert_eq!(owner(&claims, "a"), None);
    assert_eq!(owner(&claims, "b").as_deref(), Some("a"));
    assert_eq!(successor(&claims, "a"), goes_to("ml", "b"));
    assert_eq!(claims.forget("a"), [("ml".to_owned(), "b".to_owned())]);
    assert_eq!(owner(&claims, "b"), None);
}

/// Cases: M-08
#[test]
fn one_key_in_two_secrets_is_one_account() {
    let claims = Claims::default();
    note(&claims, &object(&DRAFT));
    let younger = Draft {
        name: "b",
        namespace: "other",
        age: 0,
        ..DRAFT
    };
    note(&claims, &object(&younger));
    // In another namespace it is another Secret until its key is known.
    assert_eq!(owner(&claims, "b"), None);
    assert_eq!(claims.identify("b", KEY, None), []);
    assert_eq!(claims.identify("a", KEY, None).len(), 1);
    assert!(claims.identify("a", KEY, None).is_empty());
    assert_eq!(owner(&claims, "b").as_deref(), Some("a"));
    claims.identify("b", OTHER_KEY, None);
    assert_eq!(owner(&claims, "b"), None);
}

#[test]
fn a_claim_under_another_key_counts_once_it_was_acknowledged() {
    let older = |acknowledged| Draft {
        acknowledged,
        scope: Some("team"),
        ..DRAFT
    };
    let younger = Draft {
        name: "b",
        age: 0,
        scope: Some("team"),
        secret: "other",
        ..DRAFT
    };
    let claims = Claims::default();
    note(&claims, &object(&older(false)));
    note(&claims, &object(&younger));
    assert_eq!(owner(&claims, "b"), None);
    assert_eq!(successor(&claims, "a"), Successor::Stranger);
    assert_eq!(
        note(&claims, &object(&older(true))),
        [("ml".to_owned(), "b".to_owned())]
    );
    assert_eq!(owner(&claims, "b").as_deref(), Some("a"));
    // Also after the younger object's key was exchanged for another one of the team.
    claims.identify("b", KEY, Some(scope("team", true)));
    claims.identify("b", OTHER_KEY, Some(scope("team", true)));
    assert_eq!(owner(&claims, "b").as_deref(), Some("a"));
    claims.identify("b", OTHER_KEY, Some(scope("another", true)));
    assert_eq!(owner(&claims, "b"), None);
}

#[test]
fn of_two_objects_of_one_second_the_first_by_namespace_and_name_owns_a_name() {
    for uids in [["1", "2"], ["2", "1"]] {
        let claims = Claims::default();
        for (uid, (namespace, name)) in uids.iter().zip([("ml", "z"), ("web", "a")]) {
            let mut object = object(&Draft {
                name,
                namespace,
                ..DRAFT
            });
            object.metadata.uid = Some((*uid).to_owned());
            note(&claims, &object);
            claims.identify(uid, KEY, None);
        }
        assert_eq!(owner(&claims, uids[0]), None);
        assert_eq!(owner(&claims, uids[1]).as_deref(), Some("z"));
    }
}

#[test]
fn an_answer_that_comes_after_the_deletion_claims_nothing() {
    let claims = Claims::default();
    note(&claims, &object(&DRAFT));
    claims.forget("a");
    assert!(claims.update(&object(&DRAFT)).is_empty());
    let again = Draft {
        name: "b",
        age: 0,
        ..DRAFT
    };
    note(&claims, &object(&again));
    assert_eq!(owner(&claims, "b"), None);
    assert_eq!(successor(&claims, "b"), Successor::None);
}

#[test]
fn all_objects_of_a_credential_move_with_it() {
    let claims = Claims::default();
    let drafts = [
        DRAFT,
        Draft {
            name: "b",
            age: 0,
            entries: &["OTHER"],
            ..DRAFT
        },
        Draft {
            name: "c",
            age: 3,
            entries: &["OTHER"],
            secret: "third",
            acknowledged: true,
            ..DRAFT
        },
    ];
    for draft in &drafts {
        note(&claims, &object(draft));
    }
    claims.identify("c", OTHER_KEY, Some(scope("team", true)));
    assert_eq!(claims.owner("b", "OTHER"), None);
    // Reconciling one of them tells whose names all of them are.
    let affected = claims.identify("a", KEY, Some(scope("team", true)));
    assert_eq!(affected, [("ml".to_owned(), "c".to_owned())]);
    let owner = claims.owner("b", "OTHER").map(|rival| rival.name.1);
    assert_eq!(owner.as_deref(), Some("c"));
}

#[test]
fn a_claim_that_did_not_change_affects_no_object() {
    let claims = Claims::default();
    note(&claims, &object(&DRAFT));
    let younger = Draft {
        name: "b",
        age: 0,
        ..DRAFT
    };
    note(&claims, &object(&younger));
    assert!(note(&claims, &object(&DRAFT)).is_empty());
    assert!(note(&claims, &object(&younger)).is_empty());
}

#[test]
fn names_that_a_spec_does_not_spell_out_are_claimed_too() {
    let claims = Claims::default();
    note(
        &claims,
        &object(&Draft {
            entries: &[],
            ..DRAFT
        }),
    );
    let younger = Draft {
        name: "b",
        age: 0,
        ..DRAFT
    };
    note(&claims, &object(&younger));
    assert_eq!(owner(&claims, "b"), None);
    claims.want("a", ["HF_TOKEN"].into_iter());
    assert_eq!(owner(&claims, "b").as_deref(), Some("a"));
}

#[test]
fn nothing_is_kept_of_objects_that_are_gone() {
    let claims = Claims::default();
    note(&claims, &object(&DRAFT));
    claims.want("a", ["OTHER"].into_iter());
    claims.forget("a");
    assert!(claims.index().is_empty());
}

#[test]
fn one_key_is_known_from_status_where_the_provider_reports_no_scope() {
    let claims = Claims::default();
    let mut owner_object = object(&Draft {
        acknowledged: true,
        ..DRAFT
    });
    let status = owner_object.status.as_mut().unwrap();
    status.key_fingerprint = Some(KEY.1.to_owned());
    note(&claims, &owner_object);
    note(
        &claims,
        &object(&Draft {
            name: "b",
            namespace: "other",
            age: 0,
            ..DRAFT
        }),
    );
    // After a restart only the younger one is reconciled.
    claims.identify("b", KEY, None);
    assert_eq!(owner(&claims, "b").as_deref(), Some("a"));
}
