//! One account asks for patience; the others do not notice.

use std::time::Duration;

use serde_json::json;
use simulator::Fault;
use tokio::time::sleep_until;

use super::support::{
    Arrivals, Bench, Figure, INTERVAL, Latencies, Meter, PATIENCE, in_parallel, milliseconds,
    value, wait,
};

/// What the account answers with `Retry-After`.
const PAUSE: Duration = Duration::from_secs(7);
/// What was on its way when the answer came.
const UNDER_WAY: Duration = Duration::from_millis(250);
/// Objects of the account that wait: as many as can be rotated before the pause is over.
const WAITING: usize = 200;
/// Rotations at the other accounts, which take less than the pause.
const ROTATIONS: usize = 100;

/// Rotates objects of the first account, answers one of the writes with 429, and rotates objects of the others meanwhile.
pub(crate) async fn measure(bench: &mut Bench) {
    let Bench {
        env, population, ..
    } = bench;
    let accounts = population.tenants.len();
    let paused = &population.tenants[0];
    let waiting: Vec<usize> = (0..population.count)
        .step_by(accounts)
        .take(WAITING)
        .collect();
    let others: Vec<usize> = (0..population.count)
        .filter(|index| index % accounts != 0)
        .take(2 * ROTATIONS)
        .collect();
    population.settle().await;
    let mut before = Latencies::default();
    let rotations = ROTATIONS.min(others.len() / 2);
    for index in &others[..rotations] {
        before.push(population.rotate(env, *index).await);
    }
    let mut meter = Meter::start(env).await;
    let sequence = meter.sequence();
    let of_account = || {
        let mut requests = env.simulator().requests_since(sequence);
        requests.retain(|request| {
            request.provider == paused.account.provider()
                && request.account.as_deref() == Some(paused.account.name())
        });
        requests
    };
    let fault = Fault::status(429).header("retry-after", &PAUSE.as_secs().to_string());
    paused
        .account
        .add_fault(fault.method(paused.target.update_method()));
    let mut arrivals = Arrivals::new(env, "throttled");
    in_parallel(waiting.iter().copied(), async |index| {
        let (tenant, name) = population.of(index);
        let value = value("throttled", index);
        tenant.change(&name, &json!({"key": value})).await;
    })
    .await;
    let refused = wait("the account asks for patience", PATIENCE, async || {
        let requests = of_account();
        let refused = requests
            .iter()
            .find(|request| request.status() == Some(429));
        let ended = refused.and_then(|refused| refused.ended);
        ended.ok_or_else(|| "no request was refused".to_owned())
    })
    .await;
    let mut during = Latencies::default();
    for index in &others[rotations..] {
        if during.len() == rotations || refused.elapsed() >= PAUSE {
            break;
        }
        during.push(population.rotate(env, *index).await);
    }
    sleep_until(refused + PAUSE).await;
    let calls = of_account()
        .iter()
        .filter(|request| {
            request.started > refused + UNDER_WAY && request.started < refused + PAUSE
        })
        .count();
    meter.during(env, arrivals.wait(env, waiting.len())).await;
    let last = arrivals.times().values().max().copied();
    let after = last.map_or(0.0, |last| milliseconds(last, refused + PAUSE) / 1000.0);
    meter.quiet(env, INTERVAL).await;
    let cost = meter.end(env).await;
    let mut figures = vec![
        Figure::count("pause of", 7, "s"),
        Figure::count("objects wait", waiting.len(), ""),
        Figure::count("calls meanwhile", calls, ""),
        Figure::new("all written after the pause", after, "s"),
    ];
    figures.extend(before.figures("others before "));
    figures.extend(during.figures("others meanwhile "));
    let per = (waiting.len(), "waiting object");
    bench
        .report
        .add("throttled-account", per, figures, Some(cost));
}
