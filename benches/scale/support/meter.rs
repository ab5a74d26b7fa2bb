//! What a scenario costs: calls to providers and to the API server, processor time, memory.

use std::{
    collections::{BTreeMap, HashMap},
    convert::Infallible,
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

use cluster::{AuditEvent, AuditStage};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use serde::Serialize;

use super::{PATIENCE, process, wait};
use crate::it::harness::TestEnv;

/// Verbs that write.
const WRITES: [&str; 4] = ["create", "update", "patch", "delete"];

/// What the operator renews all the time.
const LEASES: &str = "leases";

/// The metrics of objects that wait: in the queue, and for a permit of each provider.
const WAITING: [&str; 2] = ["objects_queued", "objects_parked"];
/// How often they are looked at while the bench waits for objects. Each look is work of the operator.
const SAMPLE_INTERVAL: Duration = Duration::from_millis(250);

/// Counts from its start to its end.
pub(crate) struct Meter {
    started: Instant,
    audit: u64,
    calls: Calls,
    sequence: u64,
    operator: u32,
    processes: Vec<(u32, f64)>,
    machine: f64,
    resident: f64,
    largest_queue: usize,
    sampled: Instant,
}

/// The operator's calls to the API server.
#[derive(Default)]
struct Calls {
    kinds: BTreeMap<String, usize>,
    status_writes: HashMap<(String, String), Timestamp>,
    secret_reads: HashMap<(String, String), usize>,
    writes: usize,
}

/// What was counted.
#[derive(Debug, Serialize)]
pub(crate) struct Cost {
    pub(crate) seconds: f64,
    /// By provider and method.
    pub(crate) provider_calls: BTreeMap<String, usize>,
    /// Of the operator, by verb and resource, with the status of what was refused.
    pub(crate) kubernetes_calls: BTreeMap<String, usize>,
    /// By program, in seconds.
    pub(crate) cpu_seconds: BTreeMap<String, f64>,
    /// Resident memory of the operator in MiB: before, after, and at its peak in between.
    pub(crate) rss_mib: [f64; 3],
    /// The most objects that were seen to wait at once, in the queue of reconciles or for a permit.
    pub(crate) largest_queue: usize,
    /// When the status of each object was first written, by namespace and name.
    #[serde(skip)]
    pub(crate) status_writes: HashMap<(String, String), Timestamp>,
    /// How often each Secret was read, by namespace and name.
    #[serde(skip)]
    pub(crate) secret_reads: HashMap<(String, String), usize>,
}

impl Meter {
    /// Starts to count. An operator that is started later counts from its own start.
    pub(crate) async fn start(env: &TestEnv) -> Self {
        let end = env.cluster.audit_end().expect("there is an audit log");
        let operator = env.operator.process().id();
        process::forget_peak(operator);
        let processes = programs(env)
            .into_iter()
            .filter_map(|(_, id)| Some((id, process::cpu_seconds(id)?)));
        let mut meter = Self {
            audit: end,
            calls: Calls::default(),
            sequence: env.simulator().last_sequence(),
            operator,
            processes: processes.collect(),
            machine: process::machine_cpu_seconds(),
            resident: process::memory(operator).map_or(0.0, |(now, _)| now),
            largest_queue: 0,
            sampled: Instant::now(),
            started: Instant::now(),
        };
        meter.read_until_now(env).await;
        meter.calls = Calls::default();
        meter
    }

    /// The sequence of the last request to a provider before the start.
    pub(crate) fn sequence(&self) -> u64 {
        self.sequence
    }

    /// How many objects have got a status since the start.
    pub(crate) async fn objects(&mut self, env: &TestEnv) -> usize {
        self.sample(env).await;
        self.read(env, "");
        self.calls.status_writes.len()
    }

    /// Does something, and looks at the queue meanwhile.
    pub(crate) async fn during<T>(&mut self, env: &TestEnv, work: impl Future<Output = T>) -> T {
        tokio::select! {
            done = work => done,
            never = self.sample_on(env) => match never {},
        }
    }

    async fn sample_on(&mut self, env: &TestEnv) -> Infallible {
        loop {
            self.sample(env).await;
            tokio::time::sleep(SAMPLE_INTERVAL).await;
        }
    }

    /// Looks at the queue, unless that was done a moment ago.
    async fn sample(&mut self, env: &TestEnv) {
        if self.sampled.elapsed() >= SAMPLE_INTERVAL {
            self.sampled = Instant::now();
            let metrics = env.operator.get("/metrics").await.1;
            self.largest_queue = self.largest_queue.max(waiting(&metrics));
        }
    }

    /// Waits until the operator has written nothing to the API server for so long.
    pub(crate) async fn quiet(&mut self, env: &TestEnv, pause: Duration) {
        let mut last = (self.calls.writes, Instant::now());
        wait("the operator writes nothing", PATIENCE, async || {
            self.sample(env).await;
            self.read(env, "");
            if self.calls.writes != last.0 {
                last = (self.calls.writes, Instant::now());
            }
            let since = last.1.elapsed();
            (since >= pause)
                .then_some(())
                .ok_or_else(|| format!("a write {} ms ago", since.as_millis()))
        })
        .await;
    }

    /// What was used since the start.
    pub(crate) async fn end(mut self, env: &TestEnv) -> Cost {
        let seconds = self.started.elapsed().as_secs_f64();
        let cpu_seconds = programs(env).into_iter().filter_map(|(name, id)| {
            let known = self.processes.iter().find(|(known, _)| *known == id);
            let before = known.map_or(0.0, |(_, before)| *before);
            Some((name, process::cpu_seconds(id)? - before))
        });
        let mut cpu_seconds: BTreeMap<String, f64> = cpu_seconds.collect();
        // How much a figure was disturbed.
        let ours: f64 = cpu_seconds.values().sum();
        let others = process::machine_cpu_seconds() - self.machine - ours;
        cpu_seconds.insert("others".to_owned(), others.max(0.0));
        let operator = env.operator.process().id();
        let (now, peak) = process::memory(operator).unwrap_or_default();
        let before = if operator == self.operator {
            self.resident
        } else {
            0.0
        };
        let mut provider_calls = BTreeMap::new();
        for request in env.simulator().requests_since(self.sequence) {
            let kind = format!("{} {}", request.provider.name(), request.method);
            *provider_calls.entry(kind).or_default() += 1;
        }
        self.read_until_now(env).await;
        Cost {
            seconds,
            provider_calls,
            kubernetes_calls: self.calls.kinds,
            cpu_seconds,
            rss_mib: [before, now, peak],
            largest_queue: self.largest_queue,
            status_writes: self.calls.status_writes,
            secret_reads: self.calls.secret_reads,
        }
    }

    /// Counts the calls up to now. The audit log is in order: what comes before this call in it happened before.
    async fn read_until_now(&mut self, env: &TestEnv) {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let marker = format!("bench-marker-{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let api: Api<ConfigMap> = Api::namespaced(env.client.clone(), "default");
        api.get_opt(&marker).await.expect("the marker is asked for");
        wait("the audit log", Duration::from_mins(1), async || {
            self.read(env, &marker)
                .then_some(())
                .ok_or_else(|| "no marker".to_owned())
        })
        .await;
    }

    /// Counts the calls that were recorded since the last look; whether one is about the object `marker`.
    fn read(&mut self, env: &TestEnv, marker: &str) -> bool {
        let user = TestEnv::user();
        let mut is_seen = false;
        let read = env.cluster.read_audit(self.audit, |call| {
            is_seen |= call.name == marker;
            if call.user == user {
                self.calls.count(call);
            }
        });
        self.audit = read.expect("there is an audit log");
        is_seen
    }
}

impl Calls {
    fn count(&mut self, call: AuditEvent) {
        let Some(kind) = kind(&call) else { return };
        *self.kinds.entry(kind).or_default() += 1;
        if WRITES.contains(&call.verb.as_str()) && call.resource != LEASES {
            self.writes += 1;
        }
        let about = (call.namespace, call.name);
        if call.subresource == "status" && call.code < 300 {
            let time = call.stage_timestamp;
            self.status_writes.entry(about).or_insert(time);
        } else if call.resource == "secrets" && call.verb == "get" {
            *self.secret_reads.entry(about).or_default() += 1;
        }
    }
}

impl Cost {
    /// Reads of Secrets.
    pub(crate) fn secret_reads(&self) -> usize {
        self.secret_reads.values().sum()
    }

    /// Calls to the API server that write, without those that renew the lease.
    pub(crate) fn kubernetes_writes(&self) -> usize {
        let is_write = |kind: &str| WRITES.iter().any(|verb| kind.starts_with(verb));
        self.kubernetes(|kind| is_write(kind) && !kind.contains(LEASES))
    }

    fn kubernetes(&self, is_one: impl Fn(&str) -> bool) -> usize {
        let calls = self.kubernetes_calls.iter();
        calls
            .filter(|(kind, _)| is_one(kind))
            .map(|(_, count)| count)
            .sum()
    }

    /// Calls to providers that write, or that read.
    pub(crate) fn provider(&self, is_write: bool) -> usize {
        let calls = self.provider_calls.iter();
        calls
            .filter(|(name, _)| name.ends_with(" GET") != is_write)
            .map(|(_, count)| count)
            .sum()
    }
}

/// How many objects wait, in the text of `/metrics`.
fn waiting(metrics: &str) -> usize {
    let counts = metrics.lines().filter_map(|line| {
        let (series, count) = line.strip_prefix("provider_secrets_")?.split_once(' ')?;
        let name = series.split('{').next()?;
        let is_waiting = WAITING.contains(&name);
        count.parse::<usize>().ok().filter(|_| is_waiting)
    });
    counts.sum()
}

/// The operator, the servers beside it, and this program with the simulated providers.
fn programs(env: &TestEnv) -> Vec<(String, u32)> {
    let mut programs = env.cluster.processes();
    programs.push(("operator".to_owned(), env.operator.process().id()));
    programs.push(("bench".to_owned(), std::process::id()));
    programs
}

/// What a call is counted as; a watch is counted when it begins.
fn kind(call: &AuditEvent) -> Option<String> {
    let stage = if call.verb == "watch" {
        AuditStage::ResponseStarted
    } else {
        AuditStage::ResponseComplete
    };
    if call.stage != stage {
        return None;
    }
    let mut kind = format!("{} {}", call.verb, call.resource);
    if !call.subresource.is_empty() {
        kind = format!("{kind}/{}", call.subresource);
    }
    if call.code >= 400 {
        kind = format!("{kind} ({})", call.code);
    }
    Some(kind)
}
