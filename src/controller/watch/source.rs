//! Where events come from: one watch of everything, or one for each namespace. Each tells `/readyz`
//! and the log how it does.

use std::{fmt::Debug, sync::Arc, time::Duration};

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use futures::{Stream, StreamExt, future::ready, stream::BoxStream};
use kube::{
    Api, Client, Resource,
    core::NamespaceResourceScope,
    runtime::{WatchStreamExt, utils::Backoff, watcher},
};
use serde::de::DeserializeOwned;

use super::merge::{NamespaceEvent, Step, merge, steps};
use crate::{
    controller::{namespaces::Namespaces, object::slim},
    telemetry::Health,
};

/// How long a watch runs before it is opened anew, in seconds. Below the 240 s after which some
/// load balancers cut a silent connection (style.md 7.10).
const WATCH_SECONDS: u32 = 200;
/// Objects in one page of a list. A page is in memory as text, as a tree and as objects at once.
const PAGE: u32 = 100;

/// What a watch is events by and about.
#[derive(Clone)]
pub(crate) struct Source {
    pub(crate) client: Client,
    pub(crate) health: Health,
    /// The name in `/readyz`.
    pub(crate) component: &'static str,
}

impl Source {
    /// The events of all `namespaces`; `held` gives what is known of one. Errors are those of the
    /// one watch of everything, which is to be slowed down by [`WatchBackoff`]; a watch of a
    /// namespace is slowed down here, so that one that fails does not slow the others.
    pub(crate) fn events<K>(
        &self,
        namespaces: &Namespaces,
        held: impl Fn(&str) -> Vec<Arc<K>> + Send + 'static,
    ) -> BoxStream<'static, watcher::Result<NamespaceEvent<K>>>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
        K: Clone + Debug + DeserializeOwned + Send + Sync + 'static,
    {
        if namespaces.is_all() {
            let events = self.watch(Api::<K>::all(self.client.clone()), None);
            return events.map(|event| event.map(NamespaceEvent::Event)).boxed();
        }
        let watches = namespaces.names().map(|namespace| {
            let api = Api::<K>::namespaced(self.client.clone(), namespace);
            // Steps and not events: a backoff behind Ok(Init) would never grow (style.md 7.3).
            let steps = steps(self.watch(api, Some(namespace))).backoff(WatchBackoff::default());
            let steps = steps.map(|step| {
                step.unwrap_or_else(|error| Step::Failed {
                    is_refusal: status(&error) == Some(403),
                })
            });
            (Arc::from(namespace), steps.boxed())
        });
        merge(watches.collect(), held).map(Ok).boxed()
    }

    /// One watch.
    fn watch<K>(
        &self,
        api: Api<K>,
        namespace: Option<&str>,
    ) -> impl Stream<Item = watcher::Result<watcher::Event<K>>> + Send + use<K>
    where
        K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + 'static,
    {
        let component = match namespace {
            None => self.component.to_owned(),
            Some(namespace) => format!("{} in namespace {namespace}", self.component),
        };
        let place = match namespace {
            None => "in all namespaces",
            Some(_) => "there",
        };
        let health = self.health.clone();
        health.lacks(&component, "not listed yet");
        let config = watcher::Config::default()
            .timeout(WATCH_SECONDS)
            .page_size(PAGE);
        watcher(api, config)
            // Annotations may hold values: kubectl keeps what it applied there.
            .modify(slim)
            .inspect(move |event| tell(&component, place, event, &health))
    }
}

/// Tells `/readyz` and the log how a watch does.
fn tell<K>(
    component: &str,
    place: &str,
    event: &watcher::Result<watcher::Event<K>>,
    health: &Health,
) {
    match event {
        Ok(watcher::Event::InitDone | watcher::Event::Apply(_) | watcher::Event::Delete(_)) => {
            health.works(component);
        }
        Ok(watcher::Event::Init | watcher::Event::InitApply(_)) => {}
        Err(error) => {
            let what = what(error, place);
            tracing::warn!(component, "the watch failed: {what}");
            health.lacks(component, what);
        }
    }
}

fn status(error: &watcher::Error) -> Option<u16> {
    match error {
        watcher::Error::InitialListFailed(kube::Error::Api(status))
        | watcher::Error::WatchStartFailed(kube::Error::Api(status))
        | watcher::Error::WatchFailed(kube::Error::Api(status))
        | watcher::Error::WatchError(status) => Some(status.code),
        _ => None,
    }
}

fn what(error: &watcher::Error, place: &str) -> String {
    match status(error) {
        Some(403) => format!("the ServiceAccount may not list and watch them {place}"),
        Some(404) => {
            "the API server does not know them; install the CustomResourceDefinition".to_owned()
        }
        Some(410) => "the watch was too old and is begun anew".to_owned(),
        Some(code) => format!("the API server answered {code}"),
        None => "the API server could not be reached".to_owned(),
    }
}

/// Drops the errors of a stream, after which it waits: 0.5 s doubling to 10 s with jitter.
pub(crate) fn unfailing<T>(
    stream: impl Stream<Item = watcher::Result<T>>,
) -> impl Stream<Item = T> {
    stream
        .backoff(WatchBackoff::default())
        .filter_map(|item| ready(item.ok()))
}

/// The waits of a watch that fails. Short, because the watch is all that stands between a rotation
/// and the provider.
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
