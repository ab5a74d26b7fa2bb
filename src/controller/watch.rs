//! Watches: own watchers, each with its own backoff, so that one that fails does not slow the
//! other (style.md 7.1). Errors are told and dropped; the watcher goes on by itself.

mod merge;
mod source;

use std::{future::ready, sync::Arc};

use futures::{Stream, StreamExt, stream};
use k8s_openapi::api::core::v1::Secret;
use kube::{
    Client, ResourceExt,
    core::PartialObjectMeta,
    runtime::{
        WatchStreamExt,
        reflector::{ObjectRef, Store, store::Writer},
        watcher,
    },
};

use self::{
    merge::Told,
    source::{Source, unfailing},
};
use super::{
    context::{Context, Guarded, object_name, object_ref, secret_names},
    events::Importance,
    secrets::Relist,
};
use crate::{api::Reason, telemetry::Health};

/// The objects themselves. Fills the store, keeps the index of references and forgets what is gone.
pub(super) fn objects(
    context: Arc<Context>,
    client: Client,
    mut writer: Writer<Guarded>,
    health: Health,
) -> impl Stream<Item = Result<Guarded, watcher::Error>> {
    let store = writer.as_reader();
    let source = Source {
        client,
        health,
        component: "providersecrets",
    };
    let held = {
        let store = store.clone();
        move |namespace: &str| of_namespace(&store, namespace)
    };
    let events = source.events(&context.namespaces, held);
    // Which namespaces are whole matters for Secrets only: of what is not listed there is no pass.
    let events = events.filter_map(|told| {
        ready(match told {
            Ok(Told::Event(event)) => Some(Ok(event)),
            Ok(Told::Whole(_)) => None,
            Err(error) => Some(Err(error)),
        })
    });
    let objects = events
        .map(move |event| {
            if let Ok(event) = &event {
                let known = known(&store, event);
                writer.apply_watcher_event(event);
                match event {
                    watcher::Event::Apply(object) | watcher::Event::InitApply(object) => {
                        note(&context, object, known.first().map(|known| &**known));
                    }
                    watcher::Event::Delete(object) => context.forget(object, false),
                    watcher::Event::Init => {}
                    watcher::Event::InitDone => {
                        for object in known {
                            let now = store.get(&object_ref(&object_name(&*object)));
                            if now.as_ref().is_none_or(|now| now.uid() != object.uid()) {
                                context.forget(&object, now.is_some());
                            }
                        }
                    }
                }
            }
            event
        })
        .applied_objects();
    unfailing(objects).map(Ok)
}

/// What the store holds of a namespace.
fn of_namespace(store: &Store<Guarded>, namespace: &str) -> Vec<Arc<Guarded>> {
    let mut objects = store.state();
    objects.retain(|object| object.namespace().as_deref() == Some(namespace));
    objects
}

/// What the store holds before an event of that which the event is about.
fn known(store: &Store<Guarded>, event: &watcher::Event<Guarded>) -> Vec<Arc<Guarded>> {
    match event {
        watcher::Event::Apply(object) | watcher::Event::InitApply(object) => store
            .get(&object_ref(&object_name(object)))
            .into_iter()
            .collect(),
        watcher::Event::InitDone => store.state(),
        watcher::Event::Init | watcher::Event::Delete(_) => Vec::new(),
    }
}

/// What is known from seeing an object: which Secrets it names, or that it does not decode.
fn note(context: &Context, object: &Guarded, before: Option<&Guarded>) {
    let name = object_name(object);
    let before = before.map(secret_names).unwrap_or_default();
    context
        .references
        .change(&name, &before, &secret_names(object));
    if let Ok(object) = &object.0 {
        context.requeue_all(context.claims.note(object));
    } else {
        context.metrics.undecodable();
        let note = "The object does not fit the operator's schema and is left alone. Compare it with kubectl explain providersecret.spec.";
        tracing::error!(namespace = name.0, name = name.1, "{note}");
        context.events.tell(
            object,
            Importance::Warning,
            Reason::InvalidSpec,
            "Decode",
            note,
        );
    }
}

/// The objects that read a Secret that changed. Secrets are watched as metadata only.
pub(super) fn readers(
    context: Arc<Context>,
    client: Client,
    store: Store<Guarded>,
    health: Health,
) -> impl Stream<Item = ObjectRef<Guarded>> {
    let mut relist = Relist::default();
    let source = Source {
        client,
        health,
        component: "secrets",
    };
    let held = {
        let context = Arc::clone(&context);
        move |namespace: &str| context.secrets.held(namespace)
    };
    let events = source.events::<PartialObjectMeta<Secret>>(&context.namespaces, held);
    let woken = events
        .map(move |told| told.map(|told| wake(&context, &store, &mut relist, told)))
        // Errors only: a backoff behind Ok(Init) would never grow (style.md 7.3).
        .filter(|woken| ready(woken.as_ref().map_or(true, |woken| !woken.is_empty())));
    unfailing(woken).flat_map(stream::iter)
}

/// Takes note of what a watch of Secrets tells, and gives the objects which that may concern.
fn wake(
    context: &Context,
    store: &Store<Guarded>,
    relist: &mut Relist,
    told: Told<PartialObjectMeta<Secret>>,
) -> Vec<ObjectRef<Guarded>> {
    let event = match told {
        Told::Event(event) => event,
        Told::Whole(namespace) => {
            context.secrets.set_whole(&namespace);
            // Those that name what does not exist too: until now they were left alone.
            let waiting = of_namespace(store, &namespace).into_iter();
            return waiting
                .map(|object| object_ref(&object_name(&*object)))
                .collect();
        }
    };
    let changed = context.secrets.apply(relist, event);
    let mut woken = Vec::new();
    for secret in &changed {
        if context.secrets.get(&secret.0, &secret.1).is_none() {
            context.credentials.forget(&secret.0, &secret.1);
        }
        woken.extend(context.references.readers(secret).iter().map(object_ref));
    }
    woken
}
