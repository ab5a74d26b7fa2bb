//! The objects of the in-memory API server: versions and history.

mod fixtures;
mod restore;
mod rules;
mod stale_cache;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard, PoisonError},
};

use serde_json::{Value, json};
use tokio::{sync::watch, time::Instant};

use self::restore::Snapshot;
use self::rules::{changed_main, finalizers, set};
use super::{refusal::Refusal, server::faults::Faults};

/// When the API server started, as objects show it.
const STARTED: i64 = 1_767_225_600;

/// What the server knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Resource {
    ProviderSecrets,
    Secrets,
    Namespaces,
    Events,
    Leases,
}

/// The name of an object of a resource in a namespace; that of a namespace is without one.
pub(super) type Id = (Resource, String, String);

/// One step of the history: what watches tell.
#[derive(Clone)]
pub(super) struct Change {
    pub(super) version: u64,
    pub(super) resource: Resource,
    pub(super) kind: &'static str,
    pub(super) object: Value,
    at: Instant,
}

/// The part of an object that a write is about.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Main,
    Status,
}

/// Every object and how it came to be.
pub(crate) struct Store {
    pub(super) faults: Faults,
    state: Mutex<State>,
    changed: watch::Sender<u64>,
    origin: Instant,
}

#[derive(Default)]
struct State {
    version: u64,
    created: u64,
    objects: BTreeMap<Id, Value>,
    history: Vec<Change>,
    /// Up to where the history of a resource is forgotten.
    compacted: BTreeMap<Resource, u64>,
    held: BTreeSet<Resource>,
    /// Resources that lists and watches show as they were at a version.
    stale_at: BTreeMap<Resource, u64>,
    pages: BTreeMap<String, (u64, Vec<Value>)>,
    /// What streams show after a restore, until the versions have caught up: the API server keeps what it had.
    kept: Option<Snapshot>,
}

impl Store {
    pub(super) fn new() -> Self {
        Self {
            faults: Faults::default(),
            state: Mutex::default(),
            changed: watch::Sender::new(0),
            origin: Instant::now(),
        }
    }

    pub(super) fn get(&self, id: &Id) -> Result<Value, Refusal> {
        let state = self.lock();
        state.objects.get(id).cloned().ok_or_else(Refusal::gone)
    }

    /// The first object of a resource with this name.
    pub(crate) fn find(&self, resource: Resource, name: &str) -> Option<Value> {
        let state = self.lock();
        let mut objects = state.objects.iter();
        let found = objects.find(|(id, _)| id.0 == resource && id.2 == name);
        found.map(|(_, object)| object.clone())
    }

    /// The objects of a resource, in all namespaces or in one.
    pub(crate) fn list(&self, resource: Resource, namespace: Option<&str>) -> Vec<Value> {
        let state = self.lock();
        let is_asked = |id: &Id| id.0 == resource && namespace.is_none_or(|name| name == id.1);
        let asked = state.objects.iter().filter(|(id, _)| is_asked(id));
        asked.map(|(_, object)| object.clone()).collect()
    }

    /// A page of a list, the version that the whole list is of, and the token of the next page.
    pub(super) fn page(
        &self,
        resource: Resource,
        namespace: Option<&str>,
        limit: usize,
        token: Option<&str>,
    ) -> Result<(Vec<Value>, u64, Option<String>), Refusal> {
        let shown = self.shown(resource, namespace);
        let mut state = self.lock();
        let (version, mut items) = match token {
            None => shown,
            Some(token) => state.pages.remove(token).ok_or_else(Refusal::expired)?,
        };
        if items.len() <= limit {
            return Ok((items, version, None));
        }
        let rest = items.split_off(limit);
        let next = format!("page-{}-{}", version, rest.len());
        state.pages.insert(next.clone(), (version, rest));
        Ok((items, version, Some(next)))
    }

    /// What a stream begins with, and the version that it is of.
    pub(super) fn streamed(
        &self,
        resource: Resource,
        namespace: Option<&str>,
    ) -> (u64, Vec<Value>) {
        let kept = {
            let state = self.lock();
            let kept = state.kept.as_ref();
            kept.and_then(|kept| kept.shown(state.version, resource, namespace))
        };
        kept.unwrap_or_else(|| self.shown(resource, namespace))
    }

    pub(super) fn create(&self, id: &Id, mut object: Value) -> Result<Value, Refusal> {
        let mut state = self.lock();
        if state.objects.contains_key(id) {
            return Err(Refusal::exists());
        }
        state.created += 1;
        let uid = format!("00000000-0000-4000-8000-{:012}", state.created);
        let metadata = &mut object["metadata"];
        metadata["name"] = id.2.as_str().into();
        if id.0 != Resource::Namespaces {
            metadata["namespace"] = id.1.as_str().into();
        }
        metadata["uid"] = uid.into();
        metadata["creationTimestamp"] = self.now().into();
        if id.0 == Resource::ProviderSecrets {
            metadata["generation"] = 1.into();
            // The default of the CustomResourceDefinition.
            object["status"] = json!({"observedGeneration": -1});
        }
        Ok(self.store(&mut state, id, object, "ADDED"))
    }

    /// Changes a part of an object as `change` says; the other parts stay as they are.
    pub(super) fn update(
        &self,
        id: &Id,
        part: Part,
        change: impl FnOnce(&mut Value) -> Result<(), Refusal>,
    ) -> Result<Value, Refusal> {
        let mut state = self.lock();
        let old = state.objects.get(id).cloned().ok_or_else(Refusal::gone)?;
        let mut updated = old.clone();
        change(&mut updated)?;
        let version = |object: &Value| object["metadata"]["resourceVersion"].clone();
        if !version(&updated).is_null() && version(&updated) != version(&old) {
            return Err(Refusal::conflict());
        }
        let new = match part {
            Part::Status => {
                let mut new = old.clone();
                set(&mut new, "status", updated["status"].take());
                new
            }
            Part::Main => changed_main(id.0, &old, updated)?,
        };
        if new == old {
            return Ok(old);
        }
        let is_deleting = !new["metadata"]["deletionTimestamp"].is_null();
        if is_deleting && finalizers(&new).is_empty() {
            return Ok(self.remove(&mut state, id, new));
        }
        Ok(self.store(&mut state, id, new, "MODIFIED"))
    }

    /// Deletes an object, or marks it where something must be done before.
    pub(super) fn delete(&self, id: &Id) -> Result<Value, Refusal> {
        let mut state = self.lock();
        let mut object = state.objects.get(id).cloned().ok_or_else(Refusal::gone)?;
        if finalizers(&object).is_empty() {
            return Ok(self.remove(&mut state, id, object));
        }
        if !object["metadata"]["deletionTimestamp"].is_null() {
            return Ok(object);
        }
        object["metadata"]["deletionTimestamp"] = self.now().into();
        object["metadata"]["deletionGracePeriodSeconds"] = 0.into();
        let generation = object["metadata"]["generation"].as_i64();
        if let Some(generation) = generation {
            object["metadata"]["generation"] = (generation + 1).into();
        }
        Ok(self.store(&mut state, id, object, "MODIFIED"))
    }

    /// The first change of a resource after a version; none if there is none, or watches are held.
    pub(super) fn after(
        &self,
        resource: Resource,
        version: u64,
    ) -> Result<Option<Change>, Refusal> {
        let state = self.lock();
        if state.held.contains(&resource) {
            return Ok(None);
        }
        if state
            .compacted
            .get(&resource)
            .is_some_and(|compacted| version < *compacted)
        {
            return Err(Refusal::expired());
        }
        let last = state.stale_at.get(&resource).copied().unwrap_or(u64::MAX);
        let is_next = |change: &&Change| {
            change.resource == resource && change.version > version && change.version <= last
        };
        // In the order of their versions.
        let first = state
            .history
            .partition_point(|change| change.version <= version);
        Ok(state.history[first..].iter().find(is_next).cloned())
    }

    /// What became of the objects of a resource, and when.
    pub(super) fn history(&self, resource: Resource) -> Vec<(Instant, Value)> {
        let state = self.lock();
        let changes = state
            .history
            .iter()
            .filter(|change| change.resource == resource);
        changes
            .map(|change| (change.at, change.object.clone()))
            .collect()
    }

    /// A signal for each change, and for each release of what was held.
    pub(super) fn subscribe(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// Watches of this resource show nothing until they are released.
    pub(crate) fn hold(&self, resource: Resource) {
        self.lock().held.insert(resource);
    }

    /// Watches of this resource show everything that happened meanwhile, step by step.
    pub(crate) fn release(&self, resource: Resource) {
        self.lock().held.remove(&resource);
        self.changed.send_modify(|count| *count += 1);
    }

    /// Forgets the history of a resource: watches must begin anew with a list, which does not show
    /// what was there only for a while.
    pub(crate) fn expire(&self, resource: Resource) {
        let mut state = self.lock();
        let version = state.version;
        state.compacted.insert(resource, version);
        drop(state);
        self.release(resource);
    }

    /// Forgets what nobody asks for any more: the history that every watch has shown, and the events, which a real API
    /// server keeps for an hour.
    pub(super) fn forget(&self) {
        self.faults.forget();
        let mut state = self.lock();
        state.objects.retain(|id, _| id.0 != Resource::Events);
        let lease = state
            .history
            .iter()
            .rposition(|change| change.resource == Resource::Leases);
        // Who leads is read from its last change.
        let kept = lease.map(|last| state.history[last].clone());
        for change in std::mem::take(&mut state.history) {
            state.compacted.insert(change.resource, change.version);
        }
        state.history.extend(kept);
    }

    fn store(&self, state: &mut State, id: &Id, mut object: Value, kind: &'static str) -> Value {
        state.version += 1;
        object["metadata"]["resourceVersion"] = state.version.to_string().into();
        state.objects.insert(id.clone(), object.clone());
        self.note(state, id.0, kind, object)
    }

    fn remove(&self, state: &mut State, id: &Id, mut object: Value) -> Value {
        state.version += 1;
        object["metadata"]["resourceVersion"] = state.version.to_string().into();
        state.objects.remove(id);
        self.note(state, id.0, "DELETED", object)
    }

    fn note(
        &self,
        state: &mut State,
        resource: Resource,
        kind: &'static str,
        object: Value,
    ) -> Value {
        state.history.push(Change {
            version: state.version,
            resource,
            kind,
            object: object.clone(),
            at: Instant::now(),
        });
        self.changed.send_modify(|count| *count += 1);
        object
    }

    fn now(&self) -> String {
        let elapsed = i64::try_from(self.origin.elapsed().as_secs()).unwrap_or_default();
        jiff::Timestamp::from_second(STARTED + elapsed)
            .expect("a time of our days")
            .to_string()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
