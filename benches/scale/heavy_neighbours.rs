//! Many Secrets that no object names, some of them as large as a Secret can be.

use std::{collections::BTreeMap, time::Duration};

use k8s_openapi::{ByteString, api::core::v1::Secret};
use kube::{
    Api,
    api::{DeleteParams, ObjectMeta, PostParams},
};

use super::support::{Bench, FLAGS, Figure, Latencies, Meter, create_namespace, in_parallel};

const NAMESPACE: &str = "neighbours";
/// Secrets of [`LARGE`] bytes.
const HEAVY: usize = 300;
/// Small Secrets.
const LIGHT: usize = 10_000;
/// In bytes.
const LARGE: usize = 1_000_000;
/// Rotations that are timed while the Secrets come.
const ROTATIONS: usize = 100;

/// What their coming costs, what rotations take meanwhile, and a restart with them.
pub(crate) async fn measure(bench: &mut Bench) {
    let client = bench.env.client.clone();
    create_namespace(&client, NAMESPACE).await;
    let api: Api<Secret> = Api::namespaced(client, NAMESPACE);
    let mut meter = Meter::start(&bench.env).await;
    let create = in_parallel(0..HEAVY + LIGHT, async |number| {
        let size = if number < HEAVY { LARGE } else { 40 };
        let secret = secret(&name(number), size);
        let created = api.create(&PostParams::default(), &secret).await;
        created.expect("a Secret is created");
    });
    let rotate = async {
        let mut latencies = Latencies::default();
        for index in 0..ROTATIONS.min(bench.population.count) {
            latencies.push(bench.population.rotate(&bench.env, index).await);
        }
        latencies
    };
    let ((), latencies) = futures::join!(create, rotate);
    meter.quiet(&bench.env, Duration::from_secs(1)).await;
    let cost = meter.end(&bench.env).await;
    let mut figures = vec![
        Figure::count("Secrets of 1 MB", HEAVY, ""),
        Figure::count("small Secrets", LIGHT, ""),
    ];
    figures.extend(latencies.figures("rotations meanwhile "));
    bench.report.add(
        "heavy-neighbours",
        (HEAVY + LIGHT, "Secret"),
        figures,
        Some(cost),
    );

    bench.env.operator.terminate().await;
    let meter = Meter::start(&bench.env).await;
    let ready = bench.start_operator(&FLAGS).await;
    let cost = meter.end(&bench.env).await;
    let figures = vec![Figure::new("ready", ready, "s")];
    bench.report.add(
        "heavy-neighbours-restart",
        (HEAVY + LIGHT, "Secret"),
        figures,
        Some(cost),
    );
    let parameters = &DeleteParams::default();
    in_parallel(0..HEAVY + LIGHT, async |number| {
        let deleted = api.delete(&name(number), parameters).await;
        deleted.expect("a Secret is deleted");
    })
    .await;
}

fn name(number: usize) -> String {
    format!("neighbour-{number}")
}

fn secret(name: &str, size: usize) -> Secret {
    Secret {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            ..ObjectMeta::default()
        },
        data: Some(BTreeMap::from([(
            "blob".to_owned(),
            ByteString(vec![b'x'; size]),
        )])),
        ..Secret::default()
    }
}
