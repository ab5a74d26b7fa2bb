//! `make bench`: the budgets of rotation, throttling, rest and restart with 1,000 objects, on the real
//! operator in its release build against a real API server and the simulated providers.
//!
//! Times are those of the machine it runs on, with the API server and the providers beside the
//! operator on the same cores.

#[expect(
    dead_code,
    unused_imports,
    reason = "the harness is the tests'; a measurement needs a part of it"
)]
#[path = "../tests/it"]
mod it {
    pub(crate) mod harness;
}

#[path = "scale/throttled.rs"]
mod throttled;

use std::{
    io::Write as _,
    path::PathBuf,
    time::{Duration, Instant},
};

use clap::Parser;
use cluster::AuditEvent;
use futures::{StreamExt as _, stream};
use it::harness::{self, Target, TestCase, TestEnv, run, until};
use serde_json::json;

/// Rotations that are timed.
const ROTATIONS: usize = 200;

/// What make passes on.
#[derive(Parser)]
struct Settings {
    /// The operator to measure, in its release build
    #[arg(long)]
    binary: PathBuf,

    /// Objects, spread evenly over the five APIs
    #[arg(long, default_value_t = 1_000)]
    objects: usize,

    /// Seconds for which the operator is watched at rest
    #[arg(long, default_value_t = 60)]
    rest: u64,
}

fn main() {
    let Settings {
        binary,
        objects,
        rest,
    } = Settings::parse();
    harness::operator::BINARY
        .set(binary)
        .expect("nothing has run yet");
    run(measure(objects, Duration::from_secs(rest)));
}

async fn measure(objects: usize, rest: Duration) {
    let mut env = TestEnv::fresh(&["--log-level=info"]).await;
    say("RSS idle", &format!("{:.1} MiB", resident(&env)));
    let started = Instant::now();
    let test_cases = populate(&env, objects).await;
    let scene_of = |index: usize| &test_cases[index % test_cases.len()];
    say(
        "objects",
        &format!(
            "{} synced {:.1} s after the first was created",
            objects,
            started.elapsed().as_secs_f64()
        ),
    );

    let mut latencies = Vec::with_capacity(ROTATIONS);
    for number in 0..ROTATIONS {
        latencies.push(rotate(&env, scene_of(number), number / test_cases.len(), number).await);
    }
    say("rotation", &percentiles(latencies));
    throttled::measure(&env, &test_cases, objects).await;

    let before = Counts::of(&env);
    tokio::time::sleep(rest).await;
    say(
        &format!("{} s at rest", rest.as_secs()),
        &Counts::of(&env).since(&before),
    );
    say(
        &format!("RSS with {objects} objects"),
        &format!("{:.1} MiB", resident(&env)),
    );
    drop(test_cases);

    let before = Counts::of(&env);
    env.operator.terminate().await;
    let started = Instant::now();
    env.restart(&["--log-level=info"]).await;
    let ready = started.elapsed();
    let looked_at =
        |metrics: &str| counter(metrics, "reconcile_total{result=\"unchanged\"}") >= objects as u64;
    until("every object was looked at", async || {
        let metrics = env.operator.get("/metrics").await.1;
        if looked_at(&metrics) {
            Ok(())
        } else {
            Err(metrics)
        }
    })
    .await;
    let line = format!(
        "ready after {:.2} s, all looked at after {:.2} s, {}",
        ready.as_secs_f64(),
        started.elapsed().as_secs_f64(),
        Counts::of(&env).since(&before)
    );
    say("restart", &line);
    say(
        "RSS after the restart",
        &format!("{:.1} MiB", resident(&env)),
    );
}

fn percentiles(mut latencies: Vec<f64>) -> String {
    latencies.sort_by(f64::total_cmp);
    let at = |percent: usize| latencies[(latencies.len() - 1) * percent / 100];
    format!(
        "p50 {:.1} ms, p99 {:.1} ms, worst {:.1} ms",
        at(50),
        at(99),
        at(100)
    )
}

/// Makes the objects and waits until each is Ready.
async fn populate(env: &TestEnv, objects: usize) -> Vec<TestCase<'_>> {
    let mut test_cases = Vec::new();
    for target in Target::ALL {
        test_cases.push(TestCase::new(env, target).await);
    }
    let test_cases_ref = &test_cases;
    stream::iter(0..objects)
        .for_each_concurrent(16, |index| async move {
            let case = &test_cases_ref[index % test_cases_ref.len()];
            let number = index / test_cases_ref.len();
            let name = format!("object-{number}");
            case.secret(&name, &[("key", &case.value("first"))]).await;
            let mut provider = case.provider();
            if case.target == Target::Pipecat {
                provider["pipecat"]["setName"] = name.clone().into();
            }
            let data =
                json!([{"name": entry(number), "secretKeyRef": {"name": name, "key": "key"}}]);
            case.apply(&name, json!({"provider": provider, "data": data}))
                .await
                .expect("an object is applied");
        })
        .await;
    until("every object is ready", async || {
        let metrics = env.operator.get("/metrics").await.1;
        let ready = metrics
            .lines()
            .filter(|line| line.contains("resource_ready{") && line.ends_with(" 1"));
        let count = ready.count();
        if count == objects {
            Ok(())
        } else {
            Err(format!("{count} are"))
        }
    })
    .await;
    test_cases
}

fn entry(number: usize) -> String {
    format!("KEY_{number}")
}

/// Milliseconds from the API server's answer to the update of a Secret until the provider had it.
async fn rotate(env: &TestEnv, case: &TestCase<'_>, number: usize, serial: usize) -> f64 {
    let name = format!("object-{number}");
    let value = case.value(&format!("rotated-{serial}"));
    let scope = match case.target {
        Target::Pipecat => Some(name.clone()),
        Target::BasetenTeam => Some(case.team()),
        Target::BasetenWorkspace | Target::PrimeIntellect | Target::Braintrust => None,
    };
    case.secret(&name, &[("key", &value)]).await;
    let answered = tokio::time::Instant::now();
    let account = case.account.clone();
    let entry = entry(number);
    let received = env
        .simulator()
        .wait_for(Duration::from_secs(30), |_| {
            if account.values(scope.as_deref()).get(&entry) != Some(&value) {
                return None;
            }
            account
                .writes()
                .last()
                .map(|write| write.ended.unwrap_or(write.started))
        })
        .await
        .expect("the provider receives the value");
    // Earlier than the answer: the provider had it before we knew that the API server has it.
    received.saturating_duration_since(answered).as_secs_f64() * 1000.0
}

/// What the operator has asked of the API server and the providers.
struct Counts {
    provider_writes: usize,
    provider_reads: usize,
    kubernetes_writes: usize,
    secret_reads: usize,
    status_reads: usize,
}

impl Counts {
    fn of(env: &TestEnv) -> Self {
        let user = TestEnv::user();
        let mut ours = env.cluster.calls();
        ours.retain(|call| call.user == user);
        let count = |is: &dyn Fn(&AuditEvent) -> bool| ours.iter().filter(|call| is(call)).count();
        let requests = env.simulator().requests();
        Self {
            provider_writes: requests.iter().filter(|request| request.is_write()).count(),
            provider_reads: requests
                .iter()
                .filter(|request| !request.is_write())
                .count(),
            kubernetes_writes: count(&|call| {
                matches!(call.verb.as_str(), "create" | "update" | "patch" | "delete")
            }),
            secret_reads: count(&|call| call.resource == "secrets" && call.verb == "get"),
            status_reads: count(&|call| call.resource == "providersecrets" && call.verb == "get"),
        }
    }

    fn since(&self, before: &Self) -> String {
        format!(
            "provider writes {}, provider reads {}, Kubernetes writes {}, Secret reads {}, object reads {}",
            self.provider_writes - before.provider_writes,
            self.provider_reads - before.provider_reads,
            self.kubernetes_writes - before.kubernetes_writes,
            self.secret_reads - before.secret_reads,
            self.status_reads - before.status_reads,
        )
    }
}

fn counter(metrics: &str, series: &str) -> u64 {
    metrics
        .lines()
        .find_map(|line| {
            line.strip_prefix("provider_secrets_")?
                .strip_prefix(series)?
                .trim()
                .parse()
                .ok()
        })
        .unwrap_or(0)
}

/// The operator's resident memory in MiB.
fn resident(env: &TestEnv) -> f64 {
    let status = format!("/proc/{}/status", env.operator.process().id());
    let status = std::fs::read_to_string(status).expect("the operator runs");
    let kibibytes = status.lines().find_map(|line| {
        line.strip_prefix("VmRSS:")?
            .trim()
            .split(' ')
            .next()?
            .parse::<f64>()
            .ok()
    });
    kibibytes.expect("a resident size") / 1024.0
}

fn say(what: &str, figure: &str) {
    let _ = writeln!(std::io::stdout(), "{what:<24} {figure}");
}
