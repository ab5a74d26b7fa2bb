//! Secrets that are missing, change or go away; `values` tests what is in them.

mod bulk; // dataFrom
mod newline; // the newline at the end
mod refused; // what is not sent anywhere
mod replaced; // by another of another name, or of the same
mod values; // what a value may be

use futures::future::join_all;
use provider_secrets::api::{EntryState, ProviderSecret};

use crate::harness::{Bystander, SOON, Target, TestCase, TestEnv, condition, run, timed};

/// State and reason of an entry.
pub(super) fn entry<'a>(object: &'a ProviderSecret, name: &str) -> (EntryState, Option<&'a str>) {
    let entries = &object.status.as_ref().expect("a status").entries;
    let entry = entries.iter().find(|entry| entry.name == name);
    let entry = entry.expect("status names the entry");
    (entry.state, entry.reason.as_deref())
}

pub(super) fn summary(object: &ProviderSecret) -> Option<&str> {
    object.status.as_ref()?.summary.as_deref()
}

pub(super) fn assert_waits(object: &ProviderSecret) {
    let ready = condition(object, "Ready").expect("Ready");
    assert_eq!(ready.status, "False");
    assert!(
        condition(object, "Reconciling").is_some(),
        "{:#?}",
        object.status
    );
    assert!(condition(object, "Stalled").is_none());
}

/// Cases: C-01, C-04
#[test]
fn a_missing_secret_or_key_makes_no_call_and_heals_without_a_backoff() {
    run(async {
        let env = TestEnv::shared().await;
        let bystander = Bystander::new(env).await;
        let test_cases = join_all(Target::ALL.map(async |target| {
            let case = TestCase::new(env, target).await;
            case.object("waits", &[("A_KEY", "source", "a")]).await;
            assert_waits(&case.wait_reason("waits", "SecretNotFound").await);
            case.secret("source", &[("b", &case.value("other"))]).await;
            let object = case.wait_reason("waits", "KeyNotFound").await;
            assert_waits(&object);
            let ready = condition(&object, "Ready").expect("Ready");
            assert!(ready.message.contains("source"), "{}", ready.message);
            case
        }))
        .await;
        bystander.rotate().await;
        let mut latencies = Vec::new();
        for case in test_cases {
            let paths: Vec<String> = case
                .account
                .requests()
                .iter()
                .map(simulator::Exchange::line)
                .collect();
            assert_eq!(paths, Vec::<String>::new(), "{:?} was called", case.target);
            let value = case.value("a");
            let latency = timed(&case, async {
                case.secret("source", &[("a", &value)]).await;
            });
            latencies.push(latency.await);
            case.wait_ready("waits").await;
            case.wait_held(&[("A_KEY", &value)]).await;
            case.finish().await;
        }
        latencies.sort();
        assert!(latencies[latencies.len() / 2] < SOON, "{latencies:?}");
        bystander.finish().await;
    });
}

#[test]
fn one_failing_entry_does_not_stop_the_others_and_status_names_each() {
    run(async {
        let env = TestEnv::shared().await;
        join_all(Target::ALL.map(async |target| {
            let case = TestCase::new(env, target).await;
            let (one, two) = (case.value("one"), case.value("two"));
            case.secret("source", &[("a", &one), ("d", &two)]).await;
            let data = [
                ("A_KEY", "source", "a"),
                ("B_KEY", "absent", "b"),
                ("C_KEY", "source", "absent"),
                ("D_KEY", "source", "d"),
            ];
            case.object("partly", &data).await;
            let is_half = |object: &ProviderSecret| summary(object) == Some("2/4");
            let object = case.wait("partly", "half synced", is_half).await;
            assert_waits(&object);
            case.wait_held(&[("A_KEY", &one), ("D_KEY", &two)]).await;
            assert_eq!(entry(&object, "A_KEY"), (EntryState::Synced, None));
            assert_eq!(entry(&object, "B_KEY").1, Some("SecretNotFound"));
            assert_eq!(entry(&object, "C_KEY").1, Some("KeyNotFound"));
            assert_eq!(entry(&object, "D_KEY"), (EntryState::Synced, None));
            let before = case.writes().len();
            case.secret("absent", &[("b", &one)]).await;
            case.secret("source", &[("a", &one), ("d", &two), ("absent", &two)])
                .await;
            let object = case.wait_ready("partly").await;
            assert_eq!(summary(&object), Some("4/4"));
            let all = [
                ("A_KEY", &*one),
                ("B_KEY", &one),
                ("C_KEY", &two),
                ("D_KEY", &two),
            ];
            case.wait_held(&all).await;
            assert!(case.writes().len() <= before + 2, "{:?}", case.writes());
            case.finish().await;
        }))
        .await;
    });
}

/// Cases: C-02
#[test]
fn a_source_that_goes_away_deletes_nothing_and_comes_back_without_a_write() {
    run(async {
        let env = TestEnv::shared().await;
        join_all(Target::ALL.map(async |target| {
            let case = TestCase::new(env, target).await;
            let (one, two) = (case.value("one"), case.value("two"));
            case.secret("first", &[("a", &one)]).await;
            case.secret("second", &[("b", &two), ("c", &two)]).await;
            let data = [("A_KEY", "first", "a"), ("B_KEY", "second", "b")];
            case.object("keeps", &data).await;
            case.wait_ready("keeps").await;
            let writes = case.writes();
            case.delete_secret("first").await;
            let object = case.wait_reason("keeps", "SecretNotFound").await;
            assert_waits(&object);
            assert_eq!(entry(&object, "B_KEY"), (EntryState::Synced, None));
            // A key that goes is no other case.
            case.secret("second", &[("c", &two)]).await;
            let both = |object: &ProviderSecret| summary(object) == Some("0/2");
            let object = case.wait("keeps", "without its sources", both).await;
            assert_eq!(entry(&object, "A_KEY").1, Some("SecretNotFound"));
            assert_eq!(entry(&object, "B_KEY").1, Some("KeyNotFound"));
            case.wait_held(&[("A_KEY", &one), ("B_KEY", &two)]).await;
            case.secret("second", &[("b", &two), ("c", &two)]).await;
            case.secret("first", &[("a", &one)]).await;
            case.wait_ready("keeps").await;
            assert_eq!(case.writes(), writes, "{target:?}");
            // And another value is written as ever.
            case.delete_secret("first").await;
            case.wait_reason("keeps", "SecretNotFound").await;
            case.secret("first", &[("a", &two)]).await;
            case.wait_held(&[("A_KEY", &two), ("B_KEY", &two)]).await;
            case.wait_ready("keeps").await;
            assert_eq!(case.writes().len(), writes.len() + 1, "{target:?}");
            case.finish().await;
        }))
        .await;
    });
}

/// Cases: H-01
#[test]
fn a_secret_of_another_namespace_is_no_source() {
    run(async {
        let env = TestEnv::shared().await;
        let (case, other) = (
            TestCase::new(env, Target::Braintrust).await,
            TestCase::new(env, Target::Braintrust).await,
        );
        other.source("a").await;
        case.object("narrow", &[("A_KEY", "source", "a")]).await;
        case.wait_reason("narrow", "SecretNotFound").await;
        let calls = crate::harness::calls(env, &other.namespace).await;
        assert!(
            calls.iter().all(|call| call.resource != "secrets"),
            "{calls:#?}"
        );
        assert_eq!(
            case.account.requests().len() + other.account.requests().len(),
            0
        );
        case.finish().await;
        other.finish().await;
    });
}
