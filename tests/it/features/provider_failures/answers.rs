//! Answers that are none: cut, strange, too large, or a way to somewhere else.

use std::time::Duration;

use futures::future::join_all;
use simulator::{Action, Answer, Fault, prime_intellect::Duplicate};
use tokio::net::TcpListener;

use super::{State, quoting, suffers};
use crate::harness::{Bystander, Target, TestCase, TestEnv, condition, run};

/// Cases: P-22
#[test]
fn a_cut_connection_leaves_the_outcome_open_and_heals() {
    run(async {
        let env = TestEnv::shared().await;
        join_all(Target::ALL.map(async |target| {
            let case = TestCase::with_synced_target(env, target).await;
            for action in [
                Action::CutBeforeEffect,
                Action::CutAfterEffect,
                Action::TruncateBody,
            ] {
                let fault = Fault::new(action).forever();
                suffers(&case, fault, State::Reconciling, "NetworkError").await;
            }
            case.finish().await;
        }))
        .await;
    });
}

/// Cases: P-15, P-38
#[test]
fn a_create_whose_answer_is_lost_makes_no_second_secret() {
    run(async {
        let env = TestEnv::shared().await;
        join_all(Target::ALL.map(async |target| {
            let refusal = Answer {
                status: 500,
                ..Answer::default()
            };
            for action in [
                Action::CutAfterEffect,
                Action::TruncateBody,
                Action::AnswerAfterEffect(refusal),
            ] {
                let case = TestCase::new(env, target).await;
                let prime = env.simulator().prime_intellect();
                if target == Target::PrimeIntellect {
                    // Only the operator keeps a second one from being made.
                    prime.set_variants(&case.account, |variants| {
                        variants.duplicate = Duplicate::Silent;
                    });
                }
                for method in ["POST", "PUT"] {
                    case.account
                        .add_fault(Fault::new(action.clone()).method(method));
                }
                let value = case.value("a");
                case.secret("source", &[("a", &value)]).await;
                case.object("created", &[("A_KEY", "source", "a")]).await;
                case.wait_ready("created").await;
                assert!(case.account.faults().len() < 2, "{target:?} {action:?}");
                case.wait_held(&[("A_KEY", &value)]).await;
                if target == Target::PrimeIntellect {
                    assert_eq!(prime.secrets(&case.account, None).len(), 1, "{action:?}");
                    let mut creates = case.writes();
                    creates.retain(|write| write.starts_with("POST "));
                    assert_eq!(creates.len(), 1, "{action:?} {creates:?}");
                }
                case.finish().await;
            }
        }))
        .await;
    });
}

/// Cases: P-19, P-23
#[test]
fn an_answer_that_is_not_understood_is_never_taken_for_success() {
    let page = "<html><body>Please log in</body></html>";
    let large = format!("{{\"padding\": \"{}\"}}", "x".repeat(2 * 1024 * 1024));
    let deep = "[".repeat(100_000);
    let error = "{\"error\": \"It is busy\", \"code\": \"INTERNAL\"}";
    let detail = "{\"data\": null, \"detail\": \"It is busy\"}";
    let bodies: [(&str, &str); 9] = [
        ("text/html", page),
        ("application/json", page),
        ("application/json", ""),
        ("application/json", "null"),
        ("application/json", "[]"),
        ("application/json", "{\"name\": 1"),
        ("application/json", &deep),
        ("application/json", &large),
        ("text/plain", "{}"),
    ];
    run(async {
        let env = TestEnv::shared().await;
        join_all(Target::ALL.map(async |target| {
            let case = TestCase::with_synced_target(env, target).await;
            for (content_type, body) in bodies {
                let fault = quoting(&case, 200, content_type).body(body).forever();
                suffers(&case, fault, State::Strange, "UnexpectedResponse").await;
            }
            // The writes alone, where reads are as they should be.
            for (content_type, body) in [
                ("text/html", page),
                ("application/json", page),
                ("application/json", error),
                ("application/json", detail),
            ] {
                let fault = quoting(&case, 200, content_type)
                    .body(body)
                    .method(target.update_method());
                suffers(&case, fault.forever(), State::Strange, "UnexpectedResponse").await;
            }
            let fault = quoting(&case, 200, "text/html; charset=utf-8").forever();
            suffers(&case, fault, State::Strange, "UnexpectedResponse").await;
            case.finish().await;
        }))
        .await;
    });
}

#[test]
fn three_strange_answers_in_a_row_are_for_a_person_to_look_at() {
    run(async {
        let env = TestEnv::shared().await;
        join_all(Target::ALL.map(async |target| {
            let case = TestCase::with_synced_target(env, target).await;
            case.account
                .add_fault(quoting(&case, 200, "text/html").forever());
            let before = case.account.requests().len();
            case.source("rotated").await;
            let object = case.wait_reason("target", "UnexpectedResponse").await;
            if case.account.requests().len() < before + 2 {
                assert!(condition(&object, "Reconciling").is_some(), "{target:?}");
            }
            let is_stalled = |object: &_| condition(object, "Stalled").is_some();
            case.wait("target", "stalled", is_stalled).await;
            assert!(case.account.requests().len() >= before + 3, "{target:?}");
            case.account.clear_faults();
            let healed = case.value("healed");
            case.secret("source", &[("a", &healed)]).await;
            case.wait_ready("target").await;
            case.wait_held(&[("A_KEY", &healed)]).await;
            case.finish().await;
        }))
        .await;
    });
}

/// Cases: P-20, P-21
#[test]
fn a_redirect_is_not_followed_anywhere() {
    run(async {
        let env = TestEnv::shared().await;
        let bystander = Bystander::new(env).await;
        let elsewhere = TcpListener::bind("127.0.0.1:0").await.expect("a listener");
        let url = format!(
            "http://{}/elsewhere",
            elsewhere.local_addr().expect("an address")
        );
        let test_cases = join_all(Target::ALL.map(async |target| {
            let case = TestCase::with_synced_target(env, target).await;
            for (index, status) in [301, 302, 303, 307, 308].into_iter().enumerate() {
                // To another server and to the same one by turns.
                let location = [url.as_str(), "/elsewhere"][index % 2];
                let fault = quoting(&case, status, "text/html").header("location", location);
                suffers(&case, fault.forever(), State::Strange, "UnexpectedResponse").await;
            }
            case
        }))
        .await;
        bystander.rotate().await;
        let came = tokio::select! {
            biased;
            came = elsewhere.accept() => Some(came),
            () = std::future::ready(()) => None,
        };
        assert!(came.is_none(), "a redirect to another server was followed");
        for case in test_cases {
            let requests = case.account.requests();
            assert!(
                requests
                    .iter()
                    .all(|request| !request.path.contains("elsewhere"))
            );
            case.finish().await;
        }
        bystander.finish().await;
    });
}

#[test]
fn a_set_that_could_not_be_asked_for_is_not_taken_for_ready() {
    run(async {
        let env = TestEnv::shared().await;
        let case = TestCase::new(env, Target::Pipecat).await;
        let pipecat = env.simulator().pipecat();
        let pending = Duration::from_secs(3);
        pipecat.set_variants(&case.account, |variants| variants.ready_after = pending);
        // The list is answered, the question after the write is not.
        case.account.add_fault(
            quoting(&case, 500, "text/plain")
                .path_contains("/agents")
                .skip(1),
        );
        case.source("a").await;
        case.object("asks", &[("A_KEY", "source", "a")]).await;
        case.wait_reason("asks", "ProviderUnavailable").await;
        case.wait_ready("asks").await;
        assert_eq!(pipecat.sets(&case.account)["agents"].status, "ready");
        assert_eq!(case.writes().len(), 1, "{:?}", case.writes());
        case.finish().await;
    });
}
