//! Suspended objects write nothing and say whether everything was written before.

use serde_json::{Value, json};

use super::{lines, one_entry};
use crate::harness::{Scene, Target, at_each_api, run};

/// Suspends or resumes the object `life`.
async fn suspend(scene: &Scene<'_>, suspend: impl Into<Value>) {
    let patch = json!({"spec": {"suspend": suspend.into()}});
    scene
        .patch("life", patch)
        .await
        .expect("suspend is changed");
}

#[test]
fn what_was_synced_stays_ready_while_suspended() {
    run(at_each_api(async |scene| {
        one_entry(&scene).await;
        let before = scene.account.requests().len();
        suspend(&scene, true).await;
        let object = scene.wait_reason("life", "Suspended").await;
        assert_eq!(object.metadata.generation, Some(2));
        assert_eq!(
            scene.columns("life").await[1..4],
            ["True", "Suspended", "1/1"]
        );
        assert_eq!(scene.account.requests().len(), before);
        suspend(&scene, Value::Null).await;
        let object = scene.wait_reason("life", "Synced").await;
        assert_eq!(object.metadata.generation, Some(3));
        assert_eq!(scene.columns("life").await[1..4], ["True", "Synced", "1/1"]);
        // It may have been suspended before the set was ready, so that is asked.
        let asked: &[&str] = match scene.target {
            Target::Pipecat => &["GET /v1/secrets/agents"],
            _ => &[],
        };
        assert_eq!(lines(&scene, before), asked);
        scene.finish().await;
    }));
}

#[test]
fn a_rotation_waits_for_the_end_of_the_suspension() {
    run(at_each_api(async |scene| {
        let one = one_entry(&scene).await;
        suspend(&scene, true).await;
        scene.wait_reason("life", "Suspended").await;
        let before = scene.account.requests().len();
        let rotated = scene.value("rotated");
        scene.secret("source", &[("a", &rotated)]).await;
        let is_behind = |columns: &[String]| columns[1..4] == ["False", "Suspended", "0/1"];
        crate::harness::until("status says that it is behind", async || {
            let columns = scene.columns("life").await;
            if is_behind(&columns) {
                Ok(())
            } else {
                Err(columns.join(" "))
            }
        })
        .await;
        assert_eq!(scene.account.requests().len(), before);
        scene.wait_held(&[("A_KEY", &one)]).await;
        let writes = scene.writes().len();
        suspend(&scene, false).await;
        scene.wait_held(&[("A_KEY", &rotated)]).await;
        scene.wait_reason("life", "Synced").await;
        assert_eq!(scene.writes().len(), writes + 1);
        scene.finish().await;
    }));
}

#[test]
fn an_entry_added_while_suspended_waits_too() {
    run(at_each_api(async |scene| {
        let one = one_entry(&scene).await;
        suspend(&scene, true).await;
        scene.wait_reason("life", "Suspended").await;
        let before = scene.account.requests().len();
        let (data, added) = (
            |name: &str, key: &str| json!({"name": name, "secretKeyRef": {"name": "source", "key": key}}),
            scene.value("two"),
        );
        let patch = json!({"spec": {"data": [data("A_KEY", "a"), data("B_KEY", "b")]}});
        scene.patch("life", patch).await.expect("an entry is added");
        scene.wait_reason("life", "Suspended").await;
        assert_eq!(
            scene.columns("life").await[1..4],
            ["False", "Suspended", "1/2"]
        );
        assert_eq!(scene.account.requests().len(), before);
        suspend(&scene, false).await;
        scene.wait_held(&[("A_KEY", &one), ("B_KEY", &added)]).await;
        scene.wait_reason("life", "Synced").await;
        scene.finish().await;
    }));
}

#[test]
fn an_object_that_begins_suspended_asks_the_provider_nothing() {
    run(at_each_api(async |scene| {
        let one = scene.value("one");
        scene.secret("source", &[("a", &one)]).await;
        let data = json!([{"name": "A_KEY", "secretKeyRef": {"name": "source", "key": "a"}}]);
        let spec = json!({"provider": scene.provider(), "data": data, "suspend": true});
        scene
            .apply("life", spec)
            .await
            .expect("an object is applied");
        scene.wait_reason("life", "Suspended").await;
        let columns = scene.columns("life").await;
        let provider = scene.target.provider();
        // LAST-SYNC is empty: nothing was ever written.
        assert_eq!(columns, [provider, "False", "Suspended", "0/1"]);
        assert_eq!(scene.account.requests().len(), 0);
        suspend(&scene, false).await;
        scene.wait_held(&[("A_KEY", &one)]).await;
        scene.wait_ready("life").await;
        scene.finish().await;
    }));
}
