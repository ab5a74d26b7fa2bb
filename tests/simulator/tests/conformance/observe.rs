//! The request log and waiting.

use std::time::Duration;

use serde_json::{Value, json};
use simulator::{Action, Fault, Outcome, Provider, Simulator, TimedOut};

use crate::support::{client, list_of, scope_of, write_of, written_of};

const NONE: Value = Value::Null;

#[tokio::test(start_paused = true)]
async fn the_log_has_everything_but_the_credential() {
    for provider in Provider::ALL {
        let simulator = Simulator::new();
        let (account, client) = client(&simulator, provider);
        let (line, body) = write_of(provider);
        client.send(line, body.clone()).await;
        client
            .send(&format!("{}?a=b", list_of(provider)), NONE)
            .await;
        client.send("GET /none", NONE).await;
        let log = account.requests();
        assert_eq!(
            log.iter()
                .map(|exchange| exchange.sequence)
                .collect::<Vec<_>>(),
            [1, 2, 3]
        );
        assert_eq!(
            log.iter()
                .map(|exchange| exchange.status().unwrap())
                .collect::<Vec<_>>(),
            [written_of(provider), 200, 404]
        );
        assert_eq!(
            (log[0].line().as_str(), log[0].body.as_deref()),
            (line, Some(&body))
        );
        assert_eq!(log[1].query.as_deref(), Some("a=b"));
        assert!(log[0].header("Authorization").unwrap().ends_with(" ***"));
        assert!(!format!("{:?}", log[0].headers).contains("key\""));
        assert_eq!(account.writes().len(), 1);
        assert_eq!(simulator.writes().len(), 1);
        simulator.clear_requests();
        assert!(simulator.requests().is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn the_log_is_bounded_and_counts_what_it_drops() {
    let simulator = Simulator::new();
    let (_, client) = client(&simulator, Provider::Baseten);
    simulator.set_log_capacity(3);
    for _ in 0..5 {
        client.send("GET /v1/secrets", NONE).await;
    }
    assert_eq!(simulator.last_sequence(), 5);
    for (sequence, expected) in [(0, vec![3, 4, 5]), (3, vec![4, 5]), (5, vec![])] {
        let later = simulator.requests_since(sequence);
        let sequences: Vec<_> = later.iter().map(|exchange| exchange.sequence).collect();
        assert_eq!(sequences, expected);
    }
    let sequences: Vec<_> = simulator
        .requests()
        .iter()
        .map(|exchange| exchange.sequence)
        .collect();
    assert_eq!(
        (sequences, simulator.dropped_requests()),
        (vec![3, 4, 5], 2)
    );
}

#[tokio::test(start_paused = true)]
async fn a_test_can_wait_for_state_and_for_requests() {
    let within = Duration::from_mins(1);
    for provider in Provider::ALL {
        let simulator = Simulator::new();
        let (account, client) = client(&simulator, provider);
        account.set_latency(Duration::from_secs(10));
        let (line, body) = write_of(provider);
        let write = async { client.send(line, body).await.status };
        let state = simulator.wait_until(within, |simulator| {
            !simulator
                .held(provider, "test", scope_of(provider))
                .is_empty()
        });
        let request = simulator.wait_for_request(within, simulator::Exchange::is_write);
        let (status, state, request) = tokio::join!(write, state, request);
        assert_eq!((status.as_u16(), state), (written_of(provider), Ok(())));
        // Seen when it came in, not when it ended.
        assert_eq!(
            (
                request.as_ref().unwrap().line().as_str(),
                request.unwrap().outcome
            ),
            (line, None)
        );
        assert_eq!(
            simulator.wait_until(within, |_| false).await,
            Err(TimedOut(within))
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_hanging_request_is_seen_while_it_hangs() {
    let simulator = Simulator::new();
    let (account, client) = client(&simulator, Provider::Pipecat);
    account.add_fault(Fault::new(Action::Hang));
    let hanging = tokio::spawn(async move { client.send("GET /v1/secrets", NONE).await });
    let hour = Duration::from_hours(1);
    let seen = simulator
        .wait_for_request(hour, |exchange| exchange.path == "/v1/secrets")
        .await
        .unwrap();
    assert_eq!(seen.ended, None);
    hanging.abort();
    simulator
        .wait_for_request(hour, |exchange| {
            exchange.outcome == Some(Outcome::Abandoned)
        })
        .await
        .unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_version_moves_with_requests_and_with_changes() {
    let simulator = Simulator::new();
    let mut version = simulator.subscribe();
    let (account, client) = client(&simulator, Provider::Baseten);
    assert!(version.has_changed().unwrap());
    version.mark_unchanged();
    client.send("GET /v1/secrets", NONE).await;
    assert!(version.has_changed().unwrap());
    version.mark_unchanged();
    account.foreign_write(None, "a", "b").unwrap();
    assert!(version.has_changed().unwrap());
    version.mark_unchanged();
    account.merge_variants(&json!({ "id": false })).unwrap();
    assert!(version.has_changed().unwrap());
}
