//! The steps that many tests have in common.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicU32, Ordering},
};

use k8s_openapi::api::{core::v1::Namespace, events::v1::Event};
use kube::{
    Api,
    api::{DeleteParams, ListParams, Patch, PatchParams},
};
use provider_secrets::api::{EntryStatus, FINALIZER, ProviderSecret, SYNC_REQUESTED_AT};
use serde_json::{Value, json};

use super::{TestCase, TestEnv, condition, until};

impl TestCase<'_> {
    /// The scope of this test case's secrets, as the simulator calls it.
    pub(crate) fn scope(&self) -> Option<String> {
        self.target.scope(self.account.name())
    }

    /// Applies the Secret `source` and an object with the entry `A_KEY`, waits until it is synced, and
    /// returns the value.
    pub(crate) async fn synced(&self, name: &str, more: &Value) -> String {
        self.source("one").await;
        self.put(name, &[("A_KEY", "source", "a")], more).await;
        self.wait_ready(name).await;
        self.value("one")
    }

    /// Suspends an object.
    pub(crate) async fn suspend(&self, object: &str) {
        let suspend = json!({"spec": {"suspend": true}});
        let suspended = self.patch(object, suspend).await;
        suspended.expect("it is suspended");
    }

    /// Rotates the entry `A_KEY` of an object and waits until the provider holds the value and the object is ready.
    pub(crate) async fn rotate(&self, object: &str, text: &str) {
        self.source(text).await;
        self.wait_held(&[("A_KEY", &self.value(text))]).await;
        self.wait_ready(object).await;
    }

    /// Waits until an object is ready with this resourceVersion of the Secret `source`.
    pub(crate) async fn wait_current(&self, object: &str, version: &str) -> ProviderSecret {
        self.wait(object, "ready with the newest source", |object| {
            let mut sources = object.status.iter().flat_map(|status| &status.sources);
            sources.any(|source| source.name == "source" && source.resource_version == version)
                && condition(object, "Ready").is_some_and(|ready| ready.status == "True")
        })
        .await
    }

    /// Waits for the next second: the uid decides which of two objects of one second is the older.
    pub(crate) async fn next_second(&self) {
        let now = jiff::Timestamp::now();
        let rest = 1_000_000_000 - now.subsec_nanosecond();
        let rest = std::time::Duration::from_nanos(u64::try_from(rest).unwrap_or_default());
        tokio::time::sleep(rest + std::time::Duration::from_millis(20)).await;
    }

    /// Waits until an object is gone.
    pub(crate) async fn wait_gone(&self, name: &str) {
        until(&format!("{name} is gone"), async || {
            match self.objects().get_opt(name).await {
                Ok(None) => Ok(()),
                Ok(Some(object)) => Err(format!("{:?} {:#?}", self.target, object.status)),
                Err(error) => Err(error.to_string()),
            }
        })
        .await;
    }

    /// Requests a sync and waits until the operator has handled it.
    pub(crate) async fn request_sync(&self, name: &str) -> ProviderSecret {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let token = format!("request-{}", COUNT.fetch_add(1, Ordering::Relaxed));
        self.annotate(name, SYNC_REQUESTED_AT, &token).await;
        self.wait(name, "asked", |object| {
            let status = object.status.as_ref();
            status.and_then(|status| status.last_handled_sync_request.as_ref()) == Some(&token)
        })
        .await
    }

    /// Merges `status` into the status, as a user with the right to write status could.
    pub(crate) async fn forge(&self, name: &str, status: &Value) {
        let patch = Patch::Merge(json!({"status": status}));
        let parameters = PatchParams::default();
        let forged = self.objects().patch_status(name, &parameters, &patch).await;
        forged.expect("status is written");
    }

    /// The notes of all events with this reason, a note for each occurrence.
    pub(crate) async fn events(&self, reason: &str) -> Vec<String> {
        let api: Api<Event> = Api::namespaced(self.env.client.clone(), &self.namespace);
        let events = api.list(&ListParams::default()).await;
        let mut notes = Vec::new();
        for event in events.expect("events are listed") {
            if event.reason.as_deref() == Some(reason) {
                let times = event.series.map_or(1, |series| series.count);
                let note = event.note.unwrap_or_default();
                notes.extend((0..times).map(|_| note.clone()));
            }
        }
        notes
    }

    /// Waits for an event with this reason and returns its note.
    pub(crate) async fn wait_event(&self, reason: &str) -> String {
        until(&format!("an event {reason}"), async || {
            let events = self.events(reason).await;
            events
                .first()
                .cloned()
                .ok_or_else(|| format!("{:?}: none", self.target))
        })
        .await
    }

    /// Writes a value at the provider as another client.
    pub(crate) fn foreign_write(&self, name: &str, value: &str) {
        let written = self
            .account
            .foreign_write(self.scope().as_deref(), name, value);
        written.expect("another client writes");
    }

    /// Deletes a name at the provider as another client.
    pub(crate) fn foreign_delete(&self, name: &str) {
        let deleted = self.account.foreign_delete(self.scope().as_deref(), name);
        deleted.expect("it was there");
    }

    /// Writes a secret at the provider as another client. [`TestCase::finish`] checks that it stays as it is.
    pub(crate) fn foreign_secret(&self, name: &str) -> String {
        self.foreign_secret_in(self.scope().as_deref(), name)
    }

    /// As [`Self::foreign_secret`], in another scope.
    pub(crate) fn foreign_secret_in(&self, scope: Option<&str>, name: &str) -> String {
        let value = self.value("foreign");
        self.account
            .foreign_write(scope, name, &value)
            .expect("another client writes");
        let secret = (scope.map(str::to_owned), name.to_owned());
        self.foreign_secrets
            .lock()
            .expect("the lock is not poisoned")
            .insert(secret, value.clone());
        value
    }

    /// Lets the operator change or delete a foreign secret from now on.
    pub(crate) fn release_foreign_secret(&self, name: &str) {
        let secret = (self.scope(), name.to_owned());
        self.foreign_secrets
            .lock()
            .expect("the lock is not poisoned")
            .remove(&secret);
    }

    /// The deletions that the provider got, by method and path.
    pub(crate) fn deletions(&self) -> Vec<String> {
        let mut lines = self.writes();
        lines.retain(|line| line.starts_with("DELETE "));
        lines
    }

    /// How often the account was listed. The empty page that ends Braintrust's list is no listing of its own.
    pub(crate) fn listings(&self) -> usize {
        let listing = self.target.listing(&self.team());
        let requests = self.account.requests();
        let is_first_page = |query: Option<&str>| !query.unwrap_or("").contains("starting_after");
        let listings = requests
            .iter()
            .filter(|request| request.line() == listing && is_first_page(request.query.as_deref()));
        listings.count()
    }

    /// Asserts the names and values that the provider holds in this test case's scope.
    pub(crate) fn assert_held(&self, expected: &[(&str, &str)]) {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let expected: BTreeMap<String, String> = expected.iter().map(owned).collect();
        assert_eq!(self.held(), expected, "{:?}", self.target);
    }

    /// Deletes this test case's namespace. Without a namespace controller it stays terminating.
    pub(crate) async fn delete_namespace(&self) {
        let namespaces: Api<Namespace> = Api::all(self.env.client.clone());
        namespaces
            .delete(&self.namespace, &DeleteParams::default())
            .await
            .expect("a namespace is deleted");
    }
}

/// Whether the object has the operator's finalizer.
pub(crate) fn is_guarded(object: &ProviderSecret) -> bool {
    let finalizers = object.metadata.finalizers.iter().flatten();
    finalizers.into_iter().any(|name| name == FINALIZER)
}

/// The status of an entry.
pub(crate) fn entry<'a>(object: &'a ProviderSecret, name: &str) -> &'a EntryStatus {
    let mut entries = object.status.iter().flat_map(|status| &status.entries);
    let found = entries.find(|entry| entry.name == name);
    found.expect("status has the entry")
}

/// The sum of a metric's series whose labels contain all of these texts.
pub(crate) async fn metric(env: &TestEnv, name: &str, labels: &[&str]) -> u64 {
    let (_, metrics) = env.operator.get("/metrics").await;
    let series = metrics.lines().filter_map(|line| {
        let (series, value) = line.strip_prefix(name)?.rsplit_once(' ')?;
        let is_it = labels.iter().all(|label| series.contains(label));
        is_it.then(|| value.parse::<u64>().unwrap_or_default())
    });
    series.sum()
}

/// The field of a spec whose entries go with the object.
pub(crate) fn delete_policy() -> Value {
    json!({"deletionPolicy": "Delete"})
}
