//! Watches: own watchers, each with its own backoff, so that one that fails does not slow the others
//! (docs/decisions/0002-metadata-watch.md#own-streams). Errors are logged and dropped; the watcher
//! goes on by itself. Only what is seen here creates the state and the claims of an object.

mod differences;
mod hearing;
mod life;
mod lists;
mod metrics;
mod polls;
mod secrets;
mod source;

use std::{
    collections::HashSet,
    future::ready,
    sync::{Arc, atomic::Ordering},
};

use futures::{Stream, StreamExt};
use kube::{
    Client, Resource, ResourceExt,
    runtime::{
        reflector::{Store, store::Writer},
        watcher,
    },
};

use self::{lists::WatchEvent, source::Source};
pub(crate) use self::{metrics::StoreSamples, polls::polls, secrets::secrets};
use super::{
    cache::{Stored, Tracked},
    context::Context,
    object::{Guarded, object_name, object_ref, secret_names, was_reconciled},
};
use crate::{account::ObjectName, telemetry::Health};

/// The objects themselves. Fills the store, keeps the reverse index, and drops what is kept in memory
/// of objects that are gone.
pub(crate) fn objects(
    context: Arc<Context>,
    client: Client,
    mut writer: Writer<Stored>,
    health: Health,
) -> impl Stream<Item = Result<Stored, watcher::Error>> {
    let store = writer.as_reader();
    // The store is ready though empty: a reconcile waits until the objects are complete.
    writer.apply_watcher_event(&watcher::Event::Init);
    writer.apply_watcher_event(&watcher::Event::InitDone);
    let source = Source {
        client,
        health,
        metrics: context.metrics.clone(),
        check: context.watch_check,
        component: "providersecrets",
        page: 500,
        kind: "ProviderSecret",
    };
    let known = {
        let store = store.clone();
        move |namespace: Option<&str>| names_in(&store, namespace)
    };
    let events = source.events(&context.namespaces, known);
    // The objects whose versions may come again as others.
    let mut doubted = HashSet::new();
    events.filter_map(move |event| {
        ready(match event {
            WatchEvent::Applied(object) => {
                let name = object_name(&object);
                let known = store.get(&object_ref(&name));
                let known = (known.as_deref(), doubted.remove(&name));
                applied(&context, &mut writer, &object, known).map(Ok)
            }
            WatchEvent::WentBack(namespace) => {
                context.forget_secrets();
                doubted.extend(names_in(&store, namespace.as_deref()));
                None
            }
            WatchEvent::Deleted(name) => {
                doubted.remove(&name);
                if let Some(known) = store.get(&object_ref(&name)) {
                    context.forget(&known, false);
                    let known = Stored::clone(&known);
                    writer.apply_watcher_event(&watcher::Event::Delete(known));
                }
                None
            }
            WatchEvent::Complete => {
                context.objects_listed.set();
                None
            }
            // Of namespaces that are not listed there is no object to reconcile.
            WatchEvent::Listed(_) => None,
        })
    })
}

/// Notes an object that the watch shows, and gives it if it is for the queue: it is not as it was known, or it is
/// doubted that it is, and the first lists are complete.
fn applied(
    context: &Context,
    writer: &mut Writer<Stored>,
    object: &Guarded,
    (known, is_doubted): (Option<&Stored>, bool),
) -> Option<Stored> {
    let is_known = |known: &Stored| {
        known.uid() == object.uid() && known.resource_version() == object.resource_version()
    };
    if known.is_some_and(is_known) && !is_doubted {
        return None;
    }
    let before = known.and_then(Stored::object);
    if is_doubted {
        let uid = object.uid().unwrap_or_default();
        context.states.with(&uid, Tracked::distrust);
    }
    if let Some(replaced) = known.filter(|known| known.uid() != object.uid()) {
        context.forget(replaced, true);
    } else if let (Some(known), Ok(shown)) = (&before, &object.0) {
        let uid = shown.uid().unwrap_or_default();
        context
            .states
            .with(&uid, |tracked| tracked.shown(known, shown));
    }
    let stored = Stored::of(object);
    writer.apply_watcher_event(&watcher::Event::Apply(stored.clone()));
    let name = object_name(object);
    let now = secret_names(object.0.as_ref().ok());
    context
        .reverse_index
        .change(&name, &secret_names(before.as_ref()), &now);
    if let Some(questions) = context.secrets.questions() {
        questions.ask_for(&name.0, &now);
    }
    let uid = context.states.create(&object.uid().unwrap_or_default());
    let is_deleted = object.meta().deletion_timestamp.is_some();
    context
        .states
        .with(&uid, |tracked| tracked.watched(is_deleted));
    if let Ok(object) = &object.0 {
        context
            .states
            .with(&uid, |tracked| tracked.note_withdrawal(object));
        if !context.objects_listed.is_set() && was_reconciled(object) {
            context.was_operated.store(true, Ordering::Relaxed);
        }
        context.requeue_all(context.claims.note(&uid, object));
    } else {
        // The process that leads tells it by an event.
        context.metrics.undecodable();
        let (namespace, name) = &name;
        tracing::error!(
            namespace,
            name,
            "the object does not fit the operator's schema and is left alone"
        );
    }
    // What the first lists show comes in the first round.
    context.objects_listed.is_set().then_some(stored)
}

/// The names that the store holds of a namespace, or of all.
fn names_in(store: &Store<Stored>, namespace: Option<&str>) -> Vec<ObjectName> {
    let objects = store.state();
    let names = objects.iter().map(|object| object_name(&**object));
    names
        .filter(|(of, _)| namespace.is_none_or(|namespace| of == namespace))
        .collect()
}
