//! Deleted, or changed on the way to its deletion, while no operator runs.

use futures::future::join_all;
use simulator::{Action, Fault};

use super::delete;
use crate::support::{Scene, Stage, Target, is_guarded, run};

/// Cases: L-02
#[test]
fn what_is_deleted_while_the_operator_is_down_is_cleaned_up_by_the_next_one() {
    run(async {
        let stage = Stage::fresh(&[]).await;
        let mut scenes = Vec::new();
        for target in Target::ALL {
            let scene = Scene::new(&stage, target).await;
            scene.synced("gone", &delete()).await;
            // The other's first write arrives, and nobody hears the answer.
            scene.secret("other", &[("b", &scene.value("b"))]).await;
            scenes.push(scene);
        }
        join_all(scenes.iter().map(async |scene| {
            let method = match scene.target {
                Target::Pipecat | Target::Braintrust => "PUT",
                _ => "POST",
            };
            let fault = Fault::new(Action::HangAfterEffect).method(method);
            scene.account.add_fault(fault.forever());
            let mut spec = scene.spec(&[("B_KEY", "other", "b")], &delete());
            if scene.target == Target::Pipecat {
                spec["provider"]["pipecat"]["setName"] = "crashed".into();
            }
            scene.apply("crashed", spec).await.expect("it is applied");
            crate::support::until("the write arrived", async || {
                let crashed = (scene.target == Target::Pipecat).then(|| "crashed".to_owned());
                let held = scene
                    .account
                    .held(crashed.or_else(|| scene.scope()).as_deref());
                held.contains_key("B_KEY")
                    .then_some(())
                    .ok_or_else(|| format!("{held:?}"))
            })
            .await;
        }))
        .await;
        stage.operator.kill().await;
        for scene in &scenes {
            scene.account.clear_faults();
            scene.delete("gone").await;
            scene.delete("crashed").await;
        }
        let next = stage.further(&[]).await;
        join_all(scenes.iter().map(async |scene| {
            scene.wait_gone("gone").await;
            scene.wait_gone("crashed").await;
            scene.assert_held(&[]);
            let everything = scene.account.values(None);
            assert!(everything.is_empty(), "{:?} {everything:?}", scene.target);
            assert!(scene.events("DeletionSkipped").await.is_empty());
        }))
        .await;
        assert!(next.terminate().await.success());
        for scene in scenes {
            scene.finish().await;
        }
    });
}

/// Cases: L-04
#[test]
fn a_crash_between_the_deletion_there_and_the_end_of_the_object_deletes_once_more() {
    run(async {
        let stage = Stage::fresh(&[]).await;
        let scenes = join_all(Target::ALL.map(async |target| {
            let scene = Scene::new(&stage, target).await;
            scene.synced("gone", &delete()).await;
            let fault = Fault::new(Action::HangAfterEffect).method("DELETE");
            scene.account.add_fault(fault.forever());
            scene.delete("gone").await;
            scene.wait_held(&[]).await;
            scene
        }))
        .await;
        stage.operator.kill().await;
        for scene in &scenes {
            assert!(is_guarded(&scene.get("gone").await), "{:?}", scene.target);
            scene.account.clear_faults();
        }
        let next = stage.further(&[]).await;
        for scene in &scenes {
            scene.wait_gone("gone").await;
            scene.assert_held(&[]);
            // Whether it is looked for first is up to the provider.
            assert!(scene.deletions().len() <= 2, "{:?}", scene.deletions());
            assert!(scene.events("DeletionSkipped").await.is_empty());
        }
        assert!(next.terminate().await.success());
        for scene in scenes {
            scene.finish().await;
        }
    });
}

/// Cases: D-05
#[test]
fn a_credential_that_is_gone_after_a_restart_is_waited_for() {
    run(async {
        let mut stage = Stage::fresh(&["--deletion-timeout=10s"]).await;
        let mut parked = Vec::new();
        for target in Target::ALL {
            let scene = Scene::new(&stage, target).await;
            scene.synced("gone", &delete()).await;
            parked.push((target, scene.parts()));
        }
        stage.operator.kill().await;
        for (target, parts) in &parked {
            let scene = Scene::again(&stage, *target, parts);
            scene.delete_secret("credential").await;
            scene.delete("gone").await;
        }
        stage.restart(&["--deletion-timeout=10s"]).await;
        let plays = parked.into_iter().enumerate();
        join_all(plays.map(async |(number, (target, parts))| {
            let scene = Scene::again(&stage, target, &parts);
            let stays = scene.value("one");
            if number % 2 == 0 {
                // It comes back in time.
                scene.secret("credential", &[("api-key", &scene.key)]).await;
                scene.wait_gone("gone").await;
                scene.assert_held(&[]);
                scene.finish().await;
            } else {
                scene.wait_gone("gone").await;
                scene.assert_held(&[("A_KEY", &stays)]);
                let note = scene.wait_event("DeletionSkipped").await;
                assert!(note.contains("A_KEY"), "{note}");
                scene.finish_leaving(&["A_KEY"]).await;
            }
        }))
        .await;
    });
}
