//! Watches: own watchers, each with its own backoff, so that one that fails does not slow the
//! other (style.md 7.1). Errors are told and dropped; the watcher goes on by itself.

use std::{sync::Arc, time::Duration};

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use futures::{Stream, StreamExt, future::ready, stream};
use k8s_openapi::api::core::v1::Secret;
use kube::{
    Api, Client, ResourceExt,
    core::PartialObjectMeta,
    runtime::{
        WatchStreamExt,
        reflector::{ObjectRef, Store, store::Writer},
        utils::Backoff,
        watcher,
    },
};

use super::{
    context::{Context, Guarded, object_name, object_ref, secret_names},
    events::Importance,
    report::slim,
    secrets::Relist,
};
use crate::{api::Reason, telemetry::Health};

/// How long a watch runs before it is opened anew, in seconds. Below the 240 s after which some
/// load balancers cut a silent connection (style.md 7.10).
const WATCH_SECONDS: u32 = 200;
/// Objects in one page of a list. A page is in memory as text, as a tree and as objects at once.
const PAGE: u32 = 100;

/// The component names in `/readyz`.
pub(super) const OBJECTS: &str = "providersecrets";
pub(super) const SECRETS: &str = "secrets";

fn config() -> watcher::Config {
    watcher::Config::default()
        .timeout(WATCH_SECONDS)
        .page_size(PAGE)
}

/// The objects themselves. Fills the store, keeps the index of references and forgets what is gone.
pub(super) fn objects(
    context: Arc<Context>,
    client: Client,
    mut writer: Writer<Guarded>,
    health: Health,
) -> impl Stream<Item = Result<Guarded, watcher::Error>> {
    let store = writer.as_reader();
    watcher(Api::<Guarded>::all(client), config())
        .modify(slim)
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
        .inspect(move |event| watched(OBJECTS, event, &health))
        .applied_objects()
        .backoff(WatchBackoff::default())
        .filter(|object| ready(object.is_ok()))
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
        context.wake_all(context.claims.note(object));
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
    health: Health,
) -> impl Stream<Item = ObjectRef<Guarded>> {
    let mut relist = Relist::default();
    watcher(Api::<PartialObjectMeta<Secret>>::all(client), config())
        // Annotations may hold values: kubectl keeps what it applied there.
        .modify(slim)
        .inspect(move |event| watched(SECRETS, event, &health))
        .map(move |event| {
            event.map(|event| {
                let changed = context.secrets.apply(&mut relist, event);
                let mut woken = Vec::new();
                for secret in &changed {
                    if context.secrets.get(&secret.0, &secret.1).is_none() {
                        context.credentials.forget(&secret.0, &secret.1);
                    }
                    woken.extend(context.references.readers(secret).iter().map(object_ref));
                }
                woken
            })
        })
        // Errors only: a backoff behind Ok(Init) would never grow (style.md 7.3).
        .filter(|woken| ready(woken.as_ref().map_or(true, |woken| !woken.is_empty())))
        .backoff(WatchBackoff::default())
        .flat_map(|woken| stream::iter(woken.unwrap_or_default()))
}

/// Tells `/readyz` and the log how a watch does.
fn watched<K>(
    component: &'static str,
    event: &watcher::Result<watcher::Event<K>>,
    health: &Health,
) {
    match event {
        Ok(watcher::Event::InitDone | watcher::Event::Apply(_) | watcher::Event::Delete(_)) => {
            health.works(component);
        }
        Ok(watcher::Event::Init | watcher::Event::InitApply(_)) => {}
        Err(error) => {
            let what = what(error);
            tracing::warn!(component, "the watch failed: {what}");
            health.lacks(component, what);
        }
    }
}

fn what(error: &watcher::Error) -> String {
    let status = match error {
        watcher::Error::InitialListFailed(kube::Error::Api(status))
        | watcher::Error::WatchStartFailed(kube::Error::Api(status))
        | watcher::Error::WatchFailed(kube::Error::Api(status))
        | watcher::Error::WatchError(status) => Some(status.code),
        _ => None,
    };
    match status {
        Some(403) => "the ServiceAccount may not list and watch them in all namespaces".to_owned(),
        Some(404) => {
            "the API server does not know them; install the CustomResourceDefinition".to_owned()
        }
        Some(410) => "the watch was too old and is begun anew".to_owned(),
        Some(code) => format!("the API server answered {code}"),
        None => "the API server could not be reached".to_owned(),
    }
}

/// The waits of a watch that fails: 0.5 s doubling to 10 s with jitter. Short, because the watch is
/// all that stands between a rotation and the provider.
struct WatchBackoff(ExponentialBackoff);

impl Default for WatchBackoff {
    fn default() -> Self {
        let sequence = ExponentialBuilder::default()
            .with_min_delay(Duration::from_millis(500))
            .with_max_delay(Duration::from_secs(10))
            .with_jitter()
            .without_max_times();
        Self(sequence.build())
    }
}

impl Iterator for WatchBackoff {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        self.0.next()
    }
}

impl Backoff for WatchBackoff {
    fn reset(&mut self) {
        *self = Self::default();
    }
}
