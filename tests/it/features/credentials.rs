//! API keys that are missing, unusable, refused, replaced; and who reads them.

use std::collections::BTreeMap;

use futures::future::join_all;
use provider_secrets::api::ProviderSecret;
use simulator::Access;

use crate::harness::{
    Bystander, CANARY, SOON, Target, TestCase, TestEnv, calls, condition, run, timed,
};

fn assert_stalled(object: &ProviderSecret) {
    assert!(
        condition(object, "Stalled").is_some(),
        "{:#?}",
        object.status
    );
    assert!(condition(object, "Reconciling").is_none());
}

/// Cases: C-19
#[test]
fn a_missing_credential_or_key_makes_no_call_and_heals_without_a_backoff() {
    run(async {
        let env = TestEnv::shared().await;
        let bystander = Bystander::new(env).await;
        let test_cases = join_all(Target::ALL.map(async |target| {
            let case = TestCase::new(env, target).await;
            case.delete_secret("credential").await;
            case.source("a").await;
            case.object("waits", &[("A_KEY", "source", "a")]).await;
            let object = case.wait_reason("waits", "CredentialNotFound").await;
            assert!(condition(&object, "Reconciling").is_some(), "{target:?}");
            let entry = &object.status.as_ref().expect("a status").entries[0];
            assert_eq!((&*entry.name, entry.digest.as_ref()), ("A_KEY", None));
            case.secret("credential", &[("other", &case.key)]).await;
            let object = case.wait_reason("waits", "CredentialKeyMissing").await;
            assert!(condition(&object, "Reconciling").is_some(), "{target:?}");
            case
        }))
        .await;
        bystander.rotate().await;
        let mut latencies = Vec::new();
        for case in test_cases {
            assert_eq!(
                case.account.requests().len(),
                0,
                "{:?} was called",
                case.target
            );
            let latency = timed(&case, async {
                case.secret("credential", &[("api-key", &case.key)]).await;
            });
            latencies.push(latency.await);
            case.wait_ready("waits").await;
            case.wait_held(&[("A_KEY", &case.value("a"))]).await;
            case.finish().await;
        }
        latencies.sort();
        assert!(latencies[latencies.len() / 2] < SOON, "{latencies:?}");
        bystander.finish().await;
    });
}

#[test]
fn a_credential_that_goes_away_stops_the_calls_and_keeps_the_record() {
    run(async {
        let case =
            TestCase::with_synced_target(TestEnv::shared().await, Target::PrimeIntellect).await;
        let before = case.account.requests().len();
        case.delete_secret("credential").await;
        let object = case.wait_reason("target", "CredentialNotFound").await;
        let entry = &object.status.as_ref().expect("a status").entries[0];
        assert!(entry.digest.is_some(), "{entry:#?}");
        case.secret("credential", &[("api-key", &case.key)]).await;
        case.wait_ready("target").await;
        assert_eq!(case.account.requests().len(), before);
        case.finish().await;
    });
}

/// Cases: C-20
#[test]
fn a_key_that_no_header_may_hold_is_never_sent() {
    let long = format!("{CANARY}{}", "x".repeat(64 * 1024));
    let mark = CANARY.as_bytes();
    let cases: Vec<Vec<u8>> = vec![
        b"   ".to_vec(),
        [mark, b" ", mark].concat(),
        [b" ", mark].concat(),
        [mark, b"\r\nX-Admin: ", mark].concat(),
        [mark, b"\n", mark].concat(),
        [mark, b"\0"].concat(),
        [mark, b"\t", mark].concat(),
        [mark, "é".as_bytes()].concat(),
        [mark, "\u{feff}".as_bytes()].concat(),
        [mark, b"\xff"].concat(),
        [mark, b"\x7f"].concat(),
        long.into_bytes(),
    ];
    run(async {
        let env = TestEnv::shared().await;
        let bystander = Bystander::new(env).await;
        let test_cases = join_all(Target::ALL.map(async |target| {
            let case = TestCase::new(env, target).await;
            case.source("a").await;
            for (number, key) in cases.iter().enumerate() {
                let data = BTreeMap::from([("api-key", key.as_slice())]);
                case.binary_secret("credential", &data).await;
                let name = format!("unusable-{number}");
                case.object(&name, &[("A_KEY", "source", "a")]).await;
                assert_stalled(&case.wait_reason(&name, "CredentialInvalid").await);
                if number + 1 < cases.len() {
                    // A name has one owner.
                    case.kubectl(&["delete", "psec", &name]).await;
                }
            }
            case
        }))
        .await;
        bystander.rotate().await;
        // No account has such a key, so search all requests.
        let unknown = env.simulator().requests();
        let unknown = unknown.iter().filter(|request| request.account.is_none());
        assert_eq!(
            unknown.map(simulator::Exchange::line).collect::<Vec<_>>(),
            Vec::<String>::new()
        );
        for case in test_cases {
            assert_eq!(case.account.requests().len(), 0, "{:?}", case.target);
            let last = format!("unusable-{}", cases.len() - 1);
            // What `echo` leaves behind is forgiven.
            let key = format!("{}\n", case.key);
            case.secret("credential", &[("api-key", &key)]).await;
            case.wait_ready(&last).await;
            case.wait_held(&[("A_KEY", &case.value("a"))]).await;
            case.finish().await;
        }
        bystander.finish().await;
    });
}

/// Cases: C-21
#[test]
fn a_revoked_key_stalls_until_a_new_one_is_there_and_is_then_never_sent_again() {
    run(async {
        let env = TestEnv::shared().await;
        join_all(Target::ALL.map(async |target| {
            let case = TestCase::with_synced_target(env, target).await;
            case.account
                .revoke_key(&case.key)
                .expect("a key is revoked");
            let rotated = case.value("rotated");
            case.secret("source", &[("a", &rotated)]).await;
            let object = case.wait_reason("target", "AuthenticationFailed").await;
            assert_stalled(&object);
            let ready = condition(&object, "Ready").expect("Ready");
            assert!(
                ready.message.contains("Secret credential key api-key"),
                "{}",
                ready.message
            );
            let new = format!("{}-new", case.key);
            case.account.add_key(&*new).expect("a key is added");
            let before = case.account.requests().len();
            let latency = timed(&case, async {
                case.secret("credential", &[("api-key", &new)]).await;
            });
            let latency = latency.await;
            case.wait_ready("target").await;
            case.wait_held(&[("A_KEY", &rotated)]).await;
            assert!(latency < SOON, "{target:?} {latency:?}");
            let later = &case.account.requests()[before..];
            assert!(
                later.iter().all(|request| request.key == Some(1)),
                "{target:?} {later:#?}"
            );
            case.finish().await;
        }))
        .await;
    });
}

/// Cases: C-21
#[test]
fn a_key_that_is_replaced_before_it_is_revoked_is_never_missed() {
    run(async {
        let env = TestEnv::shared().await;
        join_all(Target::ALL.map(async |target| {
            let case = TestCase::with_synced_target(env, target).await;
            let new = format!("{}-new", case.key);
            case.account.add_key(&*new).expect("a key is added");
            let version = case.secret("credential", &[("api-key", &new)]).await;
            let has_read = |object: &ProviderSecret| {
                let sources = &object.status.as_ref().expect("a status").sources;
                sources
                    .iter()
                    .any(|source| source.resource_version == version)
            };
            case.wait("target", "on the new key", has_read).await;
            case.account
                .revoke_key(&case.key)
                .expect("a key is revoked");
            let rotated = case.value("rotated");
            case.secret("source", &[("a", &rotated)]).await;
            case.wait_held(&[("A_KEY", &rotated)]).await;
            case.wait_ready("target").await;
            let events = case.kubectl(&["get", "events", "-o", "json"]).await;
            assert!(!events.contains("AuthenticationFailed"), "{target:?}");
            case.finish().await;
        }))
        .await;
    });
}

/// Cases: C-23
#[test]
fn a_key_that_may_only_read_stalls_and_heals_with_its_replacement() {
    run(async {
        let env = TestEnv::shared().await;
        let bystander = Bystander::new(env).await;
        let test_cases = join_all(Target::ALL.map(async |target| {
            let case = TestCase::new(env, target).await;
            case.account
                .set_access(&case.key, Access::ReadOnly)
                .expect("a key is limited");
            case.source("a").await;
            case.object("reads", &[("A_KEY", "source", "a")]).await;
            assert_stalled(&case.wait_reason("reads", "PermissionDenied").await);
            case
        }))
        .await;
        // What fails by itself would be tried again some times meanwhile.
        for _ in 0..3 {
            bystander.rotate().await;
        }
        join_all(test_cases.into_iter().map(async |case| {
            let target = case.target;
            assert_eq!(case.writes().len(), 1, "{target:?} {:?}", case.writes());
            let new = format!("{}-new", case.key);
            case.account.add_key(&*new).expect("a key is added");
            case.secret("credential", &[("api-key", &new)]).await;
            case.wait_ready("reads").await;
            case.wait_held(&[("A_KEY", &case.value("a"))]).await;
            assert!(
                case.writes().iter().all(|line| !line.starts_with("DELETE")),
                "{target:?}"
            );
            case.finish().await;
        }))
        .await;
        bystander.finish().await;
    });
}

#[test]
fn a_credential_is_read_once_however_many_objects_name_it_and_only_in_its_namespace() {
    run(async {
        let env = TestEnv::shared().await;
        let (case, other) = (
            TestCase::new(env, Target::BasetenTeam).await,
            TestCase::new(env, Target::BasetenTeam).await,
        );
        case.source("a").await;
        let names: Vec<String> = (0..10).map(|number| format!("many-{number}")).collect();
        join_all(names.iter().map(async |name| {
            let entry = name.to_uppercase();
            case.object(name, &[(&entry, "source", "a")]).await;
            case.wait_ready(name).await;
        }))
        .await;
        let reads = async |case: &TestCase<'_>| {
            let mut calls = calls(env, &case.namespace).await;
            calls.retain(|call| call.resource == "secrets" && call.name == "credential");
            calls.len()
        };
        assert_eq!(reads(&case).await, 1);
        // A new version is read once more, by all.
        let new = format!("{}-new", case.key);
        case.account.add_key(&*new).expect("a key is added");
        let version = case.secret("credential", &[("api-key", &new)]).await;
        let has_read = |object: &ProviderSecret| {
            let sources = &object.status.as_ref().expect("a status").sources;
            sources
                .iter()
                .any(|source| source.resource_version == version)
        };
        for name in &names {
            case.wait(name, "on the new key", has_read).await;
        }
        assert_eq!(reads(&case).await, 2);
        // No object refers to the Secret of the same name in the other namespace.
        assert_eq!(reads(&other).await, 0);
        case.finish().await;
        other.finish().await;
    });
}
