//! Events: what happened to an object, sent once and off the path of the reconcile; but what is left at a
//! provider is told before the object goes, because nothing else tells it then.
//!
//! Own creates and not kube's recorder: that one aggregates by reason and sends the first note
//! again, so that a second cause would be shown with the words of the first
//! (docs/decisions/0004-own-events.md).

mod bucket;

use std::{
    future::{Future, ready},
    time::Duration,
};

use futures::{StreamExt, stream};
use k8s_openapi::{
    api::{core::v1::ObjectReference, events::v1::Event},
    apimachinery::pkg::apis::meta::v1::MicroTime,
};
use kube::{
    Api, Client, Resource, ResourceExt,
    api::{ObjectMeta, PostParams},
};
use tokio::{
    sync::{mpsc, oneshot},
    time::{sleep, timeout},
};

use self::bucket::Bucket;
use super::kubernetes::{KubernetesError, bounded};
use crate::{
    api::{ProviderSecret, Reason},
    clock::jittered,
    leadership::Leadership,
    telemetry::Metrics,
};

/// Events that wait to be sent at most.
const MAX_QUEUED: usize = 1024;
/// Events that are sent at once.
const IN_FLIGHT: usize = 8;
/// How often an event that must arrive is tried, and the first wait between two tries; each is twice the last.
const MAX_TRIES: u32 = 6;
const FIRST_BACKOFF: Duration = Duration::from_millis(250);
/// How long a reconcile waits until an event is accepted that nothing else tells.
const ACCEPTANCE_TIMEOUT: Duration = Duration::from_secs(20);
/// The longest note that the API takes, in bytes.
pub(crate) const LONGEST_NOTE: usize = 1024;
/// The longest name of a reporter that the API takes, in bytes. A pod may have a name of 253.
const LONGEST_REPORTER: usize = 128;

/// Whether a person should look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Importance {
    Normal,
    Warning,
}

/// Something that is logged and sent as an event once.
#[derive(Clone, Debug)]
pub(crate) struct EventNote {
    pub(crate) importance: Importance,
    pub(crate) reason: Reason,
    pub(crate) action: &'static str,
    pub(crate) note: String,
}

/// What became of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Delivery {
    /// The API server has it.
    Accepted,
    /// It takes no such event: the namespace is terminating perhaps, or a quota is full.
    Refused,
    /// It could not be had, however often it was tried.
    Unavailable,
}

/// An event on its way.
struct Queued {
    importance: Importance,
    namespace: String,
    event: Event,
    /// Where to tell what became of it.
    reply: Option<oneshot::Sender<Delivery>>,
}

/// Where events are handed over. It never waits.
#[derive(Clone)]
pub(crate) struct Events {
    queue: mpsc::Sender<Queued>,
    metrics: Metrics,
    reporter: String,
}

impl Queued {
    /// Whether nothing else tells it, or a person should look.
    fn must_arrive(&self) -> bool {
        self.importance == Importance::Warning || self.reply.is_some()
    }
}

impl Events {
    /// The hand-over, and the task that sends until it is dropped.
    pub(crate) fn new(
        client: Client,
        metrics: Metrics,
        reporter: &str,
        leadership: Leadership,
    ) -> (Self, impl Future<Output = ()>) {
        let (queue, queued) = mpsc::channel(MAX_QUEUED);
        let task = send_all(client, queued, metrics.clone(), leadership);
        (
            Self {
                queue,
                metrics,
                reporter: cut(reporter, LONGEST_REPORTER),
            },
            task,
        )
    }

    /// Tells something about an object.
    pub(crate) fn send(&self, object: &impl ResourceExt, note: &EventNote) {
        let queued = self.queued(object, note, None);
        if self.queue.try_send(queued).is_err() {
            self.metrics.event_dropped();
        }
    }

    /// Tells something about an object that nothing else tells, and waits until it is known what became
    /// of it.
    pub(crate) async fn deliver(
        &self,
        object: &(impl ResourceExt + Sync),
        note: &EventNote,
    ) -> Delivery {
        let (reply, delivery) = oneshot::channel();
        let queued = self.queued(object, note, Some(reply));
        let sent = async {
            self.queue.send(queued).await.ok()?;
            delivery.await.ok()
        };
        let delivery = timeout(ACCEPTANCE_TIMEOUT, sent).await.ok().flatten();
        delivery.unwrap_or(Delivery::Unavailable)
    }

    fn queued(
        &self,
        object: &impl ResourceExt,
        note: &EventNote,
        reply: Option<oneshot::Sender<Delivery>>,
    ) -> Queued {
        let namespace = object.namespace().unwrap_or_default();
        Queued {
            importance: note.importance,
            event: self.event(object, &namespace, note),
            namespace,
            reply,
        }
    }

    fn event(&self, object: &impl ResourceExt, namespace: &str, event_note: &EventNote) -> Event {
        let EventNote {
            importance,
            reason,
            action,
            note,
        } = event_note;
        // Cut, so that the name stays valid where the object's is as long as a name may be.
        let prefix: String = object.name_any().chars().take(200).collect();
        let prefix = prefix.trim_end_matches(['.', '-']);
        Event {
            metadata: ObjectMeta {
                // A name of its own, so that a try whose answer was lost is not repeated.
                name: Some(format!("{prefix}-{:016x}", fastrand::u64(..))),
                namespace: Some(namespace.to_owned()),
                ..ObjectMeta::default()
            },
            action: Some((*action).to_owned()),
            event_time: Some(MicroTime(crate::clock::now())),
            note: Some(cut(note, LONGEST_NOTE)),
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

fn cut(text: &str, longest: usize) -> String {
    let mut end = text.len().min(longest);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].to_owned()
}

async fn send_all(
    client: Client,
    queued: mpsc::Receiver<Queued>,
    metrics: Metrics,
    leadership: Leadership,
) {
    let mut bucket = Bucket::new();
    let queued = stream::unfold(queued, |mut queued| async {
        let next = queued.recv().await?;
        Some((next, queued))
    });
    let sent = queued.filter_map(|next| {
        let is_dropped = !next.must_arrive() && !bucket.take();
        if is_dropped {
            metrics.event_dropped();
        }
        ready((!is_dropped).then_some(next))
    });
    let (client, metrics, leadership) = (&client, &metrics, &leadership);
    let each = sent.for_each_concurrent(IN_FLIGHT, |next| async move {
        let delivery = send(client, leadership, &next).await;
        // Of the leader, also while it is in doubt, and not of one that ended.
        if delivery != Delivery::Accepted && leadership.term().is_some() {
            metrics.event_dropped();
        }
        if let Some(reply) = next.reply {
            // The reconcile that waits for it may have given up.
            let _ = reply.send(delivery);
        }
    });
    each.await;
}

/// Sends an event; one that must arrive is tried again while the API server cannot be had. While a leader is in doubt
/// its events wait.
async fn send(client: &Client, leadership: &Leadership, queued: &Queued) -> Delivery {
    let api: Api<Event> = Api::namespaced(client.clone(), &queued.namespace);
    let tries = if queued.must_arrive() { MAX_TRIES } else { 1 };
    for tried in 0..tries {
        if leadership.term().is_none() {
            return Delivery::Unavailable;
        }
        let parameters = PostParams::default();
        let call = bounded(api.create(&parameters, &queued.event));
        match leadership.led(call).await {
            Ok(_) => return Delivery::Accepted,
            // A namespace that is terminating takes no events, and a quota may be full: neither
            // matters to the object (docs/reliability.md, D-07 and A-22).
            Err(
                KubernetesError::Forbidden | KubernetesError::NotFound | KubernetesError::Invalid,
            ) => return Delivery::Refused,
            // An earlier try came in, and its answer did not.
            Err(KubernetesError::Conflict) if tried > 0 => return Delivery::Accepted,
            Err(KubernetesError::Conflict | KubernetesError::Unavailable) => {
                if tried + 1 < tries {
                    sleep(jittered(FIRST_BACKOFF * 2_u32.pow(tried))).await;
                }
            }
        }
    }
    Delivery::Unavailable
}

#[cfg(test)]
mod tests {
    use std::{
        io,
        sync::atomic::{AtomicUsize, Ordering},
    };

    use kube::client::Body;
    use tower::service_fn;

    use super::*;
    use crate::{clock::Moment, leadership::Term};

    /// A client for an API server that takes every event, and the count of them.
    fn server() -> (Client, &'static AtomicUsize) {
        let calls: &'static AtomicUsize = Box::leak(Box::default());
        let answer = move |_: ::http::Request<Body>| {
            calls.fetch_add(1, Ordering::Relaxed);
            let event = Body::from(br#"{"metadata": {"name": "event"}}"#.to_vec());
            ready(Ok::<_, io::Error>(::http::Response::new(event)))
        };
        (Client::new(service_fn(answer), "default"), calls)
    }

    fn object() -> ProviderSecret {
        let object = serde_json::json!({
            "apiVersion": "providersecrets.dev/v1alpha1",
            "kind": "ProviderSecret",
            "metadata": {"namespace": "ml", "name": "object"},
            "spec": {"provider": {}},
        });
        serde_json::from_value(object).unwrap()
    }

    fn note() -> EventNote {
        EventNote {
            importance: Importance::Warning,
            reason: Reason::InvalidSpec,
            action: "Decode",
            note: "short".to_owned(),
        }
    }

    /// A leader whose renewal was refused reads its Lease before it goes on.
    #[tokio::test(start_paused = true)]
    async fn events_wait_while_a_leader_is_in_doubt() {
        let ((client, calls), (post, leadership)) = (server(), Leadership::elected());
        let lead_for = |seconds| {
            let now = Moment::now();
            post.send_replace(Some(Term {
                epoch: Some(1),
                began: now,
                until: Some(now + Duration::from_secs(seconds)),
                is_inherited: false,
            }));
        };
        let metrics = Metrics::default();
        let (events, sent) = Events::new(client, metrics, "test", leadership);
        let sent = tokio::spawn(sent);
        let (object, note) = (object(), note());
        lead_for(0);
        for _ in 0..20 {
            events.send(&object, &note);
        }
        sleep(Duration::from_secs(1)).await;
        assert_eq!(calls.load(Ordering::Relaxed), 0);
        lead_for(10);
        sleep(Duration::from_secs(1)).await;
        assert_eq!(calls.load(Ordering::Relaxed), 20);
        // Those of a process that leads no more are not sent.
        post.send_replace(None);
        events.send(&object, &note);
        drop(events);
        assert!(sent.await.is_ok());
        assert_eq!(calls.load(Ordering::Relaxed), 20);
    }

    #[test]
    fn what_a_reconcile_waits_for_must_arrive_as_a_warning_must() {
        let must_arrive = |importance, is_awaited: bool| {
            let queued = Queued {
                importance,
                namespace: String::new(),
                event: Event::default(),
                reply: is_awaited.then(|| oneshot::channel().0),
            };
            queued.must_arrive()
        };
        assert!(must_arrive(Importance::Warning, false));
        assert!(must_arrive(Importance::Normal, true));
        assert!(!must_arrive(Importance::Normal, false));
    }

    #[test]
    fn a_text_is_cut_between_characters() {
        let text = "é".repeat(600);
        assert_eq!(cut(&text, 1024).len(), 1024);
        assert_eq!(cut("short", 1024), "short");
        assert!(cut(&format!("a{text}"), 1024).len() == 1023);
    }

    /// The API server takes no event with a longer one.
    #[tokio::test]
    async fn the_name_of_a_pod_is_cut_to_what_an_event_holds() {
        let (client, leadership) = (server().0, Leadership::unopposed());
        let reporter = "p".repeat(253);
        let (events, _) = Events::new(client, Metrics::default(), &reporter, leadership);
        let event = events.event(&object(), "ml", &note());
        assert_eq!(event.reporting_instance.map(|name| name.len()), Some(128));
    }
}
