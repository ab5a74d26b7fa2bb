//! Several watches as one: a watch for each namespace, events as one watch of everything would tell it.
//!
//! The store and the versions of Secrets know one list. So the first lists are gathered until every
//! namespace has given its own, and are then events as one. A list that a namespace gives after that
//! is events as the differences to what is held of it, so that it neither hides nor drops what other
//! namespaces hold.
//!
//! A namespace that refuses to be listed must not stop the others for ever: after some refusals in
//! a row they go on without it. Then nothing is known of it, which is not the same as that nothing
//! is there: [`NamespaceEvent::Whole`] says of which namespaces absence means something.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use futures::{Stream, StreamExt, future::ready, stream};
use kube::{Resource, ResourceExt, runtime::watcher::Event};

/// After how many refusals in a row the others go on without a namespace. With the waits of a watch
/// that fails these are some seconds: roles that are applied together with the operator, and an API
/// server that has just begun and has not read its roles, get their time.
const PATIENCE: u32 = 5;

/// A step of the watch of one namespace.
#[derive(Clone, Debug)]
pub(crate) enum Step<K> {
    /// The whole of the namespace.
    Listed(Vec<K>),
    Applied(K),
    Deleted(K),
    /// A try failed.
    Failed {
        /// Whether the API server does not allow it.
        is_refusal: bool,
    },
}

/// What the watches tell together.
#[derive(Clone, Debug)]
pub(crate) enum NamespaceEvent<K> {
    Event(Event<K>),
    /// Everything that was in this namespace has been events, for the first time.
    Whole(Arc<str>),
}

/// The steps of one watch: a list is collected until it is whole, so that nothing remains of one that
/// broke off.
pub(crate) fn steps<K, E>(
    events: impl Stream<Item = Result<Event<K>, E>>,
) -> impl Stream<Item = Result<Step<K>, E>> {
    let steps = events.scan(Vec::new(), |list, event| {
        let step = match event {
            Ok(Event::Init) => {
                list.clear();
                None
            }
            Ok(Event::InitApply(object)) => {
                list.push(object);
                None
            }
            Ok(Event::InitDone) => Some(Ok(Step::Listed(std::mem::take(list)))),
            Ok(Event::Apply(object)) => Some(Ok(Step::Applied(object))),
            Ok(Event::Delete(object)) => Some(Ok(Step::Deleted(object))),
            Err(error) => Some(Err(error)),
        };
        ready(Some(step))
    });
    steps.filter_map(ready)
}

/// Merges the watches of several namespaces. `held` gives what is known of a namespace. It is asked
/// only after everything events before has been taken, because a stream is asked for more only then.
pub(crate) fn merge<K, S>(
    watches: Vec<(Arc<str>, S)>,
    held: impl Fn(&str) -> Vec<Arc<K>>,
) -> impl Stream<Item = NamespaceEvent<K>>
where
    K: Resource + Clone,
    S: Stream<Item = Step<K>> + Unpin,
{
    let mut merge = Merge::default();
    let watches: Vec<_> = watches
        .into_iter()
        .map(|(namespace, steps)| {
            merge.missing.insert(Arc::clone(&namespace), 0);
            steps.map(move |step| (Arc::clone(&namespace), step))
        })
        .collect();
    stream::select_all(watches)
        .flat_map(move |(namespace, step)| stream::iter(merge.take(&namespace, step, &held)))
}

struct Merge<K> {
    /// The namespaces that have given no list yet, and how often in a row they refused.
    missing: BTreeMap<Arc<str>, u32>,
    /// What the others have given, by namespace and name; nothing once it was events.
    gathered: Option<BTreeMap<Arc<str>, HashMap<String, K>>>,
}

impl<K> Default for Merge<K> {
    fn default() -> Self {
        Self {
            missing: BTreeMap::new(),
            gathered: Some(BTreeMap::new()),
        }
    }
}

impl<K: Resource + Clone> Merge<K> {
    fn take(
        &mut self,
        namespace: &Arc<str>,
        step: Step<K>,
        held: impl Fn(&str) -> Vec<Arc<K>>,
    ) -> Vec<NamespaceEvent<K>> {
        if let Step::Failed { is_refusal } = step {
            if let Some(refusals) = self.missing.get_mut(namespace) {
                *refusals = if is_refusal { *refusals + 1 } else { 0 };
            }
            return self.open();
        }
        let is_first = match step {
            Step::Listed(_) => self.missing.remove(namespace).is_some(),
            Step::Applied(_) | Step::Deleted(_) | Step::Failed { .. } => false,
        };
        let Some(gathered) = &mut self.gathered else {
            let mut events = differences(step, || held(namespace));
            events.extend(is_first.then(|| NamespaceEvent::Whole(Arc::clone(namespace))));
            return events;
        };
        let of_namespace = gathered.entry(Arc::clone(namespace)).or_default();
        match step {
            Step::Listed(objects) => {
                let objects = objects.into_iter();
                *of_namespace = objects.map(|object| (object.name_any(), object)).collect();
            }
            Step::Applied(object) => {
                of_namespace.insert(object.name_any(), object);
            }
            Step::Deleted(object) => {
                of_namespace.remove(&object.name_any());
            }
            Step::Failed { .. } => {}
        }
        self.open()
    }

    /// Tells what was gathered, as one list, unless a namespace is still waited for.
    fn open(&mut self) -> Vec<NamespaceEvent<K>> {
        if self.missing.values().any(|refusals| *refusals < PATIENCE) {
            return Vec::new();
        }
        let Some(gathered) = self.gathered.take() else {
            return Vec::new();
        };
        let whole: Vec<_> = gathered
            .keys()
            .cloned()
            .map(NamespaceEvent::Whole)
            .collect();
        let objects = gathered.into_values().flat_map(HashMap::into_values);
        let mut events = vec![NamespaceEvent::Event(Event::Init)];
        events.extend(objects.map(|object| NamespaceEvent::Event(Event::InitApply(object))));
        events.push(NamespaceEvent::Event(Event::InitDone));
        events.extend(whole);
        events
    }
}

/// A step as events that say nothing of other namespaces.
fn differences<K: Resource + Clone>(
    step: Step<K>,
    held: impl Fn() -> Vec<Arc<K>>,
) -> Vec<NamespaceEvent<K>> {
    match step {
        Step::Applied(object) => vec![NamespaceEvent::Event(Event::Apply(object))],
        Step::Deleted(object) => vec![NamespaceEvent::Event(Event::Delete(object))],
        Step::Failed { .. } => Vec::new(),
        Step::Listed(objects) => {
            let gone = {
                let now: HashMap<String, Option<String>> = objects
                    .iter()
                    .map(|object| (object.name_any(), object.uid()))
                    .collect();
                // Another object of the same name is another object, where uids are known.
                let is_there = |object: &Arc<K>| {
                    let uid = now.get(&object.name_any());
                    uid.is_some_and(|uid| object.uid().is_none() || *uid == object.uid())
                };
                let gone = held().into_iter().filter(|object| !is_there(object));
                gone.map(|object| {
                    NamespaceEvent::Event(Event::Delete(Arc::unwrap_or_clone(object)))
                })
                .collect::<Vec<_>>()
            };
            let applied = objects
                .into_iter()
                .map(Event::Apply)
                .map(NamespaceEvent::Event);
            gone.into_iter().chain(applied).collect()
        }
    }
}

#[cfg(test)]
mod tests;
