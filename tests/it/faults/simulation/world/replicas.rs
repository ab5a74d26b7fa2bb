//! Two processes of the operator: one leads by the lease, and the other stands by.

use std::{future::poll_fn, task::Poll, time::Duration};

use futures::{FutureExt, future::BoxFuture};
use provider_secrets::{
    controller::lease::{Lease, LeaseSettings, Timing},
    telemetry::{Health, Metrics},
};
use tokio::{
    task::JoinHandle,
    time::{Instant, sleep_until},
};

use super::{World, operator, server};
use crate::{
    faults::{call_log::CallLog, simulation::store::Resource},
    harness::{LEASE, NAMESPACE, released_lease},
};

/// Renewed less often than by default, because each run would pay for it.
const TIMING: Timing = Timing {
    lease_duration: Duration::from_secs(15),
    renew_deadline: Duration::from_secs(14),
    retry_period: Duration::from_secs(7),
};

/// For how long the reconciles of a process that goes on run alone.
const RECONCILES_FIRST: Duration = Duration::from_millis(200);

/// The name of the pod of an incarnation.
fn pod_name(incarnation: u64) -> String {
    format!("replica-{incarnation}")
}

impl World {
    /// Starts two incarnations, of which the first one leads. It follows one that ended well, unless it makes the Lease.
    pub(super) fn start_replicas(&mut self) {
        if self.store.list(Resource::Leases, None).is_empty() && !self.makes_lease {
            let id = (Resource::Leases, NAMESPACE.to_owned(), LEASE.to_owned());
            let released = self.store.create(&id, released_lease());
            released.expect("there is no lease yet");
        }
        let incarnations = [(); 2].map(|()| self.call_log.start_incarnation());
        self.call_log.count(incarnations[0]);
        let processes = incarnations.map(|number| (number, self.start_replica(number)));
        self.processes.extend(processes);
    }

    /// The incarnation that leads, as the lease shows it.
    pub(in crate::faults::simulation) fn leader(&self) -> Option<u64> {
        let leases = self.store.list(Resource::Leases, None);
        let holder = leases.first()?["spec"]["holderIdentity"].as_str()?;
        let (pod, _) = holder.split_once('_')?;
        pod.strip_prefix("replica-")?.parse().ok()
    }

    /// Puts a new incarnation in the place of the one that led, which is gone.
    pub(in crate::faults::simulation) async fn replace(&mut self, former: u64) {
        let mut processes = self.processes.iter();
        let former = processes.position(|(incarnation, _)| *incarnation == former);
        let (_, former) = self.processes.remove(former.expect("it is one of them"));
        former.abort();
        // It was aborted, or had ended.
        let _ = former.await;
        let incarnation = self.call_log.start_incarnation();
        let standby = self.start_replica(incarnation);
        self.processes.push((incarnation, standby));
    }

    fn start_replica(&self, incarnation: u64) -> JoinHandle<()> {
        let client = server::client(&self.store, &self.call_log, incarnation);
        let transport = self.remote.transport(&self.call_log, incarnation);
        let settings = LeaseSettings {
            namespace: NAMESPACE.to_owned(),
            name: LEASE.to_owned(),
            pod_name: pod_name(incarnation),
            timing: TIMING,
        };
        let (metrics, health) = (Metrics::default(), Health::default());
        let (mut lease, leadership) = Lease::new(client.clone(), settings, metrics, health);
        let operator = operator(
            client,
            transport,
            self.choices,
            leadership,
            Metrics::default(),
        );
        let call_log = self.call_log.clone();
        let process = async move {
            tokio::select! {
                _lost = lease.keep() => {}
                () = operator => {}
            }
        };
        tokio::spawn(async move {
            stoppable(&call_log, incarnation, process.boxed()).await;
            call_log.note(format!("-- incarnation {incarnation} ends"));
            call_log.end_incarnation(incarnation);
        })
    }

    /// Calls to the provider by a process that did not hold the lease when it sent them.
    pub(in crate::faults::simulation) fn calls_without_lease(&self) -> Vec<String> {
        let leases = self.store.history(Resource::Leases);
        let holder = |at: Instant| {
            let mut before = leases.iter().rev();
            let lease = before.find(|(written, _)| *written <= at);
            lease.map(|(_, lease)| {
                lease["spec"]["holderIdentity"]
                    .as_str()
                    .unwrap_or_default()
                    .to_owned()
            })
        };
        let sent = self.call_log.sent().into_iter();
        sent.filter_map(|(incarnation, at, line)| {
            let holder = holder(at)?;
            let is_holder = holder.starts_with(&format!("{}_", pod_name(incarnation)));
            (!is_holder).then(|| format!("{line}, sent by {incarnation} while {holder} led"))
        })
        .collect()
    }
}

/// Runs a process that does nothing while its incarnation is stopped. When it goes on, its reconciles are the first to
/// run, and not what keeps the lease.
async fn stoppable(call_log: &CallLog, incarnation: u64, mut process: BoxFuture<'_, ()>) {
    poll_fn(|context| {
        let until = call_log.stopped_until(incarnation);
        let until = until.map(|until| until + RECONCILES_FIRST);
        let Some(until) = until.filter(|until| *until > Instant::now()) else {
            return process.as_mut().poll(context);
        };
        let waker = context.waker().clone();
        tokio::spawn(async move {
            sleep_until(until).await;
            waker.wake();
        });
        Poll::Pending
    })
    .await;
}
