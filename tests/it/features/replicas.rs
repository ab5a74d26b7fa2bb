//! Several processes: one leads and writes, the others stand by, and one of them takes over.

mod gates;
mod holders;
mod replica;

use std::time::{Duration, Instant};

use futures::future::join_all;
use k8s_openapi::api::coordination::v1::Lease;
use kube::{Api, api::DeleteParams};
use provider_secrets::api::ProviderSecret;
use serde_json::json;

use self::replica::Replicas;
use crate::harness::{LEASE, NAMESPACE, Target, TestCase, TestEnv, run, say, setting, until};

/// How often the leader goes, unless more is asked for.
const ROUNDS: usize = 3;
/// How often it goes, such as 50 before a release.
const MORE: &str = "PROVIDER_SECRETS_TEST_FAILOVERS";
/// Within this time another process leads after one that was told to end, on a busy machine too. Of a lease that is not
/// released the standby waits for the end: eight seconds, less the one between two renewals.
const HANDED_OVER: Duration = Duration::from_secs(6);

fn rounds() -> usize {
    let more = setting(MORE).and_then(|more| more.parse().ok());
    more.unwrap_or(ROUNDS)
}

/// An object at each API, synced.
async fn synced(env: &TestEnv) -> Vec<TestCase<'_>> {
    join_all(Target::ALL.map(async |target| {
        let case = TestCase::new(env, target).await;
        case.synced("target", &json!({})).await;
        case
    }))
    .await
}

/// Rotates every source, has the leader go in its way, and waits until the other one has written all of them. Returns
/// the longest time until that one led.
async fn fails_over(
    replicas: &mut Replicas<'_>,
    test_cases: &[TestCase<'_>],
    go: impl AsyncFn(&mut Replicas<'_>),
) -> Duration {
    let mut longest = Duration::ZERO;
    for round in 0..rounds() {
        let leader = replicas.wait_for_leader().await;
        let before = join_all(test_cases.iter().map(async |case| case.writes().len())).await;
        let values: Vec<_> = join_all(test_cases.iter().map(async |case| {
            let value = case.value(&format!("round-{round}"));
            case.secret("source", &[("a", &value)]).await;
            value
        }))
        .await;
        let since = Instant::now();
        go(replicas).await;
        let next = replicas.wait_for_another(&leader).await;
        longest = longest.max(since.elapsed());
        for (case, value) in test_cases.iter().zip(&values) {
            case.wait_held(&[("A_KEY", value)]).await;
            case.wait("target", "it is recorded by a process", is_recorded)
                .await;
        }
        say(&format!(
            "round {round}: {leader} → {next}, all held after {:?}",
            since.elapsed()
        ));
        for (case, before) in test_cases.iter().zip(before) {
            let writes = case.writes().len() - before;
            // By the one, by the other, and once to confirm.
            assert!(
                (1..=3).contains(&writes),
                "{:?}: {writes} writes",
                case.target
            );
        }
        replicas.refill().await;
    }
    replicas.assert_only_the_holder_called();
    longest
}

fn is_recorded(object: &ProviderSecret) -> bool {
    let status = object.status.as_ref();
    status.is_some_and(|status| status.writer.is_some())
        && crate::harness::condition(object, "Ready").is_some_and(|ready| ready.status == "True")
}

async fn end(replicas: Replicas<'_>, test_cases: Vec<TestCase<'_>>) {
    for case in test_cases {
        case.finish().await;
    }
    replicas.end().await;
}

/// Cases: L-05
#[test]
fn a_standby_takes_over_at_once_from_a_leader_that_is_told_to_end() {
    run(async {
        let env = TestEnv::fresh(&[]).await;
        let mut replicas = Replicas::of(&env).await;
        let test_cases = synced(&env).await;
        let longest = fails_over(&mut replicas, &test_cases, async |replicas| {
            let (name, status) = replicas.terminate_leader().await;
            assert_eq!(status.code(), Some(0), "{name}");
        })
        .await;
        replicas.assert_each_released_the_lease().await;
        assert!(longest < HANDED_OVER, "{longest:?}");
        end(replicas, test_cases).await;
    });
}

/// Cases: L-06, L-09
#[test]
fn a_standby_takes_over_from_a_leader_that_is_killed() {
    run(async {
        let env = TestEnv::fresh(&[]).await;
        let mut replicas = Replicas::of(&env).await;
        let test_cases = synced(&env).await;
        fails_over(&mut replicas, &test_cases, async |replicas| {
            replicas.kill_leader().await;
        })
        .await;
        end(replicas, test_cases).await;
    });
}

/// Cases: L-07
#[test]
fn a_leader_that_was_stopped_longer_than_its_lease_writes_nothing_any_more() {
    run(async {
        let env = TestEnv::fresh(&[]).await;
        let mut replicas = Replicas::of(&env).await;
        let test_cases = synced(&env).await;
        fails_over(&mut replicas, &test_cases, async |replicas| {
            let stopped = replicas.pause_leader().await;
            replicas.wait_for_another(&stopped).await;
            let status = replicas.resume(&stopped).await;
            assert_eq!(status.code(), Some(1), "{stopped}");
            replicas.assert_error(&stopped, "the lease was lost");
        })
        .await;
        end(replicas, test_cases).await;
    });
}

/// Cases
#[test]
fn a_leader_that_is_cut_off_from_the_api_server_ends_before_another_leads() {
    run(async {
        let env = TestEnv::fresh(&[]).await;
        let mut replicas = Replicas::of(&env).await;
        let test_cases = synced(&env).await;
        fails_over(&mut replicas, &test_cases, async |replicas| {
            let status = replicas.cut_leader_off().await;
            assert_eq!(status.code(), Some(1));
            let holder = replicas.holder().await.expect("nobody has taken it yet");
            assert!(!replicas.is_running(&holder), "{holder} ended first");
        })
        .await;
        end(replicas, test_cases).await;
    });
}

/// Cases: L-08
#[test]
fn a_lease_that_a_user_deletes_stays_with_its_holder() {
    run(async {
        let env = TestEnv::fresh(&[]).await;
        let replicas = Replicas::of(&env).await;
        let test_cases = synced(&env).await;
        let leader = replicas.wait_for_leader().await;
        let leases: Api<Lease> = Api::namespaced(env.client.clone(), NAMESPACE);
        let lease = leases.get(LEASE).await.expect("a lease");
        let deleted = leases.delete(LEASE, &DeleteParams::default()).await;
        deleted.expect("the lease is deleted");
        until("it is there anew", async || {
            let again = leases.get(LEASE).await.map_err(|error| error.to_string())?;
            (again.metadata.uid != lease.metadata.uid)
                .then_some(())
                .ok_or_else(|| "the old one".to_owned())
        })
        .await;
        assert_eq!(replicas.wait_for_leader().await, leader);
        for case in &test_cases {
            case.rotate("target", "rotated").await;
        }
        replicas.assert_only_the_holder_called();
        end(replicas, test_cases).await;
    });
}

/// Cases: L-06
#[test]
fn a_standby_is_ready_and_calls_and_writes_nothing() {
    run(async {
        let env = TestEnv::fresh(&[]).await;
        let replicas = Replicas::of(&env).await;
        let test_cases = synced(&env).await;
        let leader = replicas.wait_for_leader().await;
        let standby = replicas.standby(&leader);
        standby.operator.wait_until_ready().await;
        let metrics = standby.operator.get("/metrics").await.1;
        assert!(
            metrics.contains("\nprovider_secrets_leader 0\n"),
            "{metrics}"
        );
        let log = standby.operator.log();
        assert!(
            log.contains("standing by") && log.contains(&leader),
            "{log}"
        );
        let metrics = replicas.named(&leader).operator.get("/metrics").await.1;
        assert!(
            metrics.contains("\nprovider_secrets_leader 1\n"),
            "{metrics}"
        );
        for case in &test_cases {
            case.rotate("target", "rotated").await;
        }
        assert_eq!(standby.gates.calls(), Vec::<String>::new());
        let holder = [
            "get",
            "lease",
            LEASE,
            "--namespace",
            NAMESPACE,
            "--no-headers",
        ];
        let shown = env.kubectl(&holder, None).await;
        assert!(shown.contains(&leader), "{shown}");
        end(replicas, test_cases).await;
    });
}
