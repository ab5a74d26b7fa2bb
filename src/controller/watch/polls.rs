//! Secrets without a watch: each one that an object names is asked for by its name, at once and then now and then, so
//! that the operator needs no right but `get` (docs/decisions/0012-get-only.md). Only metadata is asked for.

use std::{sync::Arc, time::Duration};

use futures::{FutureExt, Stream, StreamExt, future::ready, stream};
use k8s_openapi::api::core::v1::Secret;
use kube::{
    Api, Client,
    core::PartialObjectMeta,
    runtime::reflector::{ObjectRef, Store},
};
use tokio::{sync::mpsc, time::sleep};

use super::secrets::{gone, shown};
use crate::{
    clock::jittered,
    controller::{
        cache::{SecretName, Stored},
        context::Context,
        kubernetes::{KubernetesError, bounded},
        object::object_ref,
    },
    telemetry::Health,
};

/// Secrets that are asked for at once, as many as are read at once.
const IN_FLIGHT: usize = 8;
/// The waits between tries of one question, so that a blip of the API server is no news of a Secret.
const WAITS: [Duration; 3] = [
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
];
/// How often it is looked for names while no object names a Secret.
const IDLE: Duration = Duration::from_secs(1);
/// The name in `/readyz`.
const COMPONENT: &str = "secrets";

/// What the API server answers to the question for a Secret.
type Answer = Result<PartialObjectMeta<Secret>, KubernetesError>;

/// The objects that name a Secret that changed. `named` gives the Secrets that objects begin to name; each is asked
/// for at once, and again every `interval`.
pub(crate) fn polls(
    context: Arc<Context>,
    client: Client,
    store: Store<Stored>,
    health: Health,
    named: mpsc::UnboundedReceiver<SecretName>,
    interval: Duration,
) -> impl Stream<Item = ObjectRef<Stored>> {
    health.lacks(COMPONENT, "not read yet");
    let question = move |name: SecretName| {
        let client = client.clone();
        async move {
            let answer = asked(&client, &name).await;
            Some((name, answer))
        }
    };
    let first = first_names(named, Arc::clone(&context)).map({
        let question = question.clone();
        move |name| match name {
            Some(name) => question(name).left_future(),
            None => ready(None).right_future(),
        }
    });
    let again = rounds(Arc::clone(&context), interval).map(question);
    // The first ones in their order, so that all before the mark are known when it is reached.
    let steps = stream::select(first.buffered(IN_FLIGHT), again.buffer_unordered(IN_FLIGHT));
    steps.flat_map(move |step| {
        let objects = if let Some((name, answer)) = step {
            answered(&context, &store, &health, &name, answer)
        } else {
            context.secrets.set_complete();
            health.works(COMPONENT);
            Vec::new()
        };
        stream::iter(objects)
    })
}

/// The names that objects begin to name; once, none marks the end of those that the first list of objects shows.
fn first_names(
    named: mpsc::UnboundedReceiver<SecretName>,
    context: Arc<Context>,
) -> impl Stream<Item = Option<SecretName>> {
    let state = (named, context, false);
    stream::unfold(state, |(mut named, context, is_marked)| async move {
        if is_marked {
            let name = named.recv().await?;
            return Some((Some(name), (named, context, true)));
        }
        let name = tokio::select! {
            biased;
            name = named.recv() => Some(name?),
            () = context.objects_listed.wait() => None,
        };
        let is_marked = name.is_none();
        Some((name, (named, context, is_marked)))
    })
}

/// The Secrets that objects name, again and again: all of them in every interval, one after the other.
fn rounds(context: Arc<Context>, interval: Duration) -> impl Stream<Item = SecretName> {
    stream::unfold(context, move |context| async move {
        context.secrets.wait_until_complete().await;
        let names = context.reverse_index.secrets();
        context.secrets.keep(&names);
        let count = u32::try_from(names.len()).unwrap_or(u32::MAX);
        let pause = interval.checked_div(count).unwrap_or(IDLE);
        let round = stream::iter(names).then(move |name| async move {
            sleep(jittered(pause)).await;
            name
        });
        if count == 0 {
            sleep(IDLE).await;
        }
        Some((round, context))
    })
    .flatten()
}

/// Asks for a Secret, and again where there is no answer.
async fn asked(client: &Client, (namespace, name): &SecretName) -> Answer {
    let api: Api<Secret> = Api::namespaced(client.clone(), namespace);
    for wait in WAITS {
        match bounded(api.get_metadata(name)).await {
            Err(KubernetesError::Unavailable) => sleep(jittered(wait)).await,
            answer => return answer,
        }
    }
    bounded(api.get_metadata(name)).await
}

/// Notes an answer, and gives the objects that it affects.
fn answered(
    context: &Arc<Context>,
    store: &Store<Stored>,
    health: &Health,
    name: &SecretName,
    answer: Answer,
) -> Vec<ObjectRef<Stored>> {
    let is_first = context.secrets.set_answered(name);
    let is_complete = context.secrets.is_complete();
    if !matches!(answer, Err(KubernetesError::Unavailable)) && is_complete {
        health.works(COMPONENT);
    }
    let mut objects = match answer {
        Ok(secret) => {
            context.metrics.watch_heard("Secret");
            shown(context, store, &secret)
        }
        Err(KubernetesError::NotFound) => {
            if context.secrets.get(&name.0, &name.1).is_some() {
                gone(context, name.clone());
            }
            Vec::new()
        }
        Err(error) => {
            unread(context, health, name, error, is_first);
            Vec::new()
        }
    };
    // Until now they were skipped.
    if is_first && is_complete && objects.is_empty() {
        objects = context.reverse_index.objects_of(name);
    }
    objects.iter().map(object_ref).collect()
}

/// Notes that the API server does not give a Secret. Where the right was taken away, and where nothing is known of it,
/// its readers try to read it, and say what is wrong.
fn unread(
    context: &Context,
    health: &Health,
    name: &SecretName,
    error: KubernetesError,
    is_first: bool,
) {
    let (namespace, secret) = name;
    tracing::warn!(namespace, secret, ?error, "a Secret could not be read");
    let is_refused = error == KubernetesError::Forbidden;
    if !is_refused {
        health.lacks(COMPONENT, "the API server does not give them");
    }
    if (is_refused || is_first) && context.secrets.hide(name) {
        context.requeue_all(context.reverse_index.objects_of(name));
    }
}
