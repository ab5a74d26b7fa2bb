//! Who owns a name.

use serde_json::json;

use super::*;

#[derive(Clone, Copy)]
struct Draft {
    name: &'static str,
    namespace: &'static str,
    age: i64,
    entries: &'static [&'static str],
    acknowledged: bool,
    scope: Option<&'static str>,
    secret: &'static str,
}

const DRAFT: Draft = Draft {
    name: "a",
    namespace: "ml",
    age: 1,
    entries: &["HF_TOKEN"],
    acknowledged: false,
    scope: None,
    secret: "key",
};

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
        },
        "status": {"scope": draft.scope, "entries": written},
    }))
    .unwrap()
}

fn owner(claims: &Claims, uid: &str) -> Option<String> {
    claims.owner(uid, "HF_TOKEN").map(|rival| rival.name.1)
}

/// Cases: M-01
#[test]
fn the_older_of_two_objects_owns_a_name() {
    let claims = Claims::default();
    claims.note(&object(&DRAFT));
    let younger = Draft {
        name: "b",
        age: 0,
        entries: &["HF-TOKEN"],
        ..DRAFT
    };
    claims.note(&object(&younger));
    assert_eq!(owner(&claims, "a"), None);
    assert_eq!(owner(&claims, "b").as_deref(), Some("a"));
    assert!(claims.has_successor("a", "HF_TOKEN"));
    assert_eq!(claims.forget("a"), [("ml".to_owned(), "b".to_owned())]);
    assert_eq!(owner(&claims, "b"), None);
}

/// Cases: M-08
#[test]
fn one_key_in_two_secrets_is_one_account() {
    let claims = Claims::default();
    claims.note(&object(&DRAFT));
    let younger = Draft {
        name: "b",
        namespace: "other",
        age: 0,
        ..DRAFT
    };
    claims.note(&object(&younger));
    // In another namespace it is another Secret until its key is known.
    assert_eq!(owner(&claims, "b"), None);
    assert_eq!(claims.identify("b", [1; 32], None), []);
    assert_eq!(claims.identify("a", [1; 32], None).len(), 1);
    assert!(claims.identify("a", [1; 32], None).is_empty());
    assert_eq!(owner(&claims, "b").as_deref(), Some("a"));
    claims.identify("b", [2; 32], None);
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
    claims.note(&object(&older(false)));
    claims.note(&object(&younger));
    assert_eq!(owner(&claims, "b"), None);
    // What was acknowledged counts when it is shown under the other key too.
    assert_eq!(
        claims.note(&object(&older(true))),
        [("ml".to_owned(), "b".to_owned())]
    );
    assert_eq!(owner(&claims, "b"), None);
    let disputes = claims.disputes("b");
    assert_eq!(disputes.len(), 1);
    assert_eq!(disputes[0].mark.id.as_deref(), Some("id-1"));
    assert!(!claims.has_successor("a", "HF_TOKEN"));
    claims.settle("b", Arc::clone(&disputes[0].uid), true);
    assert!(claims.disputes("b").is_empty());
    assert_eq!(owner(&claims, "b").as_deref(), Some("a"));
    assert!(claims.has_successor("a", "HF_TOKEN"));
    let elsewhere = Draft {
        scope: Some("another"),
        ..younger
    };
    claims.note(&object(&elsewhere));
    assert_eq!(owner(&claims, "b"), None);
}

#[test]
fn names_that_a_spec_does_not_spell_out_are_claimed_too() {
    let claims = Claims::default();
    claims.note(&object(&Draft {
        entries: &[],
        ..DRAFT
    }));
    let younger = Draft {
        name: "b",
        age: 0,
        ..DRAFT
    };
    claims.note(&object(&younger));
    assert_eq!(owner(&claims, "b"), None);
    claims.want("a", ["HF_TOKEN"].into_iter());
    assert_eq!(owner(&claims, "b").as_deref(), Some("a"));
}

#[test]
fn nothing_is_kept_of_objects_that_are_gone() {
    let claims = Claims::default();
    claims.note(&object(&DRAFT));
    claims.want("a", ["OTHER"].into_iter());
    claims.forget("a");
    let index = claims.index();
    assert!(index.claimants.is_empty() && index.by_place.is_empty());
}

#[test]
fn whoever_may_share_a_scope_without_knowing_is_asked() {
    let claims = Claims::default();
    let older = Draft {
        acknowledged: true,
        ..DRAFT
    };
    claims.note(&object(&older));
    assert!(!claims.has_stranger("a"));
    let younger = Draft {
        name: "b",
        age: 0,
        secret: "other",
        ..DRAFT
    };
    claims.note(&object(&younger));
    assert!(claims.has_stranger("a") && claims.has_stranger("b"));
    let affected = claims.identify("b", [2; 32], Some("team"));
    assert_eq!(affected, [("ml".to_owned(), "a".to_owned())]);
    claims.identify("a", [1; 32], Some("another"));
    assert!(!claims.has_stranger("b"));
}
