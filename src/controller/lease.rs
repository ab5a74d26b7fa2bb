//! The lease: of several processes one leads, and writes. Reads and writes the Lease as the election says,
//! and tells the leadership.

mod election;

use std::{future::pending, pin::pin, time::Duration};

use futures::{Stream, StreamExt};
use k8s_openapi::{
    api::coordination::v1::{Lease as Object, LeaseSpec},
    apimachinery::pkg::apis::meta::v1::MicroTime,
};
use kube::{
    Api, Client, ResourceExt,
    api::{ObjectMeta, Patch, PatchParams, PostParams},
    runtime::{WatchStreamExt, watcher},
};
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

pub use self::election::Timing;
use self::election::{Election, Record, Step, Written};
use super::kubernetes::{patch_params, watch_status};
use super::patience::patient;
use crate::{
    clock::Moment,
    leadership::{Leadership, Post},
    telemetry::{Health, Metrics},
};

/// The names in `/readyz`: of the calls for the Lease, and of its watch.
const COMPONENT: &str = "lease";
const WATCH: &str = "watch of the lease";
/// What the ServiceAccount may have to be granted.
const RIGHTS_TO_HOLD: &str = "get, list, watch and patch for it";
const RIGHTS_TO_CREATE: &str = "create for leases, and patch for it";
/// How long a standby waits until it tries again whether it may write the Lease, and, with no other call, for the answer.
const DRY_RUN_INTERVAL: Duration = Duration::from_secs(10);
const DRY_RUN_TIMEOUT: Duration = Duration::from_secs(2);

/// Which Lease it is, and how it is kept.
#[derive(Clone, Debug)]
pub struct LeaseSettings {
    /// Its namespace.
    pub namespace: String,
    /// Its name: one for each installation.
    pub name: String,
    /// The name of the pod, which the Lease shows.
    pub pod_name: String,
    /// How it is kept.
    pub timing: Timing,
}

/// The lease is lost: another process leads, or may soon.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the lease was lost; another process may lead")]
pub struct Lost;

/// The Lease of this operator, and this process's part in the election.
pub struct Lease {
    api: Api<Object>,
    namespace: String,
    name: String,
    election: Election,
    post: Post,
    leadership: Leadership,
    /// Longest wait for an answer: two fit into the renew deadline.
    patience: Duration,
    metrics: Metrics,
    health: Health,
    /// What came of the last call, until `/readyz` tells: what the Lease lacks, if it does.
    answer: Option<Result<(), String>>,
    /// When a standby tries whether it may write the Lease; none once it may.
    try_at: Option<Moment>,
    /// What was logged last of who leads.
    told: Option<String>,
}

impl Lease {
    /// The Lease, and the leadership that it gives. `/readyz` says what it lacks: a process that can never lead must
    /// not take the place of one that does.
    pub fn new(
        client: Client,
        settings: LeaseSettings,
        metrics: Metrics,
        health: Health,
    ) -> (Self, Leadership) {
        let LeaseSettings {
            namespace,
            name,
            pod_name,
            timing,
        } = settings;
        // A container that is started anew in its pod is another process of the same name.
        let identity = format!("{pod_name}_{:016x}", fastrand::u64(..));
        let (post, leadership) = Leadership::elected();
        health.lacks(COMPONENT, "not read yet");
        let lease = Self {
            api: Api::namespaced(client, &namespace),
            namespace,
            name,
            election: Election::new(identity, timing),
            post,
            leadership: leadership.clone(),
            patience: timing.renew_deadline / 2,
            metrics,
            health,
            answer: None,
            try_at: Some(Moment::now()),
            told: None,
        };
        (lease, leadership)
    }

    /// Takes part in the election until the lease is lost.
    pub async fn keep(&mut self) -> Lost {
        let api = patient(self.api.clone().into_client(), self.health.clone(), WATCH);
        let api: Api<Object> = Api::namespaced(api, &self.namespace);
        let mut shown = pin!(watcher::watch_object(api, &self.name).default_backoff());
        let mut outdone = self.leadership.outdone();
        loop {
            let step = self.election.next(Moment::now(), crate::clock::now());
            self.tell();
            match step {
                Step::Wait(_) if self.is_try_due() => self.try_write().await,
                Step::Wait(wait) => {
                    self.report();
                    let wait = self.try_at.map_or(wait, |_| wait.min(DRY_RUN_INTERVAL));
                    tokio::select! {
                        () = sleep(wait) => {}
                        record = changed(&mut shown, &self.name, &self.health) => {
                            self.election.shown(record, Moment::now());
                        }
                        Ok(()) = outdone.changed() => {
                            self.election.raise(*outdone.borrow_and_update());
                        }
                    }
                }
                Step::Read => self.read().await,
                Step::Write(record) => {
                    let sent = Moment::now();
                    let written = self.write(&record).await;
                    self.election.wrote(written, (sent, Moment::now()));
                }
                Step::End => return Lost,
            }
        }
    }

    /// Gives the lease up, so that another process leads at once.
    pub async fn release(mut self) {
        // An answer may have been lost when the process was told to stop.
        self.read().await;
        let Some(record) = self.election.released(Moment::now(), crate::clock::now()) else {
            return;
        };
        // Nothing is written any more under it.
        self.post.send_replace(None);
        if !matches!(self.write(&record).await, Written::Accepted(_)) {
            tracing::warn!(
                "the lease could not be released; another process leads when it has expired"
            );
        }
    }

    async fn read(&mut self) {
        let answer = timeout(self.patience(), self.api.get_opt(&self.name)).await;
        match answer {
            Ok(Ok(lease)) => {
                // Where there is none, it may be that none can be made.
                if lease.is_some() {
                    self.answer = Some(Ok(()));
                    // That it can be read does not say that it may be written.
                    self.try_at = self.try_at.map(|_| Moment::now());
                }
                self.election.read(lease.map(record), Moment::now());
            }
            Ok(Err(error)) => {
                self.failed(&error, "read", RIGHTS_TO_HOLD);
                self.election.unread(Moment::now());
            }
            Err(_) => {
                self.unanswered("read");
                self.election.unread(Moment::now());
            }
        }
    }

    async fn write(&mut self, record: &Record) -> Written {
        let answer = async {
            if record.version.is_empty() {
                let lease = object(&self.name, record);
                self.api.create(&PostParams::default(), &lease).await
            } else {
                // What other writers keep in its metadata stays.
                let patch = Patch::Merge(patch(record));
                self.api.patch(&self.name, &patch_params(), &patch).await
            }
        };
        let answer = timeout(self.patience(), answer).await;
        match answer {
            Ok(Ok(lease)) => {
                self.answer = Some(Ok(()));
                self.try_at = None;
                Written::Accepted(self::record(lease))
            }
            Ok(Err(kube::Error::Api(status))) if matches!(status.code, 404 | 409) => {
                if status.code == 404 && record.version.is_empty() {
                    let (lease, namespace) = (&self.name, &self.namespace);
                    let what = format!("namespace {namespace} does not exist");
                    tracing::warn!(lease, "the lease could not be written: {what}");
                    self.answer = Some(Err(what));
                }
                Written::Refused
            }
            Ok(Err(error)) => {
                self.failed(&error, "written", RIGHTS_TO_CREATE);
                Written::Unknown
            }
            Err(_) => {
                self.unanswered("written");
                Written::Unknown
            }
        }
    }

    /// Whether a dry run is due: while another process leads, no write shows whether this one may write.
    fn is_try_due(&self) -> bool {
        let is_due = self.try_at.is_some_and(|at| at <= Moment::now());
        is_due && self.election.leader().is_some()
    }

    /// Tries whether this process may write the Lease, by a dry run of a patch that changes nothing.
    async fn try_write(&mut self) {
        let params = PatchParams {
            dry_run: true,
            ..patch_params()
        };
        let nothing = Patch::Merge(json!({}));
        let answer = self.api.patch(&self.name, &params, &nothing);
        let answer = timeout(DRY_RUN_TIMEOUT, answer).await;
        self.try_at = Some(Moment::now() + DRY_RUN_INTERVAL);
        match answer {
            Ok(Ok(_)) => {
                self.try_at = None;
                self.answer = self.answer.take().or(Some(Ok(())));
            }
            Ok(Err(error)) if status(&error) == Some(403) => {
                self.failed(&error, "written", RIGHTS_TO_CREATE);
            }
            // It says nothing of the right.
            Ok(Err(_)) | Err(_) => {}
        }
    }

    /// How long an answer is waited for: a leader ends in time also while its calls hang.
    fn patience(&self) -> Duration {
        let deadline = self.election.deadline();
        let left = deadline.map(|deadline| deadline.since(Moment::now()));
        left.map_or(self.patience, |left| left.min(self.patience))
    }

    /// Logs that the Lease could not be read or written, and which verbs that takes.
    fn failed(&mut self, error: &kube::Error, what: &str, verbs: &str) {
        let (lease, status) = (&self.name, status(error));
        if status == Some(403) {
            tracing::warn!(
                lease,
                status,
                "the lease could not be {what}: grant the verbs {verbs}"
            );
            let what = format!("it could not be {what}: grant the verbs {verbs}");
            self.answer = Some(Err(what));
        } else {
            tracing::warn!(
                lease,
                status,
                "the lease could not be {what}; it is tried again"
            );
        }
    }

    /// Logs that the API server did not answer.
    fn unanswered(&self, what: &str) {
        tracing::warn!(lease = self.name, "the lease could not be {what} in time");
    }

    /// Has `/readyz` tell what came of the last call.
    fn report(&mut self) {
        match self.answer.take() {
            Some(Ok(())) => self.health.works(COMPONENT),
            Some(Err(what)) => self.health.lacks(COMPONENT, what),
            None => {}
        }
    }

    /// Tells the doors, the metric and the log who leads.
    fn tell(&mut self) {
        let term = self.election.term();
        let led = self.post.send_replace(term).is_some();
        self.metrics.leads(term.is_some());
        if term.is_some() && !led {
            let epoch = term.and_then(|term| term.epoch);
            tracing::info!(lease = self.name, epoch, "this process leads");
        }
        let leader = self.election.leader().map(str::to_owned);
        // One that led ends, and stands by for no other.
        if term.is_none() && !led && leader.is_some() && leader != self.told {
            tracing::info!(lease = self.name, leader, "standing by");
        }
        self.told = leader;
    }
}

/// The Lease as the watch shows it next.
async fn changed(
    shown: &mut (impl Stream<Item = watcher::Result<Option<Object>>> + Unpin),
    lease: &str,
    health: &Health,
) -> Option<Record> {
    loop {
        match shown.next().await {
            Some(Ok(shown)) => {
                health.works(WATCH);
                return shown.map(record);
            }
            Some(Err(error)) if watch_status(&error) == Some(403) => {
                tracing::warn!(
                    lease,
                    status = 403,
                    "the lease could not be watched: grant the verbs {RIGHTS_TO_HOLD}"
                );
                let what = format!("it could not be watched: grant the verbs {RIGHTS_TO_HOLD}");
                health.lacks(WATCH, what);
            }
            // It begins again by itself, and the lease is looked at when it would expire.
            Some(Err(_)) => {}
            None => pending().await,
        }
    }
}

/// The HTTP status of an answer of the API server, where there was one.
fn status(error: &kube::Error) -> Option<u16> {
    match error {
        kube::Error::Api(status) => Some(status.code),
        _ => None,
    }
}

fn record(lease: Object) -> Record {
    let version = lease.resource_version().unwrap_or_default();
    let spec = lease.spec.unwrap_or_default();
    let seconds = spec.lease_duration_seconds.unwrap_or_default();
    Record {
        holder: spec.holder_identity.unwrap_or_default(),
        duration: Duration::from_secs(u64::try_from(seconds).unwrap_or_default()),
        acquired: spec.acquire_time.map(|time| time.0),
        renewed: spec.renew_time.map(|time| time.0),
        transitions: spec.lease_transitions.unwrap_or_default(),
        version,
    }
}

fn object(name: &str, record: &Record) -> Object {
    Object {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            ..ObjectMeta::default()
        },
        spec: Some(spec(record)),
    }
}

fn spec(record: &Record) -> LeaseSpec {
    LeaseSpec {
        // The API server takes no empty one.
        holder_identity: Some(record.holder.clone()).filter(|holder| !holder.is_empty()),
        lease_duration_seconds: i32::try_from(record.duration.as_secs()).ok(),
        acquire_time: record.acquired.map(MicroTime),
        renew_time: record.renewed.map(MicroTime),
        lease_transitions: Some(record.transitions),
        ..LeaseSpec::default()
    }
}

/// A merge patch that fails on any other version of the Lease than the one that was seen.
fn patch(record: &Record) -> Value {
    let mut patch = json!({
        "metadata": {"resourceVersion": record.version},
        "spec": spec(record),
    });
    if record.holder.is_empty() {
        patch["spec"]["holderIdentity"] = Value::Null;
    }
    patch
}

#[cfg(test)]
mod tests;
