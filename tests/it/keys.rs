//! A new API key costs no write at the provider, and values never move to another account silently
//! (C-21, C-22).

mod accounts; // a key of another account

use futures::future::join_all;
use provider_secrets::api::ProviderSecret;
use serde_json::{Value, json};

use crate::support::{Scene, Stage, Target, at_each_api, at_each_api_on, run};

async fn at_each_brisk_api(play: impl AsyncFn(Scene<'static>)) {
    at_each_api_on(Stage::brisk().await, play).await;
}

/// What the digests of an object were made with.
fn fingerprint(object: &ProviderSecret) -> String {
    let status = object.status.as_ref().expect("a status");
    status.key_fingerprint.clone().expect("it is known")
}

/// Waits until an object has followed its key, and is synced.
async fn wait_followed(scene: &Scene<'_>, name: &str, before: &str) -> ProviderSecret {
    scene
        .wait(name, "under the new key", |object| {
            fingerprint(object) != before
        })
        .await;
    scene.wait_ready(name).await
}

/// Cases: C-21
#[test]
fn a_key_rotated_in_its_secret_costs_no_write() {
    run(at_each_brisk_api(async |scene| {
        let one = scene.synced("keyed", &json!({})).await;
        let before = fingerprint(&scene.get("keyed").await);
        let writes = scene.writes();
        let key = scene.further_key();
        scene.secret("credential", &[("api-key", &key)]).await;
        wait_followed(&scene, "keyed", &before).await;
        assert_eq!(scene.writes(), writes, "{:?}", scene.target);
        scene
            .account
            .revoke_key(&scene.key)
            .expect("the old one goes");
        // No call with the old key after the new one was read.
        let known = scene.account.requests().len();
        let two = scene.value("two");
        scene.secret("source", &[("a", &two)]).await;
        scene.wait_held(&[("A_KEY", &two)]).await;
        scene.wait_ready("keyed").await;
        assert_eq!(scene.writes().len(), writes.len() + 1, "{:?}", scene.target);
        let requests = scene.account.requests();
        assert!(
            requests[known..]
                .iter()
                .all(|request| request.key == Some(1))
        );
        assert_ne!(one, two);
        scene.finish().await;
    }));
}

/// Cases: C-21
#[test]
fn the_old_key_revoked_first_heals_with_the_new_one() {
    run(at_each_brisk_api(async |scene| {
        scene.synced("keyed", &json!({})).await;
        scene.account.revoke_key(&scene.key).expect("it is revoked");
        scene.secret("source", &[("a", &scene.value("two"))]).await;
        scene.wait_reason("keyed", "AuthenticationFailed").await;
        let key = scene.further_key();
        scene.secret("credential", &[("api-key", &key)]).await;
        scene.wait_held(&[("A_KEY", &scene.value("two"))]).await;
        let object = scene.wait_ready("keyed").await;
        assert!(crate::support::condition(&object, "Stalled").is_none());
        scene.finish().await;
    }));
}

/// Cases: C-21
#[test]
fn another_reference_to_another_key_costs_no_write() {
    run(at_each_brisk_api(async |scene| {
        scene.synced("keyed", &json!({})).await;
        let before = fingerprint(&scene.get("keyed").await);
        let writes = scene.writes();
        scene.secret("next", &[("key", &scene.further_key())]).await;
        let mut spec = scene.spec(&[("A_KEY", "source", "a")], &json!({}));
        for member in spec["provider"]
            .as_object_mut()
            .expect("an object")
            .values_mut()
        {
            member["apiKeySecretRef"] = json!({"name": "next", "key": "key"});
        }
        scene.apply("keyed", spec).await.expect("it is applied");
        wait_followed(&scene, "keyed", &before).await;
        assert_eq!(scene.writes(), writes, "{:?}", scene.target);
        scene.finish().await;
    }));
}

/// Cases: C-21
#[test]
fn a_key_of_fifty_objects_costs_no_write() {
    run(at_each_api(async |scene| {
        scene.secret("source", &[("a", &scene.value("a"))]).await;
        let names: Vec<String> = (0..50).map(|number| format!("many-{number:02}")).collect();
        for name in &names {
            let entry = name.to_uppercase().replace('-', "_");
            let mut spec = scene.spec(&[(&entry, "source", "a")], &json!({}));
            if scene.target == Target::Pipecat {
                spec["provider"]["pipecat"]["setName"] = name.as_str().into();
            }
            scene.apply(name, spec).await.expect("it is applied");
        }
        for name in &names {
            scene.wait_ready(name).await;
        }
        let before = fingerprint(&scene.get("many-00").await);
        let (writes, listings) = (scene.writes(), scene.listings());
        let key = scene.further_key();
        scene.secret("credential", &[("api-key", &key)]).await;
        for name in &names {
            wait_followed(&scene, name, &before).await;
        }
        assert_eq!(scene.writes(), writes, "{:?}", scene.target);
        let listed = scene.listings() - listings;
        assert!(
            listed <= 2,
            "{:?}: {listed} listings for one key",
            scene.target
        );
        scene.finish().await;
    }));
}

/// Cases: C-21
#[test]
fn with_a_key_and_a_source_that_change_together_only_that_entry_is_written() {
    run(at_each_brisk_api(async |scene| {
        let (a, b) = (scene.value("a"), scene.value("b"));
        scene.secret("source", &[("a", &a)]).await;
        scene.secret("other", &[("b", &b)]).await;
        let data = [("A_KEY", "source", "a"), ("B_KEY", "other", "b")];
        scene.put("keyed", &data, &json!({})).await;
        scene.wait_ready("keyed").await;
        let before = fingerprint(&scene.get("keyed").await);
        let writes = scene.writes().len();
        let (key, two) = (scene.further_key(), scene.value("two"));
        let (rotated, rekeyed) = ([("b", two.as_str())], [("api-key", key.as_str())]);
        futures::future::join(
            scene.secret("other", &rotated),
            scene.secret("credential", &rekeyed),
        )
        .await;
        scene.wait_held(&[("A_KEY", &a), ("B_KEY", &two)]).await;
        wait_followed(&scene, "keyed", &before).await;
        let written = scene.account.writes();
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
        assert_eq!(written.len(), 1, "{:?} {written:?}", scene.target);
        assert!(written[0].to_string().contains(&two), "{written:?}");
        scene.finish().await;
    }));
}

/// Cases: C-21
#[test]
fn a_key_rotated_while_the_operator_is_down_costs_no_write() {
    run(async {
        let mut stage = Stage::fresh(&[]).await;
        let mut parked = Vec::new();
        for target in Target::ALL {
            let scene = Scene::new(&stage, target).await;
            let (a, b) = (scene.value("a"), scene.value("b"));
            scene.secret("source", &[("a", &a)]).await;
            scene.secret("other", &[("b", &b)]).await;
            let data = [("A_KEY", "source", "a"), ("B_KEY", "other", "b")];
            scene
                .put("keyed", &data, &json!({"deletionPolicy": "Delete"}))
                .await;
            scene.wait_ready("keyed").await;
            let before = fingerprint(&scene.get("keyed").await);
            let writes = scene.writes();
            parked.push((target, scene.parts(), before, writes));
        }
        assert!(stage.operator.terminate().await.success());
        for (number, (target, parts, ..)) in parked.iter().enumerate() {
            let scene = Scene::again(&stage, *target, parts);
            scene
                .secret("credential", &[("api-key", &scene.further_key())])
                .await;
            scene
                .account
                .revoke_key(&scene.key)
                .expect("the old one goes");
            if number % 2 == 0 {
                scene.secret("other", &[("b", &scene.value("two"))]).await;
            }
        }
        stage.restart(&[]).await;
        let plays = parked.iter().enumerate();
        join_all(
            plays.map(async |(number, (target, parts, before, writes))| {
                let scene = Scene::again(&stage, *target, parts);
                wait_followed(&scene, "keyed", before).await;
                let value = if number % 2 == 0 { "two" } else { "b" };
                scene
                    .wait_held(&[("A_KEY", &scene.value("a")), ("B_KEY", &scene.value(value))])
                    .await;
                let news = usize::from(number % 2 == 0);
                assert_eq!(
                    scene.writes().len(),
                    writes.len() + news,
                    "{target:?} {:?}",
                    scene.writes()
                );
                // What was written under the old key can still be deleted.
                scene.delete("keyed").await;
                scene.wait_gone("keyed").await;
                scene.assert_held(&[]);
                scene.finish().await;
            }),
        )
        .await;
    });
}
