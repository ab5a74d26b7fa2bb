//! Wiring: watches, queue, reconciles and the way to stop.

mod wake_ups;

use std::{
    convert::Infallible,
    future::Future,
    panic::AssertUnwindSafe,
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use futures::{FutureExt, Stream, StreamExt};
use kube::{
    Client, ResourceExt,
    core::DynamicObject,
    runtime::{
        Controller,
        controller::{self, Action},
        reflector::{self, ObjectRef, Store},
        watcher,
    },
};
use tokio::{
    sync::mpsc,
    time::{Instant, timeout},
};
use tracing::Instrument as _;

use self::wake_ups::wake_ups;
use super::{
    cache::{
        Complete, LargeValues, NamespaceBounds, News, ReverseIndex, Rotations, SecretName,
        SecretQuestions, SecretReads, SecretVersions, Stored, Window,
    },
    context::{Context, SecretAccess, Settings},
    events::Events,
    object::object_name,
    ownership::Claims,
    reconcile,
    watch::{self, StoreSamples},
};
use crate::{
    account::{Accounts, Credentials, Limiter, ObjectName},
    api::ProviderSecret,
    http::Http,
    telemetry::{Health, Metrics, ReconcileResult, note_result, reconcile_span},
};

/// How long reconciles under way may take after the signal to stop: with the events after them 10 s.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(9);

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

/// Has the metrics tell how many objects wait in the queue and how many could not be verified, and of each one of a
/// store. They do not keep the states alive.
fn count_objects(context: &Context, of_each: Option<&Store<Stored>>) {
    let window = Arc::clone(&context.window);
    context.metrics.register_queue(move || window.queued());
    if let Some(store) = of_each {
        let samples = StoreSamples(store.clone());
        context.metrics.register_objects(samples);
    }
    let states = Arc::downgrade(&context.states);
    context.metrics.register_unverified(move || {
        let states = states.upgrade();
        let unverified = states.map(|states| states.unverified(Instant::now()));
        unverified.unwrap_or_default()
    });
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
        opt_in,
        secret_access,
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
        &reporter,
        leadership.clone(),
    );
    let limiter = Limiter::new(
        max_provider_calls(concurrency),
        calls_per_account,
        grant,
        metrics.clone(),
    );
    metrics.register_accounts(limiter.clone());
    let window = Arc::new(Window::default());
    let asked = match secret_access {
        SecretAccess::Watch => None,
        SecretAccess::GetOnly(interval) => Some(SecretQuestions::new(interval)),
    };
    let questions = asked.as_ref().map(|(questions, _)| Arc::clone(questions));
    let (store, writer) = reflector::store::<Stored>();
    let context = Arc::new(Context {
        stored: store.clone(),
        accounts: Accounts::new(http, endpoints, limiter.clone()),
        client: client.clone(),
        credentials: Credentials::default(),
        objects_listed: Complete::default(),
        was_operated: AtomicBool::new(false),
        secrets: SecretVersions::new(&namespaces, questions),
        secret_reads: SecretReads::default(),
        large_values: LargeValues::default(),
        bounds: NamespaceBounds::new(opt_in.namespaces),
        opt_in,
        namespaces,
        reverse_index: ReverseIndex::default(),
        rotations: Rotations::default(),
        claims: Claims::default(),
        states: Arc::default(),
        news: News::default(),
        window: Arc::clone(&window),
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
    count_objects(&context, metrics_per_resource.then_some(&store));
    let objects = watch::objects(Arc::clone(&context), client.clone(), writer, health.clone());
    let objects = counted(objects, &context, shown_name);
    let watched = (Arc::clone(&context), client, store.clone(), health);
    let secrets = secret_changes(watched, asked);
    let wake_ups = wake_ups(granted, requeued, &store, &context);
    let reconciles = Controller::for_stream(objects, store)
        .with_config(queue(concurrency))
        .reconcile_on(counted(secrets, &context, named))
        .reconcile_on(counted(wake_ups, &context, named))
        .graceful_shutdown_on(stop.clone())
        .run(
            reconcile,
            |_, error: &Infallible, _| match *error {},
            Arc::clone(&context),
        )
        .for_each(move |passed| {
            if let Err(controller::Error::ObjectNotFound(gone)) = passed {
                gone_while_queued(*gone, &window, &limiter);
            }
            std::future::ready(())
        });
    let mut send_events = std::pin::pin!(send_events.fuse());
    let ended = ended(reconciles, stop.clone());
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

/// The objects that name a Secret that changed. Where Secrets are asked for, `asked` is how, and the names that objects
/// begin to hold.
fn secret_changes(
    (context, client, store, health): (Arc<Context>, Client, Store<Stored>, Health),
    asked: Option<(Arc<SecretQuestions>, mpsc::UnboundedReceiver<SecretName>)>,
) -> impl Stream<Item = ObjectRef<Stored>> {
    match asked {
        None => watch::secrets(context, client, store, health).left_stream(),
        Some((questions, named)) => {
            watch::polls(context, client, store, health, questions, named).right_stream()
        }
    }
}

/// What goes to the queue, and is counted there from now on; `name` tells which object it is about.
fn counted<S: Stream, F: Fn(&S::Item) -> Option<ObjectName>>(
    objects: S,
    context: &Context,
    name: F,
) -> impl Stream<Item = S::Item> + use<S, F> {
    let window = Arc::clone(&context.window);
    objects.inspect(move |object| {
        if let Some(name) = name(object) {
            window.note_queued(&name);
        }
    })
}

/// The name of an object that the watch shows.
fn shown_name(shown: &Result<Stored, watcher::Error>) -> Option<ObjectName> {
    shown.as_ref().ok().map(object_name)
}

/// The name that a reference has.
fn named(object: &ObjectRef<Stored>) -> Option<ObjectName> {
    Some((object.namespace.clone()?, object.name.clone()))
}

/// Completes when the reconciles have ended, or have had their time after `stop`.
async fn ended(reconciles: impl Future<Output = ()>, stop: impl Future<Output = ()>) -> Stopped {
    tokio::select! {
        () = reconciles => Stopped::Finished,
        () = drained(stop) => {
            tracing::warn!("reconciles under way took too long and were left");
            Stopped::Left
        }
    }
}

/// The queue: what changed is worked on at once.
fn queue(concurrency: u16) -> controller::Config {
    controller::Config::default()
        .concurrency(concurrency)
        .debounce(Duration::ZERO)
}

/// An object was deleted while it was queued: no error, but it may hold a grant.
fn gone_while_queued(gone: ObjectRef<DynamicObject>, window: &Window, limiter: &Limiter) {
    let name = (gone.namespace.unwrap_or_default(), gone.name);
    window.note_started(&name);
    limiter.forget(&name);
}

/// Completes when reconciles under way have had their time after `stop`.
async fn drained(stop: impl Future<Output = ()>) {
    stop.await;
    tokio::time::sleep(DRAIN_TIMEOUT).await;
}

/// How many reconciles may call providers at once: a few less than there are at all, so that a reconcile
/// that calls no provider always finds a slot.
fn max_provider_calls(concurrency: u16) -> usize {
    let concurrency = usize::from(concurrency);
    concurrency
        .saturating_sub((concurrency / 8).clamp(1, 4))
        .max(1)
}

async fn reconcile(object: Arc<Stored>, context: Arc<Context>) -> Result<Action, Infallible> {
    let name = object_name(&*object);
    context.window.note_started(&name);
    let seen = object.object().map(Arc::new);
    if let Some(action) = reconcile::stand_by(&context, &name, seen.as_ref()) {
        return Ok(action);
    }
    let span = reconcile_span(&name.0, &name.1);
    let action = guarded(&object, seen.as_ref(), &context).instrument(span);
    Ok(action.await)
}

/// Reconciles an object if it decodes, and outlives a panic.
async fn guarded(object: &Stored, seen: Option<&Arc<ProviderSecret>>, context: &Context) -> Action {
    let started = Instant::now();
    let release_permit =
        || context.release_permit(&object.uid().unwrap_or_default(), &object_name(object));
    let Some(seen) = seen else {
        release_permit();
        reconcile::undecodable::tell(context, object);
        return reconcile::undecodable::let_go(context, object).await;
    };
    // A panic would end the controller for every object
    // (docs/architecture.md#a-panic-in-one-reconcile).
    let outcome = AssertUnwindSafe(reconcile::reconcile(context, seen))
        .catch_unwind()
        .await;
    let (result, action) = outcome.unwrap_or_else(|_| {
        tracing::error!("a reconcile panicked; this is a bug");
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
