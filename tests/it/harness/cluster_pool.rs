//! A pool of prepared clusters: a later environment uses one again, because starting a control plane costs more than
//! most tests.

use std::{
    collections::BTreeSet,
    ops::Deref,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    thread::panicking,
};

use cluster::{AuditEvent, Cluster};
use jiff::Timestamp;
use k8s_openapi::api::{core::v1::Secret, events::v1::Event};
use kube::{
    Api, ResourceExt,
    api::{DeleteParams, ListParams, Patch, PatchParams},
};
use provider_secrets::api::ProviderSecret;
use serde_json::json;

/// Clusters that no environment uses.
static IDLE: Mutex<Vec<Prepared>> = Mutex::new(Vec::new());

/// A cluster with the CustomResourceDefinition and the chart's rules.
pub(super) struct Prepared {
    pub(super) cluster: Cluster,
    /// The kubeconfig of the operator's ServiceAccount.
    pub(super) kubeconfig: PathBuf,
}

/// A prepared cluster in use by one environment.
pub(crate) struct PooledCluster {
    prepared: Option<Prepared>,
    /// Whether it goes back to the pool.
    is_pooled: bool,
    /// When this environment got it: the API server records the watches of the one before with a delay.
    since: Timestamp,
}

impl PooledCluster {
    /// A cluster that ends with its environment.
    pub(super) fn dedicated(prepared: Prepared) -> Self {
        Self {
            prepared: Some(prepared),
            is_pooled: false,
            since: Timestamp::MIN,
        }
    }

    /// A cluster of the pool, cleared, or the one that `prepare` makes.
    pub(super) async fn pooled(prepare: impl Future<Output = Prepared>) -> Self {
        let idle = IDLE.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let prepared = if let Some(prepared) = idle {
            clear(&prepared.cluster).await;
            prepared
        } else {
            prepare.await
        };
        Self {
            prepared: Some(prepared),
            is_pooled: true,
            since: Timestamp::now(),
        }
    }

    fn prepared(&self) -> &Prepared {
        self.prepared.as_ref().expect("it is there until the end")
    }

    /// Whether other environments use the cluster too, so that no test changes what belongs to all of it.
    pub(super) const fn is_pooled(&self) -> bool {
        self.is_pooled
    }

    /// The kubeconfig of the operator's ServiceAccount.
    pub(super) fn operator_kubeconfig(&self) -> &Path {
        &self.prepared().kubeconfig
    }

    /// The calls that the API server has recorded for this environment.
    pub(crate) fn calls(&self) -> Vec<Arc<AuditEvent>> {
        let mut calls = self.audit().expect("there is an audit log");
        calls.retain(|call| call.request_received >= self.since);
        calls
    }
}

impl Deref for PooledCluster {
    type Target = Cluster;

    fn deref(&self) -> &Cluster {
        &self.prepared().cluster
    }
}

impl Drop for PooledCluster {
    fn drop(&mut self) {
        // A failed test leaves the cluster in an unknown state.
        if self.is_pooled && !panicking() {
            let mut idle = IDLE.lock().unwrap_or_else(PoisonError::into_inner);
            idle.extend(self.prepared.take());
        }
    }
}

/// Removes what an operator would act on, and the events of the one before. Namespaces stay: without controllers they
/// cannot go, and no two test cases have one of the same name.
async fn clear(cluster: &Cluster) {
    let client = cluster.client();
    let all = ListParams::default();
    let objects: Api<ProviderSecret> = Api::all(client.clone());
    for object in objects.list(&all).await.expect("objects are listed") {
        let namespace = object.namespace().expect("an object has a namespace");
        let objects: Api<ProviderSecret> = Api::namespaced(client.clone(), &namespace);
        let name = object.name_any();
        let released = Patch::Merge(json!({"metadata": {"finalizers": null}}));
        // One that was waiting for this alone is gone before it is deleted.
        let plain = PatchParams::default();
        absent_is_fine(objects.patch(&name, &plain, &released).await);
        absent_is_fine(objects.delete(&name, &DeleteParams::default()).await);
    }
    let secrets: Api<Secret> = Api::all(client.clone());
    let secrets = secrets
        .list_metadata(&all)
        .await
        .expect("Secrets are listed");
    let namespaces: BTreeSet<String> = secrets.iter().filter_map(ResourceExt::namespace).collect();
    for namespace in namespaces {
        let secrets: Api<Secret> = Api::namespaced(client.clone(), &namespace);
        let deleted = secrets
            .delete_collection(&DeleteParams::default(), &all)
            .await;
        deleted.expect("Secrets are deleted");
    }
    let events: Api<Event> = Api::all(client.clone());
    let events = events.list(&all).await.expect("events are listed");
    let namespaces: BTreeSet<String> = events.iter().filter_map(Event::namespace).collect();
    for namespace in namespaces {
        let events: Api<Event> = Api::namespaced(client.clone(), &namespace);
        let deleted = events
            .delete_collection(&DeleteParams::default(), &all)
            .await;
        deleted.expect("events are deleted");
    }
}

fn absent_is_fine<T>(answer: kube::Result<T>) {
    match answer {
        Err(kube::Error::Api(status)) if status.is_not_found() => {}
        answer => drop(answer.expect("an object is removed")),
    }
}
