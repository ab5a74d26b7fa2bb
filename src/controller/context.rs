//! What every pass shares.

use std::time::Duration;

use kube::{Client, ResourceExt, core::DeserializeGuard, runtime::reflector::ObjectRef};
use tokio::time::Instant;

use super::{
    claims::Claims, events::Events, memo::Memos, namespaces::Namespaces, references::References,
    secrets::SecretVersions,
};
use crate::{
    account::{Accounts, Credentials, Endpoints, ObjectName, Requeue},
    api::ProviderSecret,
    telemetry::Metrics,
};

/// A ProviderSecret, or the metadata of one that does not decode.
pub(super) type Guarded = DeserializeGuard<ProviderSecret>;

/// What the flags decide about the controller.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where providers are.
    pub endpoints: Endpoints,
    /// Where objects are the operator's business.
    pub namespaces: Namespaces,
    /// Passes at once.
    pub concurrency: u16,
    /// Calls in flight for each account.
    pub calls_per_account: usize,
    /// How old a listing may be where the spec does not say.
    pub verify_interval: Duration,
    /// How long a deleted object may wait for what it wrote to be deleted.
    pub deletion_timeout: Duration,
    /// Whether metrics have a series set for each object.
    pub metrics_per_resource: bool,
    /// Who reports events: the name of the pod.
    pub reporter: String,
}

/// What every pass shares.
pub(super) struct Context {
    pub(super) client: Client,
    /// Where objects are the operator's business.
    pub(super) namespaces: Namespaces,
    pub(super) accounts: Accounts,
    pub(super) credentials: Credentials,
    pub(super) secrets: SecretVersions,
    pub(super) references: References,
    pub(super) claims: Claims,
    pub(super) memos: Memos,
    /// Where objects go that others concern.
    pub(super) requeue: Requeue,
    /// Before anything that this process did.
    pub(super) epoch: Instant,
    /// How old a listing may be where the spec does not say.
    pub(super) verify_interval: Duration,
    /// How long a deleted object may wait for what it wrote to be deleted.
    pub(super) deletion_timeout: Duration,
    pub(super) events: Events,
    pub(super) metrics: Metrics,
}

impl Context {
    /// An object is gone: nothing of it is kept, and a place it was given goes to the next. Where
    /// another of its name is there already, the Secrets it names are that one's.
    pub(super) fn forget(&self, object: &Guarded, is_replaced: bool) {
        let name = object_name(object);
        if !is_replaced {
            self.references.change(&name, &secret_names(object), &[]);
        }
        if let Some(uid) = object.uid() {
            self.forget_uid(&uid, &name);
        }
    }

    /// Of an object nothing is kept in memory, and whoever claims a name that it held may have it now.
    pub(super) fn forget_uid(&self, uid: &str, name: &ObjectName) {
        if let Some(account) = self.memos.forget(uid) {
            account.limiter.forget(name);
        }
        self.requeue_all(self.claims.forget(uid));
    }

    /// Has objects looked at again, whatever they wait for.
    pub(super) fn requeue_all(&self, objects: impl IntoIterator<Item = ObjectName>) {
        for object in objects {
            // The receiver lives as long as the controller.
            let _ = self.requeue.send(object);
        }
    }

    /// An object needs no call now: a place that it was given goes to the next.
    pub(super) fn release_permit(&self, uid: &str, name: &ObjectName) {
        if let Some(account) = self.memos.account(uid) {
            account.limiter.forget(name);
        }
    }
}

/// The Secrets that an object reads; none if it does not decode.
pub(super) fn secret_names(object: &Guarded) -> Vec<&str> {
    object
        .0
        .as_ref()
        .map(|object| object.spec.secret_names())
        .unwrap_or_default()
}

/// Namespace and name.
pub(super) fn object_name(object: &impl ResourceExt) -> ObjectName {
    (object.namespace().unwrap_or_default(), object.name_any())
}

/// The reference under which the queue knows an object.
pub(super) fn object_ref((namespace, name): &ObjectName) -> ObjectRef<Guarded> {
    ObjectRef::new(name).within(namespace)
}

/// A time between 90 % and 110 % of `duration`, so that what starts together does not stay so.
pub(super) fn jittered(duration: Duration) -> Duration {
    duration.mul_f64(0.9 + fastrand::f64() * 0.2)
}
