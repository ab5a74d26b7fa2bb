//! One more object beside those that are synced.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use super::support::{Bench, Figure, Latencies, Meter, arrival, milliseconds, one_entry, value};

/// Objects that are created, one after the other.
const OBJECTS: usize = 100;
/// How long one may take.
const LIMIT: Duration = Duration::from_mins(1);

/// Milliseconds from the API server's answer to the creation of an object until the provider has its value, and until
/// its status is written.
pub(crate) async fn measure(bench: &mut Bench) {
    let Bench {
        env, population, ..
    } = bench;
    let name = |index: usize| format!("new-{index}");
    for index in 0..OBJECTS {
        let (tenant, _) = population.of(index);
        let value = value("new", index);
        tenant.secret(&name(index), &[("key", &value)]).await;
    }
    let mut meter = Meter::start(env).await;
    let (mut received, mut reported) = (Latencies::default(), Latencies::default());
    let mut answers = Vec::new();
    for index in 0..OBJECTS {
        let (tenant, _) = population.of(index);
        let sequence = env.simulator().last_sequence();
        let object = one_entry(&format!("NEW_{index}"), &name(index));
        tenant.object(&name(index), object).await;
        let (answered, wall) = (Instant::now(), Timestamp::now());
        let value = value("new", index);
        let found = env.simulator().wait_for(LIMIT, |simulator| {
            let requests = simulator.requests_since(sequence);
            requests.iter().find_map(|request| arrival(request, &value))
        });
        let time = found.await.expect("the provider receives the value");
        received.push(milliseconds(time, answered));
        answers.push((tenant.namespace.clone(), name(index), wall));
    }
    meter.quiet(env, Duration::from_secs(1)).await;
    let cost = meter.end(env).await;
    for (namespace, name, answered) in answers {
        let written = cost.status_writes.get(&(namespace, name));
        let written = written.expect("the status of each object is written");
        let seconds = written.duration_since(answered).as_secs_f64();
        reported.push((seconds * 1000.0).max(0.0));
    }
    let mut figures: Vec<Figure> = received.figures("at the provider ");
    figures.extend(reported.figures("in status "));
    for (number, tenant) in population.tenants.iter().enumerate() {
        let of_tenant = (number..OBJECTS).step_by(population.tenants.len());
        tenant.delete(of_tenant.map(name)).await;
    }
    bench
        .report
        .add("new-object", (OBJECTS, "object"), figures, Some(cost));
}
