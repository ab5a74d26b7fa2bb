//! Events: what happened to an object, sent once and off the path of the reconcile.
//!
//! Own creates and not kube's recorder: that one aggregates by reason and sends the first note
//! again, so that a second cause would be shown with the words of the first
//! (docs/decisions/0004-own-events.md).

use std::{future::Future, time::Duration};

use k8s_openapi::{
    api::{core::v1::ObjectReference, events::v1::Event},
    apimachinery::pkg::apis::meta::v1::MicroTime,
};
use kube::{
    Api, Client, Resource, ResourceExt,
    api::{ObjectMeta, PostParams},
};
use tokio::{sync::mpsc, time::Instant};

use super::{kubernetes::bounded, object::Guarded};
use crate::{
    api::{ProviderSecret, Reason},
    telemetry::Metrics,
};

/// Events that wait to be sent at most.
const QUEUED: usize = 1024;
/// Normal events that may be sent at once, and how many a second after that. Warnings are not
/// counted: there is one for each transition.
const BURST: f64 = 100.0;
const PER_SECOND: f64 = 10.0;
/// The longest note the API takes, in bytes.
const LONGEST_NOTE: usize = 1024;

/// Whether a person should look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Importance {
    Normal,
    Warning,
}

/// Where events are handed over. It never waits.
#[derive(Clone)]
pub(crate) struct Events {
    queue: mpsc::Sender<(Importance, String, Event)>,
    metrics: Metrics,
    reporter: String,
}

impl Events {
    /// The hand-over, and the task that sends until it is dropped.
    pub(crate) fn new(
        client: Client,
        metrics: Metrics,
        reporter: String,
    ) -> (Self, impl Future<Output = ()>) {
        let (queue, queued) = mpsc::channel(QUEUED);
        let task = send_all(client, queued, metrics.clone());
        (
            Self {
                queue,
                metrics,
                reporter,
            },
            task,
        )
    }

    /// Tells something about an object.
    pub(crate) fn send(
        &self,
        object: &Guarded,
        importance: Importance,
        reason: Reason,
        action: &str,
        note: &str,
    ) {
        let namespace = object.namespace().unwrap_or_default();
        let event = self.event(object, &namespace, importance, reason, action, note);
        if self.queue.try_send((importance, namespace, event)).is_err() {
            self.metrics.event_dropped();
        }
    }

    fn event(
        &self,
        object: &Guarded,
        namespace: &str,
        importance: Importance,
        reason: Reason,
        action: &str,
        note: &str,
    ) -> Event {
        // Cut, so that the name stays valid where the object's is as long as a name may be.
        let prefix: String = object.name_any().chars().take(200).collect();
        let prefix = prefix.trim_end_matches(['.', '-']);
        Event {
            metadata: ObjectMeta {
                generate_name: Some(format!("{prefix}-")),
                namespace: Some(namespace.to_owned()),
                ..ObjectMeta::default()
            },
            action: Some(action.to_owned()),
            event_time: Some(MicroTime(crate::clock::now())),
            note: Some(cut(note)),
            reason: Some(reason.as_str().to_owned()),
            regarding: Some(ObjectReference {
                api_version: Some(ProviderSecret::api_version(&()).into_owned()),
                kind: Some(ProviderSecret::kind(&()).into_owned()),
                name: object.meta().name.clone(),
                namespace: Some(namespace.to_owned()),
                uid: object.uid(),
                resource_version: object.resource_version(),
                ..ObjectReference::default()
            }),
            reporting_controller: Some(format!("{}/controller", crate::api::GROUP)),
            reporting_instance: Some(self.reporter.clone()),
            type_: Some(
                match importance {
                    Importance::Normal => "Normal",
                    Importance::Warning => "Warning",
                }
                .to_owned(),
            ),
            ..Event::default()
        }
    }
}

fn cut(note: &str) -> String {
    let mut end = note.len().min(LONGEST_NOTE);
    while !note.is_char_boundary(end) {
        end -= 1;
    }
    note[..end].to_owned()
}

async fn send_all(
    client: Client,
    mut queued: mpsc::Receiver<(Importance, String, Event)>,
    metrics: Metrics,
) {
    let mut bucket = Bucket::new();
    while let Some((importance, namespace, event)) = queued.recv().await {
        if importance == Importance::Normal && !bucket.take() {
            metrics.event_dropped();
            continue;
        }
        let api: Api<Event> = Api::namespaced(client.clone(), &namespace);
        // A namespace that is terminating takes no events, and a quota may be full: neither
        // matters to the object (docs/reliability.md, D-07 and A-22).
        if bounded(api.create(&PostParams::default(), &event))
            .await
            .is_err()
        {
            metrics.event_dropped();
        }
    }
}

/// A token bucket.
struct Bucket {
    tokens: f64,
    filled: Instant,
}

impl Bucket {
    fn new() -> Self {
        Self {
            tokens: BURST,
            filled: Instant::now(),
        }
    }

    fn take(&mut self) -> bool {
        let now = Instant::now();
        let elapsed: Duration = now - self.filled;
        self.tokens = (self.tokens + elapsed.as_secs_f64() * PER_SECOND).min(BURST);
        self.filled = now;
        if self.tokens < 1.0 {
            return false;
        }
        self.tokens -= 1.0;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_bucket_gives_its_burst_and_then_its_rate() {
        let mut bucket = Bucket::new();
        assert_eq!((0..150).filter(|_| bucket.take()).count(), 100);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!((0..150).filter(|_| bucket.take()).count(), 10);
    }

    #[test]
    fn a_note_is_cut_between_characters() {
        let note = "é".repeat(600);
        assert_eq!(cut(&note).len(), 1024);
        assert_eq!(cut("short"), "short");
        assert!(cut(&format!("a{note}")).len() == 1023);
    }
}
