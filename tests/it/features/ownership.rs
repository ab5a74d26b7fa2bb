//! Ownership of names: several objects, namespaces and keys of one account.

mod operators; // two operators at once
mod owner_succession; // the owner goes
mod policy; // what is foreign and conflictPolicy Fail

use futures::future::join_all;
use serde_json::{Value, json};

use crate::harness::{Target, TestCase, TestEnv, at_each_api_verifying, condition, entry, run};

/// A second object with the same name at the provider and a value of its own, which must lose.
async fn rival(case: &TestCase<'_>, name: &str) -> String {
    rival_under(case, name, &json!({})).await
}

/// As [`rival`], with the fields of `more` in its spec.
async fn rival_under(case: &TestCase<'_>, name: &str, more: &Value) -> String {
    case.next_second().await;
    let rival = case.value("rival");
    case.secret("rival", &[("a", &rival)]).await;
    case.put(name, &[("A_KEY", "rival", "a")], more).await;
    let object = case.wait_reason(name, "Conflict").await;
    assert!(
        condition(&object, "Stalled").is_some(),
        "{:#?}",
        object.status
    );
    let entry = entry(&object, "A_KEY");
    assert_eq!(
        (entry.digest.as_ref(), entry.last_write_time.as_ref()),
        (None, None)
    );
    rival
}

/// What `Ready` says of an object.
async fn message(case: &TestCase<'_>, name: &str) -> String {
    let object = case.get(name).await;
    condition(&object, "Ready")
        .expect("a condition")
        .message
        .clone()
}

/// Cases: M-01
#[test]
fn the_older_of_two_objects_in_one_namespace_owns_and_is_named() {
    run(at_each_api_verifying(async |case| {
        let one = case.synced("owner", &json!({})).await;
        let before = case.writes();
        rival(&case, "younger").await;
        assert!(message(&case, "younger").await.contains("owner"));
        assert_eq!(case.writes(), before);
        case.assert_held(&[("A_KEY", &one)]);
        // The loser's news are none for the provider, the owner's are.
        case.secret("rival", &[("a", &case.value("again"))]).await;
        let two = case.value("two");
        case.secret("source", &[("a", &two)]).await;
        case.wait_held(&[("A_KEY", &two)]).await;
        case.wait_ready("owner").await;
        case.wait_reason("younger", "Conflict").await;
        assert_eq!(case.writes().len(), before.len() + 1, "{:?}", case.target);
        case.finish().await;
    }));
}

/// Cases: M-02
#[test]
fn an_object_of_another_namespace_owns_too_and_is_not_named() {
    run(at_each_api_verifying(async |case| {
        let one = case.synced("secretive", &json!({})).await;
        let other = case.with_account(&case.account, &case.key).await;
        let before = case.writes();
        // M-08: another Secret with the same key is the same account.
        rival(&other, "younger").await;
        let message = message(&other, "younger").await;
        for name in ["secretive", &*case.namespace] {
            assert!(!message.contains(name), "{message}");
        }
        assert_eq!(case.writes(), before);
        case.assert_held(&[("A_KEY", &one)]);
        other.finish().await;
        case.finish().await;
    }));
}

/// Cases: M-01, M-08
#[test]
fn a_key_named_by_two_secrets_is_one_account() {
    run(at_each_api_verifying(async |case| {
        case.synced("owner", &json!({})).await;
        case.next_second().await;
        case.secret("same-key", &[("other", &case.key)]).await;
        let mut spec = case.spec(&[("A_KEY", "source", "a")], &json!({}));
        for member in spec["provider"]
            .as_object_mut()
            .expect("an object")
            .values_mut()
        {
            member["apiKeySecretRef"] = json!({"name": "same-key", "key": "other"});
        }
        case.apply("younger", spec).await.expect("it is applied");
        case.wait_reason("younger", "Conflict").await;
        assert_eq!(case.writes().len(), 1, "{:?}", case.target);
        case.finish().await;
    }));
}

/// Cases: M-02
#[test]
fn two_keys_of_one_team_user_or_organization_are_one_scope() {
    run(at_each_api_verifying(async |case| {
        // Pipecat says of no key whose it is; a workspace of several teams does not either.
        if matches!(case.target, Target::Pipecat | Target::BasetenWorkspace) {
            return;
        }
        let one = case.synced("owner", &json!({})).await;
        let key = case.further_key();
        let other = case.with_account(&case.account, &key).await;
        let before = case.writes();
        rival(&other, "younger").await;
        assert_eq!(case.writes(), before, "{:?}", case.target);
        case.assert_held(&[("A_KEY", &one)]);
        other.finish().await;
        case.finish().await;
    }));
}

/// Cases: M-02
#[test]
fn a_team_that_is_named_and_not_opened_is_not_kept_from_others() {
    run(at_each_api_verifying(async |case| {
        if case.target == Target::Pipecat {
            return;
        }
        // Older, with a key that no provider knows: it claims, and nothing was acknowledged.
        let wrong = case
            .with_account(&case.account, &format!("{}-wrong", case.key))
            .await;
        wrong.source("a").await;
        wrong
            .put("claims", &[("A_KEY", "source", "a")], &json!({}))
            .await;
        wrong.wait_reason("claims", "AuthenticationFailed").await;
        case.next_second().await;
        let one = case.synced("younger", &json!({})).await;
        case.assert_held(&[("A_KEY", &one)]);
        let object = wrong.get("claims").await;
        wrong
            .objects()
            .delete("claims", &kube::api::DeleteParams::default())
            .await
            .expect("it goes");
        drop(object);
        case.finish().await;
    }));
}

/// Cases: M-05
#[test]
fn names_that_fold_together_are_one_name_at_baseten() {
    run(async {
        let env = TestEnv::verifying().await;
        join_all(
            [Target::BasetenTeam, Target::BasetenWorkspace].map(async |target| {
                let case = TestCase::new(env, target).await;
                let (a, b) = (case.value("a"), case.value("b"));
                case.secret("source", &[("a", &a), ("b", &b)]).await;
                case.put("owner", &[("hf_token", "source", "a")], &json!({}))
                    .await;
                case.wait_ready("owner").await;
                case.next_second().await;
                for (number, name) in ["hf-token", "hf.token"].into_iter().enumerate() {
                    let object = format!("younger-{number}");
                    case.put(&object, &[(name, "source", "b")], &json!({}))
                        .await;
                    case.wait_reason(&object, "Conflict").await;
                }
                assert_eq!(case.writes().len(), 1);
                case.assert_held(&[("hf_token", &a)]);
                case.finish().await;
            }),
        )
        .await;
    });
}

/// Cases: M-05
#[test]
fn a_set_has_one_owner_whatever_the_keys() {
    run(async {
        let case = TestCase::new(TestEnv::verifying().await, Target::Pipecat).await;
        let one = case.synced("owner", &json!({})).await;
        case.next_second().await;
        case.put("younger", &[("B_KEY", "source", "a")], &json!({}))
            .await;
        case.wait_reason("younger", "Conflict").await;
        case.assert_held(&[("A_KEY", &one)]);
        assert_eq!(case.writes().len(), 1);
        case.finish().await;
    });
}

/// Cases: M-01
#[test]
fn only_the_name_that_two_want_is_refused() {
    run(at_each_api_verifying(async |case| {
        if case.target == Target::Pipecat {
            return;
        }
        let one = case.synced("owner", &json!({})).await;
        case.next_second().await;
        let data = [("A_KEY", "source", "a"), ("B_KEY", "source", "a")];
        case.put("younger", &data, &json!({})).await;
        let object = case.wait_reason("younger", "Conflict").await;
        assert!(
            entry(&object, "B_KEY").digest.is_some(),
            "{:?}",
            case.target
        );
        case.assert_held(&[("A_KEY", &one), ("B_KEY", &one)]);
        case.finish().await;
    }));
}

/// Cases: M-01
#[test]
fn ten_objects_made_at_once_have_one_owner_and_none_flaps() {
    run(at_each_api_verifying(async |case| {
        case.source("a").await;
        let names: Vec<String> = (0..10).map(|number| format!("one-of-{number}")).collect();
        join_all(names.iter().map(async |name| {
            case.put(name, &[("A_KEY", "source", "a")], &json!({}))
                .await;
        }))
        .await;
        let owners = crate::harness::until("one owns and nine do not", async || {
            let (mut ready, mut refused) = (Vec::new(), 0);
            for name in &names {
                let object = case.get(name).await;
                match condition(&object, "Ready") {
                    Some(one) if one.status == "True" => ready.push(object),
                    Some(one) if one.reason == "Conflict" => refused += 1,
                    _ => {}
                }
            }
            (ready.len() == 1 && refused == 9)
                .then_some(ready)
                .ok_or_else(|| format!("{refused}"))
        })
        .await;
        // A younger one may have been first; each name is written at most once by each.
        let oldest = owners[0]
            .metadata
            .creation_timestamp
            .as_ref()
            .map(|time| time.0);
        for name in &names {
            let other = case.get(name).await.metadata.creation_timestamp;
            assert!(
                other.map(|time| time.0) >= oldest,
                "the owner is the oldest"
            );
        }
        case.finish().await;
    }));
}
