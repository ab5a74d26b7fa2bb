//! Which writes happen, at the providers and at the API server, and which must not.

mod crash; // what is at the provider when the operator dies
mod races; // others write at the same time

use std::sync::Arc;

use futures::future::join_all;
use provider_secrets::api::{EntryState, ProviderSecret};
use serde_json::json;
use simulator::{Action, Fault};

use crate::harness::{Bystander, Target, TestCase, TestEnv, calls, condition, run, wait_write};

/// Waits until the entry `A_KEY` of `target` is acknowledged. `Ready` alone may speak of before.
async fn wait_synced(case: &TestCase<'_>) {
    let is_synced = |object: &ProviderSecret| {
        let entries = object.status.iter().flat_map(|status| &status.entries);
        let mut first = entries.take(1);
        first.any(|entry| entry.state == EntryState::Synced && entry.digest.is_some())
    };
    case.wait("target", "synced", is_synced).await;
    case.wait_ready("target").await;
}

/// How many of the operator's calls have this verb and are about this kind and name.
async fn count(case: &TestCase<'_>, verb: &str, resource: &str, name: &str) -> usize {
    let calls = calls(case.env, &case.namespace).await;
    let is_it = |call: &&Arc<cluster::AuditEvent>| {
        call.verb == verb && call.resource == resource && (name.is_empty() || call.name == name)
    };
    calls.iter().filter(is_it).count()
}

#[test]
fn one_key_of_fifty_that_rotates_costs_one_write_of_that_key() {
    run(async {
        let env = TestEnv::shared().await;
        let bystander = Bystander::new(env).await;
        join_all(Target::ALL.map(async |target| {
            let case = TestCase::new(env, target).await;
            let names: Vec<String> = (0..50).map(|number| format!("KEY_{number:02}")).collect();
            let values = |changed: usize, text: &str| -> Vec<(String, String)> {
                let value = |index| case.value(if index == changed { text } else { "same" });
                names.iter().enumerate().map(|(index, name)| (name.clone(), value(index))).collect()
            };
            let first = values(50, "");
            let pairs = |values: &[(String, String)]| -> Vec<(String, String)> { values.to_vec() };
            let secret = async |values: &[(String, String)]| {
                let values = pairs(values);
                let data: Vec<_> = values.iter().map(|(key, value)| (&**key, &**value)).collect();
                case.secret("source", &data).await;
            };
            secret(&first).await;
            let spec = json!({"provider": case.provider(), "dataFrom": [{"secretRef": {"name": "source"}}]});
            case.apply("fifty", spec).await.expect("an object is applied");
            case.wait_ready("fifty").await;
            let before = case.account.requests().len();
            let rotated = values(37, "rotated");
            secret(&rotated).await;
            let expected: Vec<_> = rotated.iter().map(|(key, value)| (&**key, &**value)).collect();
            case.wait_held(&expected).await;
            case.wait_ready("fifty").await;
            bystander.rotate().await;
            let requests = case.account.requests();
            let writes: Vec<_> = requests[before..].iter().filter(|request| request.is_write()).collect();
            assert_eq!(writes.len(), 1, "{target:?} {writes:#?}");
            let body = writes[0].body.as_ref().expect("a body").to_string();
            assert!(body.contains(&case.value("rotated")), "{target:?}");
            // Pipecat takes the whole set each time.
            assert_eq!(body.contains(&case.value("same")), target == Target::Pipecat);
            case.finish().await;
        }))
        .await;
        bystander.finish().await;
    });
}

/// Cases: C-16
#[test]
fn a_label_or_annotation_on_a_secret_writes_nothing_anywhere() {
    run(async {
        let env = TestEnv::shared().await;
        let bystander = Bystander::new(env).await;
        let test_cases = join_all(Target::ALL.map(async |target| {
            let case = TestCase::with_synced_target(env, target).await;
            let patches = count(&case, "patch", "providersecrets", "").await;
            let object = case.objects().get("target").await.expect("the object");
            let requests = case.account.requests().len();
            for (kind, name) in [
                ("secret", "source"),
                ("secret", "credential"),
                ("psec", "target"),
            ] {
                case.kubectl(&["label", kind, name, "team=a"]).await;
                case.kubectl(&["annotate", kind, name, "note=b"]).await;
            }
            // The same again with other metadata, and an update that changes nothing.
            case.source("one").await;
            (case, patches, object, requests)
        }))
        .await;
        bystander.rotate().await;
        for (case, patches, object, requests) in test_cases {
            assert_eq!(case.account.requests().len(), requests, "{:?}", case.target);
            assert_eq!(count(&case, "patch", "providersecrets", "").await, patches);
            let now = case.objects().get("target").await.expect("the object");
            assert_eq!(now.status, object.status, "{:?}", case.target);
            case.finish().await;
        }
        bystander.finish().await;
    });
}

/// Cases: C-17, C-18
#[test]
fn there_and_back_again_ends_where_it_began() {
    run(async {
        let env = TestEnv::shared().await;
        let bystander = Bystander::new(env).await;
        let test_cases = join_all(Target::ALL.map(async |target| {
            let case = TestCase::with_synced_target(env, target).await;
            let (a, b) = (case.value("one"), case.value("b"));
            for _ in 0..5 {
                case.secret("source", &[("a", &b)]).await;
                case.secret("source", &[("a", &a)]).await;
            }
            (case, a, b)
        }))
        .await;
        bystander.rotate().await;
        let test_cases = join_all(test_cases.into_iter().map(async |(case, a, b)| {
            case.wait_held(&[("A_KEY", &a)]).await;
            wait_synced(&case).await;
            // Also while the write of B is still under way.
            case.account
                .set_latency(std::time::Duration::from_millis(100));
            let before = case.writes().len();
            case.secret("source", &[("a", &b)]).await;
            wait_write(&case, before).await;
            case.secret("source", &[("a", &a)]).await;
            case.account.set_latency(std::time::Duration::ZERO);
            case
        }))
        .await;
        bystander.rotate().await;
        for case in test_cases {
            case.wait_held(&[("A_KEY", &case.value("one"))]).await;
            wait_synced(&case).await;
            bystander.rotate().await;
            case.wait_held(&[("A_KEY", &case.value("one"))]).await;
            wait_synced(&case).await;
            case.finish().await;
        }
        bystander.finish().await;
    });
}

#[test]
fn a_recorded_entry_is_pending_without_a_digest_while_it_is_written() {
    run(async {
        let env = TestEnv::shared().await;
        join_all(Target::ALL.map(async |target| {
            let case = TestCase::new(env, target).await;
            case.ready_at_once();
            let (a, b, c) = (case.value("a"), case.value("b"), case.value("c"));
            case.secret("source", &[("a", &a), ("b", &b)]).await;
            let data = [("A_KEY", "source", "a"), ("B_KEY", "source", "b")];
            case.object("target", &data).await;
            case.wait_ready("target").await;
            let patches = count(&case, "patch", "providersecrets", "target").await;
            let delay = std::time::Duration::from_secs(20);
            let before = case.writes().len();
            case.account.add_fault(
                Fault::new(Action::Handle)
                    .delay(delay)
                    .method(target.update_method()),
            );
            case.secret("source", &[("a", &c), ("b", &b)]).await;
            wait_write(&case, before).await;
            let object = case.objects().get("target").await.expect("the object");
            let entries = &object.status.as_ref().expect("a status").entries;
            assert_eq!(case.held()["A_KEY"], a, "{target:?}: the write has ended");
            assert_eq!(
                (entries[0].state, entries[0].digest.as_ref()),
                (EntryState::Pending, None)
            );
            assert_eq!(entries[1].state, EntryState::Synced);
            assert!(entries[1].digest.is_some());
            case.wait_held(&[("A_KEY", &c), ("B_KEY", &b)]).await;
            wait_synced(&case).await;
            // One write before, one after.
            let now = count(&case, "patch", "providersecrets", "target").await;
            assert_eq!(now, patches + 2, "{target:?}");
            case.finish().await;
        }))
        .await;
    });
}

#[test]
fn a_first_sync_costs_one_status_write_and_one_read_of_each_secret() {
    run(async {
        let env = TestEnv::shared().await;
        join_all(Target::ALL.map(async |target| {
            let case = TestCase::new(env, target).await;
            case.ready_at_once();
            let value = case.value("a");
            case.secret("source", &[("a", &value)]).await;
            // A watch tells in order: once this is synced, the source and the API key are known too.
            case.secret("last", &[("b", &value)]).await;
            case.object("before", &[("B_KEY", "last", "b")]).await;
            case.wait_ready("before").await;
            // At Pipecat a set has one owner.
            case.delete("before").await;
            case.wait_gone("before").await;
            case.object("target", &[("A_KEY", "source", "a")]).await;
            case.wait_ready("target").await;
            assert_eq!(
                count(&case, "patch", "providersecrets", "target").await,
                1,
                "{target:?}"
            );
            assert_eq!(
                count(&case, "get", "secrets", "source").await,
                1,
                "{target:?}"
            );
            assert_eq!(
                count(&case, "get", "secrets", "credential").await,
                1,
                "{target:?}"
            );
            let calls = calls(env, &case.namespace).await;
            let mut others: Vec<_> = calls
                .iter()
                .filter(|call| call.verb != "get" || call.resource != "secrets")
                .filter(|call| call.resource != "events" && call.name != "before")
                .map(|call| format!("{} {}/{}", call.verb, call.resource, call.subresource))
                .collect();
            // What the namespace allows is read for all of its objects, twice a minute at most.
            others.dedup();
            let expected = ["get namespaces/", "patch providersecrets/status"];
            assert_eq!(others, expected, "{target:?}");
            case.finish_leaving(&["B_KEY"]).await;
        }))
        .await;
    });
}

#[test]
fn objects_of_one_account_share_its_listing() {
    run(async {
        let env = TestEnv::shared().await;
        join_all(
            [Target::PrimeIntellect, Target::Braintrust, Target::Pipecat].map(async |target| {
                let case = TestCase::new(env, target).await;
                case.source("a").await;
                case.account
                    .set_latency(std::time::Duration::from_millis(100));
                let names: Vec<String> =
                    (0..24).map(|number| format!("many-{number:02}")).collect();
                join_all(names.iter().map(async |name| {
                    let entry = name.to_uppercase().replace('-', "_");
                    let mut provider = case.provider();
                    if target == Target::Pipecat {
                        provider["pipecat"]["setName"] = (**name).into();
                    }
                    let data =
                        json!([{"name": entry, "secretKeyRef": {"name": "source", "key": "a"}}]);
                    let spec = json!({"provider": provider, "data": data});
                    case.apply(name, spec).await.expect("an object is applied");
                }))
                .await;
                for name in &names {
                    let object = case.wait_ready(name).await;
                    assert!(condition(&object, "Reconciling").is_none());
                }
                let is_set = |path: &str| path.contains("/many-");
                let requests = case.account.requests();
                let listings = requests
                    .iter()
                    .filter(|one| one.method == "GET" && !is_set(&one.path));
                // A page more each time at Braintrust, which ends with an empty one.
                let pages = if target == Target::Braintrust { 2 } else { 1 };
                let listings = listings.count() / pages;
                assert!(
                    listings <= names.len() / 4,
                    "{target:?}: {listings} listings"
                );
                case.finish().await;
            }),
        )
        .await;
    });
}
