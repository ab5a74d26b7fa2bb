//! Secrets as large as they can be, with the operator under the memory limit of the chart.

use std::{collections::BTreeMap, time::Duration};

use k8s_openapi::{ByteString, api::core::v1::Secret};
use kube::api::{ObjectMeta, Patch, PatchParams, PostParams};
use serde_json::{Value, json};
use simulator::Exchange;

use super::support::{
    FLAGS, Figure, MemoryLimit, Meter, PATIENCE, Report, Tenant, environment, in_parallel, say,
    texts, wait,
};
use crate::it::harness::{Operator, Target, TestEnv, operator};

/// The limit of the chart, in bytes.
const LIMIT: usize = 128 * 1024 * 1024;
/// All bytes that a Secret may have; a few are left for the names of the keys.
const LARGEST: usize = 1024 * 1024 - 64;
/// A value of which little is named.
const SMALL: usize = 40;
/// A value that the simulator takes as the largest, its request included.
const WHOLE: usize = 1_000_000;

/// Objects and the Secrets that they read.
struct Part {
    name: &'static str,
    objects: usize,
    /// Secrets of each object.
    sources: usize,
    /// Whether the objects read the same ones.
    is_shared: bool,
    /// Bytes of the value that is named; the rest of each Secret is not.
    value: usize,
}

const PARTS: [Part; 5] = [
    Part {
        name: "200-secrets-in-one-object",
        objects: 1,
        sources: 200,
        is_shared: false,
        value: SMALL,
    },
    Part {
        name: "32-objects-of-one-secret",
        objects: 32,
        sources: 1,
        is_shared: true,
        value: SMALL,
    },
    Part {
        name: "32-objects-of-32-secrets",
        objects: 32,
        sources: 1,
        is_shared: false,
        value: SMALL,
    },
    Part {
        name: "30-values-of-1-mb-in-one-object",
        objects: 1,
        sources: 30,
        is_shared: false,
        value: WHOLE,
    },
    Part {
        name: "32-objects-of-one-value-of-1-mb",
        objects: 32,
        sources: 1,
        is_shared: true,
        value: WHOLE,
    },
];

/// Peak memory and restarts, at the first sync and when everything is rotated at once.
pub(crate) async fn measure(report: &mut Report) {
    let mut env = environment(&FLAGS).await;
    let limit = MemoryLimit::new(LIMIT);
    if let Some(limit) = &limit {
        env.operator.terminate().await;
        let program = limit.program(operator::binary());
        let log = env.cluster.directory().join("limited.log");
        let url = |of| env.served.url(of);
        let limited = Operator::launch_as(program, env.kubeconfig(), url, log, &FLAGS).await;
        limited.wait_until_ready().await;
        env.operator = limited;
    } else {
        say(
            "large-sources",
            "no control group can be made here: without a limit",
        );
    }
    let tenant = Tenant::new(&env, Target::BasetenTeam, "large").await;
    for part in &PARTS {
        let is_alive = one(report, &env, &tenant, part).await;
        let (kills, peak) = limit
            .as_ref()
            .map_or((0, 0.0), |limit| (limit.kills(), limit.peak()));
        let figures = vec![
            Figure::count("restarts", usize::from(!is_alive), ""),
            Figure::count("kills for lack of memory", kills, ""),
            Figure::new("peak of the control group so far", peak, "MiB"),
        ];
        let name = format!("{}-limit", part.name);
        report.add(&name, (1, "run"), figures, None);
        if !is_alive {
            return;
        }
    }
}

/// Whether the operator survives one part.
async fn one(report: &mut Report, env: &TestEnv, tenant: &Tenant, part: &Part) -> bool {
    let Part {
        name,
        objects,
        sources,
        ..
    } = *part;
    let secrets = if part.is_shared {
        sources
    } else {
        objects * sources
    };
    let secret_name = |number: usize| format!("{name}-{number}");
    in_parallel(0..secrets, async |number| {
        let secret = secret(&secret_name(number), part.value);
        let parameters = PostParams::default();
        let created = tenant.secrets().create(&parameters, &secret).await;
        created.expect("a Secret is created");
    })
    .await;

    let mut meter = Meter::start(env).await;
    in_parallel(0..objects, async |object| {
        let entry = |source: usize| {
            let number = if part.is_shared {
                source
            } else {
                object * sources + source
            };
            let secret = secret_name(number);
            let entry = format!(
                "{}_{object}_{source}",
                name.to_uppercase().replace('-', "_")
            );
            json!({"name": format!("E_{entry}"), "secretKeyRef": {"name": secret, "key": "key"}})
        };
        let data: Vec<Value> = (0..sources).map(entry).collect();
        let object = format!("{name}-{object}");
        tenant.object(&object, json!({"data": data})).await;
    })
    .await;
    let mut is_alive = arrived(env, &meter, 1, objects * sources).await;
    if is_alive {
        meter.quiet(env, Duration::from_secs(2)).await;
    }
    let cost = meter.end(env).await;
    report.add(
        &format!("{name}-first"),
        (objects, "object"),
        Vec::new(),
        Some(cost),
    );
    if !is_alive {
        return false;
    }

    let mut meter = Meter::start(env).await;
    in_parallel(0..secrets, async |number| {
        let patch = json!({"stringData": {"key": value(2, part.value)}});
        let (name, patch) = (secret_name(number), Patch::Merge(patch));
        let parameters = PatchParams::default();
        let changed = tenant.secrets().patch(&name, &parameters, &patch).await;
        changed.expect("a Secret is changed");
    })
    .await;
    is_alive = arrived(env, &meter, 2, objects * sources).await;
    if is_alive {
        meter.quiet(env, Duration::from_secs(2)).await;
    }
    let cost = meter.end(env).await;
    report.add(
        &format!("{name}-rotated"),
        (objects, "object"),
        Vec::new(),
        Some(cost),
    );
    is_alive
}

/// Waits until so many values of a round have arrived; false when the operator ends before.
async fn arrived(env: &TestEnv, meter: &Meter, round: usize, count: usize) -> bool {
    let prefix = value(round, 0);
    let is_arrival = |request: &&Exchange| {
        let is_taken = request.is_write() && request.status().is_some_and(|status| status < 300);
        let body = request.body.as_deref();
        is_taken && body.is_some_and(|body| texts(body).any(|text| text.starts_with(&prefix)))
    };
    wait("the values arrive", PATIENCE, async || {
        let status = env.operator.process().try_wait();
        if status.expect("the operator can be looked at").is_some() {
            return Ok(false);
        }
        let requests = env.simulator().requests_since(meter.sequence());
        let arrived = requests.iter().filter(is_arrival).count();
        (arrived >= count)
            .then_some(true)
            .ok_or_else(|| format!("{arrived} of {count}"))
    })
    .await
}

/// A value of a round, of this many bytes or a few more.
fn value(round: usize, size: usize) -> String {
    let start = format!("value-of-round-{round}-");
    let rest = size.saturating_sub(start.len());
    start + &"x".repeat(rest)
}

/// A Secret as large as can be, with a value of `size` bytes under the key `key`.
fn secret(name: &str, size: usize) -> Secret {
    let rest = LARGEST - size.max(SMALL);
    let data = [
        ("key", value(1, size).into_bytes()),
        ("rest", vec![b'x'; rest]),
    ];
    let data = data.map(|(key, value)| (key.to_owned(), ByteString(value)));
    Secret {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            ..ObjectMeta::default()
        },
        data: Some(BTreeMap::from(data)),
        ..Secret::default()
    }
}
