//! Secrets that are missing, change or go away; what is in them is next door.

mod bulk; // dataFrom
mod newline; // the newline at the end
mod refused; // what is not sent anywhere
mod replaced; // by another of another name, or of the same
mod templates; // values made of several keys
mod values; // what a value may be

use std::time::Duration;

use futures::future::join_all;
use provider_secrets::api::{EntryState, ProviderSecret};

use crate::support::{Bystander, Scene, Stage, Target, condition, run, timed};

/// What issue and design promise from a change to the provider.
const SOON: Duration = Duration::from_secs(1);

/// State and reason of an entry.
fn entry<'a>(object: &'a ProviderSecret, name: &str) -> (EntryState, Option<&'a str>) {
    let entries = &object.status.as_ref().expect("a status").entries;
    let entry = entries.iter().find(|entry| entry.name == name);
    let entry = entry.expect("status names the entry");
    (entry.state, entry.reason.as_deref())
}

fn summary(object: &ProviderSecret) -> Option<&str> {
    object.status.as_ref()?.summary.as_deref()
}

fn assert_waits(object: &ProviderSecret) {
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
fn a_missing_secret_or_key_calls_nobody_and_heals_within_a_second() {
    run(async {
        let stage = Stage::shared().await;
        let bystander = Bystander::new(stage).await;
        let scenes = join_all(Target::ALL.map(async |target| {
            let scene = Scene::new(stage, target).await;
            scene.object("waits", &[("A_KEY", "source", "a")]).await;
            assert_waits(&scene.wait_reason("waits", "SecretNotFound").await);
            scene
                .secret("source", &[("b", &scene.value("other"))])
                .await;
            let object = scene.wait_reason("waits", "KeyNotFound").await;
            assert_waits(&object);
            let ready = condition(&object, "Ready").expect("Ready");
            assert!(ready.message.contains("source"), "{}", ready.message);
            scene
        }))
        .await;
        bystander.rotate().await;
        let mut latencies = Vec::new();
        for scene in scenes {
            let paths: Vec<String> = scene
                .account
                .requests()
                .iter()
                .map(simulator::Exchange::line)
                .collect();
            assert_eq!(paths, Vec::<String>::new(), "{:?} was called", scene.target);
            let value = scene.value("a");
            let latency = timed(&scene, async {
                scene.secret("source", &[("a", &value)]).await;
            });
            latencies.push(latency.await);
            scene.wait_ready("waits").await;
            scene.wait_held(&[("A_KEY", &value)]).await;
            scene.finish().await;
        }
        latencies.sort();
        assert!(latencies[latencies.len() / 2] < SOON, "{latencies:?}");
        bystander.finish().await;
    });
}

#[test]
fn one_failing_entry_does_not_stop_the_others_and_status_names_each() {
    run(async {
        let stage = Stage::shared().await;
        join_all(Target::ALL.map(async |target| {
            let scene = Scene::new(stage, target).await;
            let (one, two) = (scene.value("one"), scene.value("two"));
            scene.secret("source", &[("a", &one), ("d", &two)]).await;
            let data = [
                ("A_KEY", "source", "a"),
                ("B_KEY", "absent", "b"),
                ("C_KEY", "source", "absent"),
                ("D_KEY", "source", "d"),
            ];
            scene.object("partly", &data).await;
            let is_half = |object: &ProviderSecret| summary(object) == Some("2/4");
            let object = scene.wait("partly", "half synced", is_half).await;
            assert_waits(&object);
            scene.wait_held(&[("A_KEY", &one), ("D_KEY", &two)]).await;
            assert_eq!(entry(&object, "A_KEY"), (EntryState::Synced, None));
            assert_eq!(entry(&object, "B_KEY").1, Some("SecretNotFound"));
            assert_eq!(entry(&object, "C_KEY").1, Some("KeyNotFound"));
            assert_eq!(entry(&object, "D_KEY"), (EntryState::Synced, None));
            let before = scene.writes().len();
            scene.secret("absent", &[("b", &one)]).await;
            scene
                .secret("source", &[("a", &one), ("d", &two), ("absent", &two)])
                .await;
            let object = scene.wait_ready("partly").await;
            assert_eq!(summary(&object), Some("4/4"));
            let all = [
                ("A_KEY", &*one),
                ("B_KEY", &one),
                ("C_KEY", &two),
                ("D_KEY", &two),
            ];
            scene.wait_held(&all).await;
            assert!(scene.writes().len() <= before + 2, "{:?}", scene.writes());
            scene.finish().await;
        }))
        .await;
    });
}

/// Cases: C-02
#[test]
fn a_source_that_goes_away_deletes_nothing_and_comes_back_without_a_write() {
    run(async {
        let stage = Stage::shared().await;
        join_all(Target::ALL.map(async |target| {
            let scene = Scene::new(stage, target).await;
            let (one, two) = (scene.value("one"), scene.value("two"));
            scene.secret("first", &[("a", &one)]).await;
            scene.secret("second", &[("b", &two), ("c", &two)]).await;
            let data = [("A_KEY", "first", "a"), ("B_KEY", "second", "b")];
            scene.object("keeps", &data).await;
            scene.wait_ready("keeps").await;
            let writes = scene.writes();
            scene.delete_secret("first").await;
            let object = scene.wait_reason("keeps", "SecretNotFound").await;
            assert_waits(&object);
            assert_eq!(entry(&object, "B_KEY"), (EntryState::Synced, None));
            // A key that goes is no other case.
            scene.secret("second", &[("c", &two)]).await;
            let both = |object: &ProviderSecret| summary(object) == Some("0/2");
            let object = scene.wait("keeps", "without its sources", both).await;
            assert_eq!(entry(&object, "A_KEY").1, Some("SecretNotFound"));
            assert_eq!(entry(&object, "B_KEY").1, Some("KeyNotFound"));
            scene.wait_held(&[("A_KEY", &one), ("B_KEY", &two)]).await;
            scene.secret("second", &[("b", &two), ("c", &two)]).await;
            scene.secret("first", &[("a", &one)]).await;
            scene.wait_ready("keeps").await;
            assert_eq!(scene.writes(), writes, "{target:?}");
            // And another value is written as ever.
            scene.delete_secret("first").await;
            scene.wait_reason("keeps", "SecretNotFound").await;
            scene.secret("first", &[("a", &two)]).await;
            scene.wait_held(&[("A_KEY", &two), ("B_KEY", &two)]).await;
            scene.wait_ready("keeps").await;
            assert_eq!(scene.writes().len(), writes.len() + 1, "{target:?}");
            scene.finish().await;
        }))
        .await;
    });
}

/// Cases: H-01
#[test]
fn a_secret_of_another_namespace_is_no_source() {
    run(async {
        let stage = Stage::shared().await;
        let (scene, other) = (
            Scene::new(stage, Target::Braintrust).await,
            Scene::new(stage, Target::Braintrust).await,
        );
        other.secret("source", &[("a", &other.value("a"))]).await;
        scene.object("narrow", &[("A_KEY", "source", "a")]).await;
        scene.wait_reason("narrow", "SecretNotFound").await;
        let calls = crate::support::calls(stage, &other.namespace).await;
        assert!(
            calls.iter().all(|call| call.resource != "secrets"),
            "{calls:#?}"
        );
        assert_eq!(
            scene.account.requests().len() + other.account.requests().len(),
            0
        );
        scene.finish().await;
        other.finish().await;
    });
}
