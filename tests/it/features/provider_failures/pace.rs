//! How often the operator calls a failing provider, and that other accounts do not notice.

use std::time::Duration;

use futures::future::join_all;
use simulator::{Action, Exchange, Fault};

use super::quoting;
use crate::harness::{Bystander, SOON, Target, TestCase, TestEnv, condition, run, timed, until};

/// Less than the minute after which a refusal that follows a success is tried again.
const EARLY: Duration = Duration::from_secs(45);

/// Cases: P-01, P-02, P-07, P-08
#[test]
fn what_only_a_change_can_heal_is_not_tried_again() {
    run(async {
        let env = TestEnv::shared().await;
        // An object that is tried again and again is the clock: its fourth try is some seconds
        // after its first.
        let clock = TestCase::with_synced_target(env, Target::Braintrust).await;
        let all = Target::ALL.into_iter();
        let cases =
            all.flat_map(|target| [400, 401, 403, 404, 413, 422].map(|status| (target, status)));
        let test_cases = join_all(cases.map(async |(target, status)| {
            let case = TestCase::with_synced_target(env, target).await;
            case.account
                .add_fault(quoting(&case, status, "application/json").forever());
            case.source("rotated").await;
            let is_stalled = |object: &_| condition(object, "Stalled").is_some();
            case.wait("target", "stalled", is_stalled).await;
            let count = case.account.requests().len();
            (case, status, count)
        }))
        .await;
        let before = clock.account.requests().len();
        clock.account.add_fault(Fault::status(500).forever());
        clock.source("rotated").await;
        until("the clock strikes four", async || {
            let count = clock.account.requests().len() - before;
            if count >= 4 {
                Ok(())
            } else {
                Err(format!("{count} tries"))
            }
        })
        .await;
        for (case, status, count) in test_cases {
            let requests = case.account.requests();
            let refused = requests[count - 1].started;
            // On a machine that is slow enough, the try of a minute later comes before the clock strikes.
            let early = requests[count..].iter();
            let early = early
                .filter(|again| again.started - refused < EARLY)
                .count();
            assert_eq!(early, 0, "{:?} {status}", case.target);
            case.finish().await;
        }
        clock.finish().await;
    });
}

/// Cases: P-09
#[test]
fn no_call_is_made_before_retry_after_is_over() {
    // What is asked for, and the least that is waited; the most is what a wait for a value allows.
    let table = [("3", 3.0), ("0", 1.0), ("-5", 0.0), ("soon", 0.0)];
    run(async {
        let env = TestEnv::shared().await;
        let cases = Target::ALL
            .into_iter()
            .flat_map(|target| table.map(|row| (target, row)));
        join_all(cases.map(async |(target, (asked, least))| {
            for status in [429, 503] {
                let case = TestCase::with_synced_target(env, target).await;
                let fault = quoting(&case, status, "application/json");
                case.account.add_fault(fault.header("retry-after", asked));
                let before = case.account.requests().len();
                let value = case.value("rotated");
                case.secret("source", &[("a", &value)]).await;
                case.wait_held(&[("A_KEY", &value)]).await;
                case.wait_ready("target").await;
                let requests = case.account.requests();
                let waited = requests[before + 1].started - requests[before].started;
                assert!(
                    waited >= Duration::from_secs_f64(least),
                    "{target:?} {status} {asked}: {waited:?}"
                );
                case.finish().await;
            }
        }))
        .await;
    });
}

/// Cases: P-12
#[test]
fn a_retry_after_of_any_size_harms_nothing() {
    run(async {
        let env = TestEnv::shared().await;
        let case = TestCase::with_synced_target(env, Target::BasetenTeam).await;
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
            let fault = quoting(&case, 429, "text/plain").header("retry-after", asked);
            super::suffers(
                &case,
                fault.forever(),
                super::State::Reconciling,
                "RateLimited",
            )
            .await;
        }
        assert!(!env.operator.log().contains("panicked"));
        case.finish().await;
    });
}

/// Whether a request is no question for the scope.
fn is_of_secrets(request: &Exchange) -> bool {
    request.line().contains("secret")
}

/// Cases: P-16
#[test]
fn a_provider_that_hangs_is_given_up_and_holds_up_no_other() {
    run(async {
        let env = &TestEnv::fresh(&[]).await;
        let bystander = Bystander::new(env).await;
        let all = join_all(Target::ALL.map(async |target| {
            let case = TestCase::new(env, target).await;
            let other = TestCase::new(env, target).await;
            let value = case.value("a");
            case.secret("source", &[("a", &value)]).await;
            // All but the question for the scope, for which nothing waits.
            let hangs = Fault::new(Action::Hang).path_contains("secret");
            case.account.add_fault(hangs.forever());
            // A set has one owner.
            let last = if target == Target::Pipecat { 'A' } else { 'L' };
            let entries: Vec<String> = ('A'..=last).map(|letter| format!("{letter}_KEY")).collect();
            for entry in &entries {
                let name = entry.to_lowercase().replace('_', "-");
                case.object(&name, &[(entry, "source", "a")]).await;
            }
            until("a call hangs", async || {
                let requests = case.account.requests();
                let hangs = requests.iter().any(is_of_secrets);
                hangs.then_some(()).ok_or_else(|| "no call".to_owned())
            })
            .await;
            (case, other, entries)
        }))
        .await;
        // Sixty objects hang at five accounts. Neither another account ...
        let latency = bystander.rotate().await;
        assert!(latency < SOON, "{latency:?}");
        for (case, other, ..) in &all {
            // ... nor the same name in another account waits for them.
            let value = other.value("a");
            // A team is one scope for all keys, and all teams of the tests have one id.
            let name = if case.target == Target::BasetenTeam {
                "OTHER_KEY"
            } else {
                "A_KEY"
            };
            other.object("unaffected", &[(name, "source", "a")]).await;
            other.wait_reason("unaffected", "SecretNotFound").await;
            let latency = timed(other, async {
                other.secret("source", &[("a", &value)]).await;
            });
            let latency = latency.await;
            assert!(latency < SOON, "{:?}: {latency:?}", case.target);
            other.wait_ready("unaffected").await;
            let is_early = case
                .account
                .requests()
                .iter()
                .filter(|request| is_of_secrets(request))
                .all(|request| request.ended.is_none());
            assert!(is_early, "{:?}: the calls no longer hung", case.target);
        }
        join_all(all.into_iter().map(async |(case, other, entries)| {
            // What hangs goes on to hang until the deadline of a call; the next call does not.
            case.account.clear_faults();
            let value = case.value("a");
            let expected: Vec<_> = entries.iter().map(|entry| (&**entry, &*value)).collect();
            case.wait_held(&expected).await;
            case.wait_ready("a-key").await;
            let target = case.target;
            // Events are sent outside of the reconcile.
            until("an event tells of the deadline", async || {
                let events = case.kubectl(&["get", "events", "-o", "json"]).await;
                let is_told = events.contains("\"reason\": \"Timeout\"");
                if is_told {
                    Ok(())
                } else {
                    Err(format!("{target:?} {events}"))
                }
            })
            .await;
            case.finish().await;
            other.finish().await;
        }))
        .await;
        bystander.finish().await;
    });
}
