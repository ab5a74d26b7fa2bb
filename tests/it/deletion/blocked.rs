//! The provider does not delete, or the way to it is gone: it is said, it can be ended, and it ends.

use std::time::{Duration, Instant};

use provider_secrets::api::DELETION_OVERRIDE;
use serde_json::json;
use simulator::Fault;

use super::{at_each_api_on_brisk, delete};
use crate::support::{
    BRISK_DELETION, Scene, Stage, at_each_api, calls, condition, is_guarded, metric, run, until,
};

/// Waits until the object says that its deletion is blocked; the message.
async fn blocked(scene: &Scene<'_>, name: &str) -> String {
    until("the deletion is blocked", async || {
        let object = scene.objects().get_opt(name).await;
        let Some(object) = object.map_err(|error| error.to_string())? else {
            let calls = calls(scene.stage, &scene.namespace).await;
            let calls = calls
                .iter()
                .map(|call| format!("{} {} {}", call.verb, call.request_uri, call.code));
            let told: Vec<String> = calls.collect();
            let (skipped, writes) = (scene.events("DeletionSkipped").await, scene.writes());
            let told = (told, skipped, writes);
            return Err(format!("{:?}: it is gone. {told:#?}", scene.target));
        };
        let ready = condition(&object, "Ready").filter(|ready| ready.reason == "DeletionBlocked");
        match ready {
            Some(ready) if is_guarded(&object) => Ok(ready.message.clone()),
            _ => Err(format!("{:?} {:#?}", scene.target, object.status)),
        }
    })
    .await
}

/// Cases: D-03
#[test]
fn a_provider_that_is_down_blocks_and_the_deletion_is_done_when_it_is_back() {
    run(at_each_api(async |scene| {
        scene.synced("gone", &delete()).await;
        scene.account.add_fault(Fault::status(503).forever());
        scene.delete("gone").await;
        let message = blocked(&scene, "gone").await;
        assert!(message.contains("deletion-override=orphan"), "{message}");
        assert!(
            message.contains("503") || message.contains("answer"),
            "{message}"
        );
        scene.account.clear_faults();
        scene.wait_gone("gone").await;
        scene.assert_held(&[]);
        assert!(scene.events("DeletionSkipped").await.is_empty());
        scene.finish().await;
    }));
}

#[test]
fn the_override_lets_an_object_go_at_once_while_the_provider_is_down() {
    run(at_each_api(async |scene| {
        let one = scene.synced("gone", &delete()).await;
        scene.account.add_fault(Fault::status(503).forever());
        scene.delete("gone").await;
        blocked(&scene, "gone").await;
        let other = scene.account.requests().len();
        // Any other word is none.
        scene.annotate("gone", DELETION_OVERRIDE, "please").await;
        until("it is tried again", async || {
            let now = scene.account.requests().len();
            (now > other).then_some(()).ok_or_else(|| format!("{now}"))
        })
        .await;
        assert!(is_guarded(&scene.get("gone").await));
        let released = Instant::now();
        scene.annotate("gone", DELETION_OVERRIDE, "orphan").await;
        scene.wait_gone("gone").await;
        assert!(
            released.elapsed() < Duration::from_secs(5),
            "{:?}",
            released.elapsed()
        );
        let note = scene.wait_event("DeletionSkipped").await;
        assert!(note.contains("A_KEY"), "{note}");
        scene.assert_held(&[("A_KEY", &one)]);
        scene.finish_leaving(&["A_KEY"]).await;
    }));
}

#[test]
fn a_patch_to_retain_lets_a_deleted_object_go_at_once() {
    run(at_each_api(async |scene| {
        let one = scene.synced("gone", &delete()).await;
        scene.account.add_fault(Fault::status(503).forever());
        scene.delete("gone").await;
        blocked(&scene, "gone").await;
        let released = Instant::now();
        let patch = json!({"spec": {"deletionPolicy": "Retain"}});
        scene
            .patch("gone", patch)
            .await
            .expect("the policy changes");
        scene.wait_gone("gone").await;
        assert!(
            released.elapsed() < Duration::from_secs(5),
            "{:?}",
            released.elapsed()
        );
        scene.assert_held(&[("A_KEY", &one)]);
        scene.finish_leaving(&["A_KEY"]).await;
    }));
}

#[test]
fn the_timeout_lets_an_object_go_and_names_what_is_left() {
    run(async {
        let brisk = Stage::brisk().await;
        at_each_api_on_brisk(async |scene| {
            let one = scene.synced("gone", &delete()).await;
            scene.account.add_fault(Fault::status(503).forever());
            let label = format!("provider=\"{}\"", scene.target.provider().to_lowercase());
            let name = "provider_secrets_keys_left_behind_total";
            let before = metric(brisk, name, &[&label]).await;
            let deleted = Instant::now();
            scene.delete("gone").await;
            blocked(&scene, "gone").await;
            scene.wait_gone("gone").await;
            let took = deleted.elapsed();
            // A deletionTimestamp has whole seconds.
            assert!(took + Duration::from_secs(2) > BRISK_DELETION, "{took:?}");
            assert!(took < BRISK_DELETION * 2, "{took:?}");
            let note = scene.wait_event("DeletionSkipped").await;
            assert!(note.contains("A_KEY"), "{note}");
            assert!(
                metric(brisk, name, &[&label]).await > before,
                "{:?}",
                scene.target
            );
            let log = brisk.operator.log();
            let is_told = |line: &&str| {
                line.contains("DeletionSkipped")
                    && line.contains(&format!("\"{}\"", scene.namespace))
                    && line.contains("A_KEY")
            };
            assert_eq!(log.lines().filter(is_told).count(), 1, "{:?}", scene.target);
            scene.account.clear_faults();
            scene.assert_held(&[("A_KEY", &one)]);
            scene.finish_leaving(&["A_KEY"]).await;
        })
        .await;
    });
}

/// Cases: D-05
#[test]
fn a_credential_that_is_gone_first_is_remembered_while_the_operator_runs() {
    run(at_each_api(async |scene| {
        scene.synced("gone", &delete()).await;
        scene.delete_secret("credential").await;
        scene.wait_reason("gone", "CredentialNotFound").await;
        scene.delete("gone").await;
        scene.wait_gone("gone").await;
        scene.assert_held(&[]);
        scene.finish().await;
    }));
}

/// Cases: D-05, P-02
#[test]
fn a_refused_credential_keeps_the_object_until_a_good_one_comes() {
    run(at_each_api(async |scene| {
        scene.synced("gone", &delete()).await;
        scene.account.revoke_key(&scene.key).expect("it is revoked");
        scene.delete("gone").await;
        blocked(&scene, "gone").await;
        let key = scene.further_key();
        scene.secret("credential", &[("api-key", &key)]).await;
        scene.wait_gone("gone").await;
        scene.assert_held(&[]);
        scene.finish().await;
    }));
}

/// Cases: D-14
#[test]
fn a_refused_deletion_is_said_and_tried_slowly() {
    run(at_each_api(async |scene| {
        scene.synced("gone", &delete()).await;
        scene
            .account
            .add_fault(Fault::status(409).method("DELETE").forever());
        scene.delete("gone").await;
        let message = blocked(&scene, "gone").await;
        assert!(!message.is_empty());
        let before = scene.deletions().len();
        tokio::time::sleep(Duration::from_secs(3)).await;
        let tried = scene.deletions().len() - before;
        assert!(
            tried <= 6,
            "{:?}: {tried} tries in three seconds",
            scene.target
        );
        scene.account.clear_faults();
        scene
            .annotate("gone", "providersecrets.dev/sync-requested-at", "1")
            .await;
        scene.wait_gone("gone").await;
        scene.assert_held(&[]);
        scene.finish().await;
    }));
}

/// Cases: P-03
#[test]
fn a_forbidden_deletion_is_never_taken_for_done() {
    run(at_each_api(async |scene| {
        let one = scene.synced("gone", &delete()).await;
        let access = simulator::Access::ReadOnly;
        scene
            .account
            .set_access(&scene.key, access)
            .expect("it is a key");
        scene.delete("gone").await;
        blocked(&scene, "gone").await;
        scene.assert_held(&[("A_KEY", &one)]);
        scene
            .account
            .set_access(&scene.key, simulator::Access::Full)
            .expect("it is a key");
        scene.annotate("gone", DELETION_OVERRIDE, "orphan").await;
        scene.wait_gone("gone").await;
        scene.finish_leaving(&["A_KEY"]).await;
    }));
}
