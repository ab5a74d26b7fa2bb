//! etcd is put back from a snapshot under the running operator.

use std::time::Duration;

use futures::future::join_all;
use serde_json::json;
use tokio::time::Instant;

use super::support::{
    FLAGS, Figure, Report, Tenant, arrival, environment, milliseconds, value, wait,
};
use crate::it::harness::{Target, TestEnv};

/// Runs with and without `--bump-revision`, each in an environment of its own. They wait most of the time, so that they
/// do not disturb each other side by side.
const RUNS: usize = 5;
/// What the documents of etcd recommend.
const BUMP: u64 = 1_000_000_000;
/// How long a rotation may take.
const LIMIT: Duration = Duration::from_mins(5);
/// Changes that the restored state does not know, beside the rotations.
const LOST: usize = 100;
const NAME: &str = "restored";

/// Seconds from a rotation right after the API server was ready again until the last of the five APIs has it.
pub(crate) async fn measure(report: &mut Report) {
    for (name, bump) in [
        ("restored-data-store", None),
        ("restored-data-store-bumped", Some(BUMP)),
    ] {
        let runs = (0..RUNS).map(|_| async move { Box::pin(run_one(bump)).await });
        let mut seconds = join_all(runs).await;
        seconds.sort_by(f64::total_cmp);
        let figures = seconds
            .iter()
            .zip(1..)
            .map(|(seconds, number)| Figure::new(&format!("run {number}"), *seconds, "s"));
        report.add(name, (1, "run"), figures.collect(), None);
    }
}

async fn run_one(bump: Option<u64>) -> f64 {
    let env = environment(&FLAGS).await;
    let mut tenants = Vec::new();
    for target in Target::ALL {
        let tenant = Tenant::new(&env, target, &format!("{target:?}").to_lowercase()).await;
        tenant.pair(NAME, "RESTORED", &value("first", 0)).await;
        tenants.push(tenant);
    }
    for tenant in &tenants {
        wait_for(&env, tenant, 0, &value("first", 0)).await;
    }
    let snapshot = env.cluster.directory().join("snapshot.db");
    let saved = env.cluster.save_snapshot(&snapshot).await;
    saved.expect("a snapshot is saved");
    for tenant in &tenants {
        tenant.change(NAME, &json!({"key": value("lost", 0)})).await;
        wait_for(&env, tenant, 0, &value("lost", 0)).await;
    }
    for number in 0..LOST {
        let name = format!("lost-{number}");
        tenants[0].secret(&name, &[("key", "lost")]).await;
    }
    let restored = env.cluster.restore_snapshot(&snapshot, bump).await;
    restored.expect("the snapshot is restored");
    let sequence = env.simulator().last_sequence();
    let value = value("restored", 0);
    let mut answers = Vec::new();
    // A client of its own: the connections of the other ended with the API server.
    let client = env.cluster.client();
    for tenant in &mut tenants {
        tenant.client = client.clone();
        tenant.change(NAME, &json!({"key": value})).await;
        answers.push(Instant::now());
    }
    let mut slowest: f64 = 0.0;
    for (tenant, answered) in tenants.iter().zip(answers) {
        let arrived = wait_for(&env, tenant, sequence, &value).await;
        slowest = slowest.max(milliseconds(arrived, answered) / 1000.0);
    }
    slowest
}

/// Waits until a tenant's account has taken a value after a request.
async fn wait_for(env: &TestEnv, tenant: &Tenant, sequence: u64, value: &str) -> Instant {
    wait("the value arrives", LIMIT, async || {
        let requests = env.simulator().requests_since(sequence);
        let mut ours = requests.iter().filter(|request| {
            request.provider == tenant.account.provider()
                && request.account.as_deref() == Some(tenant.account.name())
        });
        let arrived = ours.find_map(|request| arrival(request, value));
        arrived.ok_or_else(|| format!("{:?} has not got it", tenant.target))
    })
    .await
}
