//! A new API key costs no write at the provider, and values never move to another account silently
//! (C-21, C-22).

mod accounts; // a key of another account

use futures::future::join_all;
use provider_secrets::api::ProviderSecret;
use serde_json::{Value, json};

use crate::harness::{
    Target, TestCase, TestEnv, at_each_api, at_each_api_verifying, delete_policy, run,
};

/// What the digests of an object were made with.
fn fingerprint(object: &ProviderSecret) -> String {
    let status = object.status.as_ref().expect("a status");
    status.key_fingerprint.clone().expect("it is known")
}

/// Waits until an object has followed its key, and is synced.
async fn wait_followed(case: &TestCase<'_>, name: &str, before: &str) -> ProviderSecret {
    case.wait(name, "under the new key", |object| {
        fingerprint(object) != before
    })
    .await;
    case.wait_ready(name).await
}

/// Cases: C-21
#[test]
fn a_key_rotated_in_its_secret_costs_no_write() {
    run(at_each_api_verifying(async |case| {
        let one = case.synced("keyed", &json!({})).await;
        let before = fingerprint(&case.get("keyed").await);
        let writes = case.writes();
        let key = case.further_key();
        case.secret("credential", &[("api-key", &key)]).await;
        wait_followed(&case, "keyed", &before).await;
        assert_eq!(case.writes(), writes, "{:?}", case.target);
        case.account
            .revoke_key(&case.key)
            .expect("the old one goes");
        // No call with the old key after the new one was read.
        let known = case.account.requests().len();
        let two = case.value("two");
        case.secret("source", &[("a", &two)]).await;
        case.wait_held(&[("A_KEY", &two)]).await;
        case.wait_ready("keyed").await;
        assert_eq!(case.writes().len(), writes.len() + 1, "{:?}", case.target);
        let requests = case.account.requests();
        assert!(
            requests[known..]
                .iter()
                .all(|request| request.key == Some(1))
        );
        assert_ne!(one, two);
        case.finish().await;
    }));
}

/// Cases: C-21
#[test]
fn the_old_key_revoked_first_heals_with_the_new_one() {
    run(at_each_api_verifying(async |case| {
        case.synced("keyed", &json!({})).await;
        case.account.revoke_key(&case.key).expect("it is revoked");
        case.source("two").await;
        case.wait_reason("keyed", "AuthenticationFailed").await;
        let key = case.further_key();
        case.secret("credential", &[("api-key", &key)]).await;
        case.wait_held(&[("A_KEY", &case.value("two"))]).await;
        let object = case.wait_ready("keyed").await;
        assert!(crate::harness::condition(&object, "Stalled").is_none());
        case.finish().await;
    }));
}

/// Cases: C-21
#[test]
fn another_reference_to_another_key_costs_no_write() {
    run(at_each_api_verifying(async |case| {
        case.synced("keyed", &json!({})).await;
        let before = fingerprint(&case.get("keyed").await);
        let writes = case.writes();
        case.secret("next", &[("key", &case.further_key())]).await;
        let mut spec = case.spec(&[("A_KEY", "source", "a")], &json!({}));
        for member in spec["provider"]
            .as_object_mut()
            .expect("an object")
            .values_mut()
        {
            member["apiKeySecretRef"] = json!({"name": "next", "key": "key"});
        }
        case.apply("keyed", spec).await.expect("it is applied");
        wait_followed(&case, "keyed", &before).await;
        assert_eq!(case.writes(), writes, "{:?}", case.target);
        case.finish().await;
    }));
}

/// Cases: C-21
#[test]
fn a_key_of_fifty_objects_costs_no_write() {
    run(at_each_api(async |case| {
        case.source("a").await;
        let names: Vec<String> = (0..50).map(|number| format!("many-{number:02}")).collect();
        for name in &names {
            let entry = name.to_uppercase().replace('-', "_");
            let mut spec = case.spec(&[(&entry, "source", "a")], &json!({}));
            if case.target == Target::Pipecat {
                spec["provider"]["pipecat"]["setName"] = name.as_str().into();
            }
            case.apply(name, spec).await.expect("it is applied");
        }
        for name in &names {
            case.wait_ready(name).await;
        }
        let before = fingerprint(&case.get("many-00").await);
        let (writes, listings) = (case.writes(), case.listings());
        let key = case.further_key();
        case.secret("credential", &[("api-key", &key)]).await;
        for name in &names {
            wait_followed(&case, name, &before).await;
        }
        assert_eq!(case.writes(), writes, "{:?}", case.target);
        let listed = case.listings() - listings;
        assert!(
            listed <= 2,
            "{:?}: {listed} listings for one key",
            case.target
        );
        case.finish().await;
    }));
}

/// Cases: C-21
#[test]
fn with_a_key_and_a_source_that_change_together_only_that_entry_is_written() {
    run(at_each_api_verifying(async |case| {
        let (a, b) = (case.value("a"), case.value("b"));
        case.secret("source", &[("a", &a)]).await;
        case.secret("other", &[("b", &b)]).await;
        let data = [("A_KEY", "source", "a"), ("B_KEY", "other", "b")];
        case.put("keyed", &data, &json!({})).await;
        case.wait_ready("keyed").await;
        let before = fingerprint(&case.get("keyed").await);
        let writes = case.writes().len();
        let (key, two) = (case.further_key(), case.value("two"));
        let (rotated, rekeyed) = ([("b", two.as_str())], [("api-key", key.as_str())]);
        futures::future::join(
            case.secret("other", &rotated),
            case.secret("credential", &rekeyed),
        )
        .await;
        case.wait_held(&[("A_KEY", &a), ("B_KEY", &two)]).await;
        wait_followed(&case, "keyed", &before).await;
        let written = case.account.writes();
        let written: Vec<Value> = written[writes..]
            .iter()
            .map(|write| {
                write
                    .body
                    .as_ref()
                    .map(|body| (**body).clone())
                    .unwrap_or_default()
            })
            .collect();
        assert_eq!(written.len(), 1, "{:?} {written:?}", case.target);
        assert!(written[0].to_string().contains(&two), "{written:?}");
        case.finish().await;
    }));
}

/// Cases: C-21
#[test]
fn a_key_rotated_while_the_operator_is_down_costs_no_write() {
    run(async {
        let mut env = TestEnv::fresh(&[]).await;
        let mut parked = Vec::new();
        for target in Target::ALL {
            let case = TestCase::new(&env, target).await;
            let (a, b) = (case.value("a"), case.value("b"));
            case.secret("source", &[("a", &a)]).await;
            case.secret("other", &[("b", &b)]).await;
            let data = [("A_KEY", "source", "a"), ("B_KEY", "other", "b")];
            case.put("keyed", &data, &delete_policy()).await;
            case.wait_ready("keyed").await;
            let before = fingerprint(&case.get("keyed").await);
            let writes = case.writes();
            parked.push((target, case.identity(), before, writes));
        }
        assert!(env.operator.terminate().await.success());
        for (number, (target, identity, ..)) in parked.iter().enumerate() {
            let case = TestCase::resume(&env, *target, identity);
            case.secret("credential", &[("api-key", &case.further_key())])
                .await;
            case.account
                .revoke_key(&case.key)
                .expect("the old one goes");
            if number % 2 == 0 {
                case.secret("other", &[("b", &case.value("two"))]).await;
            }
        }
        env.restart(&[]).await;
        let plays = parked.iter().enumerate();
        join_all(
            plays.map(async |(number, (target, identity, before, writes))| {
                let case = TestCase::resume(&env, *target, identity);
                wait_followed(&case, "keyed", before).await;
                let value = if number % 2 == 0 { "two" } else { "b" };
                case.wait_held(&[("A_KEY", &case.value("a")), ("B_KEY", &case.value(value))])
                    .await;
                let news = usize::from(number % 2 == 0);
                assert_eq!(
                    case.writes().len(),
                    writes.len() + news,
                    "{target:?} {:?}",
                    case.writes()
                );
                // What was written under the old key can still be deleted.
                case.delete("keyed").await;
                case.wait_gone("keyed").await;
                case.assert_held(&[]);
                case.finish().await;
            }),
        )
        .await;
    });
}
