//! All Secrets are rotated at once, as fast as the API server takes it.

use std::{collections::HashMap, sync::Mutex, time::Duration};

use serde_json::json;
use tokio::time::Instant;

use super::support::{Arrivals, Bench, Figure, Latencies, Meter, in_parallel, milliseconds, value};

/// Seconds until the providers have everything, and how long each value was on its way.
pub(crate) async fn measure(bench: &mut Bench) {
    let Bench {
        env, population, ..
    } = bench;
    let count = population.count;
    population.settle().await;
    let mut meter = Meter::start(env).await;
    let mut arrivals = Arrivals::new(env, "burst");
    let answers: Mutex<HashMap<usize, Instant>> = Mutex::default();
    let started = Instant::now();
    let change = in_parallel(0..count, async |index| {
        let (tenant, name) = population.of(index);
        let value = value("burst", index);
        tenant.change(&name, &json!({"key": value})).await;
        let mut answers = answers.lock().expect("nothing panics under this lock");
        answers.insert(index, Instant::now());
    });
    let change = async {
        change.await;
        started.elapsed()
    };
    let all = async { futures::join!(change, arrivals.wait(env, count)) };
    let (changed, ()) = meter.during(env, all).await;
    let whole = arrivals
        .times()
        .values()
        .max()
        .map_or(0.0, |last| milliseconds(*last, started) / 1000.0);
    meter.quiet(env, Duration::from_secs(2)).await;
    let cost = meter.end(env).await;
    let mut latencies = Latencies::default();
    let answers = answers
        .into_inner()
        .expect("nothing panics under this lock");
    for (index, arrived) in arrivals.times() {
        latencies.push(milliseconds(*arrived, answers[index]));
    }
    let mut figures = vec![
        Figure::new("all Secrets changed", changed.as_secs_f64(), "s"),
        Figure::new("all at the providers", whole, "s"),
    ];
    figures.extend(latencies.figures(""));
    bench
        .report
        .add("burst", (count, "object"), figures, Some(cost));
}
