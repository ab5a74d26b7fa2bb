//! The operator starts and finds every object waiting. What the API server takes at most is measured in the same run.

use futures::{StreamExt as _, TryStreamExt as _, stream};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use kube::{
    Api, Client,
    api::{ListParams, Patch, PatchParams},
};
use provider_secrets::api::ProviderSecret;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::support::{
    Bench, FLAGS, Figure, Meter, PATIENCE, in_parallel, milliseconds, value, wait,
};

/// Requests of the bare loop in flight at once: as many as the operator's reconciles.
const CONCURRENCY: usize = 32;
/// Objects that the bare loop takes, at most.
const SAMPLE: usize = 10_000;
/// Objects of a page when the end state is looked at.
const PAGE: u32 = 500;

/// Starts the operator and waits until every object is synced, then measures the limit with the operator stopped.
#[expect(
    clippy::cast_precision_loss,
    reason = "a float holds every count of this size"
)]
pub(crate) async fn measure(bench: &mut Bench) {
    let count = bench.population.count;
    let mut meter = Meter::start(&bench.env).await;
    let (started, wall) = (Instant::now(), Timestamp::now());
    let ready = bench.start_operator(&FLAGS).await;
    let env = &bench.env;
    wait("every object has a status", PATIENCE, async || {
        let objects = meter.objects(env).await;
        (objects >= count)
            .then_some(())
            .ok_or_else(|| format!("{objects} of {count}"))
    })
    .await;
    let sequence = meter.sequence();
    let cost = meter.end(env).await;
    let last = cost.status_writes.values().max().copied();
    let synced = last.unwrap_or(wall).duration_since(wall).as_secs_f64();
    let requests = env.simulator().requests_since(sequence);
    let first = requests.iter().find(|request| request.is_write());
    let first = first.map_or(0.0, |first| milliseconds(first.started, started) / 1000.0);
    drop(requests);
    wait("every object is ready", PATIENCE, async || {
        let waiting = not_ready(&env.client).await;
        (waiting == 0)
            .then_some(())
            .ok_or_else(|| format!("{waiting} are not"))
    })
    .await;
    let rate = count as f64 / synced;
    let figures = vec![
        Figure::new("ready", ready, "s"),
        Figure::new("first write", first, "s"),
        Figure::new("all synced", synced, "s"),
        Figure::new("rate", rate, "objects/s"),
    ];
    bench
        .report
        .add("cold-start", (count, "object"), figures, Some(cost));

    bench.env.operator.terminate().await;
    let limit = limit(bench).await;
    let figures = vec![
        Figure::new("bare loop", limit, "objects/s"),
        Figure::new("cold start", 100.0 * rate / limit, "% of it"),
    ];
    bench
        .report
        .add("api-server-limit", (1, "run"), figures, None);
    bench.start_operator(&FLAGS).await;
}

/// How many objects are not Ready.
async fn not_ready(client: &Client) -> usize {
    let api: Api<ProviderSecret> = Api::all(client.clone());
    let mut parameters = ListParams::default().limit(PAGE);
    let mut waiting = 0;
    loop {
        let page = api.list(&parameters).await.expect("objects are listed");
        waiting += page.items.iter().filter(|object| !is_ready(object)).count();
        match page.metadata.continue_ {
            Some(token) if !token.is_empty() => parameters.continue_token = Some(token),
            _ => return waiting,
        }
    }
}

fn is_ready(object: &ProviderSecret) -> bool {
    let conditions = object.status.iter().flat_map(|status| &status.conditions);
    conditions
        .into_iter()
        .any(|condition| condition.r#type == "Ready" && condition.status == "True")
}

/// Objects a second of a bare loop of one GET of a Secret and one PATCH of a whole first status, by kube's client, as
/// the operator's ServiceAccount, on objects of the same size beside those that are there.
#[expect(
    clippy::cast_precision_loss,
    reason = "a float holds every count of this size"
)]
async fn limit(bench: &Bench) -> f64 {
    let population = &bench.population;
    let count = population.count.min(SAMPLE);
    let name = |index: usize| format!("limit-{index}");
    in_parallel(0..count, async |index| {
        let (tenant, _) = population.of(index);
        let entry = format!("LIMIT_{index}");
        tenant
            .pair(&name(index), &entry, &value("limit", index))
            .await;
    })
    .await;
    // The status that the operator has written to an object of each API.
    let mut statuses: Vec<Value> = Vec::new();
    for index in 0..population.tenants.len().min(population.count) {
        let (tenant, name) = population.of(index);
        let object = tenant.objects().get(&name).await.expect("an object");
        statuses.push(json!(object.status));
    }
    let client = cluster::client(bench.env.kubeconfig()).await;
    let client = client.expect("the operator's kubeconfig has a client");
    let parameters = PatchParams::default();
    let started = std::time::Instant::now();
    stream::iter(0..count)
        .map(Ok::<usize, kube::Error>)
        .try_for_each_concurrent(CONCURRENCY, async |index| {
            let (tenant, _) = population.of(index);
            let secrets: Api<Secret> = Api::namespaced(client.clone(), &tenant.namespace);
            secrets.get(&name(index)).await?;
            let objects: Api<ProviderSecret> = Api::namespaced(client.clone(), &tenant.namespace);
            let status = &statuses[index % statuses.len()];
            let patch = Patch::Merge(json!({"status": status}));
            objects
                .patch_status(&name(index), &parameters, &patch)
                .await?;
            Ok(())
        })
        .await
        .expect("the bare loop is answered");
    let rate = count as f64 / started.elapsed().as_secs_f64();
    for (number, tenant) in population.tenants.iter().enumerate() {
        let of_tenant = (number..count).step_by(population.tenants.len());
        tenant.delete(of_tenant.map(name)).await;
    }
    rate
}
