//! Scripted faults, in process and under a paused clock; `sockets.rs` has those that only a socket shows.

use std::time::Duration;

use serde_json::Value;
use simulator::{Account, Action, Answer, ConnectionCut, Fault, Outcome, Provider, Simulator};
use tokio::time::Instant;

use crate::support::{Client, client, list_of, scheme_of, scope_of, write_of, written_of};

const NONE: Value = Value::Null;

struct Case {
    simulator: Simulator,
    account: Account,
    client: Client,
    provider: Provider,
}

fn cases() -> impl Iterator<Item = Case> {
    Provider::ALL.into_iter().map(|provider| {
        let simulator = Simulator::new();
        let (account, client) = client(&simulator, provider);
        Case {
            simulator,
            account,
            client,
            provider,
        }
    })
}

/// Stands for the status of a write that was done, which vendors differ in.
const DONE: u16 = 0;

impl Case {
    async fn write(&self) -> Result<u16, ConnectionCut> {
        let (line, body) = write_of(self.provider);
        self.client
            .try_send(line, body)
            .await
            .map(|answer| answer.status.as_u16())
    }

    fn written(&self) -> bool {
        self.account
            .held(scope_of(self.provider))
            .contains_key("NAME")
    }

    fn last(&self) -> Option<Outcome> {
        self.account
            .requests()
            .last()
            .and_then(|exchange| exchange.outcome)
    }
}

#[tokio::test(start_paused = true)]
async fn an_action_has_its_effect_or_not() {
    let answer = || Answer {
        status: 503,
        ..Answer::default()
    };
    let table = [
        (Action::Handle, Ok(DONE), true),
        (Action::Answer(answer()), Ok(503), false),
        (Action::AnswerAfterEffect(answer()), Ok(503), true),
        (Action::CutBeforeEffect, Err(ConnectionCut), false),
        (Action::CutAfterEffect, Err(ConnectionCut), true),
        (Action::TruncateBody, Err(ConnectionCut), true),
    ];
    for (action, expected, written) in table {
        for case in cases() {
            case.account.add_fault(Fault::new(action.clone()));
            let expected = expected.map(|status| match status {
                DONE => written_of(case.provider),
                status => status,
            });
            assert_eq!(case.write().await, expected, "{} {action:?}", case.provider);
            assert_eq!(case.written(), written, "{} {action:?}", case.provider);
            assert!(case.account.faults().is_empty());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_hang_is_endless_and_the_log_knows_who_gave_up() {
    for (action, written) in [(Action::Hang, false), (Action::HangAfterEffect, true)] {
        for case in cases() {
            case.account.add_fault(Fault::new(action.clone()));
            let day = Duration::from_hours(24);
            assert!(tokio::time::timeout(day, case.write()).await.is_err());
            assert_eq!(
                (case.written(), case.last()),
                (written, Some(Outcome::Abandoned))
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_fault_is_matched_and_counted() {
    for case in cases() {
        let fault = Fault::status(429)
            .header("retry-after", "7")
            .body("slow down");
        case.account
            .add_fault(fault.method("get").path_contains("secret").skip(1).times(2));
        case.account
            .add_fault(Fault::status(500).path_contains("elsewhere"));
        let list = async || case.client.send(list_of(case.provider), NONE).await;
        assert_eq!(case.write().await, Ok(written_of(case.provider)));
        assert_eq!(list().await.status, 200);
        let limited = list().await;
        assert_eq!(
            (limited.status.as_u16(), limited.text.as_str()),
            (429, "slow down")
        );
        assert_eq!(limited.headers["retry-after"], "7");
        assert_eq!(list().await.status, 429);
        assert_eq!(list().await.status, 200);
        assert_eq!(case.account.faults().len(), 1);
        case.account.clear_faults();
        assert!(case.account.faults().is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn a_fault_without_end_stays() {
    for case in cases() {
        case.account.add_fault(Fault::status(500).forever());
        for _ in 0..5 {
            assert_eq!(case.write().await, Ok(500));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn latency_and_delay_add_up_before_the_effect() {
    for case in cases() {
        case.account.set_latency(Duration::from_secs(2));
        case.account
            .add_fault(Fault::new(Action::Handle).delay(Duration::from_secs(3)));
        let started = Instant::now();
        let early = tokio::time::timeout(Duration::from_secs(4), case.write()).await;
        assert!(early.is_err() && !case.written());
        assert_eq!(case.write().await, Ok(written_of(case.provider)));
        assert_eq!(started.elapsed(), Duration::from_secs(6));
        let exchange = case.account.requests().pop().unwrap();
        assert_eq!(
            exchange.ended.unwrap() - exchange.started,
            Duration::from_secs(2)
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_router_shows_a_cut_as_a_broken_answer() {
    use tower::ServiceExt as _;
    for case in cases() {
        case.account
            .add_fault(Fault::new(Action::CutBeforeEffect).forever());
        let request = || {
            let (_, path) = list_of(case.provider).split_once(' ').unwrap();
            let authorization = format!("{} key", scheme_of(case.provider));
            axum::http::Request::get(path)
                .header("authorization", authorization)
                .body(axum::body::Body::empty())
                .unwrap()
        };
        let answer = case
            .simulator
            .router(case.provider)
            .oneshot(request())
            .await
            .unwrap();
        assert_eq!(
            (answer.status().as_u16(), answer.extensions().get()),
            (599, Some(&ConnectionCut))
        );
        assert!(
            axum::body::to_bytes(answer.into_body(), 1024)
                .await
                .is_err()
        );
        assert_eq!(
            case.simulator
                .service(case.provider)
                .oneshot(request())
                .await
                .err(),
            Some(ConnectionCut)
        );
    }
}
