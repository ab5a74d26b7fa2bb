//! The objects of one account in process: the real session, access and provider over the simulator,
//! and in place of the controller a task for each object that does what a reconcile does.

use std::{collections::HashMap, sync::Arc, time::Duration};

use provider_secrets::{
    account::{Account, Accounts, Admission, Credential, Endpoints, Limiter, ObjectName},
    api::ProviderSecretSpec,
    http::Http,
    leadership::Leadership,
    provider::{Options, Write},
    telemetry::Metrics,
};
use secrecy::SecretString;
use serde_json::json;
use simulator::{Simulator, baseten};
use tokio::{
    sync::{Notify, mpsc},
    task::JoinSet,
    time::{Instant, sleep, timeout},
};

use crate::harness::transport;

/// Calls in flight of all accounts, and of one.
const MAX_CALLS: (usize, usize) = (28, 8);
const KEY: &str = "key";

/// The simulated account, and the operator's view of it.
pub(super) struct Process {
    pub(super) account: simulator::Account,
    known: Arc<Account>,
    spec: Arc<ProviderSecretSpec>,
    objects: HashMap<ObjectName, Arc<Notify>>,
    tasks: JoinSet<()>,
}

impl Process {
    /// So many objects of one Baseten account, whose calls take 50 ms, none of which was tried yet.
    pub(super) fn start(count: usize) -> Self {
        let simulator = Simulator::new();
        let account = baseten::NewAccount::new("account", KEY).team("default-team", "default");
        let account = simulator.baseten().add_account(account).expect("added");
        account.set_latency(Duration::from_millis(50));
        let metrics = Metrics::default();
        let (requeue, mut requeued) = mpsc::unbounded_channel();
        let limiter = Limiter::new(MAX_CALLS.0, MAX_CALLS.1, requeue, metrics.clone());
        let flag = "baseten=http://127.0.0.1:1".parse().expect("a flag");
        let http = Http::new(transport(&simulator), metrics, Leadership::unopposed());
        let accounts = Accounts::new(http, Endpoints::new([flag]), limiter);
        let spec = json!({
            "provider": {"baseten": {"apiKeySecretRef": {"name": "credential", "key": "api-key"}}},
            "data": [{"name": "A", "secretKeyRef": {"name": "source", "key": "a"}}],
        });
        let spec: Arc<ProviderSecretSpec> = Arc::new(serde_json::from_value(spec).expect("a spec"));
        let credential = Credential::new(KEY.as_bytes()).expect("a credential");
        let choice = spec.provider.choice().expect("a choice");
        let known = accounts.get(choice, &credential).expect("an account");
        let objects: HashMap<ObjectName, Arc<Notify>> = (0..count)
            .map(|number| {
                (
                    format!("namespace-{}", number % 3),
                    format!("object-{number}"),
                )
            })
            .map(|name| (name, Arc::default()))
            .collect();
        let mut tasks = JoinSet::new();
        let notifies = objects.clone();
        tokio::spawn(async move {
            while let Some(name) = requeued.recv().await {
                notifies[&name].notify_one();
            }
        });
        for (name, notify) in &objects {
            tasks.spawn(object(
                Arc::clone(&known),
                Arc::clone(&spec),
                name.clone(),
                Arc::clone(notify),
            ));
        }
        Self {
            account,
            known,
            spec,
            objects,
            tasks,
        }
    }

    /// Every object that is synced has something new to write.
    pub(super) fn rotate(&mut self) {
        for (name, notify) in &self.objects {
            let (known, spec) = (Arc::clone(&self.known), Arc::clone(&self.spec));
            self.tasks
                .spawn(object(known, spec, name.clone(), Arc::clone(notify)));
        }
    }

    /// Waits until every object is synced; how long it took, none where that is longer than `most`.
    pub(super) async fn wait_synced(&mut self, most: Duration) -> Option<Duration> {
        let began = Instant::now();
        let all = async { while self.tasks.join_next().await.is_some() {} };
        timeout(most, all).await.ok().map(|()| began.elapsed())
    }

    /// How many calls there were since `since`, and in any minute of it.
    pub(super) fn calls(&self, since: Instant) -> (usize, usize) {
        let requests = self.account.requests();
        let times: Vec<Instant> = requests
            .iter()
            .map(|request| request.started)
            .filter(|started| *started >= since)
            .collect();
        let in_minute = times.iter().enumerate().map(|(index, first)| {
            let end = *first + Duration::from_mins(1);
            times.partition_point(|time| *time < end) - index
        });
        (times.len(), in_minute.max().unwrap_or(0))
    }

    /// The largest number of calls that were in flight at once.
    pub(super) fn most_in_flight(&self) -> usize {
        let requests = self.account.requests();
        let mut ends: Vec<Instant> = requests.iter().filter_map(|one| one.ended).collect();
        ends.sort();
        // They are logged in the order of their beginnings.
        let in_flight = requests.iter().enumerate().map(|(index, one)| {
            let ended = ends.partition_point(|end| *end <= one.started);
            index + 1 - ended
        });
        in_flight.max().unwrap_or(0)
    }
}

/// What the controller does for an object that has something to write, until it is written.
async fn object(
    account: Arc<Account>,
    spec: Arc<ProviderSecretSpec>,
    name: ObjectName,
    requeued: Arc<Notify>,
) {
    let choice = spec.provider.choice().expect("a choice");
    let provider = account.provider(choice, &name.1);
    let value = SecretString::from("value");
    let options = Options::default();
    let began = Instant::now();
    loop {
        let Admission::Granted(permit) = account.limiter.admit(&name) else {
            requeued.notified().await;
            continue;
        };
        let write = Write {
            name: &name.1,
            value: &value,
            options: &options,
            id: None,
            region: None,
        };
        if provider.write(&[write]).await.is_ok() {
            account.limiter.forget(&name);
            return;
        }
        let is_held = account.limiter.park_failed(&name).is_some();
        drop(permit);
        // The object's own backoff, as in the controller.
        let own = if began.elapsed() < Duration::from_hours(1) {
            Duration::from_mins(5).mul_f64(1.0 + fastrand::f64())
        } else {
            Duration::from_hours(1)
        };
        tokio::select! {
            () = requeued.notified() => {}
            () = sleep(own), if !is_held => {}
        }
    }
}
