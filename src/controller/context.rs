//! What every reconcile shares.

use std::{
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use kube::{Api, Client, ResourceExt, runtime::reflector::Store};
use tokio::time::Instant;

use super::{
    cache::{
        Complete, LargeValues, NamespaceBounds, News, ObjectStates, ReverseIndex, Rotations,
        SecretName, SecretReads, SecretVersions, Stored, Window,
    },
    events::Events,
    namespaces::Namespaces,
    object::{object_name, secret_names},
    ownership::Claims,
};
use crate::{
    account::{Accounts, Credentials, Endpoints, ObjectName, Requeue},
    api::ProviderSecret,
    leadership::Leadership,
    telemetry::Metrics,
};

/// What the flags decide about the controller.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where providers are.
    pub endpoints: Endpoints,
    /// Where objects are the operator's business.
    pub namespaces: Namespaces,
    /// Reconciles at once.
    pub concurrency: u16,
    /// Calls in flight for each account.
    pub calls_per_account: usize,
    /// How old a listing may be where the spec does not say.
    pub verify_interval: Duration,
    /// How long a deleted object may wait for what it wrote to be deleted.
    pub deletion_timeout: Duration,
    /// How long what a source takes away waits for its deletion.
    pub removal_grace: Duration,
    /// What must opt in before values leave the cluster.
    pub opt_in: OptIn,
    /// How the operator learns of changes of Secrets.
    pub secret_access: SecretAccess,
    /// How often each watch is compared with its collection.
    pub watch_check: Duration,
    /// Whether metrics have a series set for each object.
    pub metrics_per_resource: bool,
    /// Who reports events: the name of the pod.
    pub reporter: String,
    /// Whether this process may write.
    pub leadership: Leadership,
}

/// What must opt in before values leave the cluster.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OptIn {
    /// Whether a Secret is read and sent only with the label [`ALLOW`](crate::api::ALLOW).
    pub sources: bool,
    /// Whether a namespace without the annotation [`ALLOWED_PROVIDERS`](crate::api::ALLOWED_PROVIDERS) allows
    /// nothing. Where it has one, that is a bound in any case.
    pub namespaces: bool,
}

/// How the operator learns of changes of Secrets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SecretAccess {
    /// It lists and watches the metadata of all of them in its namespaces.
    #[default]
    Watch,
    /// It asks for the metadata of each that an object names, at once and then once in this time. It needs no
    /// right but `get`, which may be bound to names.
    GetOnly(Duration),
}

impl Settings {
    /// How often each watch is compared with its collection, so that it is noticed within a minute
    /// that one is deaf: it may lag for 15 s.
    pub const WATCH_CHECK: Duration = Duration::from_secs(20);
}

/// What every reconcile shares.
pub(crate) struct Context {
    pub(crate) client: Client,
    /// Where objects are the operator's business.
    pub(crate) namespaces: Namespaces,
    pub(crate) accounts: Accounts,
    pub(crate) credentials: Credentials,
    /// The objects that the watch shows.
    pub(crate) stored: Store<Stored>,
    pub(crate) objects_listed: Complete,
    /// Whether the first list shows a status that an operator wrote.
    pub(crate) was_operated: AtomicBool,
    pub(crate) secrets: SecretVersions,
    /// The Secrets that several readers read at once.
    pub(crate) secret_reads: SecretReads,
    pub(crate) large_values: LargeValues,
    /// What namespaces allow their objects.
    pub(crate) bounds: NamespaceBounds,
    /// What must opt in before values leave the cluster.
    pub(crate) opt_in: OptIn,
    pub(crate) reverse_index: ReverseIndex,
    /// While this process leads.
    pub(crate) rotations: Rotations,
    pub(crate) claims: Claims,
    pub(crate) states: Arc<ObjectStates>,
    /// While this process stands by.
    pub(crate) news: News,
    /// What rounds have given to the queue.
    pub(crate) window: Arc<Window>,
    /// The queue of objects that a change of another object affects.
    pub(crate) requeue: Requeue,
    /// Whether this process may write.
    pub(crate) leadership: Leadership,
    /// Before anything that this process did.
    pub(crate) epoch: Instant,
    /// How often each watch is compared with its collection.
    pub(crate) watch_check: Duration,
    /// How old a listing may be where the spec does not say.
    pub(crate) verify_interval: Duration,
    /// How long a deleted object may wait for what it wrote to be deleted.
    pub(crate) deletion_timeout: Duration,
    /// How long what a source takes away waits for its deletion.
    pub(crate) removal_grace: Duration,
    pub(crate) events: Events,
    pub(crate) metrics: Metrics,
}

impl Context {
    /// Whether the first lists of objects and of Secrets are complete. When they are, every object comes to its reconcile.
    pub(crate) fn is_listed(&self) -> bool {
        self.objects_listed.is_set() && self.secrets.is_complete()
    }

    /// Waits until the first lists of objects and of Secrets are complete.
    pub(crate) async fn listed(&self) {
        self.objects_listed.wait().await;
        self.secrets.wait_until_complete().await;
    }

    /// The ProviderSecrets of a namespace.
    pub(crate) fn objects(&self, namespace: &str) -> Api<ProviderSecret> {
        Api::namespaced(self.client.clone(), namespace)
    }

    /// An object is gone: its in-memory state is dropped and its permit released. Where
    /// another of its name is there already, the Secrets it names are that one's.
    pub(crate) fn forget(&self, object: &Stored, is_replaced: bool) {
        let name = object_name(object);
        self.rotations.forget(&name);
        if !is_replaced {
            self.news.note(name.clone(), false);
            let object = object.object();
            let names = secret_names(object.as_ref());
            self.reverse_index.change(&name, &names, &[]);
        }
        if let Some(uid) = object.uid() {
            self.forget_uid(&uid, &name);
        }
    }

    /// Drops what was read of a Secret.
    pub(crate) fn forget_secret(&self, name: &SecretName) {
        self.credentials.forget(&name.0, &name.1);
        self.secret_reads.forget(name);
    }

    /// Drops what was read of all Secrets: their versions may come again as others.
    pub(crate) fn forget_secrets(&self) {
        self.credentials.clear();
        self.secret_reads.clear();
    }

    /// Drops the object's in-memory state and requeues objects that claim its names.
    pub(crate) fn forget_uid(&self, uid: &str, name: &ObjectName) {
        if let Some(account) = self.states.forget(uid) {
            account.limiter.forget(name);
        }
        self.requeue_all(self.claims.forget(uid));
    }

    /// Has objects looked at again, whatever they wait for.
    pub(crate) fn requeue_all(&self, objects: impl IntoIterator<Item = ObjectName>) {
        for object in objects {
            // The receiver lives as long as the controller.
            let _ = self.requeue.send(object);
        }
    }

    /// An object needs no call now: its grant goes to the next object.
    pub(crate) fn release_permit(&self, uid: &str, name: &ObjectName) {
        if let Some(account) = self.states.account(uid) {
            account.limiter.forget(name);
        }
    }
}
