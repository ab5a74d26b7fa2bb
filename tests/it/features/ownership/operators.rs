//! Two operators at work on the same objects: nothing elects one of them, so both do everything.

use futures::future::join_all;
use provider_secrets::api::ProviderSecret;

use crate::harness::{Operator, Target, TestCase, TestEnv, condition, delete_policy, run, until};

/// How often the source is rotated.
const ROTATIONS: usize = 3;

/// The number of reconciles of an operator.
async fn reconciles(operator: &Operator) -> u64 {
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
async fn settled(test_cases: &[TestCase<'_>]) {
    let state = async || {
        let mut state = Vec::new();
        for case in test_cases {
            let object = case.get("shared").await;
            let version = object.metadata.resource_version.clone();
            state.push((case.writes().len(), version, is_settled(&object)));
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
        let env = TestEnv::fresh(&[]).await;
        let second = env.further(&["--leader-elect=false"]).await;
        let test_cases = join_all(Target::ALL.map(async |target| {
            let case = TestCase::new(&env, target).await;
            case.synced("shared", &delete_policy()).await;
            case
        }))
        .await;
        settled(&test_cases).await;
        for case in &test_cases {
            let held = case.account.held(case.scope().as_deref());
            assert_eq!(held.len(), 1, "{:?}: {held:?}", case.target);
        }
        for number in 0..ROTATIONS {
            join_all(test_cases.iter().map(async |case| {
                let value = case.value(&number.to_string());
                case.secret("source", &[("a", &value)]).await;
                case.wait_held(&[("A_KEY", &value)]).await;
            }))
            .await;
        }
        settled(&test_cases).await;
        let last = ROTATIONS - 1;
        for case in &test_cases {
            case.assert_held(&[("A_KEY", &case.value(&last.to_string()))]);
            let writes = case.writes();
            // Each of them once, and once more where the one found the status of the other.
            assert!(
                writes.len() <= 4 * (ROTATIONS + 1),
                "{:?}: {writes:#?}",
                case.target
            );
        }
        let (first, other) = (reconciles(&env.operator).await, reconciles(&second).await);
        assert!(
            first > 0 && other > 0,
            "both worked: {first} and {other} reconciles"
        );
        assert!(second.terminate().await.success());
        // Status may speak of the write of the one, where the other's came later: one alone puts that right.
        join_all(test_cases.iter().map(async |case| {
            case.request_sync("shared").await;
            case.wait("shared", "synced", is_settled).await;
            case.delete("shared").await;
            case.wait_gone("shared").await;
            case.assert_held(&[]);
        }))
        .await;
        for case in test_cases {
            case.finish().await;
        }
    });
}
