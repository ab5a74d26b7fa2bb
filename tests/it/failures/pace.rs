//! How often a provider in trouble is called, and that nobody else notices.

use std::time::Duration;

use futures::future::join_all;
use simulator::{Action, Fault};
use tokio::time::Instant;

use super::{quoting, synced};
use crate::support::{Bystander, Scene, Stage, Target, condition, run, timed, until};

/// Cases: P-01, P-02, P-07, P-08
#[test]
fn what_only_a_change_can_heal_is_not_tried_again() {
    run(async {
        let stage = Stage::shared().await;
        // An object that is tried again and again is the clock: its fourth try is some seconds
        // after its first.
        let clock = synced(stage, Target::Braintrust).await;
        let all = Target::ALL.into_iter();
        let cases =
            all.flat_map(|target| [400, 401, 403, 404, 413, 422].map(|status| (target, status)));
        let scenes = join_all(cases.map(async |(target, status)| {
            let scene = synced(stage, target).await;
            scene
                .account
                .add_fault(quoting(&scene, status, "application/json").forever());
            scene
                .secret("source", &[("a", &scene.value("rotated"))])
                .await;
            let is_stalled = |object: &_| condition(object, "Stalled").is_some();
            scene.wait("target", "stalled", is_stalled).await;
            let count = scene.account.requests().len();
            (scene, status, count)
        }))
        .await;
        let before = clock.account.requests().len();
        clock.account.add_fault(Fault::status(500).forever());
        clock
            .secret("source", &[("a", &clock.value("rotated"))])
            .await;
        until("the clock strikes four", async || {
            let count = clock.account.requests().len() - before;
            if count >= 4 {
                Ok(())
            } else {
                Err(format!("{count} tries"))
            }
        })
        .await;
        for (scene, status, count) in scenes {
            let requests = scene.account.requests();
            assert_eq!(requests.len(), count, "{:?} {status}", scene.target);
            scene.finish().await;
        }
        clock.finish().await;
    });
}

/// Cases: P-09
#[test]
fn nobody_is_called_before_retry_after_is_over() {
    // What is asked for, and the least and the most that is waited.
    let table = [
        ("3", 3.0, 8.0),
        ("0", 1.0, 6.0),
        ("-5", 0.0, 6.0),
        ("soon", 0.0, 6.0),
    ];
    run(async {
        let stage = Stage::shared().await;
        let cases = Target::ALL
            .into_iter()
            .flat_map(|target| table.map(|case| (target, case)));
        join_all(cases.map(async |(target, (asked, least, most))| {
            for status in [429, 503] {
                let scene = synced(stage, target).await;
                let fault = quoting(&scene, status, "application/json");
                scene.account.add_fault(fault.header("retry-after", asked));
                let before = scene.account.requests().len();
                let value = scene.value("rotated");
                scene.secret("source", &[("a", &value)]).await;
                scene.wait_held(&[("A_KEY", &value)]).await;
                scene.wait_ready("target").await;
                let requests = scene.account.requests();
                let waited = requests[before + 1].started - requests[before].started;
                let range = Duration::from_secs_f64(least)..Duration::from_secs_f64(most);
                assert!(
                    range.contains(&waited),
                    "{target:?} {status} {asked}: {waited:?}"
                );
                scene.finish().await;
            }
        }))
        .await;
    });
}

/// Cases: P-12
#[test]
fn a_retry_after_of_any_size_harms_nothing() {
    run(async {
        let stage = Stage::shared().await;
        let scene = synced(stage, Target::BasetenTeam).await;
        let sizes = [
            "1000000000",
            "9223372036854775807",
            "18446744073709551616",
            "",
            "1.5",
        ];
        let dates = [
            "Fri, 31 Dec 9999 23:59:59 GMT",
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "((((((",
        ];
        let long = "9".repeat(8 * 1024);
        for asked in sizes.into_iter().chain(dates).chain([long.as_str()]) {
            let fault = quoting(&scene, 429, "text/plain").header("retry-after", asked);
            super::suffers(
                &scene,
                fault.forever(),
                super::State::Reconciling,
                "RateLimited",
            )
            .await;
        }
        assert!(!stage.operator.log().contains("panicked"));
        scene.finish().await;
    });
}

/// Cases: P-16
#[test]
fn a_provider_that_hangs_is_given_up_and_holds_up_nobody_else() {
    run(async {
        let stage = &Stage::fresh(&[]).await;
        let bystander = Bystander::new(stage).await;
        let all = join_all(Target::ALL.map(async |target| {
            let scene = Scene::new(stage, target).await;
            let other = Scene::new(stage, target).await;
            let value = scene.value("a");
            scene.secret("source", &[("a", &value)]).await;
            scene.account.add_fault(Fault::new(Action::Hang).forever());
            // A set has one owner.
            let last = if target == Target::Pipecat { 'A' } else { 'L' };
            let entries: Vec<String> = ('A'..=last).map(|letter| format!("{letter}_KEY")).collect();
            for entry in &entries {
                let name = entry.to_lowercase().replace('_', "-");
                scene.object(&name, &[(entry, "source", "a")]).await;
            }
            until("a call hangs", async || {
                match scene.account.requests().len() {
                    0 => Err("no call".to_owned()),
                    _ => Ok(()),
                }
            })
            .await;
            (scene, other, entries, Instant::now())
        }))
        .await;
        // Sixty objects hang at five accounts. Neither another account ...
        let latency = bystander.rotate().await;
        assert!(latency < Duration::from_secs(1), "{latency:?}");
        for (scene, other, ..) in &all {
            // ... nor the same name in another account waits for them.
            let value = other.value("a");
            // A team is one scope whoever writes to it, and all teams of the tests have one id.
            let name = if scene.target == Target::BasetenTeam {
                "OTHER_KEY"
            } else {
                "A_KEY"
            };
            other.object("passes", &[(name, "source", "a")]).await;
            other.wait_reason("passes", "SecretNotFound").await;
            let latency = timed(other, async {
                other.secret("source", &[("a", &value)]).await;
            });
            let latency = latency.await;
            assert!(
                latency < Duration::from_secs(1),
                "{:?}: {latency:?}",
                scene.target
            );
            other.wait_ready("passes").await;
            let is_early = scene
                .account
                .requests()
                .iter()
                .all(|request| request.ended.is_none());
            assert!(is_early, "{:?}: the calls no longer hung", scene.target);
        }
        join_all(all.into_iter().map(async |(scene, other, entries, since)| {
            // What hangs goes on to hang until the deadline of a call; the next call does not.
            scene.account.clear_faults();
            let value = scene.value("a");
            let wanted: Vec<_> = entries.iter().map(|entry| (&**entry, &*value)).collect();
            scene.wait_held(&wanted).await;
            scene.wait_ready("a-key").await;
            let (target, took) = (scene.target, since.elapsed());
            assert!(took < Duration::from_secs(45), "{target:?} {took:?}");
            // Events are sent off the path of the pass.
            until("an event tells of the deadline", async || {
                let events = scene.kubectl(&["get", "events", "-o", "json"]).await;
                let is_told = events.contains("\"reason\": \"Timeout\"");
                if is_told {
                    Ok(())
                } else {
                    Err(format!("{target:?} {events}"))
                }
            })
            .await;
            scene.finish().await;
            other.finish().await;
        }))
        .await;
        bystander.finish().await;
    });
}
