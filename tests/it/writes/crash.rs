//! What is at the provider when the operator dies in the middle of a write.

use futures::future::join_all;
use provider_secrets::api::EntryState;
use simulator::{Action, Fault};

use super::{count, synced, wait_synced};
use crate::support::{Operator, Stage, Target, run, traces, until, write_method};

/// Cases: L-01, L-03
#[test]
fn a_crash_between_there_and_back_again_leaves_no_stale_value_that_looks_synced() {
    run(async {
        let stage = Stage::fresh(&[]).await;
        let mut scenes = Vec::new();
        for target in Target::ALL {
            scenes.push(synced(&stage, target).await);
        }
        let (mut running, mut ended): (Option<Operator>, Vec<Operator>) = (None, Vec::new());
        for action in [Action::HangAfterEffect, Action::CutAfterEffect] {
            // A → B, and B arrives.
            join_all(scenes.iter().map(async |scene| {
                let fault = Fault::new(action.clone()).method(write_method(scene.target));
                scene.account.add_fault(fault.forever());
                let b = scene.value("b");
                scene.secret("source", &[("a", &b)]).await;
                scene.wait_held(&[("A_KEY", &b)]).await;
                let object = scene.objects().get("target").await.expect("the object");
                let entry = &object.status.as_ref().expect("a status").entries[0];
                let known = (entry.state, entry.digest.as_ref());
                assert_eq!(
                    known,
                    (EntryState::Pending, None),
                    "{:?} {action:?}",
                    scene.target
                );
            }))
            .await;
            // Crash, back to A, and on.
            let operator = running.take();
            operator.as_ref().unwrap_or(&stage.operator).kill().await;
            ended.extend(operator);
            join_all(scenes.iter().map(async |scene| {
                scene.account.clear_faults();
                scene.secret("source", &[("a", &scene.value("a"))]).await;
            }))
            .await;
            running = Some(stage.further(&[]).await);
            join_all(scenes.iter().map(async |scene| {
                let a = scene.value("a");
                scene.wait_held(&[("A_KEY", &a)]).await;
                wait_synced(scene).await;
                assert_eq!(scene.held()["A_KEY"], a);
            }))
            .await;
        }
        let operator = running.expect("an operator runs");
        rests(&stage, &scenes, &operator).await;
        for log in ended.iter().chain([&operator]).map(Operator::log) {
            assert_eq!(traces(&log), Vec::<String>::new());
        }
        for scene in scenes {
            scene.finish().await;
        }
    });
}

/// A restart with nothing to do writes nothing and reads no source.
async fn rests(stage: &Stage, scenes: &[crate::support::Scene<'_>], running: &Operator) {
    assert!(running.terminate().await.success());
    let counts = async || {
        let mut counts = Vec::new();
        for scene in scenes {
            let patches = count(scene, "patch", "providersecrets", "").await;
            let reads = count(scene, "get", "secrets", "source").await;
            counts.push((patches, reads, scene.writes().len()));
        }
        counts
    };
    let before = counts().await;
    let operator = stage.further(&[]).await;
    let bystander = super::Scene::new(stage, Target::BasetenTeam).await;
    bystander.secret("source", &[("a", "1")]).await;
    bystander.object("later", &[("A_KEY", "source", "a")]).await;
    bystander.wait_ready("later").await;
    until("every object was looked at", async || {
        let metrics = operator.get("/metrics").await.1;
        let unchanged = "provider_secrets_reconcile_total{result=\"unchanged\"} ";
        let looked = metrics
            .lines()
            .find_map(|line| line.strip_prefix(unchanged));
        match looked.and_then(|count| count.parse::<usize>().ok()) {
            Some(count) if count >= scenes.len() => Ok(()),
            _ => Err(metrics),
        }
    })
    .await;
    assert_eq!(counts().await, before);
    assert_eq!(traces(&operator.log()), Vec::<String>::new());
    bystander.finish().await;
}
