//! API keys that are missing, unusable, refused, replaced; and who reads them.

use std::{collections::BTreeMap, time::Duration};

use futures::future::join_all;
use provider_secrets::api::ProviderSecret;
use simulator::Access;

use crate::support::{Bystander, CANARY, Scene, Stage, Target, calls, condition, run, timed};

/// What issue and design promise from a change to the provider.
const SOON: Duration = Duration::from_secs(1);

/// A scene with a source and an object that is synced.
async fn synced(stage: &Stage, target: Target) -> Scene<'_> {
    let scene = Scene::new(stage, target).await;
    scene.secret("source", &[("a", &scene.value("a"))]).await;
    scene.object("synced", &[("A_KEY", "source", "a")]).await;
    scene.wait_ready("synced").await;
    scene
}

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
fn a_missing_credential_or_key_calls_nobody_and_heals_within_a_second() {
    run(async {
        let stage = Stage::shared().await;
        let bystander = Bystander::new(stage).await;
        let scenes = join_all(Target::ALL.map(async |target| {
            let scene = Scene::new(stage, target).await;
            scene.delete_secret("credential").await;
            scene.secret("source", &[("a", &scene.value("a"))]).await;
            scene.object("waits", &[("A_KEY", "source", "a")]).await;
            let object = scene.wait_reason("waits", "CredentialNotFound").await;
            assert!(condition(&object, "Reconciling").is_some(), "{target:?}");
            let entry = &object.status.as_ref().expect("a status").entries[0];
            assert_eq!((&*entry.name, entry.digest.as_ref()), ("A_KEY", None));
            scene.secret("credential", &[("other", &scene.key)]).await;
            let object = scene.wait_reason("waits", "CredentialKeyMissing").await;
            assert!(condition(&object, "Reconciling").is_some(), "{target:?}");
            scene
        }))
        .await;
        bystander.rotate().await;
        let mut latencies = Vec::new();
        for scene in scenes {
            assert_eq!(
                scene.account.requests().len(),
                0,
                "{:?} was called",
                scene.target
            );
            let latency = timed(&scene, async {
                scene.secret("credential", &[("api-key", &scene.key)]).await;
            });
            latencies.push(latency.await);
            scene.wait_ready("waits").await;
            scene.wait_held(&[("A_KEY", &scene.value("a"))]).await;
            scene.finish().await;
        }
        latencies.sort();
        assert!(latencies[latencies.len() / 2] < SOON, "{latencies:?}");
        bystander.finish().await;
    });
}

#[test]
fn a_credential_that_goes_away_stops_the_calls_and_keeps_the_record() {
    run(async {
        let scene = synced(Stage::shared().await, Target::PrimeIntellect).await;
        let before = scene.account.requests().len();
        scene.delete_secret("credential").await;
        let object = scene.wait_reason("synced", "CredentialNotFound").await;
        let entry = &object.status.as_ref().expect("a status").entries[0];
        assert!(entry.digest.is_some(), "{entry:#?}");
        scene.secret("credential", &[("api-key", &scene.key)]).await;
        scene.wait_ready("synced").await;
        assert_eq!(scene.account.requests().len(), before);
        scene.finish().await;
    });
}

/// Cases: C-20
#[test]
fn a_key_that_no_header_may_hold_is_never_sent() {
    let long = format!("{CANARY}{}", "x".repeat(64 * 1024));
    let mark = CANARY.as_bytes();
    let cases: Vec<Vec<u8>> = vec![
        Vec::new(),
        b"\n".to_vec(),
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
        let stage = Stage::shared().await;
        let bystander = Bystander::new(stage).await;
        let scenes = join_all(Target::ALL.map(async |target| {
            let scene = Scene::new(stage, target).await;
            scene.secret("source", &[("a", &scene.value("a"))]).await;
            for (number, key) in cases.iter().enumerate() {
                let data = BTreeMap::from([("api-key", key.as_slice())]);
                scene.binary_secret("credential", &data).await;
                let name = format!("unusable-{number}");
                scene.object(&name, &[("A_KEY", "source", "a")]).await;
                assert_stalled(&scene.wait_reason(&name, "CredentialInvalid").await);
                if number + 1 < cases.len() {
                    // A name has one owner.
                    scene.kubectl(&["delete", "psec", &name]).await;
                }
            }
            scene
        }))
        .await;
        bystander.rotate().await;
        // Nobody has such a key, so look at everything that came in at all.
        let strangers = stage.simulator().requests();
        let strangers = strangers.iter().filter(|request| request.account.is_none());
        assert_eq!(
            strangers.map(simulator::Exchange::line).collect::<Vec<_>>(),
            Vec::<String>::new()
        );
        for scene in scenes {
            assert_eq!(scene.account.requests().len(), 0, "{:?}", scene.target);
            let last = format!("unusable-{}", cases.len() - 1);
            // What `echo` leaves behind is forgiven.
            let key = format!("{}\n", scene.key);
            scene.secret("credential", &[("api-key", &key)]).await;
            scene.wait_ready(&last).await;
            scene.wait_held(&[("A_KEY", &scene.value("a"))]).await;
            scene.finish().await;
        }
        bystander.finish().await;
    });
}

/// Cases: C-21
#[test]
fn a_revoked_key_stalls_until_a_new_one_is_there_and_is_then_never_sent_again() {
    run(async {
        let stage = Stage::shared().await;
        join_all(Target::ALL.map(async |target| {
            let scene = synced(stage, target).await;
            scene
                .account
                .revoke_key(&scene.key)
                .expect("a key is revoked");
            let rotated = scene.value("rotated");
            scene.secret("source", &[("a", &rotated)]).await;
            let object = scene.wait_reason("synced", "AuthenticationFailed").await;
            assert_stalled(&object);
            let ready = condition(&object, "Ready").expect("Ready");
            assert!(
                ready.message.contains("Secret credential key api-key"),
                "{}",
                ready.message
            );
            let new = format!("{}-new", scene.key);
            scene.account.add_key(&*new).expect("a key is added");
            let before = scene.account.requests().len();
            let latency = timed(&scene, async {
                scene.secret("credential", &[("api-key", &new)]).await;
            });
            let latency = latency.await;
            scene.wait_ready("synced").await;
            scene.wait_held(&[("A_KEY", &rotated)]).await;
            assert!(latency < SOON, "{target:?} {latency:?}");
            let later = &scene.account.requests()[before..];
            assert!(
                later.iter().all(|request| request.key == Some(1)),
                "{target:?} {later:#?}"
            );
            scene.finish().await;
        }))
        .await;
    });
}

/// Cases: C-21
#[test]
fn a_key_that_is_replaced_before_it_is_revoked_is_never_missed() {
    run(async {
        let stage = Stage::shared().await;
        join_all(Target::ALL.map(async |target| {
            let scene = synced(stage, target).await;
            let new = format!("{}-new", scene.key);
            scene.account.add_key(&*new).expect("a key is added");
            let version = scene.secret("credential", &[("api-key", &new)]).await;
            let has_read = |object: &ProviderSecret| {
                let sources = &object.status.as_ref().expect("a status").sources;
                sources
                    .iter()
                    .any(|source| source.resource_version == version)
            };
            scene.wait("synced", "on the new key", has_read).await;
            scene
                .account
                .revoke_key(&scene.key)
                .expect("a key is revoked");
            let rotated = scene.value("rotated");
            scene.secret("source", &[("a", &rotated)]).await;
            scene.wait_held(&[("A_KEY", &rotated)]).await;
            scene.wait_ready("synced").await;
            let events = scene.kubectl(&["get", "events", "-o", "json"]).await;
            assert!(!events.contains("AuthenticationFailed"), "{target:?}");
            scene.finish().await;
        }))
        .await;
    });
}

/// Cases: C-23
#[test]
fn a_key_that_may_only_read_stalls_and_heals_with_its_replacement() {
    run(async {
        let stage = Stage::shared().await;
        join_all(Target::ALL.map(async |target| {
            let scene = Scene::new(stage, target).await;
            scene
                .account
                .set_access(&scene.key, Access::ReadOnly)
                .expect("a key is limited");
            scene.secret("source", &[("a", &scene.value("a"))]).await;
            scene.object("reads", &[("A_KEY", "source", "a")]).await;
            assert_stalled(&scene.wait_reason("reads", "PermissionDenied").await);
            let new = format!("{}-new", scene.key);
            scene.account.add_key(&*new).expect("a key is added");
            scene.secret("credential", &[("api-key", &new)]).await;
            scene.wait_ready("reads").await;
            scene.wait_held(&[("A_KEY", &scene.value("a"))]).await;
            assert!(
                scene
                    .writes()
                    .iter()
                    .all(|line| !line.starts_with("DELETE")),
                "{target:?}"
            );
            scene.finish().await;
        }))
        .await;
    });
}

#[test]
fn a_credential_is_read_once_however_many_objects_name_it_and_only_in_its_namespace() {
    run(async {
        let stage = Stage::shared().await;
        let (scene, other) = (
            Scene::new(stage, Target::BasetenTeam).await,
            Scene::new(stage, Target::BasetenTeam).await,
        );
        scene.secret("source", &[("a", &scene.value("a"))]).await;
        let names: Vec<String> = (0..10).map(|number| format!("many-{number}")).collect();
        join_all(names.iter().map(async |name| {
            let entry = name.to_uppercase();
            scene.object(name, &[(&entry, "source", "a")]).await;
            scene.wait_ready(name).await;
        }))
        .await;
        let reads = async |scene: &Scene<'_>| {
            let mut calls = calls(stage, &scene.namespace).await;
            calls.retain(|call| call.resource == "secrets" && call.name == "credential");
            calls.len()
        };
        assert_eq!(reads(&scene).await, 1);
        // A new version is read once more, by all.
        let new = format!("{}-new", scene.key);
        scene.account.add_key(&*new).expect("a key is added");
        let version = scene.secret("credential", &[("api-key", &new)]).await;
        let has_read = |object: &ProviderSecret| {
            let sources = &object.status.as_ref().expect("a status").sources;
            sources
                .iter()
                .any(|source| source.resource_version == version)
        };
        for name in &names {
            scene.wait(name, "on the new key", has_read).await;
        }
        assert_eq!(reads(&scene).await, 2);
        // The Secret of the same name next door has no reader.
        assert_eq!(reads(&other).await, 0);
        scene.finish().await;
        other.finish().await;
    });
}
