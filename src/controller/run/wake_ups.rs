//! What wakes an object although no watch shows it.

use std::{
    hash::{BuildHasher, BuildHasherDefault, DefaultHasher},
    sync::Arc,
    time::Duration,
};

use futures::{FutureExt as _, Stream, StreamExt, future::ready, stream};
use kube::{
    Resource, ResourceExt,
    runtime::reflector::{ObjectRef, Store},
};
use tokio::{sync::mpsc, time::Instant};

use crate::{
    account::ObjectName,
    clock::jittered,
    controller::{
        cache::{Stored, Window},
        context::Context,
        object::{object_name, object_ref},
    },
};

/// How often every object is reconciled without news.
const RESYNC_INTERVAL: Duration = Duration::from_mins(10);

/// How long the look at every object takes after this process has begun to lead.
const FULL_ROUND: Duration = Duration::from_mins(1);

/// In how many turns all objects are looked at.
const ROUND_TURNS: u32 = 120;

/// How often, at most and at least, it is looked for objects whose time has come.
const DUE_SCAN_INTERVAL: (Duration, Duration) =
    (Duration::from_millis(100), Duration::from_secs(30));

/// Objects to look at although no watch shows them: they were granted a permit, another object affects them,
/// their time has come, or this process begins to lead.
pub(super) fn wake_ups(
    granted: mpsc::UnboundedReceiver<ObjectName>,
    requeued: mpsc::UnboundedReceiver<ObjectName>,
    store: &Store<Stored>,
    context: &Arc<Context>,
) -> impl Stream<Item = ObjectRef<Stored>> + use<> {
    let grants = stream::unfold(granted, |mut granted| async {
        let object = granted.recv().await?;
        Some((object_ref(&object), granted))
    });
    stream::select_all([
        grants.boxed(),
        affected(requeued, store.clone(), Arc::clone(context)).boxed(),
        first_round(store.clone(), Arc::clone(context)).boxed(),
        sweep(store.clone(), Arc::clone(context)).boxed(),
        due(store.clone(), Arc::clone(context)).boxed(),
        news(Arc::clone(context)).boxed(),
        when_leading(store.clone(), Arc::clone(context)).boxed(),
    ])
}

/// Objects that a change of another object affects. They pass the gate.
fn affected(
    requeued: mpsc::UnboundedReceiver<ObjectName>,
    store: Store<Stored>,
    context: Arc<Context>,
) -> impl Stream<Item = ObjectRef<Stored>> {
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
fn due(store: Store<Stored>, context: Arc<Context>) -> impl Stream<Item = ObjectRef<Stored>> {
    let often = (context.verify_interval / 20).clamp(DUE_SCAN_INTERVAL.0, DUE_SCAN_INTERVAL.1);
    stream::unfold((store, context), move |(store, context)| async move {
        tokio::time::sleep(jittered(often)).await;
        context.listed().await;
        context.secret_reads.sweep();
        context.bounds.sweep();
        let (now, clock) = (Instant::now(), crate::clock::now());
        let is_due = |object: &Stored| {
            let uid = object.uid().unwrap_or_default();
            object.is_due(clock) || context.states.is_due(&uid, now)
        };
        let names = names(&store, is_due);
        Some((stream::iter(names), (store, context)))
    })
    .flatten()
}

/// Every object now and then. Watches promise nothing
/// (docs/decisions/0002-metadata-watch.md#what-a-watch-does-not-promise), and to look costs no call.
/// A few at a time: behind all of a hundred thousand, a rotation would wait for seconds.
fn sweep(store: Store<Stored>, context: Arc<Context>) -> impl Stream<Item = ObjectRef<Stored>> {
    let turns = in_turns(store, (0..ROUND_TURNS).cycle(), RESYNC_INTERVAL);
    after(async move { context.listed().await }, turns)
}

/// In which of the turns of a sweep an object is looked at.
fn turn(object: &Stored) -> u32 {
    let hash =
        BuildHasherDefault::<DefaultHasher>::default().hash_one(object.meta().uid.as_deref());
    u32::try_from(hash % u64::from(ROUND_TURNS)).unwrap_or_default()
}

/// Every object, as soon as the first lists are complete.
fn first_round(
    store: Store<Stored>,
    context: Arc<Context>,
) -> impl Stream<Item = ObjectRef<Stored>> {
    let window = Arc::clone(&context.window);
    let all = stream::once(async move {
        context.listed().await;
        stream::iter(store.state()).map(|object| object_name(&*object))
    });
    in_room(all.flatten(), window)
}

/// The objects with news when this process begins to lead: they were left alone until then.
fn news(context: Arc<Context>) -> impl Stream<Item = ObjectRef<Stored>> {
    let window = Arc::clone(&context.window);
    let noted = stream::once(async move {
        context.leadership.begins().await;
        stream::iter(context.news.take())
    });
    in_room(noted.flatten(), window)
}

/// Every object when this process begins to lead, because nothing but a look tells when it is compared with
/// its account.
fn when_leading(
    store: Store<Stored>,
    context: Arc<Context>,
) -> impl Stream<Item = ObjectRef<Stored>> {
    let begins = async move {
        context.leadership.begins().await;
        context.listed().await;
    };
    after(begins, in_turns(store, 0..ROUND_TURNS, FULL_ROUND))
}

/// A stream that begins when something has happened.
fn after<S: Stream>(event: impl Future<Output = ()>, stream: S) -> impl Stream<Item = S::Item> {
    event
        .into_stream()
        .map(|()| None)
        .chain(stream.map(Some))
        .filter_map(ready)
}

/// Gives objects to the queue when the ones before were looked at.
fn in_room(
    names: impl Stream<Item = ObjectName>,
    window: Arc<Window>,
) -> impl Stream<Item = ObjectRef<Stored>> {
    names.then(move |name| {
        let window = Arc::clone(&window);
        async move {
            window.give(&name).await;
            object_ref(&name)
        }
    })
}

/// Every object, in turns that take `round` together.
fn in_turns(
    store: Store<Stored>,
    turns: impl Iterator<Item = u32>,
    round: Duration,
) -> impl Stream<Item = ObjectRef<Stored>> {
    stream::iter(turns)
        .then(move |now| {
            let store = store.clone();
            async move {
                tokio::time::sleep(round / ROUND_TURNS).await;
                stream::iter(names(&store, |object| turn(object) == now))
            }
        })
        .flatten()
}

/// The objects that are known and chosen.
fn names(store: &Store<Stored>, is_chosen: impl Fn(&Stored) -> bool) -> Vec<ObjectRef<Stored>> {
    let objects = store.state().into_iter();
    objects
        .filter(|object| is_chosen(object))
        .map(|object| object_ref(&object_name(&*object)))
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A window that gives no room again would be noticed by no other test: the other rounds look at every object,
    /// only later.
    #[tokio::test]
    async fn a_round_gives_every_object_while_they_are_looked_at() {
        let window = Arc::new(Window::default());
        let name = |number: usize| ("ml".to_owned(), number.to_string());
        let mut round = Box::pin(in_room(
            stream::iter((0..2_000).map(name)),
            Arc::clone(&window),
        ));
        let mut given = 0;
        while let Some(object) = round.next().await {
            window.note_started(&(object.namespace.unwrap(), object.name));
            given += 1;
        }
        assert_eq!(given, 2_000);
    }

    #[test]
    fn every_object_has_a_turn_and_none_is_crowded() {
        let object = |number: u32| {
            let metadata = json!({"name": "a", "namespace": "b", "uid": format!("uid-{number}")});
            serde_json::from_value::<Stored>(
                json!({"metadata": metadata, "spec": {"provider": {}}}),
            )
        };
        let mut counts = vec![0; ROUND_TURNS as usize];
        for number in 0..12_000 {
            counts[turn(&object(number).unwrap()) as usize] += 1;
        }
        let range = 50..200;
        assert!(
            counts.iter().all(|count| range.contains(count)),
            "{counts:?}"
        );
    }
}
