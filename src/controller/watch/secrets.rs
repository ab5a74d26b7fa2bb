//! What a watch of Secrets shows, and which objects it affects. No value passes through here.

use std::{sync::Arc, time::Duration};

use futures::{Stream, StreamExt, stream};
use k8s_openapi::api::core::v1::Secret;
use kube::{
    Client, ResourceExt,
    core::PartialObjectMeta,
    runtime::reflector::{ObjectRef, Store},
};
use tokio::time::{Instant, sleep};

use super::{lists::WatchEvent, names_in, source::Source};
use crate::{
    account::ObjectName,
    controller::{
        cache::{Stored, Tracked, VersionChange},
        context::Context,
        object::{is_labelled, object_name, object_ref},
    },
    telemetry::Health,
};

/// The objects that name a Secret that changed. Secrets are watched as metadata only.
pub(crate) fn secrets(
    context: Arc<Context>,
    client: Client,
    store: Store<Stored>,
    health: Health,
) -> impl Stream<Item = ObjectRef<Stored>> {
    let source = Source {
        client,
        health,
        metrics: context.metrics.clone(),
        check: context.watch_check,
        component: "secrets",
        // Anybody's annotations, up to 256 KiB of each: they come with metadata, and a page is read whole.
        page: 100,
        kind: "Secret",
    };
    let known = {
        let context = Arc::clone(&context);
        move |namespace: Option<&str>| context.secrets.names(namespace)
    };
    let events = source.events::<PartialObjectMeta<Secret>, _>(&context.namespaces, known);
    let affected = events.map(move |event| affected(&context, &store, event));
    affected.flat_map(stream::iter)
}

/// How long a Secret may be gone while another controller creates it anew.
pub(super) const RECREATION_GRACE: Duration = Duration::from_secs(2);

/// Ends a Secret that has not come back since then: its readers are requeued.
pub(super) fn end(context: &Context, name: &ObjectName, since: Instant) {
    if context.secrets.end(name, since) {
        context.forget_secret(name);
        context.requeue_all(context.reverse_index.objects_of(name));
    }
}

/// Notes what a watch of Secrets shows, and gives the objects that it affects. What the first lists show affects
/// none: every object comes in the first round.
fn affected(
    context: &Arc<Context>,
    store: &Store<Stored>,
    event: WatchEvent<PartialObjectMeta<Secret>>,
) -> Vec<ObjectRef<Stored>> {
    let objects = match event {
        WatchEvent::Applied(secret) => shown(context, store, &secret),
        WatchEvent::Deleted(name) => {
            gone(context, name);
            return Vec::new();
        }
        WatchEvent::WentBack(namespace) => {
            context.forget_secrets();
            let objects = names_in(store, namespace.as_deref());
            each(context, store, &objects, Tracked::distrust);
            objects
        }
        WatchEvent::Listed(None) => return Vec::new(),
        WatchEvent::Listed(Some(namespace)) => {
            context.secrets.set_whole(&namespace);
            if !context.secrets.is_complete() {
                return Vec::new();
            }
            // Also objects that name Secrets that do not exist: until now they were skipped.
            names_in(store, Some(&namespace))
        }
        WatchEvent::Complete => {
            context.secrets.set_complete();
            return Vec::new();
        }
    };
    objects.iter().map(object_ref).collect()
}

/// Notes a Secret that is there, and gives the objects that it affects.
pub(super) fn shown(
    context: &Context,
    store: &Store<Stored>,
    secret: &PartialObjectMeta<Secret>,
) -> Vec<ObjectName> {
    let name = object_name(secret);
    let version = secret.resource_version().unwrap_or_default();
    match context
        .secrets
        .apply(&name, &version, is_labelled(secret.labels()))
    {
        VersionChange::Same => return Vec::new(),
        VersionChange::Newer if !context.secrets.is_complete() => return Vec::new(),
        VersionChange::Newer => {}
        VersionChange::WentBack => {
            context.forget_secret(&name);
            let objects = context.reverse_index.objects_of(&name);
            each(context, store, &objects, Tracked::doubt);
        }
    }
    let objects = context.reverse_index.objects_of(&name);
    // What a standby hears, the leader acts on.
    if context.leadership.is_held() {
        context.rotations.begin(&objects);
    }
    objects
}

/// A Secret was deleted: its readers are requeued when it does not come back.
fn gone(context: &Arc<Context>, name: ObjectName) {
    let since = context.secrets.leave(&name, Instant::now());
    let context = Arc::clone(context);
    tokio::spawn(async move {
        sleep(RECREATION_GRACE).await;
        end(&context, &name, since);
    });
}

/// Changes what is remembered of objects.
fn each(
    context: &Context,
    store: &Store<Stored>,
    objects: &[ObjectName],
    change: fn(&mut Tracked),
) {
    let objects = objects
        .iter()
        .filter_map(|name| store.get(&object_ref(name)));
    for uid in objects.filter_map(|object| object.uid()) {
        context.states.with(&uid, change);
    }
}
