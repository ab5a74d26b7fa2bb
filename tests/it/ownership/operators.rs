//! Two operators at work on the same objects: nothing elects one of them, so both do everything.

use futures::future::join_all;
use provider_secrets::api::ProviderSecret;
use serde_json::json;

use crate::support::{Operator, Scene, Stage, Target, condition, run, until};

/// How often the source is rotated.
const ROTATIONS: usize = 3;

/// How many passes an operator has made.
async fn passes(operator: &Operator) -> u64 {
    let metrics = operator.get("/metrics").await.1;
    let counts = metrics.lines().filter_map(|line| {
        let (_, count) = line
            .strip_prefix("provider_secrets_reconcile_total")?
            .split_once("} ")?;
        count.parse::<u64>().ok()
    });
    counts.sum()
}

/// Waits until all objects are synced with their newest values, and nothing has been written for two
/// seconds, by an operator that retries after one.
async fn settled(scenes: &[Scene<'_>]) {
    let state = async || {
        let mut state = Vec::new();
        for scene in scenes {
            let object = scene.get("shared").await;
            let version = object.metadata.resource_version.clone();
            state.push((scene.writes().len(), version, is_settled(&object)));
        }
        state
    };
    let mut before = state().await;
    until("nothing moves", async || {
        tokio::time::sleep(std::time::Duration::from_secs(2)).await;
        let now = state().await;
        let is_quiet = now == before && now.iter().all(|(.., is_settled)| *is_settled);
        before.clone_from(&now);
        is_quiet.then_some(()).ok_or_else(|| format!("{now:?}"))
    })
    .await;
}

fn is_settled(object: &ProviderSecret) -> bool {
    condition(object, "Ready").is_some_and(|ready| ready.status == "True")
}

/// Cases: M-07, L-08
#[test]
fn two_operators_agree_and_come_to_rest() {
    run(async {
        let stage = Stage::fresh(&[]).await;
        let second = stage.further(&[]).await;
        let scenes = join_all(Target::ALL.map(async |target| {
            let scene = Scene::new(&stage, target).await;
            scene
                .synced("shared", &json!({"deletionPolicy": "Delete"}))
                .await;
            scene
        }))
        .await;
        settled(&scenes).await;
        for scene in &scenes {
            let held = scene.account.held(scene.scope().as_deref());
            assert_eq!(held.len(), 1, "{:?}: {held:?}", scene.target);
        }
        for number in 0..ROTATIONS {
            join_all(scenes.iter().map(async |scene| {
                let value = scene.value(&number.to_string());
                scene.secret("source", &[("a", &value)]).await;
                scene.wait_held(&[("A_KEY", &value)]).await;
            }))
            .await;
        }
        settled(&scenes).await;
        let last = ROTATIONS - 1;
        for scene in &scenes {
            scene.assert_held(&[("A_KEY", &scene.value(&last.to_string()))]);
            let writes = scene.writes();
            // Each of them once, and once more where the one found the status of the other.
            assert!(
                writes.len() <= 4 * (ROTATIONS + 1),
                "{:?}: {writes:#?}",
                scene.target
            );
        }
        let (first, other) = (passes(&stage.operator).await, passes(&second).await);
        assert!(
            first > 0 && other > 0,
            "both worked: {first} and {other} passes"
        );
        join_all(scenes.iter().map(async |scene| {
            scene.delete("shared").await;
            scene.wait_gone("shared").await;
            scene.assert_held(&[]);
        }))
        .await;
        assert!(second.terminate().await.success());
        for scene in scenes {
            scene.finish().await;
        }
    });
}
