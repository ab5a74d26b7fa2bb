//! What all objects of an account share: pauses, the breaker, outages, and the places that all
//! accounts share. What takes hours is tested in process, under a clock that jumps.

mod hours; // breaker and outage, in simulated hours
mod process; // one account's objects in process

use std::time::Duration;

use futures::future::join_all;
use kube::api::{Patch, PatchParams};
use provider_secrets::api::ProviderSecret;
use serde_json::json;
use simulator::{Action, Fault};
use tokio::time::Instant;

use crate::support::{Bystander, Scene, Stage, Target, condition, run, until, write_method};

/// What issue and design promise from a change to the provider.
const SOON: Duration = Duration::from_secs(1);
/// Calls in flight of one account.
const OF_EACH: usize = 8;

fn name(number: usize) -> String {
    format!("object-{number}")
}

/// So many objects of one account that read one key of the Secret `source`.
async fn objects(scene: &Scene<'_>, count: usize) {
    join_all((0..count).map(async |number| {
        let mut provider = scene.provider();
        if scene.target == Target::Pipecat {
            // A set for each, named like the object.
            provider["pipecat"]
                .as_object_mut()
                .expect("a member")
                .remove("setName");
        }
        let entry = json!({
            "name": format!("KEY_{number}"),
            "secretKeyRef": {"name": "source", "key": "a"},
        });
        let spec = json!({"provider": provider, "data": [entry]});
        scene
            .apply(&name(number), spec)
            .await
            .expect("an object is applied");
    }))
    .await;
}

/// A scene with so many objects that are synced.
async fn synced(stage: &Stage, target: Target, count: usize) -> Scene<'_> {
    let scene = Scene::new(stage, target).await;
    scene
        .secret("source", &[("a", &scene.value("first"))])
        .await;
    objects(&scene, count).await;
    for number in 0..count {
        scene.wait_ready(&name(number)).await;
    }
    scene
}

/// Rotates the source; its version.
async fn rotate(scene: &Scene<'_>) -> String {
    let value = scene.value("rotated");
    scene.secret("source", &[("a", &value)]).await
}

/// Waits until an object has acknowledged this version of the source.
async fn wait_current(scene: &Scene<'_>, number: usize, version: &str) {
    let is_current = |object: &ProviderSecret| {
        let status = object.status.as_ref().expect("a status");
        let mut sources = status.sources.iter();
        sources.any(|source| source.resource_version == version)
            && condition(object, "Ready").is_some_and(|ready| ready.status == "True")
    };
    scene.wait(&name(number), "current", is_current).await;
}

/// Cases: C-24
#[test]
fn fifty_objects_with_one_bad_key_make_one_call() {
    run(async {
        let stage = Stage::shared().await;
        let bystander = Bystander::new(stage).await;
        join_all(Target::ALL.map(async |target| {
            let scene = Scene::new(stage, target).await;
            scene.account.revoke_key(&scene.key).expect("revoked");
            scene.secret("source", &[("a", &scene.value("a"))]).await;
            let began = Instant::now();
            objects(&scene, 50).await;
            for number in 0..50 {
                let object = scene
                    .wait_reason(&name(number), "AuthenticationFailed")
                    .await;
                assert!(condition(&object, "Stalled").is_some(), "{target:?}");
            }
            let calls = scene.account.requests().len();
            // The next probe is due a minute after the answer.
            let probes = usize::from(began.elapsed() > Duration::from_secs(54));
            assert!(calls <= 1 + probes, "{target:?}: {calls} calls");
            scene.finish().await;
        }))
        .await;
        bystander.rotate().await;
        bystander.finish().await;
    });
}

/// Cases: C-24
#[test]
fn a_key_that_turns_bad_while_it_is_used_makes_no_more_calls_than_were_under_way() {
    run(async {
        let stage = Stage::shared().await;
        join_all(Target::ALL.map(async |target| {
            let scene = synced(stage, target, 20).await;
            let before = scene.account.requests().len();
            scene.account.revoke_key(&scene.key).expect("revoked");
            rotate(&scene).await;
            for number in 0..20 {
                scene
                    .wait_reason(&name(number), "AuthenticationFailed")
                    .await;
            }
            let calls = scene.account.requests().len() - before;
            assert!((1..=OF_EACH).contains(&calls), "{target:?}: {calls} calls");
            let (code, metrics) = stage.operator.get("/metrics").await;
            let series = "provider_secrets_accounts_held_back{provider=";
            assert!(code == 200 && metrics.contains(series), "{metrics}");
            // Another key is another account and is used at once.
            let version = rotate(&scene).await;
            scene.replace_key().await;
            for number in 0..20 {
                wait_current(&scene, number, &version).await;
            }
            scene.finish().await;
        }))
        .await;
    });
}

/// Cases: P-09
#[test]
fn a_429_pauses_the_whole_account_and_nobody_else() {
    const PAUSE: Duration = Duration::from_secs(7);
    run(async {
        let stage = Stage::shared().await;
        let bystander = Bystander::new(stage).await;
        let paused = join_all(Target::ALL.map(async |target| {
            let scene = synced(stage, target, 20).await;
            scene.secret("other", &[("a", &scene.value("other"))]).await;
            let mut provider = scene.provider();
            if target == Target::Pipecat {
                provider["pipecat"]["setName"] = "other".into();
            }
            let entry = json!({"name": "OTHER", "secretKeyRef": {"name": "other", "key": "a"}});
            let spec = json!({"provider": provider, "data": [entry]});
            scene.apply("other", spec).await.expect("applied");
            let other = scene.wait_ready("other").await;
            let fault = Fault::status(429).header("retry-after", "7");
            let before = scene.account.requests().len();
            scene.account.add_fault(fault.method(write_method(target)));
            let version = rotate(&scene).await;
            until("it is asked to slow down", async || {
                let requests = scene.account.requests();
                let refused = requests[before..]
                    .iter()
                    .find(|one| one.status() == Some(429));
                refused.map(|_| ()).ok_or_else(|| "not yet".to_owned())
            })
            .await;
            (scene, version, before, other)
        }))
        .await;
        let began = Instant::now();
        for (scene, ..) in &paused {
            // News that needs no call: the same value under another version.
            let patch = json!({"metadata": {"annotations": {"a": "b"}}});
            let patch = Patch::Merge(&patch);
            let parameters = PatchParams::default();
            let secrets = scene.secrets();
            let patched = secrets.patch("other", &parameters, &patch).await;
            patched.expect("a Secret is patched");
        }
        let latency = bystander.rotate().await;
        // Milliseconds where the machine has nothing else to do.
        assert!(latency < PAUSE, "{latency:?}");
        let is_during = began.elapsed() < PAUSE;
        join_all(
            paused
                .into_iter()
                .map(async |(scene, version, before, other)| {
                    let target = scene.target;
                    if is_during {
                        let now = scene.wait_ready("other").await;
                        let before = condition(&other, "Ready")
                            .map(|ready| ready.last_transition_time.clone());
                        let after = condition(&now, "Ready")
                            .map(|ready| ready.last_transition_time.clone());
                        assert_eq!(before, after, "{target:?}: Ready flipped");
                    }
                    for number in 0..20 {
                        wait_current(&scene, number, &version).await;
                    }
                    let requests = scene.account.requests();
                    let refused = requests[before..]
                        .iter()
                        .find(|one| one.status() == Some(429));
                    let ended = refused.and_then(|one| one.ended).expect("an end");
                    let calls = requests
                        .iter()
                        .filter(|one| one.started > ended + SOON && one.started < ended + PAUSE);
                    let calls: Vec<String> = calls.map(simulator::Exchange::line).collect();
                    assert_eq!(calls, Vec::<String>::new(), "{target:?}");
                    scene.finish().await;
                }),
        )
        .await;
        let (_, metrics) = stage.operator.get("/metrics").await;
        let series = "provider_secrets_provider_throttled_seconds_total{provider=\"pipecat\"}";
        assert!(metrics.contains(series), "{metrics}");
        bystander.finish().await;
    });
}

/// Cases: P-10
#[test]
fn four_429_without_a_time_cost_four_calls_and_all_objects_are_released() {
    run(async {
        let stage = Stage::shared().await;
        join_all(Target::ALL.map(async |target| {
            let scene = synced(stage, target, 20).await;
            let before = scene.writes().len();
            let fault = Fault::status(429).method(write_method(target));
            scene.account.add_fault(fault.times(4));
            let version = rotate(&scene).await;
            for number in 0..20 {
                wait_current(&scene, number, &version).await;
            }
            assert_eq!(scene.writes().len() - before, 24, "{target:?}");
            scene.finish().await;
        }))
        .await;
    });
}

/// Cases: P-13
#[test]
fn one_server_error_costs_one_more_write() {
    run(async {
        let stage = Stage::shared().await;
        join_all(Target::ALL.map(async |target| {
            for status in [500, 502, 503, 504] {
                let scene = synced(stage, target, 1).await;
                let before = scene.writes().len();
                let fault = Fault::status(status).method(write_method(target));
                scene.account.add_fault(fault);
                let version = rotate(&scene).await;
                wait_current(&scene, 0, &version).await;
                assert_eq!(scene.writes().len() - before, 2, "{target:?} {status}");
                scene.finish().await;
            }
        }))
        .await;
    });
}

#[test]
fn five_accounts_that_hang_leave_a_place_for_the_sixth() {
    run(async {
        // Each of them would take eight of the slots, which are 32.
        let stage = &Stage::fresh(&[]).await;
        let bystander = Bystander::new(stage).await;
        let hanging =
            join_all(Target::ALL.map(async |target| synced(stage, target, 12).await)).await;
        for scene in &hanging {
            scene.account.add_fault(Fault::new(Action::Hang).forever());
            rotate(scene).await;
        }
        let in_flight = || -> usize {
            let requests = hanging.iter().flat_map(|scene| scene.account.requests());
            requests.filter(|one| one.ended.is_none()).count()
        };
        until("many calls hang", async || match in_flight() {
            count if count >= 16 => Ok(()),
            count => Err(format!("{count} calls")),
        })
        .await;
        let mut latencies = Vec::new();
        for _ in 0..5 {
            latencies.push(bystander.rotate().await);
        }
        latencies.sort();
        assert!(latencies[2] < SOON, "{latencies:?}");
        assert!(in_flight() >= 16, "the calls no longer hung");
        for scene in hanging {
            scene.account.clear_faults();
            scene.finish().await;
        }
        bystander.finish().await;
    });
}
