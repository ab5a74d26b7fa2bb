//! Whose names they are: several objects, namespaces and keys of one account (reliability.md 6.7).

mod heirs; // the owner goes
mod operators; // two operators at once
mod policy; // what is foreign and conflictPolicy Fail

use futures::future::join_all;
use serde_json::json;

use crate::support::{Scene, Stage, Target, at_each_api_on, condition, entry, run};

/// Plays at each API on the stage that verifies every second: flapping would show.
async fn at_each_brisk_api(play: impl AsyncFn(Scene<'static>)) {
    at_each_api_on(Stage::brisk().await, play).await;
}

/// A second object with the same name at the provider and a value of its own, which must lose.
async fn rival(scene: &Scene<'_>, name: &str) -> String {
    scene.next_second().await;
    let rival = scene.value("rival");
    scene.secret("rival", &[("a", &rival)]).await;
    scene
        .put(name, &[("A_KEY", "rival", "a")], &json!({}))
        .await;
    let object = scene.wait_reason(name, "Conflict").await;
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
async fn message(scene: &Scene<'_>, name: &str) -> String {
    let object = scene.get(name).await;
    condition(&object, "Ready")
        .expect("a condition")
        .message
        .clone()
}

/// Cases: M-01
#[test]
fn the_older_of_two_objects_in_one_namespace_owns_and_is_named() {
    run(at_each_brisk_api(async |scene| {
        let one = scene.synced("owner", &json!({})).await;
        let before = scene.writes();
        rival(&scene, "younger").await;
        assert!(message(&scene, "younger").await.contains("owner"));
        assert_eq!(scene.writes(), before);
        scene.assert_held(&[("A_KEY", &one)]);
        // The loser's news are none for the provider, the owner's are.
        scene.secret("rival", &[("a", &scene.value("again"))]).await;
        let two = scene.value("two");
        scene.secret("source", &[("a", &two)]).await;
        scene.wait_held(&[("A_KEY", &two)]).await;
        scene.wait_ready("owner").await;
        scene.wait_reason("younger", "Conflict").await;
        assert_eq!(scene.writes().len(), before.len() + 1, "{:?}", scene.target);
        scene.finish().await;
    }));
}

/// Cases: M-02
#[test]
fn an_object_of_another_namespace_owns_too_and_is_not_named() {
    run(at_each_brisk_api(async |scene| {
        let one = scene.synced("secretive", &json!({})).await;
        let other = scene.beside(&scene.account, &scene.key).await;
        let before = scene.writes();
        // M-08: another Secret with the same key is the same account.
        rival(&other, "younger").await;
        let message = message(&other, "younger").await;
        for name in ["secretive", &*scene.namespace] {
            assert!(!message.contains(name), "{message}");
        }
        assert_eq!(scene.writes(), before);
        scene.assert_held(&[("A_KEY", &one)]);
        other.finish().await;
        scene.finish().await;
    }));
}

/// Cases: M-01, M-08
#[test]
fn a_key_named_by_two_secrets_is_one_account() {
    run(at_each_brisk_api(async |scene| {
        scene.synced("owner", &json!({})).await;
        scene.next_second().await;
        scene.secret("same-key", &[("other", &scene.key)]).await;
        let mut spec = scene.spec(&[("A_KEY", "source", "a")], &json!({}));
        for member in spec["provider"]
            .as_object_mut()
            .expect("an object")
            .values_mut()
        {
            member["apiKeySecretRef"] = json!({"name": "same-key", "key": "other"});
        }
        scene.apply("younger", spec).await.expect("it is applied");
        scene.wait_reason("younger", "Conflict").await;
        assert_eq!(scene.writes().len(), 1, "{:?}", scene.target);
        scene.finish().await;
    }));
}

/// Cases: M-02
#[test]
fn two_keys_of_one_team_user_or_organization_are_one_scope() {
    run(at_each_brisk_api(async |scene| {
        // Pipecat says of no key whose it is; a workspace of several teams does not either.
        if matches!(scene.target, Target::Pipecat | Target::BasetenWorkspace) {
            return;
        }
        let one = scene.synced("owner", &json!({})).await;
        let key = scene.further_key();
        let other = scene.beside(&scene.account, &key).await;
        let before = scene.writes();
        rival(&other, "younger").await;
        assert_eq!(scene.writes(), before, "{:?}", scene.target);
        scene.assert_held(&[("A_KEY", &one)]);
        other.finish().await;
        scene.finish().await;
    }));
}

/// Cases: M-02
#[test]
fn a_team_that_is_named_and_not_opened_is_not_kept_from_others() {
    run(at_each_brisk_api(async |scene| {
        if scene.target == Target::Pipecat {
            return;
        }
        // Older, with a key that no provider knows: it claims, and nothing was acknowledged.
        let wrong = scene
            .beside(&scene.account, &format!("{}-wrong", scene.key))
            .await;
        wrong.secret("source", &[("a", &wrong.value("a"))]).await;
        wrong
            .put("claims", &[("A_KEY", "source", "a")], &json!({}))
            .await;
        wrong.wait_reason("claims", "AuthenticationFailed").await;
        scene.next_second().await;
        let one = scene.synced("younger", &json!({})).await;
        scene.assert_held(&[("A_KEY", &one)]);
        let object = wrong.get("claims").await;
        wrong
            .objects()
            .delete("claims", &kube::api::DeleteParams::default())
            .await
            .expect("it goes");
        drop(object);
        scene.finish().await;
    }));
}

/// Cases: M-05
#[test]
fn names_that_fold_together_are_one_name_at_baseten() {
    run(async {
        let stage = Stage::brisk().await;
        join_all(
            [Target::BasetenTeam, Target::BasetenWorkspace].map(async |target| {
                let scene = Scene::new(stage, target).await;
                let (a, b) = (scene.value("a"), scene.value("b"));
                scene.secret("source", &[("a", &a), ("b", &b)]).await;
                scene
                    .put("owner", &[("hf_token", "source", "a")], &json!({}))
                    .await;
                scene.wait_ready("owner").await;
                scene.next_second().await;
                for (number, name) in ["hf-token", "hf.token"].into_iter().enumerate() {
                    let object = format!("younger-{number}");
                    scene
                        .put(&object, &[(name, "source", "b")], &json!({}))
                        .await;
                    scene.wait_reason(&object, "Conflict").await;
                }
                assert_eq!(scene.writes().len(), 1);
                scene.assert_held(&[("hf_token", &a)]);
                scene.finish().await;
            }),
        )
        .await;
    });
}

/// Cases: M-05
#[test]
fn a_set_has_one_owner_whatever_the_keys() {
    run(async {
        let scene = Scene::new(Stage::brisk().await, Target::Pipecat).await;
        let one = scene.synced("owner", &json!({})).await;
        scene.next_second().await;
        scene
            .put("younger", &[("B_KEY", "source", "a")], &json!({}))
            .await;
        scene.wait_reason("younger", "Conflict").await;
        scene.assert_held(&[("A_KEY", &one)]);
        assert_eq!(scene.writes().len(), 1);
        scene.finish().await;
    });
}

/// Cases: M-01
#[test]
fn only_the_name_that_two_want_is_refused() {
    run(at_each_brisk_api(async |scene| {
        if scene.target == Target::Pipecat {
            return;
        }
        let one = scene.synced("owner", &json!({})).await;
        scene.next_second().await;
        let data = [("A_KEY", "source", "a"), ("B_KEY", "source", "a")];
        scene.put("younger", &data, &json!({})).await;
        let object = scene.wait_reason("younger", "Conflict").await;
        assert!(
            entry(&object, "B_KEY").digest.is_some(),
            "{:?}",
            scene.target
        );
        scene.assert_held(&[("A_KEY", &one), ("B_KEY", &one)]);
        scene.finish().await;
    }));
}

/// Cases: M-01
#[test]
fn ten_objects_made_at_once_have_one_owner_and_nobody_flaps() {
    run(at_each_brisk_api(async |scene| {
        scene.secret("source", &[("a", &scene.value("a"))]).await;
        let names: Vec<String> = (0..10).map(|number| format!("one-of-{number}")).collect();
        join_all(names.iter().map(async |name| {
            scene
                .put(name, &[("A_KEY", "source", "a")], &json!({}))
                .await;
        }))
        .await;
        let owners = crate::support::until("one owns and nine do not", async || {
            let (mut ready, mut refused) = (Vec::new(), 0);
            for name in &names {
                let object = scene.get(name).await;
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
            let other = scene.get(name).await.metadata.creation_timestamp;
            assert!(
                other.map(|time| time.0) >= oldest,
                "the owner is the oldest"
            );
        }
        scene.finish().await;
    }));
}
