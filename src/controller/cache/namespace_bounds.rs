//! What namespaces allow their objects, read when an object needs to know and shared by all objects of the namespace.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use kube::Client;
use tokio::{sync::Mutex as AsyncMutex, time::Instant};

use crate::controller::{
    allowed_providers::AllowedProviders,
    kubernetes::{KubernetesError, allowed_providers},
};

/// What each namespace allows.
#[derive(Default)]
pub(crate) struct NamespaceBounds {
    /// Whether a namespace without the annotation allows nothing.
    is_required: bool,
    slots: Mutex<HashMap<String, Arc<Slot>>>,
}

/// One namespace: the reconcile that holds the lock reads it, and the others wait for it.
#[derive(Default)]
struct Slot(AsyncMutex<Option<Known>>);

struct Known {
    began: Instant,
    ended: Instant,
    answer: Result<Arc<AllowedProviders>, KubernetesError>,
}

impl NamespaceBounds {
    /// How old an answer may be: after this time at most a bound that was tightened holds.
    pub(crate) const MAX_AGE: Duration = Duration::from_secs(30);

    /// Knows nothing yet. A namespace without the annotation allows all, unless one `is_required`.
    pub(crate) fn new(is_required: bool) -> Self {
        Self {
            is_required,
            slots: Mutex::default(),
        }
    }

    /// What a namespace allows, as the API server says after `since`. Those who wait for a call that fails do not
    /// ask again.
    ///
    /// # Errors
    /// Why the namespace could not be read.
    pub(crate) async fn get(
        &self,
        client: &Client,
        namespace: &str,
        since: Option<Instant>,
    ) -> Result<Arc<AllowedProviders>, KubernetesError> {
        let (slot, asked_at) = (self.slot(namespace), Instant::now());
        let mut known = slot.0.lock().await;
        let is_fresh = |known: &&Known| match known.answer {
            Ok(_) => {
                since.is_none_or(|since| known.began >= since)
                    && known.began.elapsed() < Self::MAX_AGE
            }
            Err(_) => known.ended > asked_at,
        };
        if let Some(known) = known.as_ref().filter(is_fresh) {
            return known.answer.clone();
        }
        let began = Instant::now();
        let annotation = allowed_providers(client, namespace).await;
        let answer = annotation.map(|annotation| {
            let allowed = AllowedProviders::of(annotation.as_deref(), self.is_required);
            Arc::new(allowed)
        });
        *known = Some(Known {
            began,
            ended: Instant::now(),
            answer: answer.clone(),
        });
        answer
    }

    /// Drops what is too old to be used.
    pub(crate) fn sweep(&self) {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        slots.retain(|_, slot| {
            // A slot that a reconcile holds is in use.
            let Ok(known) = slot.0.try_lock() else {
                return true;
            };
            let is_young = |known: &Known| known.began.elapsed() < Self::MAX_AGE;
            known.as_ref().is_some_and(is_young) || Arc::strong_count(slot) > 1
        });
    }

    fn slot(&self, namespace: &str) -> Arc<Slot> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(slots.entry(namespace.to_owned()).or_default())
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io,
        sync::atomic::{AtomicUsize, Ordering},
    };

    use futures::future::join_all;
    use kube::client::Body;
    use tokio::time::{advance, sleep};
    use tower::service_fn;

    use super::*;
    use crate::api::ProviderKind;

    /// A client for an API server that takes a second for a namespace, and the count of its calls.
    fn server(status: u16) -> (Client, &'static AtomicUsize) {
        let calls: &'static AtomicUsize = Box::leak(Box::default());
        let answer = move |_: ::http::Request<Body>| async move {
            calls.fetch_add(1, Ordering::Relaxed);
            sleep(Duration::from_secs(1)).await;
            let body = r#"{"metadata": {"annotations": {"providersecrets.dev/allowed-providers": "baseten"}}}"#;
            let refusal = r#"{"reason": "Forbidden", "code": 403}"#;
            let body = if status == 200 { body } else { refusal };
            let answer = ::http::Response::builder().status(status);
            Ok::<_, io::Error>(answer.body(Body::from(body.as_bytes().to_vec())).unwrap())
        };
        (Client::new(service_fn(answer), "default"), calls)
    }

    #[tokio::test(start_paused = true)]
    async fn a_namespace_is_read_once_for_all_that_ask_within_its_age() {
        let ((client, calls), bounds) = (server(200), NamespaceBounds::default());
        let get = async |since| bounds.get(&client, "ml", since).await.unwrap();
        for allowed in join_all((0..100).map(|_| get(None))).await {
            assert!(allowed.allows(ProviderKind::Baseten, "default"));
            assert!(!allowed.allows(ProviderKind::Pipecat, "default"));
        }
        let count = || calls.load(Ordering::Relaxed);
        assert_eq!(count(), 1);
        advance(NamespaceBounds::MAX_AGE.mul_f64(0.9)).await;
        get(None).await;
        assert_eq!(count(), 1);
        // A sync request is not answered by what was known before it.
        get(Some(Instant::now())).await;
        assert_eq!(count(), 2);
        advance(NamespaceBounds::MAX_AGE).await;
        get(None).await;
        assert_eq!(count(), 3);
        advance(NamespaceBounds::MAX_AGE).await;
        bounds.sweep();
        assert!(bounds.slots.lock().unwrap().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_is_shared_with_those_who_wait_and_with_no_other() {
        let ((client, calls), bounds) = (server(403), NamespaceBounds::default());
        let get = async || bounds.get(&client, "ml", None).await.err();
        let refused = Some(KubernetesError::Forbidden);
        assert_eq!(join_all((0..100).map(|_| get())).await, vec![refused; 100]);
        assert_eq!(calls.load(Ordering::Relaxed), 1);
        assert_eq!(get().await, refused);
        assert_eq!(calls.load(Ordering::Relaxed), 2);
    }
}
