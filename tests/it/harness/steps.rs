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

use super::{TestCase, TestEnv, until};

impl TestCase<'_> {
    /// The scope of this test case's secrets, as the simulator calls it.
    pub(crate) fn scope(&self) -> Option<String> {
        self.target.scope(self.account.name())
    }

    /// A spec with these entries (remote name, Secret, key) and the fields of `more`.
    pub(crate) fn spec(&self, data: &[(&str, &str, &str)], more: &Value) -> Value {
        let entry = |(entry, secret, key): &(&str, &str, &str)| json!({"name": entry, "secretKeyRef": {"name": secret, "key": key}});
        let data: Vec<Value> = data.iter().map(entry).collect();
        let mut spec = json!({"provider": self.provider(), "data": data});
        for (name, value) in more.as_object().into_iter().flatten() {
            spec[name] = value.clone();
        }
        spec
    }

    /// Applies an object with the spec of [`TestCase::spec`].
    pub(crate) async fn put(&self, name: &str, data: &[(&str, &str, &str)], more: &Value) {
        self.apply(name, self.spec(data, more))
            .await
            .expect("an object is applied");
    }

    /// Applies the Secret `source` and an object with the entry `A_KEY`, waits until it is synced, and
    /// returns the value.
    pub(crate) async fn synced(&self, name: &str, more: &Value) -> String {
        let one = self.value("one");
        self.secret("source", &[("a", &one)]).await;
        self.put(name, &[("A_KEY", "source", "a")], more).await;
        self.wait_ready(name).await;
        one
    }

    /// An object as it is now.
    pub(crate) async fn get(&self, name: &str) -> ProviderSecret {
        self.objects().get(name).await.expect("the object is there")
    }

    /// Waits for the next second: the uid decides which of two objects of one second is the older.
    pub(crate) async fn next_second(&self) {
        let now = jiff::Timestamp::now();
        let rest = 1_000_000_000 - now.subsec_nanosecond();
        let rest = std::time::Duration::from_nanos(u64::try_from(rest).unwrap_or_default());
        tokio::time::sleep(rest + std::time::Duration::from_millis(20)).await;
    }

    /// Deletes an object, without waiting until it is gone.
    pub(crate) async fn delete(&self, name: &str) {
        let parameters = DeleteParams::default();
        let deleted = self.objects().delete(name, &parameters).await;
        deleted.expect("an object is deleted");
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

    /// Sets an annotation of an object.
    pub(crate) async fn annotate(&self, name: &str, key: &str, value: &str) {
        let patch = json!({"metadata": {"annotations": {key: value}}});
        self.patch(name, patch)
            .await
            .expect("an object is annotated");
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
