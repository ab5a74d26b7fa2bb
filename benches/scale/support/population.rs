//! The objects of a run: `N` of them, spread evenly over the five APIs, each with a Secret of its own.

use std::{
    collections::HashMap,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures::{StreamExt as _, stream};
use k8s_openapi::api::core::v1::{Namespace, Secret};
use kube::{
    Api, Client,
    api::{DeleteParams, ObjectMeta, Patch, PatchParams, PostParams},
};
use provider_secrets::api::ProviderSecret;
use serde_json::{Value, json};
use simulator::Account;
use tokio::time::{Instant, sleep_until};

use super::arrivals::arrival;
use crate::it::harness::{Target, TestEnv};

/// Requests of the bench to the API server that are in flight at once.
pub(crate) const CONCURRENCY: usize = 64;
/// An object is written for its sources once a second, so that a figure of a rotation begins after that.
pub(crate) const INTERVAL: Duration = Duration::from_millis(1100);
/// How long a rotation may take.
const ROTATION: Duration = Duration::from_mins(1);

/// A namespace with an account at one API.
pub(crate) struct Tenant {
    pub(crate) target: Target,
    pub(crate) namespace: String,
    pub(crate) account: Account,
    pub(crate) client: Client,
}

impl Tenant {
    /// Creates the namespace, the account and the Secret of its API key.
    pub(crate) async fn new(env: &TestEnv, target: Target, namespace: &str) -> Self {
        let key = format!("key-of-{namespace}");
        let account = target.account(env.simulator(), namespace, &key);
        let tenant = Self {
            target,
            namespace: namespace.to_owned(),
            account,
            client: env.client.clone(),
        };
        create_namespace(&tenant.client, namespace).await;
        tenant.secret("credential", &[("api-key", &key)]).await;
        tenant
    }

    pub(crate) fn secrets(&self) -> Api<Secret> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    pub(crate) fn objects(&self) -> Api<ProviderSecret> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// Creates a Secret with text values.
    pub(crate) async fn secret(&self, name: &str, data: &[(&str, &str)]) {
        let data = data
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        let secret = Secret {
            metadata: metadata(name),
            string_data: Some(data.collect()),
            ..Secret::default()
        };
        let created = self.secrets().create(&PostParams::default(), &secret).await;
        created.expect("a Secret is created");
    }

    /// Changes values of a Secret.
    pub(crate) async fn change(&self, name: &str, data: &Value) {
        let patch = Patch::Merge(json!({"stringData": data}));
        let parameters = PatchParams::default();
        let patched = self.secrets().patch(name, &parameters, &patch).await;
        patched.expect("a Secret is changed");
    }

    /// Creates an object with the members of `more` beside `spec.provider`. At Pipecat it has a set of its own.
    pub(crate) async fn object(&self, name: &str, more: Value) {
        let mut spec = more;
        spec["provider"] = self.target.provider_spec(&self.namespace);
        if self.target == Target::Pipecat {
            spec["provider"]["pipecat"]["setName"] = name.into();
        }
        let object = json!({
            "apiVersion": "providersecrets.dev/v1alpha1",
            "kind": "ProviderSecret",
            "metadata": {"name": name},
            "spec": spec,
        });
        let object = serde_json::from_value(object).expect("an object of the schema");
        let created = self.objects().create(&PostParams::default(), &object).await;
        created.expect("an object is created");
    }

    /// Creates an object with one entry, and its Secret.
    pub(crate) async fn pair(&self, name: &str, entry: &str, value: &str) {
        self.secret(name, &[("key", value)]).await;
        self.object(name, one_entry(entry, name)).await;
    }

    /// Deletes objects and Secrets of these names. Under `Retain` nothing holds them up.
    pub(crate) async fn delete(&self, names: impl IntoIterator<Item = String>) {
        let parameters = &DeleteParams::default();
        in_parallel(names, async |name| {
            // Where there is none of the two, there is nothing to delete.
            let _ = self.objects().delete(&name, parameters).await;
            let _ = self.secrets().delete(&name, parameters).await;
        })
        .await;
    }
}

/// `spec.data` of one entry, from the key `key` of a Secret.
pub(crate) fn one_entry(entry: &str, secret: &str) -> Value {
    json!({"data": [{"name": entry, "secretKeyRef": {"name": secret, "key": "key"}}]})
}

fn metadata(name: &str) -> ObjectMeta {
    ObjectMeta {
        name: Some(name.to_owned()),
        ..ObjectMeta::default()
    }
}

pub(crate) async fn create_namespace(client: &Client, name: &str) {
    let namespace = Namespace {
        metadata: metadata(name),
        ..Namespace::default()
    };
    let api: Api<Namespace> = Api::all(client.clone());
    let created = api.create(&PostParams::default(), &namespace).await;
    created.expect("a namespace is created");
}

/// Does something for each item, for [`CONCURRENCY`] of them at once.
pub(crate) async fn in_parallel<T>(items: impl IntoIterator<Item = T>, each: impl AsyncFn(T)) {
    stream::iter(items)
        .for_each_concurrent(CONCURRENCY, async |item| each(item).await)
        .await;
}

/// The objects of a run.
pub(crate) struct Population {
    pub(crate) tenants: Vec<Tenant>,
    pub(crate) count: usize,
    /// When an object was rotated last.
    rotated: Mutex<HashMap<usize, Instant>>,
    /// Makes every value another one.
    serial: AtomicUsize,
}

impl Population {
    /// Creates the accounts and `count` objects with their Secrets.
    pub(crate) async fn create(env: &TestEnv, count: usize) -> Self {
        let mut tenants = Vec::new();
        for (number, target) in Target::ALL.into_iter().enumerate() {
            tenants.push(Tenant::new(env, target, &format!("team-{number}")).await);
        }
        let population = Self {
            tenants,
            count,
            rotated: Mutex::default(),
            serial: AtomicUsize::new(0),
        };
        in_parallel(0..count, async |index| {
            let (tenant, name) = population.of(index);
            tenant
                .pair(&name, &entry(index), &value("first", index))
                .await;
        })
        .await;
        population
    }

    /// The tenant of an object, and the object's name, which is its Secret's too.
    pub(crate) fn of(&self, index: usize) -> (&Tenant, String) {
        let tenant = &self.tenants[index % self.tenants.len()];
        (tenant, format!("object-{index}"))
    }

    /// Milliseconds from the API server's answer to the update of an object's Secret until the provider had it.
    pub(crate) async fn rotate(&self, env: &TestEnv, index: usize) -> f64 {
        let (answered, received) = self.rotated(env, index).await;
        // Earlier than the answer: the provider had it before we knew that the API server has it.
        milliseconds(received, answered)
    }

    /// Rotates an object's Secret: when the API server answered, and when the provider had it.
    pub(crate) async fn rotated(&self, env: &TestEnv, index: usize) -> (Instant, Instant) {
        let last = self.rotations().get(&index).copied();
        if let Some(last) = last {
            sleep_until(last + INTERVAL).await;
        }
        let serial = self.serial.fetch_add(1, Ordering::Relaxed);
        let value = value(&format!("rotated-{serial}"), index);
        let (tenant, name) = self.of(index);
        let sequence = env.simulator().last_sequence();
        tenant.change(&name, &json!({"key": value})).await;
        let answered = Instant::now();
        let received = env.simulator().wait_for(ROTATION, |simulator| {
            let requests = simulator.requests_since(sequence);
            requests.iter().find_map(|request| arrival(request, &value))
        });
        let received = received.await.expect("the provider receives the value");
        self.rotations().insert(index, Instant::now());
        (answered, received)
    }

    /// Waits until every object may be written for its sources again.
    pub(crate) async fn settle(&self) {
        let last = self.rotations().values().max().copied();
        if let Some(last) = last {
            sleep_until(last + INTERVAL).await;
        }
    }

    fn rotations(&self) -> MutexGuard<'_, HashMap<usize, Instant>> {
        self.rotated.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Milliseconds from one moment to a later one.
pub(crate) fn milliseconds(later: Instant, earlier: Instant) -> f64 {
    later.saturating_duration_since(earlier).as_secs_f64() * 1000.0
}

/// The remote name of an object's entry.
fn entry(index: usize) -> String {
    format!("KEY_{index}")
}

/// A value of an object, as long as an API key.
pub(crate) fn value(text: &str, index: usize) -> String {
    format!("a-value-of-the-length-of-an-api-key-{text}-{index}")
}
