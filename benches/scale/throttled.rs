//! One account asks for patience; the others do not notice.

use std::time::Duration;

use futures::{StreamExt as _, stream};
use simulator::Fault;
use tokio::time::sleep_until;

use super::{
    entry,
    it::harness::{TestCase, TestEnv, until},
    percentiles, rotate, say,
};

/// What the account answers with `Retry-After`.
const PAUSE: Duration = Duration::from_secs(7);
/// What was on its way when the answer came.
const UNDER_WAY: Duration = Duration::from_millis(250);
/// Objects of the account that wait: as many as can be rotated before the pause is over.
const WAITING: usize = 200;
/// Rotations at the other accounts, which take less than the pause.
const ROTATIONS: usize = 100;

/// Rotates objects of the first test case, answers one of the writes with 429, and rotates objects
/// of the other test cases meanwhile.
pub(super) async fn measure(env: &TestEnv, test_cases: &[TestCase<'_>], objects: usize) {
    let (paused, others) = test_cases.split_first().expect("test_cases");
    let serial = |number: usize| 1_000_000 + number;
    let mut before = Vec::new();
    for number in 0..ROTATIONS {
        before.push(other(env, others, number, serial(number)).await);
    }
    let asked = paused.account.requests().len();
    let fault = Fault::status(429).header("retry-after", &PAUSE.as_secs().to_string());
    paused
        .account
        .add_fault(fault.method(paused.target.update_method()));
    let value = paused.value("throttled");
    let count = (objects / test_cases.len()).min(WAITING);
    stream::iter(0..count)
        .for_each_concurrent(16, |number| {
            let value = &value;
            async move {
                let name = format!("object-{number}");
                paused.secret(&name, &[("key", value)]).await;
            }
        })
        .await;
    let refused = until("the account asks for patience", async || {
        let requests = paused.account.requests();
        let refused = requests[asked..]
            .iter()
            .find(|request| request.status() == Some(429));
        let ended = refused.and_then(|refused| refused.ended);
        ended.ok_or_else(|| "no request was refused".to_owned())
    })
    .await;
    let mut during = Vec::new();
    while during.len() < ROTATIONS && refused.elapsed() < PAUSE {
        let number = during.len();
        during.push(other(env, others, number, serial(ROTATIONS + number)).await);
    }
    sleep_until(refused + PAUSE).await;
    let requests = paused.account.requests();
    let calls = requests.iter().filter(|request| {
        request.started > refused + UNDER_WAY && request.started < refused + PAUSE
    });
    let calls = calls.count();
    until("the account holds what was rotated", async || {
        let held = paused.account.values(paused.scope().as_deref());
        let current = (0..count).filter(|number| held.get(&entry(*number)) == Some(&value));
        let current = current.count();
        (current == count)
            .then_some(())
            .ok_or_else(|| format!("{current} of {count}"))
    })
    .await;
    say(
        &format!("429 for {} s", PAUSE.as_secs()),
        &format!(
            "{count} objects wait, {calls} calls meanwhile, all written {:.1} s after it; other accounts before: {}, meanwhile: {}",
            refused.elapsed().saturating_sub(PAUSE).as_secs_f64(),
            percentiles(before),
            percentiles(during),
        ),
    );
}

/// A rotation at one of the other accounts.
async fn other(env: &TestEnv, others: &[TestCase<'_>], number: usize, serial: usize) -> f64 {
    let case = &others[number % others.len()];
    rotate(env, case, number / others.len(), serial).await
}
