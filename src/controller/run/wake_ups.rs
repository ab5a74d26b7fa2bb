//! What wakes an object although no watch shows it.

use std::{sync::Arc, time::Duration};

use futures::{Stream, StreamExt, stream};
use kube::{
    ResourceExt,
    runtime::reflector::{ObjectRef, Store},
};
use tokio::{sync::mpsc, time::Instant};

use crate::{
    account::ObjectName,
    clock::jittered,
    controller::{
        context::Context,
        gate::has_due,
        object::{Guarded, object_name, object_ref},
    },
};

/// How often every object is reconciled without news.
const RESYNC_INTERVAL: Duration = Duration::from_mins(10);

/// How often, at most and at least, it is looked for objects whose time has come.
const DUE_SCAN_INTERVAL: (Duration, Duration) =
    (Duration::from_millis(100), Duration::from_secs(30));

/// Objects to look at although no watch shows them: they were granted a permit, another object affects them,
/// their time has come, or this process begins to lead.
pub(super) fn wake_ups(
    granted: mpsc::UnboundedReceiver<ObjectName>,
    requeued: mpsc::UnboundedReceiver<ObjectName>,
    store: &Store<Guarded>,
    context: &Arc<Context>,
) -> impl Stream<Item = ObjectRef<Guarded>> + use<> {
    let grants = stream::unfold(granted, |mut granted| async {
        let object = granted.recv().await?;
        Some((object_ref(&object), granted))
    });
    stream::select_all([
        grants.boxed(),
        affected(requeued, store.clone(), Arc::clone(context)).boxed(),
        sweep(store.clone()).boxed(),
        due(store.clone(), Arc::clone(context)).boxed(),
        when_leading(store.clone(), Arc::clone(context)).boxed(),
    ])
}

/// Objects that a change of another object affects. They pass the gate.
fn affected(
    requeued: mpsc::UnboundedReceiver<ObjectName>,
    store: Store<Guarded>,
    context: Arc<Context>,
) -> impl Stream<Item = ObjectRef<Guarded>> {
    stream::unfold(requeued, move |mut requeued| {
        let (store, context) = (store.clone(), Arc::clone(&context));
        async move {
            let object = object_ref(&requeued.recv().await?);
            if let Some(uid) = store.get(&object).and_then(|object| object.uid()) {
                context
                    .states
                    .with(&uid, |tracked| tracked.is_requeued = true);
            }
            Some((object, requeued))
        }
    })
}

/// Objects that are due for work that no watch event announces. One timer for all: a
/// timer for each object would cost memory for each.
fn due(store: Store<Guarded>, context: Arc<Context>) -> impl Stream<Item = ObjectRef<Guarded>> {
    let often = (context.verify_interval / 20).clamp(DUE_SCAN_INTERVAL.0, DUE_SCAN_INTERVAL.1);
    stream::unfold((store, context), move |(store, context)| async move {
        tokio::time::sleep(jittered(often)).await;
        context.secret_reads.sweep();
        let (now, clock) = (Instant::now(), crate::clock::now());
        let is_due = |object: &Arc<Guarded>| {
            let Ok(object) = &object.0 else { return false };
            let uid = object.uid().unwrap_or_default();
            context.states.is_due(&uid, now) || has_due(object, clock)
        };
        let objects = store.state().into_iter().filter(is_due);
        let objects: Vec<_> = objects
            .map(|object| object_ref(&object_name(&*object)))
            .collect();
        Some((stream::iter(objects), (store, context)))
    })
    .flatten()
}

/// Every object now and then. Watches promise nothing
/// (docs/decisions/0002-metadata-watch.md#what-a-watch-does-not-promise), and to look costs no call.
/// One timer for all: a timer for each object would cost memory for each.
fn sweep(store: Store<Guarded>) -> impl Stream<Item = ObjectRef<Guarded>> {
    stream::unfold(store, |store| async {
        tokio::time::sleep(jittered(RESYNC_INTERVAL)).await;
        Some((stream::iter(all(&store)), store))
    })
    .flatten()
}

/// Every object that is known when this process begins to lead: it was left alone until then.
fn when_leading(
    store: Store<Guarded>,
    context: Arc<Context>,
) -> impl Stream<Item = ObjectRef<Guarded>> {
    stream::once(async move {
        context.leadership.begins().await;
        stream::iter(all(&store))
    })
    .flatten()
}

/// All objects that are known.
fn all(store: &Store<Guarded>) -> Vec<ObjectRef<Guarded>> {
    let objects = store.state().into_iter();
    objects
        .map(|object| object_ref(&object_name(&*object)))
        .collect()
}
