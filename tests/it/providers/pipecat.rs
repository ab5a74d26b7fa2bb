//! Pipecat Cloud: sets that are accepted first and ready later, and two readings of PUT.

use std::time::Duration;

use serde_json::json;
use simulator::{
    Fault,
    pipecat::{Conflict, Put, PutAnswer, Variants},
};

use super::{bodies, requests, scene};
use crate::support::{Scene, Target, condition, run};

/// Longer than any test.
const FOR_EVER: Duration = Duration::from_hours(24);

/// A scene whose vendor differs in these points, with Secret `source`.
pub(super) async fn scene_with(change: impl FnOnce(&mut Variants)) -> (Scene<'static>, String) {
    let scene = scene(Target::Pipecat).await;
    vary(&scene, change);
    let value = scene.value("one");
    scene.secret("source", &[("a", &value)]).await;
    (scene, value)
}

fn vary(scene: &Scene<'_>, change: impl FnOnce(&mut Variants)) {
    scene
        .stage
        .simulator()
        .pipecat()
        .set_variants(&scene.account, change);
}

#[test]
fn either_answer_to_a_put_is_an_acceptance() {
    run(async {
        for (answer, absent) in [
            (PutAnswer::Ok, false),
            (PutAnswer::Accepted, false),
            (PutAnswer::Ok, true),
            (PutAnswer::Accepted, true),
        ] {
            let (scene, value) = scene_with(|variants| {
                variants.put_answer = answer;
                variants.status_absent = absent;
            })
            .await;
            scene.object("accepted", &[("A_KEY", "source", "a")]).await;
            scene.wait_ready("accepted").await;
            scene.wait_held(&[("A_KEY", &value)]).await;
            assert_eq!(scene.writes(), ["PUT /v1/secrets/agents"]);
            scene.finish().await;
        }
    });
}

#[test]
fn a_pending_set_is_not_ready_and_not_written_again() {
    run(async {
        let (scene, value) = scene_with(|variants| {
            variants.put_answer = PutAnswer::Accepted;
            variants.ready_after = FOR_EVER;
        })
        .await;
        scene.object("pending", &[("A_KEY", "source", "a")]).await;
        let object = scene.wait_reason("pending", "Progressing").await;
        let status = |kind| condition(&object, kind).map(|condition| condition.status.as_str());
        assert_eq!(status("Ready"), Some("False"));
        assert_eq!(status("Reconciling"), Some("True"));
        assert_eq!(status("Stalled"), None);
        assert_eq!(
            scene.columns("pending").await[..3],
            ["Pipecat", "False", "Progressing"]
        );
        // It is asked again and again, without a write.
        let asked = requests(&scene, "GET /v1/secrets/agents").len();
        crate::support::until("the set is asked for", async || {
            let now = requests(&scene, "GET /v1/secrets/agents").len();
            if now > asked + 1 {
                Ok(())
            } else {
                Err(format!("{now} times"))
            }
        })
        .await;
        let object = scene.wait_reason("pending", "Progressing").await;
        assert_eq!(condition(&object, "Ready").expect("Ready").status, "False");
        // Somebody else's write settles the set.
        vary(&scene, |variants| variants.ready_after = Duration::ZERO);
        scene
            .account
            .foreign_write(Some("agents"), "OTHER", "foreign")
            .expect("written");
        scene.wait_ready("pending").await;
        scene
            .wait_held(&[("A_KEY", &value), ("OTHER", "foreign")])
            .await;
        assert_eq!(scene.writes(), ["PUT /v1/secrets/agents"]);
        scene.finish().await;
    });
}

#[test]
fn a_set_that_failed_is_sent_again_until_it_is_ready() {
    run(async {
        let (scene, value) = scene_with(|variants| variants.failing_puts = 2).await;
        scene.object("failed", &[("A_KEY", "source", "a")]).await;
        let object = scene.wait_reason("failed", "ProviderFailed").await;
        assert_eq!(condition(&object, "Ready").expect("Ready").status, "False");
        scene.wait_ready("failed").await;
        scene.wait_held(&[("A_KEY", &value)]).await;
        assert_eq!(scene.writes(), ["PUT /v1/secrets/agents"; 3]);
        scene.finish().await;
    });
}

#[test]
fn all_keys_go_into_each_put_whether_it_merges_or_replaces() {
    run(async {
        for put in [Put::Merges, Put::Replaces] {
            let (scene, value) = scene_with(|variants| variants.put = put).await;
            let (two, rotated) = (scene.value("two"), scene.value("rotated"));
            scene.secret("second", &[("b", &two)]).await;
            let entries = [("A_KEY", "source", "a"), ("B_KEY", "second", "b")];
            scene.object("keys", &entries).await;
            scene.wait_ready("keys").await;
            scene.secret("second", &[("b", &rotated)]).await;
            scene
                .wait_held(&[("A_KEY", &value), ("B_KEY", &rotated)])
                .await;
            scene.wait_ready("keys").await;
            let puts = bodies(&scene, "PUT");
            assert_eq!(puts.len(), 2);
            let pair = |name: &str, value: &str| json!({"secretKey": name, "secretValue": value});
            let all = json!({"secrets": [pair("A_KEY", &value), pair("B_KEY", &rotated)]});
            assert_eq!(puts[1], all);
            assert!(requests(&scene, "DELETE").is_empty());
            scene.finish().await;
        }
    });
}

#[test]
fn keys_of_others_in_the_set_stay() {
    run(async {
        let (scene, value) = scene_with(|_| {}).await;
        scene
            .account
            .foreign_write(Some("agents"), "OTHER", "foreign")
            .expect("written");
        scene.object("merged", &[("A_KEY", "source", "a")]).await;
        scene.wait_ready("merged").await;
        scene
            .wait_held(&[("A_KEY", &value), ("OTHER", "foreign")])
            .await;
        scene.finish().await;
    });
}

#[test]
fn a_busy_set_is_tried_again() {
    run(async {
        let (scene, value) = scene_with(|_| {}).await;
        scene
            .account
            .add_fault(Fault::status(409).method("PUT").times(2));
        scene.object("busy", &[("A_KEY", "source", "a")]).await;
        scene.wait_ready("busy").await;
        scene.wait_held(&[("A_KEY", &value)]).await;
        assert_eq!(scene.writes(), ["PUT /v1/secrets/agents"; 3]);
        scene.finish().await;
    });
}

#[test]
fn a_rotation_of_a_pending_set_arrives_when_it_is_taken() {
    run(async {
        let (scene, _) = scene_with(|variants| {
            variants.conflict = Conflict::WhilePending;
            variants.ready_after = Duration::from_secs(2);
        })
        .await;
        scene.object("changed", &[("A_KEY", "source", "a")]).await;
        scene.wait_reason("changed", "Progressing").await;
        let rotated = scene.value("rotated");
        scene.secret("source", &[("a", &rotated)]).await;
        scene.wait_held(&[("A_KEY", &rotated)]).await;
        scene.wait_ready("changed").await;
        let refused = requests(&scene, "PUT");
        assert!(refused.iter().any(|request| request.status() == Some(409)));
        scene.finish().await;
    });
}

/// Cases: M-01
#[test]
fn a_set_has_one_owner_however_many_objects_want_it() {
    run(async {
        let (scene, value) = scene_with(|_| {}).await;
        scene.account.set_latency(Duration::from_millis(100));
        let names: Vec<String> = (0..4).map(|number| format!("KEY_{number}")).collect();
        let apply = async |name: &String| {
            let object = name.to_lowercase().replace('_', "-");
            scene.object(&object, &[(name, "source", "a")]).await;
            let decided = scene.wait(&object, "decided", |object| {
                let ready = condition(object, "Ready");
                ready.is_some_and(|ready| ["Synced", "Conflict"].contains(&&*ready.reason))
            });
            let ready = condition(&decided.await, "Ready").map(|ready| ready.status == "True");
            (ready == Some(true)).then(|| name.clone())
        };
        let owners = futures::future::join_all(names.iter().map(&apply)).await;
        let owners: Vec<String> = owners.into_iter().flatten().collect();
        assert_eq!(owners.len(), 1, "{owners:?}");
        scene.wait_held(&[(&owners[0], &value)]).await;
        // The operator's own calls for one set come one after the other.
        assert!(
            requests(&scene, "PUT")
                .iter()
                .all(|request| request.status() == Some(200))
        );
        scene.finish().await;
    });
}
