//! What every integration test stands on. A [`TestEnv`] is a cluster, the simulated providers and the operator; a
//! [`TestCase`] is one test's namespace and provider account in it.

mod canary;
mod cluster_pool;
mod documents;
mod invariants;
pub(crate) mod operator;
pub(crate) mod output;
mod quiescence;
mod resources;
mod settings;
mod statuses;
mod steps;
mod target;
mod test_case;
mod test_env;
mod transport;

use std::{future::Future, path::PathBuf, sync::LazyLock, time::Duration};

use tokio::runtime::{Builder, Runtime};

pub(crate) use canary::{CANARY, traces};
pub(crate) use documents::violations;
pub(crate) use operator::{NO_VERIFICATION, Operator, SHORT_LEASE};
pub(crate) use quiescence::{Bystander, calls, timed, wait_write};
pub(crate) use settings::{SCALE, say, setting};
pub(crate) use statuses::{statuses, unknown_shape};
pub(crate) use steps::{delete_policy, entry, is_guarded, metric};
pub(crate) use target::Target;
pub(crate) use test_case::{
    TestCase, at_each_api, at_each_api_alone, at_each_api_on, at_each_api_verifying, condition,
};
pub(crate) use test_env::{
    ACCOUNT, DELETION_TIMEOUT, GET_ONLY, LEASE, NAMESPACE, RIGHTS, TestEnv, released_lease,
};
pub(crate) use transport::transport;

/// How long a test waits for what must happen. Far longer than that takes: a machine may be busy.
pub(crate) const DEADLINE: Duration = Duration::from_mins(1);
/// Within this time comes what news has caused. What nobody has heard of comes with a retry or the next sweep, minutes
/// later. That it takes less than a second is the benchmark's to say: a machine that runs tests may be busy.
pub(crate) const SOON: Duration = Duration::from_secs(15);
/// The shortest and the longest pause between two polls. In between, the pause is a fifth of the time waited so far:
/// many tests poll side by side, and a poll costs the API server as much as what the test waits for.
const POLL: [Duration; 2] = [Duration::from_millis(20), Duration::from_millis(400)];

/// One runtime for all tests, because they share clients and servers, which belong to a runtime.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    Builder::new_multi_thread()
        .worker_threads(4)
        .enable_all()
        .build()
        .expect("a runtime starts")
});

/// Runs a test.
pub(crate) fn run(test: impl Future<Output = ()>) {
    RUNTIME.block_on(test);
}

/// Polls until `look` gives a value.
///
/// # Panics
/// When it gives none before [`DEADLINE`], with the last error of `look`.
pub(crate) async fn until<T>(what: &str, look: impl AsyncFnMut() -> Result<T, String>) -> T {
    until_within(DEADLINE, what, look).await
}

/// As [`until`], for what may take longer.
#[expect(
    clippy::panic,
    reason = "a test ends at the first thing that is not as it should be"
)]
pub(crate) async fn until_within<T>(
    limit: Duration,
    what: &str,
    mut look: impl AsyncFnMut() -> Result<T, String>,
) -> T {
    let started = tokio::time::Instant::now();
    loop {
        match look().await {
            Ok(found) => return found,
            Err(state) if started.elapsed() > limit => panic!("{what}: not in time. {state}"),
            Err(_) => tokio::time::sleep((started.elapsed() / 5).clamp(POLL[0], POLL[1])).await,
        }
    }
}

/// Waits for what news has caused.
///
/// # Panics
/// When it has not come within [`SOON`].
pub(crate) async fn soon<T>(what: impl Future<Output = T>) -> T {
    let in_time = tokio::time::timeout(SOON, what).await;
    in_time.expect("it comes soon, and not with a retry or a sweep")
}

/// The root of the checkout.
pub(crate) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}
