//! `rotated --wait` returns 0 when the provider holds the value, and never before.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use cluster::AuditEvent;
use futures::future::{join, join_all};
use serde_json::json;
use simulator::{Action, Answer, Fault};

use super::Plugin;
use crate::harness::{DEADLINE, Target, TestCase, TestEnv, run, say, setting};

/// How many rotations there are at each API, unless more are asked for.
const ROUNDS: usize = 6;
/// How many there are, such as 100 before a release.
const MORE: &str = "PROVIDER_SECRETS_TEST_ROTATIONS";

/// A fault that a rotation meets, or none. Those that leave a write of unknown outcome are few: the value is written
/// once more after a minute, and is not acknowledged before.
fn fault(round: usize, target: Target) -> Option<Fault> {
    let refused = Answer {
        status: 503,
        ..Answer::default()
    };
    let faults = [
        None,
        Some(
            Fault::new(Action::Handle)
                .delay(Duration::from_millis(300))
                .times(2),
        ),
        Some(Fault::new(Action::Answer(refused)).times(2)),
        Some(Fault::new(Action::CutBeforeEffect).method(target.update_method())),
        Some(Fault::new(Action::CutAfterEffect).method(target.update_method())),
        Some(Fault::status(429).header("retry-after", "1")),
    ];
    faults[round % faults.len()].clone()
}

#[test]
fn a_rotation_is_acknowledged_when_the_provider_holds_the_value() {
    run(async {
        let rounds = setting(MORE)
            .and_then(|more| more.parse().ok())
            .unwrap_or(ROUNDS);
        let env = TestEnv::shared().await;
        let plugin = &Plugin::new(env);
        let late = join_all(Target::ALL.map(async |target| {
            let case = TestCase::new(env, target).await;
            case.synced("target", &json!({})).await;
            let mut late = Vec::new();
            for round in 0..rounds {
                if let Some(fault) = fault(round, target) {
                    case.account.add_fault(fault);
                }
                let text = format!("round-{round}");
                let value = case.value(&text);
                case.source(&text).await;
                let rotated = ["rotated", "secret/source", "--wait", "--timeout=3m"];
                let returned = plugin.run(&case.namespace, &rotated);
                let mut held_at = None;
                let mut returned = std::pin::pin!(returned);
                let ended = loop {
                    tokio::select! {
                        ended = &mut returned => break ended,
                        () = tokio::time::sleep(Duration::from_millis(5)) => {
                            if held_at.is_none() && case.held().get("A_KEY") == Some(&value) {
                                held_at = Some(Instant::now());
                            }
                        }
                    }
                };
                assert_eq!(ended.code, 0, "{}{}", ended.stdout, ended.stderr);
                case.assert_held(&[("A_KEY", &value)]);
                late.push(held_at.map_or(Duration::ZERO, |at| at.elapsed()));
                case.account.clear_faults();
            }
            case.finish().await;
            late
        }))
        .await;
        let mut late: Vec<Duration> = late.concat();
        late.sort_unstable();
        let at = |part: usize| late[(late.len() - 1) * part / 100];
        say(&format!(
            "{} rotations: acknowledged {:?} (median), {:?} (p90), {:?} (last) after the provider held the value",
            late.len(),
            at(50),
            at(90),
            at(100)
        ));
    });
}

#[test]
fn an_edit_that_changes_no_value_is_acknowledged_as_well() {
    run(async {
        let env = TestEnv::shared().await;
        let (plugin, case) = (
            Plugin::new(env),
            TestCase::new(env, Target::Braintrust).await,
        );
        case.synced("target", &json!({})).await;
        case.kubectl(&["label", "secret", "source", "edited=true"])
            .await;
        let writes = case.writes().len();
        let ended = plugin
            .run(
                &case.namespace,
                &["rotated", "source", "--wait", "--timeout=1m"],
            )
            .await;
        assert_eq!(ended.code, 0, "{}{}", ended.stdout, ended.stderr);
        assert_eq!(case.writes().len(), writes);
        case.finish().await;
    });
}

#[test]
fn a_rotation_is_waited_for_while_the_api_server_restarts() {
    run(async {
        let env = &TestEnv::dedicated(&[]).await;
        let (plugin, case) = (
            Plugin::new(env),
            TestCase::new(env, Target::Braintrust).await,
        );
        case.synced("target", &json!({})).await;
        case.suspend("target").await;
        case.wait_reason("target", "Suspended").await;
        case.source("two").await;
        let rotated = ["rotated", "source", "--wait", "--timeout=3m"];
        // The operator asks for the Secret as another user.
        let looks = |events: &[Arc<AuditEvent>], code: u16| {
            let is_look = |event: &&Arc<AuditEvent>| {
                (event.verb.as_str(), event.resource.as_str()) == ("get", "secrets")
                    && event.namespace == case.namespace
                    && event.user != TestEnv::user()
                    && event.code == code
            };
            events.iter().filter(is_look).count()
        };
        let looked = async |code: u16, before: usize| {
            let enough = |events: &[Arc<AuditEvent>]| looks(events, code) > before;
            let looked = env.cluster.wait_for_audit(DEADLINE, enough).await;
            looked.expect("it has looked at the Secret");
        };
        let before = looks(&env.cluster.calls(), 200);
        let meanwhile = async {
            looked(200, before).await;
            let restarted = env.cluster.restart_api_server().await;
            restarted.expect("the API server restarts");
            case.kubectl(&["delete", "secret", "source"]).await;
            looked(404, 0).await;
            case.source("three").await;
            let suspend = r#"--patch={"spec":{"suspend":false}}"#;
            case.kubectl(&["patch", "psec", "target", "--type=merge", suspend])
                .await;
        };
        let (ended, ()) = join(plugin.run(&case.namespace, &rotated), meanwhile).await;
        assert_eq!(ended.code, 0, "{}{}", ended.stdout, ended.stderr);
        case.assert_held(&[("A_KEY", &case.value("three"))]);
        case.finish().await;
    });
}

#[test]
fn what_is_not_acknowledged_is_named_and_keeps_the_exit_code() {
    run(async {
        let env = TestEnv::shared().await;
        let (plugin, case) = (Plugin::new(env), TestCase::new(env, Target::Pipecat).await);
        let namespace = case.namespace.clone();
        case.synced("target", &json!({})).await;
        case.suspend("target").await;
        case.wait_reason("target", "Suspended").await;
        case.source("two").await;
        let (code, said) = plugin.json(&namespace, &["rotated", "source"]).await;
        assert_eq!((code, &said["acknowledged"]), (1, &json!(false)));
        assert_eq!(said["objects"][0]["pending"], json!(["A_KEY"]));
        let ended = plugin
            .run(&namespace, &["rotated", "source", "--wait", "--timeout=1s"])
            .await;
        assert_eq!(ended.code, 124, "{}", ended.stdout);
        assert!(
            ended.stdout.contains("Keep the old value"),
            "{}",
            ended.stdout
        );
        let go_on = json!({"spec": {"suspend": false}});
        case.patch("target", go_on).await.expect("it goes on");
        let ended = plugin
            .run(&namespace, &["rotated", "source", "--wait", "--timeout=1m"])
            .await;
        assert_eq!(ended.code, 0, "{}{}", ended.stdout, ended.stderr);
        assert!(
            ended.stdout.contains("Besides: an agent at Pipecat Cloud"),
            "{}",
            ended.stdout
        );
        case.assert_held(&[("A_KEY", &case.value("two"))]);
        for (secret, part) in [
            ("nowhere", "there is no Secret nowhere"),
            ("unused", "takes anything from Secret unused"),
        ] {
            if secret == "unused" {
                case.secret(secret, &[("a", "x")]).await;
            }
            let ended = plugin.run(&namespace, &["rotated", secret]).await;
            assert_eq!(ended.code, 1);
            assert!(ended.stderr.contains(part), "{}", ended.stderr);
        }
        case.finish().await;
    });
}
