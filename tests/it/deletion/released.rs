//! Objects that go, or stay, in ways that the operator does not choose: by force, in a namespace
//! that takes nothing new, and with no operator there.

use futures::future::join_all;
use kube::api::DeleteParams;
use serde_json::json;
use simulator::Fault;

use super::{at_each_api_on_brisk, delete};
use crate::support::{
    Bystander, Scene, Stage, Target, calls, condition, is_guarded, root, run, until,
};

/// How many objects each account has when the definition goes.
const OBJECTS: usize = 20;

/// Takes every finalizer away, as who has lost patience does.
async fn strip(scene: &Scene<'_>, name: &str) {
    let patch = json!({"metadata": {"finalizers": null}});
    scene.patch(name, patch).await.expect("they are removed");
}

/// Cases: D-11, A-17
#[test]
fn what_is_gone_by_force_is_left_at_the_provider_and_nobody_guesses() {
    run(async {
        let stage = Stage::brisk().await;
        let bystander = Bystander::new(stage).await;
        let scenes = join_all(Target::ALL.map(async |target| {
            let scene = Scene::new(stage, target).await;
            let one = scene.synced("gone", &delete()).await;
            scene.account.add_fault(Fault::status(503).forever());
            let by_force = DeleteParams::default().grace_period(0);
            let deleted = scene.objects().delete("gone", &by_force).await;
            deleted.expect("an object is deleted");
            // What it wrote is still to go, so it stays even so.
            scene
                .wait("gone", "blocked", |object| {
                    condition(object, "Ready")
                        .is_some_and(|ready| ready.reason == "DeletionBlocked")
                })
                .await;
            strip(&scene, "gone").await;
            scene.wait_gone("gone").await;
            scene.account.clear_faults();
            (scene, one)
        }))
        .await;
        // Time for the operator to see it gone, and for verifications.
        bystander.rotate().await;
        for (scene, one) in &scenes {
            // Another object of the account makes it look at the whole listing.
            scene.secret("other", &[("b", &scene.value("b"))]).await;
            let mut spec = scene.spec(&[("B_KEY", "other", "b")], &delete());
            if scene.target == Target::Pipecat {
                spec["provider"]["pipecat"]["setName"] = "others".into();
            }
            scene.apply("other", spec).await.expect("it is applied");
            scene.wait_ready("other").await;
            assert_eq!(scene.held().get("A_KEY"), Some(one), "{:?}", scene.target);
        }
        bystander.rotate().await;
        for (scene, one) in scenes {
            scene.delete("other").await;
            scene.wait_gone("other").await;
            scene.assert_held(&[("A_KEY", &one)]);
            // Made again, the object has it again, and takes it away in the end.
            scene.synced("gone", &delete()).await;
            scene.assert_held(&[("A_KEY", &one)]);
            scene.delete("gone").await;
            scene.wait_gone("gone").await;
            scene.assert_held(&[]);
            scene.finish().await;
        }
        bystander.finish().await;
    });
}

/// Cases: D-07
#[test]
fn a_namespace_that_is_going_refuses_events_and_the_finalizer_goes_all_the_same() {
    run(at_each_api_on_brisk(async |scene| {
        scene.synced("gone", &delete()).await;
        // It is sent beside the pass.
        scene.wait_event("Synced").await;
        let known = calls(scene.stage, &scene.namespace).await.len();
        scene.account.add_fault(Fault::status(503).forever());
        // No controller ends it here, so it stays in this state.
        scene.delete_namespace().await;
        scene.delete("gone").await;
        // Status is written.
        scene
            .wait("gone", "blocked", |object| {
                condition(object, "Ready").is_some_and(|ready| ready.reason == "DeletionBlocked")
            })
            .await;
        // The event about it is not, and is not tried again.
        let refused = async || {
            let calls = calls(scene.stage, &scene.namespace).await.split_off(known);
            let mut codes: Vec<u16> = Vec::new();
            for call in calls.iter().filter(|call| call.resource == "events") {
                codes.push(call.code);
            }
            codes
        };
        until("an event is refused", async || {
            let codes = refused().await;
            (!codes.is_empty())
                .then_some(())
                .ok_or_else(|| "none is".to_owned())
        })
        .await;
        scene.account.clear_faults();
        scene.wait_gone("gone").await;
        scene.assert_held(&[]);
        // It was blocked, and what it wrote was deleted.
        until("both events are refused", async || {
            let codes = refused().await;
            assert!(
                codes.len() <= 2 && codes.iter().all(|code| *code == 403),
                "{codes:?}"
            );
            (codes.len() == 2)
                .then_some(())
                .ok_or_else(|| format!("{codes:?}"))
        })
        .await;
        scene.finish().await;
    }));
}

/// Cases: D-08
#[test]
fn the_definition_goes_with_everything_that_was_written() {
    run(async {
        let stage = Stage::own(&[]).await;
        let scenes = join_all(Target::ALL.map(async |target| {
            let scene = Scene::new(&stage, target).await;
            scene.secret("source", &[("a", &scene.value("a"))]).await;
            for number in 0..OBJECTS {
                let entry = format!("KEY_{number:02}");
                let mut spec = scene.spec(&[(&entry, "source", "a")], &delete());
                if target == Target::Pipecat {
                    spec["provider"]["pipecat"]["setName"] = format!("set-{number}").into();
                }
                let applied = scene.apply(&format!("gone-{number}"), spec).await;
                applied.expect("it is applied");
            }
            for number in 0..OBJECTS {
                scene.wait_ready(&format!("gone-{number}")).await;
            }
            scene
        }))
        .await;
        let definition = "customresourcedefinition/providersecrets.providersecrets.dev";
        // It waits until the last object is gone.
        let delete_it = ["delete", definition, "--timeout=60s"];
        stage.kubectl(&delete_it, None).await;
        for scene in &scenes {
            for scope in scene.account.scopes() {
                let held = scene.account.held(scope.as_deref());
                assert!(held.is_empty(), "{:?} {scope:?}: {held:?}", scene.target);
            }
        }
        // And waits for the definition to come back.
        until("it says what is missing", async || {
            match stage.operator.get("/readyz").await {
                (503, body) if body.contains("CustomResourceDefinition") => Ok(()),
                (status, body) => Err(format!("{status} {body}")),
            }
        })
        .await;
        let crds = root().join("crds").display().to_string();
        let apply = ["apply", "--server-side", "-f", &crds];
        stage.kubectl(&apply, None).await;
        stage.operator.wait_until_ready().await;
        for scene in scenes {
            scene.synced("again", &delete()).await;
            scene.finish().await;
        }
    });
}

/// Cases: L-15
#[test]
fn without_an_operator_only_what_is_under_delete_waits_for_one() {
    run(async {
        let stage = Stage::fresh(&[]).await;
        let scenes = join_all(Target::ALL.map(async |target| {
            let scene = Scene::new(&stage, target).await;
            let one = scene.synced("stays", &delete()).await;
            (scene, one)
        }))
        .await;
        assert!(stage.operator.terminate().await.success());
        for (scene, one) in &scenes {
            scene.delete("stays").await;
            let object = scene.get("stays").await;
            assert!(object.metadata.deletion_timestamp.is_some());
            assert!(is_guarded(&object), "{:?}", scene.target);
            scene.assert_held(&[("A_KEY", one)]);
        }
        // What the chart's README says: by hand, and what it wrote stays.
        let (by_hand, rest) = scenes.split_at(2);
        for (scene, one) in by_hand {
            strip(scene, "stays").await;
            scene.wait_gone("stays").await;
            scene.assert_held(&[("A_KEY", one)]);
        }
        // Or the operator comes back. What is set to Retain meanwhile waits for it as well.
        let next = stage.further(&[]).await;
        for (scene, _) in rest {
            scene.wait_gone("stays").await;
            scene.assert_held(&[]);
        }
        // And what is set to Retain in time waits for nobody.
        let (scene, one) = &scenes[0];
        scene.synced("free", &delete()).await;
        let retain = json!({"spec": {"deletionPolicy": "Retain"}});
        scene.patch("free", retain).await.expect("it is patched");
        scene
            .wait("free", "not guarded", |object| !is_guarded(object))
            .await;
        assert!(next.terminate().await.success());
        scene.delete("free").await;
        scene.wait_gone("free").await;
        scene.assert_held(&[("A_KEY", one)]);
        for (scene, _) in scenes {
            scene.finish_leaving(&["A_KEY"]).await;
        }
    });
}
