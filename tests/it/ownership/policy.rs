//! M-06: what is foreign is overwritten, or under `conflictPolicy: Fail` left alone and reported.

use std::time::Duration;

use serde_json::{Value, json};
use simulator::{Action, Fault, prime_intellect::Duplicate};

use super::at_each_brisk_api;
use crate::support::{Scene, Stage, Target, condition, entry, run, until, wait_write};

fn fail() -> Value {
    json!({"conflictPolicy": "Fail"})
}

/// An object under Fail whose name is somebody else's.
async fn refused(scene: &Scene<'_>) {
    scene.stranger("A_KEY");
    scene.secret("source", &[("a", &scene.value("a"))]).await;
    scene
        .put("careful", &[("A_KEY", "source", "a")], &fail())
        .await;
    let object = scene.wait_reason("careful", "Conflict").await;
    assert!(condition(&object, "Stalled").is_some());
    assert_eq!(scene.writes(), Vec::<String>::new(), "{:?}", scene.target);
}

/// Cases: M-06, P-06
#[test]
fn under_fail_what_is_foreign_stays_and_a_rotation_changes_nothing() {
    run(at_each_brisk_api(async |scene| {
        refused(&scene).await;
        scene.secret("source", &[("a", &scene.value("b"))]).await;
        scene.request_sync("careful").await;
        scene.wait_reason("careful", "Conflict").await;
        assert_eq!(scene.writes(), Vec::<String>::new(), "{:?}", scene.target);
        // Deleted, it takes nothing with it.
        let delete = json!({"spec": {"deletionPolicy": "Delete"}});
        scene
            .patch("careful", delete)
            .await
            .expect("the policy changes");
        scene.wait_reason("careful", "Conflict").await;
        scene.delete("careful").await;
        scene.wait_gone("careful").await;
        assert_eq!(scene.writes(), Vec::<String>::new(), "{:?}", scene.target);
        scene.finish().await;
    }));
}

/// Cases: P-06
#[test]
fn under_fail_a_name_that_somebody_else_creates_meanwhile_is_left_alone() {
    run(async {
        // The only provider that refuses a creation; elsewhere a write takes what is there.
        for duplicate in [
            Duplicate::Conflict,
            Duplicate::BadRequest,
            Duplicate::Unprocessable,
        ] {
            let scene = Scene::new(Stage::brisk().await, Target::PrimeIntellect).await;
            let vendor = scene.stage.simulator().prime_intellect();
            vendor.set_variants(&scene.account, |variants| variants.duplicate = duplicate);
            let late = Duration::from_millis(700);
            let fault = Fault::new(Action::Handle).method("POST").delay(late);
            scene.account.add_fault(fault);
            scene.secret("source", &[("a", &scene.value("a"))]).await;
            scene
                .put("careful", &[("A_KEY", "source", "a")], &fail())
                .await;
            wait_write(&scene, 0).await;
            scene.stranger("A_KEY");
            let object = scene.wait_reason("careful", "Conflict").await;
            assert!(condition(&object, "Stalled").is_some(), "{duplicate:?}");
            assert_eq!(scene.writes(), ["POST /api/v1/secrets/"], "{duplicate:?}");
            assert_eq!(vendor.secrets(&scene.account, None).len(), 1);
            scene.finish().await;
        }
    });
}

/// Cases: M-06
#[test]
fn under_fail_a_name_that_becomes_free_is_created_when_a_sync_is_requested() {
    run(at_each_brisk_api(async |scene| {
        refused(&scene).await;
        scene.forget_stranger("A_KEY");
        if scene.target == Target::Pipecat {
            scene
                .account
                .foreign_delete(None, "agents")
                .expect("it was there");
        } else {
            scene.foreign_delete("A_KEY");
        }
        scene.request_sync("careful").await;
        scene.wait_ready("careful").await;
        scene.assert_held(&[("A_KEY", &scene.value("a"))]);
        assert_eq!(scene.writes().len(), 1, "{:?}", scene.target);
        scene.finish().await;
    }));
}

/// Cases: M-06
#[test]
fn overwrite_takes_what_is_there() {
    run(at_each_brisk_api(async |scene| {
        scene.stranger("A_KEY");
        scene.forget_stranger("A_KEY");
        let one = scene.synced("bold", &json!({})).await;
        scene.assert_held(&[("A_KEY", &one)]);
        assert_eq!(scene.writes().len(), 1, "{:?}", scene.target);
        scene.finish().await;
    }));
}

/// Cases: M-06
#[test]
fn a_change_to_overwrite_takes_what_fail_refused() {
    run(at_each_brisk_api(async |scene| {
        refused(&scene).await;
        scene.forget_stranger("A_KEY");
        let patch = json!({"spec": {"conflictPolicy": "Overwrite"}});
        scene
            .patch("careful", patch)
            .await
            .expect("the policy changes");
        scene.wait_ready("careful").await;
        scene.assert_held(&[("A_KEY", &scene.value("a"))]);
        scene.finish().await;
    }));
}

/// Cases: M-06
#[test]
fn under_fail_what_is_ours_is_rotated_like_anything() {
    run(at_each_brisk_api(async |scene| {
        scene.synced("careful", &fail()).await;
        let two = scene.value("two");
        scene.secret("source", &[("a", &two)]).await;
        scene.wait_held(&[("A_KEY", &two)]).await;
        let object = scene.wait_ready("careful").await;
        assert!(entry(&object, "A_KEY").digest.is_some());
        assert_eq!(scene.writes().len(), 2, "{:?}", scene.target);
        scene.finish().await;
    }));
}

/// Cases: M-06
#[test]
fn under_fail_a_create_whose_answer_was_lost_is_ours() {
    run(at_each_brisk_api(async |scene| {
        let method = match scene.target {
            Target::Pipecat | Target::Braintrust => "PUT",
            _ => "POST",
        };
        let fault = Fault::new(Action::CutAfterEffect).method(method).times(2);
        scene.account.add_fault(fault);
        scene.secret("source", &[("a", &scene.value("a"))]).await;
        scene
            .put("careful", &[("A_KEY", "source", "a")], &fail())
            .await;
        scene.wait_ready("careful").await;
        scene.assert_held(&[("A_KEY", &scene.value("a"))]);
        // The wait for nothing would end in the minute in which an unsure write is confirmed.
        scene.delete("careful").await;
        scene.wait_gone("careful").await;
        scene.finish_leaving(&["A_KEY"]).await;
    }));
}

/// Cases: M-06
#[test]
fn under_fail_a_first_write_that_was_refused_claims_nothing() {
    run(at_each_brisk_api(async |scene| {
        let method = match scene.target {
            Target::Pipecat | Target::Braintrust => "PUT",
            _ => "POST",
        };
        scene
            .account
            .add_fault(Fault::status(422).method(method).forever());
        scene.secret("source", &[("a", &scene.value("a"))]).await;
        scene
            .put("careful", &[("A_KEY", "source", "a")], &fail())
            .await;
        until("the write was refused", async || {
            let object = scene.get("careful").await;
            condition(&object, "Stalled")
                .map(drop)
                .ok_or_else(|| "not yet".to_owned())
        })
        .await;
        scene.stranger("A_KEY");
        scene.request_sync("careful").await;
        scene.wait_reason("careful", "Conflict").await;
        scene.account.clear_faults();
        scene.request_sync("careful").await;
        scene.wait_reason("careful", "Conflict").await;
        scene.finish().await;
    }));
}
