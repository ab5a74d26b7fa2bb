//! What somebody else does at the provider is found and mended, and nothing else is (P-35, P-36).

mod brake; // another writer who does not stop
mod listings; // what a listing may not prove

use std::time::{Duration, Instant};

use futures::future::join_all;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::support::{Scene, Stage, Target, at_each_api_on, entry, metric, run};

/// How long after a write its absence is believed (design.md 4).
const SETTLED: Duration = Duration::from_secs(30);

/// Where somebody else's write of a value can be seen.
const SHOWN: [Target; 2] = [Target::PrimeIntellect, Target::Braintrust];

async fn at_each_brisk_api(play: impl AsyncFn(Scene<'static>)) {
    at_each_api_on(Stage::brisk().await, play).await;
}

async fn drifts(scene: &Scene<'_>, kind: &str) -> u64 {
    let provider = format!("provider=\"{}\"", scene.target.provider().to_lowercase());
    let kind = format!("kind=\"{kind}\"");
    metric(
        scene.stage,
        "provider_secrets_drift_detected_total",
        &[&provider, &kind],
    )
    .await
}

/// Cases: P-36
#[test]
fn what_was_deleted_by_hand_is_written_again_once_and_told_once() {
    run(at_each_brisk_api(async |scene| {
        let one = scene.synced("kept", &json!({})).await;
        let before = drifts(&scene, "missing").await;
        scene.foreign_delete("A_KEY");
        let deleted = Instant::now();
        // Absence is believed after a while only, and then within an interval and a bound.
        let note = scene.wait_event("DriftDetected").await;
        assert!(
            deleted.elapsed() < SETTLED + Duration::from_secs(10),
            "{:?}",
            deleted.elapsed()
        );
        assert!(note.contains("A_KEY") && note.contains("deleted"), "{note}");
        scene.wait_held(&[("A_KEY", &one)]).await;
        scene.wait_ready("kept").await;
        assert_eq!(scene.writes().len(), 2, "{:?}", scene.target);
        assert_eq!(scene.events("DriftDetected").await.len(), 1);
        assert!(drifts(&scene, "missing").await > before);
        let object = scene.get("kept").await;
        let drift = entry(&object, "A_KEY")
            .drift
            .as_ref()
            .expect("it is counted");
        assert_eq!(drift.repairs, 1);
        scene.finish().await;
    }));
}

/// Cases: P-36
#[test]
fn a_whole_set_that_was_deleted_by_hand_is_written_again() {
    run(async {
        let scene = Scene::new(Stage::brisk().await, Target::Pipecat).await;
        let (a, b) = (scene.value("a"), scene.value("b"));
        scene.secret("source", &[("a", &a), ("b", &b)]).await;
        let data = [("A_KEY", "source", "a"), ("B_KEY", "source", "b")];
        scene.put("kept", &data, &json!({})).await;
        scene.wait_ready("kept").await;
        scene
            .account
            .foreign_delete(None, "agents")
            .expect("it was there");
        scene.wait_event("DriftDetected").await;
        scene.wait_held(&[("A_KEY", &a), ("B_KEY", &b)]).await;
        scene.wait_ready("kept").await;
        assert_eq!(scene.writes().len(), 2);
        scene.finish().await;
    });
}

/// Cases: P-35
#[test]
fn what_was_changed_by_hand_is_written_again_within_the_interval() {
    run(async {
        let stage = Stage::brisk().await;
        join_all(SHOWN.map(async |target| {
            let scene = Scene::new(stage, target).await;
            let one = scene.synced("kept", &json!({})).await;
            let before = drifts(&scene, "changed").await;
            scene.foreign_write("A_KEY", "somebody else's");
            let changed = Instant::now();
            scene.wait_held(&[("A_KEY", &one)]).await;
            assert!(
                changed.elapsed() < Duration::from_secs(5),
                "{:?}",
                changed.elapsed()
            );
            let note = scene.wait_event("DriftDetected").await;
            assert!(note.contains("A_KEY") && note.contains("changed"), "{note}");
            scene.wait_ready("kept").await;
            assert_eq!(scene.writes().len(), 2, "{target:?}");
            assert_eq!(scene.events("DriftDetected").await.len(), 1);
            assert!(drifts(&scene, "changed").await > before);
            scene.finish().await;
        }))
        .await;
    });
}

/// Cases: P-35
#[test]
fn what_was_made_anew_by_hand_is_written_again() {
    run(async {
        let stage = Stage::brisk().await;
        let targets = [
            Target::BasetenTeam,
            Target::BasetenWorkspace,
            Target::PrimeIntellect,
            Target::Braintrust,
        ];
        join_all(targets.map(async |target| {
            let scene = Scene::new(stage, target).await;
            let one = scene.synced("kept", &json!({})).await;
            scene.foreign_delete("A_KEY");
            scene.foreign_write("A_KEY", "anew");
            scene.wait_held(&[("A_KEY", &one)]).await;
            scene.wait_ready("kept").await;
            assert_eq!(scene.writes().len(), 2, "{target:?}");
            // The record is of what is there now, so that it may be deleted later.
            let object = scene.get("kept").await;
            let held = scene.account.held(scene.scope().as_deref());
            assert_eq!(entry(&object, "A_KEY").remote_id, held["A_KEY"].id);
            scene.finish().await;
        }))
        .await;
    });
}

#[test]
fn our_own_writes_are_never_taken_for_somebody_elses() {
    run(at_each_brisk_api(async |scene| {
        scene.synced("rotates", &json!({})).await;
        let mut writes = 1;
        let started = Instant::now();
        // Rotations at every phase of the interval, for five of them.
        while started.elapsed() < Duration::from_secs(5) {
            let value = scene.value(&writes.to_string());
            scene.secret("source", &[("a", &value)]).await;
            scene.wait_held(&[("A_KEY", &value)]).await;
            writes += 1;
            let pause = Duration::from_millis(130 + u64::from(fastrand::u8(..)));
            tokio::time::sleep(pause).await;
        }
        scene.wait_ready("rotates").await;
        assert_eq!(scene.writes().len(), writes, "{:?}", scene.target);
        assert!(scene.events("DriftDetected").await.is_empty());
        scene.finish().await;
    }));
}

#[test]
fn drift_and_a_rotation_together_end_with_the_newest_value() {
    run(async {
        let stage = Stage::brisk().await;
        join_all(SHOWN.map(async |target| {
            let scene = Scene::new(stage, target).await;
            scene.synced("kept", &json!({})).await;
            for number in 0..3 {
                let value = scene.value(&number.to_string());
                scene.foreign_write("A_KEY", "theirs");
                scene.secret("source", &[("a", &value)]).await;
                scene.wait_held(&[("A_KEY", &value)]).await;
            }
            scene.wait_ready("kept").await;
            scene.finish().await;
        }))
        .await;
    });
}

#[test]
fn a_suspended_object_repairs_nothing_until_it_is_resumed() {
    run(async {
        let stage = Stage::brisk().await;
        join_all(SHOWN.map(async |target| {
            let scene = Scene::new(stage, target).await;
            let one = scene.synced("kept", &json!({})).await;
            let suspend = |suspend: bool| json!({"spec": {"suspend": suspend}});
            scene
                .patch("kept", suspend(true))
                .await
                .expect("it is suspended");
            scene.wait_reason("kept", "Suspended").await;
            scene.foreign_write("A_KEY", "theirs");
            let before = scene.writes();
            tokio::time::sleep(Duration::from_secs(3)).await;
            assert_eq!(scene.writes(), before, "{target:?}");
            scene
                .patch("kept", suspend(false))
                .await
                .expect("it is resumed");
            scene.wait_held(&[("A_KEY", &one)]).await;
            scene.wait_ready("kept").await;
            scene.finish().await;
        }))
        .await;
    });
}

#[test]
fn a_rewrite_interval_writes_again_what_shows_no_drift() {
    run(at_each_brisk_api(async |scene| {
        let one = scene
            .synced("kept", &json!({"rewriteInterval": "1m"}))
            .await;
        scene.foreign_write("A_KEY", "theirs");
        let is_shown = SHOWN.contains(&scene.target);
        if is_shown {
            scene.wait_held(&[("A_KEY", &one)]).await;
            scene.wait_ready("kept").await;
        }
        // Two minutes later, as far as status tells.
        let before = scene.writes().len();
        let long_ago = Timestamp::now() - SignedDuration::from_mins(2);
        let long_ago = Timestamp::from_second(long_ago.as_second()).expect("a time");
        let object = scene.get("kept").await;
        let mut forged = serde_json::to_value(entry(&object, "A_KEY")).expect("JSON");
        forged["lastWriteTime"] = long_ago.to_string().into();
        scene.forge("kept", &json!({"entries": [forged]})).await;
        scene.wait_held(&[("A_KEY", &one)]).await;
        scene
            .wait("kept", "written again", |object| {
                let written = entry(object, "A_KEY").last_write_time.as_ref();
                written.is_some_and(|written| written.0 > long_ago)
            })
            .await;
        scene.wait_ready("kept").await;
        assert_eq!(scene.writes().len(), before + 1, "{:?}", scene.target);
        scene.finish().await;
    }));
}
