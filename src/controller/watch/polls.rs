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
use tokio::{
    sync::mpsc,
    time::{Instant, sleep},
};

use super::secrets::{RECREATION_GRACE, end, shown};
use crate::{
    account::ObjectName,
    clock::jittered,
    controller::{
        cache::{SecretName, SecretQuestions, Stored},
        context::Context,
        kubernetes::{KubernetesError, bounded},
        object::object_ref,
    },
    telemetry::Health,
};

/// Secrets that are asked for at once, as many as are read at once.
const IN_FLIGHT: usize = 8;
/// The waits between tries of one question, so that a blip of the API server is no news of a Secret, nor that it has
/// not read its roles yet.
const RETRY_WAITS: [Duration; 3] = [
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
];
/// How often, at most and at least, the operator looks which Secrets are due.
const DUE_CHECK_INTERVAL: (Duration, Duration) =
    (Duration::from_millis(100), Duration::from_secs(1));
/// The name in `/readyz`.
const COMPONENT: &str = "secrets";

/// What the API server answers to the question for a Secret.
type Answer = Result<PartialObjectMeta<Secret>, KubernetesError>;

/// What the answers come to.
struct Polls {
    context: Arc<Context>,
    store: Store<Stored>,
    health: Health,
    questions: Arc<SecretQuestions>,
    /// When the API server last gave an answer that counts.
    answered_at: Option<Instant>,
    /// Whether the first list of objects is complete, and with it the names that the first answers are waited for.
    is_marked: bool,
}

/// The objects that name a Secret that changed. `named` gives the Secrets that objects begin to name; each is asked
/// for at once, and again when it is due.
pub(crate) fn polls(
    context: Arc<Context>,
    client: Client,
    store: Store<Stored>,
    health: Health,
    questions: Arc<SecretQuestions>,
    named: mpsc::UnboundedReceiver<SecretName>,
) -> impl Stream<Item = ObjectRef<Stored>> {
    health.lacks(COMPONENT, "not read yet");
    let first = first_names(named, Arc::clone(&context));
    let again = due(Arc::clone(&context), Arc::clone(&questions)).map(Some);
    let steps = stream::select(first, again)
        .map(move |name| {
            let client = client.clone();
            match name {
                Some(name) => async move {
                    let answer = asked(&client, &name).await;
                    Some((name, answer))
                }
                .left_future(),
                None => ready(None).right_future(),
            }
        })
        .buffer_unordered(IN_FLIGHT);
    let mut polls = Polls {
        context,
        store,
        health,
        questions,
        answered_at: None,
        is_marked: false,
    };
    steps.flat_map(move |step| stream::iter(polls.take(step)))
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

/// The Secrets whose time has come. What is known of those that no object names any more is dropped.
fn due(context: Arc<Context>, questions: Arc<SecretQuestions>) -> impl Stream<Item = SecretName> {
    let often = (questions.interval() / 20).clamp(DUE_CHECK_INTERVAL.0, DUE_CHECK_INTERVAL.1);
    let state = (context, questions);
    stream::unfold(state, move |(context, questions)| async move {
        sleep(often).await;
        for name in questions.keep(|name| context.reverse_index.has_readers(name)) {
            context.secrets.remove(&name);
            context.forget_secret(&name);
        }
        let names = questions.take_due(Instant::now() + often);
        Some((stream::iter(names), (context, questions)))
    })
    .flatten()
}

/// Asks for a Secret, and again where there is no answer that counts.
async fn asked(client: &Client, (namespace, name): &SecretName) -> Answer {
    let api: Api<Secret> = Api::namespaced(client.clone(), namespace);
    for wait in RETRY_WAITS {
        match bounded(api.get_metadata(name)).await {
            Err(KubernetesError::NotFound) => return Err(KubernetesError::NotFound),
            Err(_) => sleep(jittered(wait)).await,
            answer => return answer,
        }
    }
    bounded(api.get_metadata(name)).await
}

impl Polls {
    /// Notes an answer, or the mark, and gives the objects that it affects.
    fn take(&mut self, step: Option<(SecretName, Answer)>) -> Vec<ObjectRef<Stored>> {
        let objects = if let Some((name, answer)) = step {
            self.answered(&name, answer)
        } else {
            self.is_marked = true;
            Vec::new()
        };
        let secrets = &self.context.secrets;
        if self.is_marked && !secrets.is_complete() && self.questions.are_answered() {
            secrets.set_complete();
            if self.questions.is_empty() {
                self.health.works(COMPONENT);
            }
        }
        objects.iter().map(object_ref).collect()
    }

    fn answered(&mut self, name: &SecretName, answer: Answer) -> Vec<ObjectName> {
        let context = &self.context;
        let is_complete = context.secrets.is_complete();
        let (now, mut again) = (Instant::now(), None);
        let objects = match answer {
            Ok(secret) => {
                self.works();
                self.context.metrics.watch_heard("Secret");
                shown(&self.context, &self.store, &secret)
            }
            Err(KubernetesError::NotFound) => {
                if context.secrets.get(&name.0, &name.1).is_some() {
                    let since = context.secrets.leave(name, now);
                    if since + RECREATION_GRACE <= now {
                        end(context, name, since);
                    } else {
                        // Another controller may be creating it anew. Those that are due are taken a look
                        // earlier.
                        again = Some(since + RECREATION_GRACE + DUE_CHECK_INTERVAL.1);
                    }
                }
                self.works();
                Vec::new()
            }
            Err(error) => {
                self.unread(name, error);
                Vec::new()
            }
        };
        let is_first = self.questions.set_answered(name, now);
        if let Some(again) = again {
            self.questions.set_due(name, again);
        }
        // Until now they were skipped.
        if is_first && is_complete && objects.is_empty() {
            return self.context.reverse_index.objects_of(name);
        }
        objects
    }

    fn works(&mut self) {
        self.answered_at = Some(Instant::now());
        self.health.works(COMPONENT);
    }

    /// Notes that the API server does not give a Secret. Where the right was taken away, and where nothing is known of
    /// it, its readers try to read it, and say what is wrong.
    fn unread(&self, name: &SecretName, error: KubernetesError) {
        let (context, (namespace, secret)) = (&self.context, name);
        tracing::warn!(
            namespace,
            secret,
            error.kind = error.as_str(),
            "a Secret could not be read"
        );
        let is_silent = self
            .answered_at
            .is_none_or(|at| at.elapsed() > self.questions.interval());
        if is_silent {
            self.health.lacks(
                COMPONENT,
                "the API server gives none of those that are named",
            );
        }
        let is_refused = error == KubernetesError::Forbidden;
        if is_refused {
            context.forget_secret(name);
        }
        let is_unknown = !self.questions.cover(namespace, &[secret]);
        if (is_refused || is_unknown) && context.secrets.hide(name) {
            context.requeue_all(context.reverse_index.objects_of(name));
        }
    }
}
