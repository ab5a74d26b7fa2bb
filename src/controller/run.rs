//! Wiring: watches, queue, reconciles and the way to stop.

use std::{
    convert::Infallible, future::Future, panic::AssertUnwindSafe, sync::Arc, time::Duration,
};

use futures::{FutureExt, Stream, StreamExt, stream};
use kube::{
    Client, Resource as _, ResourceExt,
    runtime::{
        Controller,
        controller::{self, Action},
        reflector::{self, ObjectRef, Store},
    },
};
use tokio::{
    sync::mpsc,
    time::{Instant, timeout},
};
use tracing::Instrument as _;

use super::{
    cache::{Complete, LargeValues, ObjectStates, ReverseIndex, SecretReads, SecretVersions},
    context::{Context, Settings},
    events::Events,
    gate::has_due,
    object::{Guarded, object_name, object_ref},
    ownership::Claims,
    reconcile,
    watch::{self, StoreSamples},
};
use crate::{
    account::{Accounts, Credentials, Limiter, ObjectName},
    clock::jittered,
    http::Http,
    telemetry::{Health, Metrics, ReconcileResult, note_result, reconcile_span},
};

/// How long reconciles under way may take after the signal to stop: with the events after them 10 s.
const DRAIN: Duration = Duration::from_secs(9);

/// How often every object is reconciled without news.
const RESYNC_INTERVAL: Duration = Duration::from_mins(10);

/// How often, at most and at least, it is looked for objects whose time has come.
const DUE_SCAN_INTERVAL: (Duration, Duration) =
    (Duration::from_millis(100), Duration::from_secs(30));

/// Why the controller ended by itself. It never should.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The queue ended without a signal.
    #[error("the controller ended without being told to")]
    Ended,
}

/// What became of the reconciles that were under way when the controller was told to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// They finished.
    Finished,
    /// Some took too long, and what they sent may still be on its way.
    Left,
}

/// Runs the controller until `stop`, then lets the reconciles under way finish.
///
/// # Errors
/// When it ends before `stop`.
pub async fn run(
    client: Client,
    http: Http,
    settings: Settings,
    metrics: Metrics,
    health: Health,
    stop: impl Future<Output = ()> + Clone + Send + Sync + 'static,
) -> Result<Stopped, Error> {
    let Settings {
        endpoints,
        namespaces,
        concurrency,
        calls_per_account,
        verify_interval,
        deletion_timeout,
        removal_grace,
        watch_check,
        metrics_per_resource,
        reporter,
        leadership,
    } = settings;
    let (grant, granted) = mpsc::unbounded_channel();
    let (requeue, requeued) = mpsc::unbounded_channel();
    let (events, send_events) = Events::new(
        client.clone(),
        metrics.clone(),
        reporter,
        leadership.clone(),
    );
    let limiter = Limiter::new(
        max_provider_calls(concurrency),
        calls_per_account,
        grant,
        metrics.clone(),
    );
    metrics.register_accounts(limiter.clone());
    let context = Arc::new(Context {
        accounts: Accounts::new(http, endpoints, limiter.clone()),
        client: client.clone(),
        credentials: Credentials::default(),
        objects_listed: Complete::default(),
        secrets: SecretVersions::new(&namespaces),
        secret_reads: SecretReads::default(),
        large_values: LargeValues::default(),
        namespaces,
        reverse_index: ReverseIndex::default(),
        claims: Claims::default(),
        states: ObjectStates::default(),
        requeue,
        leadership,
        epoch: Instant::now(),
        verify_interval,
        deletion_timeout,
        removal_grace,
        watch_check,
        events,
        metrics: metrics.clone(),
    });
    let (store, writer) = reflector::store::<Guarded>();
    if metrics_per_resource {
        metrics.register_objects(StoreSamples(store.clone()));
    }
    let objects = watch::objects(Arc::clone(&context), client.clone(), writer, health.clone());
    let secrets = watch::secrets(Arc::clone(&context), client, store.clone(), health);
    let wake_ups = wake_ups(granted, requeued, &store, &context);
    let config = controller::Config::default()
        .concurrency(concurrency)
        .debounce(Duration::ZERO);
    let reconciles = Controller::for_stream(objects, store)
        .with_config(config)
        .reconcile_on(secrets)
        .reconcile_on(wake_ups)
        .graceful_shutdown_on(stop.clone())
        .run(
            reconcile,
            |_, error: &Infallible, _| match *error {},
            Arc::clone(&context),
        )
        .for_each(move |passed| {
            // The object was deleted while queued: no error, but it may hold a grant.
            if let Err(controller::Error::ObjectNotFound(gone)) = passed {
                limiter.forget(&(gone.namespace.unwrap_or_default(), gone.name));
            }
            std::future::ready(())
        });
    let drained = drained(stop.clone());
    let mut send_events = std::pin::pin!(send_events.fuse());
    let ended = async {
        tokio::select! {
            () = reconciles => Stopped::Finished,
            () = drained => {
                tracing::warn!("passes under way took too long and were left");
                Stopped::Left
            }
        }
    };
    let stopped = tokio::select! {
        stopped = ended => stopped,
        () = &mut send_events => Stopped::Left,
    };
    let was_told = stop.now_or_never().is_some();
    // Events that were recorded in the last reconciles.
    drop(context);
    let _ = timeout(Duration::from_secs(1), send_events).await;
    was_told.then_some(stopped).ok_or(Error::Ended)
}

/// Completes when reconciles under way have had their time after `stop`.
async fn drained(stop: impl Future<Output = ()>) {
    stop.await;
    tokio::time::sleep(DRAIN).await;
}

/// Objects to look at although no watch shows them: they were granted a permit, another object affects them,
/// their time has come, or this process begins to lead.
fn wake_ups(
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

/// How many reconciles may call providers at once: a few less than there are at all, so that a reconcile
/// that calls no provider always finds a slot.
fn max_provider_calls(concurrency: u16) -> usize {
    let concurrency = usize::from(concurrency);
    concurrency
        .saturating_sub((concurrency / 8).clamp(1, 4))
        .max(1)
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

async fn reconcile(object: Arc<Guarded>, context: Arc<Context>) -> Result<Action, Infallible> {
    // It is looked at when this process leads.
    if !context.leadership.is_held() {
        return Ok(Action::await_change());
    }
    let meta = object.meta();
    let span = reconcile_span(
        meta.namespace.as_deref().unwrap_or_default(),
        meta.name.as_deref().unwrap_or_default(),
    );
    Ok(guarded(&object, &context).instrument(span).await)
}

/// Reconciles an object if it decodes, and outlives a panic.
async fn guarded(object: &Guarded, context: &Context) -> Action {
    let started = Instant::now();
    let release_permit =
        || context.release_permit(&object.uid().unwrap_or_default(), &object_name(object));
    let Ok(seen) = &object.0 else {
        release_permit();
        return reconcile::undecodable::let_go(context, object).await;
    };
    // A panic would end the controller for every object
    // (docs/architecture.md#a-panic-in-one-reconcile).
    let outcome = AssertUnwindSafe(reconcile::reconcile(context, seen))
        .catch_unwind()
        .await;
    let (result, action) = outcome.unwrap_or_else(|_| {
        tracing::error!("a pass panicked; this is a bug");
        release_permit();
        (
            ReconcileResult::Panicked,
            Action::requeue(Duration::from_mins(5)),
        )
    });
    note_result(result);
    context.metrics.reconciled(result, started.elapsed());
    action
}
