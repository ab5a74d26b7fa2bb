//! Where events come from: one watch of everything, or one for each namespace. Each reports to
//! `/readyz` and the log how it does.

use std::{
    fmt::Debug,
    future::ready,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use futures::{Stream, StreamExt, stream};
use kube::{
    Api, Client, Resource,
    core::NamespaceResourceScope,
    runtime::{WatchStreamExt, utils::Backoff, watcher},
};
use serde::de::DeserializeOwned;

use super::{
    differences::{Difference, Differences},
    hearing::{Deafness, Heard},
    life::Life,
    lists::{Coverage, FirstLists, Step, WatchEvent},
};
use crate::{
    account::ObjectName,
    controller::{
        kubernetes::{unreached, watch_status},
        namespaces::Namespaces,
        object::slim,
        patience::patient,
    },
    telemetry::{Health, Metrics},
};

/// How long a watch runs before it is opened anew, in seconds. Below the 240 s after which some
/// load balancers cut a silent connection (docs/decisions/0002-metadata-watch.md#own-streams).
const WATCH_SECONDS: u32 = 200;
/// What is said of an answer that fits nothing.
const NOT_UNDERSTOOD: &str =
    "what answered is not understood and may not be the API server; look for a proxy in between";

/// What every watch of one resource needs.
#[derive(Clone)]
pub(crate) struct Source {
    pub(crate) client: Client,
    pub(crate) health: Health,
    pub(crate) metrics: Metrics,
    /// The name in `/readyz`.
    pub(crate) component: &'static str,
    /// Objects in one page of a list that is not streamed. A page is in memory as text and as objects at once, and
    /// the API server does as much for each as for some hundred objects (docs/performance.md#what-costs-most).
    pub(crate) page: u32,
    /// How often the watch is compared with its collection.
    pub(crate) check: Duration,
    /// The kind, as metrics name it.
    pub(crate) kind: &'static str,
}

impl Source {
    /// What is there in all `namespaces`, and what changes. `known` gives the names that are known
    /// of what a watch covers. It is asked only after everything that was shown before has been
    /// taken, because a stream is polled for more only then.
    pub(super) fn events<K, F>(
        &self,
        namespaces: &Namespaces,
        known: F,
    ) -> impl Stream<Item = WatchEvent<K>> + Send + use<K, F>
    where
        F: Fn(Option<&str>) -> Vec<ObjectName> + Clone + Send + 'static,
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
        K: Clone + Debug + DeserializeOwned + Send + Sync + 'static,
    {
        self.metrics.watch_begins(self.kind);
        let watches: Vec<Coverage> = if namespaces.is_all() {
            vec![None]
        } else {
            namespaces
                .names()
                .map(|name| Some(Arc::from(name)))
                .collect()
        };
        let mut first_lists = FirstLists::new(watches.clone());
        let watches = watches.into_iter().map(|watch| {
            let steps = self.watch::<K, F>(watch.clone(), known.clone());
            steps.map(move |step| (watch.clone(), step)).boxed()
        });
        stream::select_all(watches)
            .flat_map(move |(watch, step)| stream::iter(first_lists.take(&watch, step)))
    }

    /// One watch. Each waits by itself after it failed, so that it does not slow the others.
    fn watch<K, F>(
        &self,
        coverage: Coverage,
        known: F,
    ) -> impl Stream<Item = Step<K>> + Send + use<K, F>
    where
        F: Fn(Option<&str>) -> Vec<ObjectName> + Send + 'static,
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
        K: Clone + Debug + DeserializeOwned + Send + 'static,
    {
        let (component, location) = match &coverage {
            None => (self.component.to_owned(), "in all namespaces"),
            Some(namespace) => (
                format!("{} in namespace {namespace}", self.component),
                "there",
            ),
        };
        let covered = |client: Client| match &coverage {
            None => Api::<K>::all(client),
            Some(namespace) => Api::namespaced(client, namespace),
        };
        let health = self.health.clone();
        let api = covered(patient(self.client.clone(), health.clone(), &component));
        // What the watch is compared with does not wait with it.
        let compared = covered(self.client.clone());
        health.lacks(&component, "not listed yet");
        let config = watcher::Config::default()
            .timeout(WATCH_SECONDS)
            .page_size(self.page);
        let (kind, check, metrics) = (self.kind, self.check, self.metrics.clone());
        let heard = Arc::new(Heard::default());
        let went_back = Arc::new(AtomicBool::new(false));
        let watches = {
            let (heard, component) = (Arc::clone(&heard), component.clone());
            let went_back = Arc::clone(&went_back);
            let (health, metrics) = (health.clone(), metrics.clone());
            let mut is_first = true;
            // A watch that is found to be deaf ends, and the next one begins with a list.
            stream::repeat_with(move || {
                let (compared, heard) = (compared.clone(), Arc::clone(&heard));
                let (health, metrics) = (health.clone(), metrics.clone());
                let (component, went_back) = (component.clone(), Arc::clone(&went_back));
                let watch = if std::mem::take(&mut is_first) {
                    streamed(api.clone(), config.clone()).boxed()
                } else {
                    watcher(api.clone(), config.clone()).boxed()
                };
                watch.take_until(async move {
                    let deafness = heard.until_deaf(&compared, check).await;
                    found_deaf(&component, deafness, &health);
                    went_back.fetch_or(deafness == Deafness::WentBack, Ordering::Relaxed);
                    metrics.watch_was_deaf(kind);
                })
            })
            .flatten()
        };
        let mut differences = Differences::default();
        let mut life = Life::default();
        let backoff = WatchBackoff::new(life.has_worked());
        watches
            // Annotations may hold values: kubectl keeps what it applied there.
            .modify(slim)
            .inspect(move |event| {
                if let Ok(event) = event {
                    heard.note(event);
                    metrics.watch_heard(kind);
                }
                let is_soon = life.note(event);
                report(&component, location, (event, is_soon), &health);
            })
            .map(move |event| {
                event.map(|event| {
                    let (mut shown, is_listed) =
                        differences.take(event, || known(coverage.as_deref()));
                    if went_back.swap(false, Ordering::Relaxed) {
                        shown.insert(0, Difference::WentBack);
                    }
                    (shown, is_listed)
                })
            })
            .backoff(backoff)
            .map(|shown| match shown {
                Ok((differences, is_listed)) => Step::Shown {
                    differences,
                    is_listed,
                },
                Err(error) => Step::Failed {
                    is_refusal: watch_status(&error) == Some(403),
                },
            })
    }
}

/// A watch that begins with a stream of everything that is there: the API server has it at hand, and neither side
/// has a page of it in memory. It ends where a list would begin anew, and where the API server refuses to stream, as
/// Kubernetes 1.33 does by default. Then pages are listed: unlike a stream they come from the data store, so that what
/// they lack is gone.
fn streamed<K>(
    api: Api<K>,
    config: watcher::Config,
) -> impl Stream<Item = watcher::Result<watcher::Event<K>>> + Send
where
    K: Resource + Clone + Debug + DeserializeOwned + Send + 'static,
{
    let mut has_begun = false;
    watcher(api, config.streaming_lists()).take_while(move |event| {
        let ends = match event {
            Ok(watcher::Event::Init) => std::mem::replace(&mut has_begun, true),
            Ok(_) => false,
            Err(error) => refuses_stream(error),
        };
        ready(!ends)
    })
}

/// Whether the API server does not take the parameters of a watch.
fn refuses_stream(error: &watcher::Error) -> bool {
    matches!(
        error,
        watcher::Error::WatchStartFailed(kube::Error::Api(status)) if status.code == 422
    )
}

/// Reports to `/readyz` and the log how a watch does, and whether it failed soon after a list.
fn report<K>(
    component: &str,
    location: &str,
    (event, is_soon): (&watcher::Result<watcher::Event<K>>, bool),
    health: &Health,
) {
    match event {
        Ok(watcher::Event::InitDone | watcher::Event::Apply(_) | watcher::Event::Delete(_)) => {
            health.works(component);
        }
        Ok(watcher::Event::Init | watcher::Event::InitApply(_)) => {}
        Err(error) => {
            let what = what(error, location);
            if is_too_old(error) && !is_soon {
                tracing::debug!(component, "{what}");
            } else {
                tracing::warn!(component, "the watch failed: {what}");
            }
            health.lacks(component, what);
        }
    }
}

/// Whether the API server ended a watch because it has forgotten the version that it began with, as each does now and
/// then. It is no failure: a list follows. A list that is answered so is one, and a watch that ends so soon after it.
fn is_too_old(error: &watcher::Error) -> bool {
    matches!(error, watcher::Error::WatchError(status) if status.code == 410)
}

/// Reports that a watch is begun anew because it was deaf.
fn found_deaf(component: &str, deafness: Deafness, health: &Health) {
    let what = match deafness {
        Deafness::WentBack => {
            "its versions went back: the data store was restored; everything is listed and read anew"
        }
        Deafness::Silent => "the watch does not show what has changed; it is begun anew",
    };
    tracing::warn!(component, "{what}");
    health.lacks(component, what);
}

fn what(error: &watcher::Error, location: &str) -> String {
    match watch_status(error) {
        Some(403) => format!("the ServiceAccount may not list and watch them {location}"),
        Some(404) => {
            "the API server does not know them; install the CustomResourceDefinition".to_owned()
        }
        Some(410) => "the watch was too old and is begun anew".to_owned(),
        // kube takes JSON that it does not know for a `Status`, which then has no code.
        Some(0 | 200) => NOT_UNDERSTOOD.to_owned(),
        Some(code) => format!("the API server answered {code}"),
        None if is_not_understood(error) => NOT_UNDERSTOOD.to_owned(),
        None => unreached(error),
    }
}

/// Whether an answer came that is none of an API server, such as a page.
fn is_not_understood(error: &watcher::Error) -> bool {
    match error {
        watcher::Error::NoResourceVersion => true,
        watcher::Error::InitialListFailed(error)
        | watcher::Error::WatchStartFailed(error)
        | watcher::Error::WatchFailed(error) => {
            matches!(error, kube::Error::SerdeError(_) | kube::Error::FromUtf8(_))
        }
        watcher::Error::WatchError(_) => false,
    }
}

/// The waits of a watch that fails: 0.5 s doubling to 10 s, with jitter. Short, because the watch is
/// all that stands between a rotation and the provider.
///
/// kube's adapter resets the waits with each event. A list has events too, also one that breaks off, so they begin anew
/// only after the watch has worked.
struct WatchBackoff {
    waits: ExponentialBackoff,
    has_worked: Arc<AtomicBool>,
}

impl WatchBackoff {
    fn new(has_worked: Arc<AtomicBool>) -> Self {
        Self {
            waits: waits(),
            has_worked,
        }
    }
}

fn waits() -> ExponentialBackoff {
    ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(500))
        .with_max_delay(Duration::from_secs(10))
        .with_jitter()
        .without_max_times()
        .build()
}

impl Iterator for WatchBackoff {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        self.waits.next()
    }
}

impl Backoff for WatchBackoff {
    fn reset(&mut self) {
        if self.has_worked.swap(false, Ordering::Relaxed) {
            self.waits = waits();
        }
    }
}

#[cfg(test)]
mod tests {
    use kube::core::Status;

    use super::*;

    #[test]
    fn a_watch_that_was_too_old_has_not_failed() {
        let answer = |code| Status::failure("", "").with_code(code).boxed();
        assert!(is_too_old(&watcher::Error::WatchError(answer(410))));
        assert!(!is_too_old(&watcher::Error::WatchError(answer(500))));
        let list = kube::Error::Api(answer(410));
        assert!(!is_too_old(&watcher::Error::InitialListFailed(list)));
    }

    #[test]
    fn what_is_no_answer_of_an_api_server_is_not_told_as_one() {
        let page = || kube::Error::SerdeError(serde_json::from_str::<()>("<html>").unwrap_err());
        let answer = |code| kube::Error::Api(Status::failure("", "").with_code(code).boxed());
        let cases = [
            (watcher::Error::NoResourceVersion, NOT_UNDERSTOOD),
            (watcher::Error::InitialListFailed(page()), NOT_UNDERSTOOD),
            (watcher::Error::WatchStartFailed(page()), NOT_UNDERSTOOD),
            (watcher::Error::WatchFailed(page()), NOT_UNDERSTOOD),
            (watcher::Error::WatchFailed(answer(0)), NOT_UNDERSTOOD),
            (
                watcher::Error::InitialListFailed(answer(200)),
                NOT_UNDERSTOOD,
            ),
            (
                watcher::Error::InitialListFailed(answer(503)),
                "the API server answered 503",
            ),
            (
                watcher::Error::InitialListFailed(kube::Error::TlsRequired),
                "the API server could not be reached",
            ),
        ];
        for (error, expected) in cases {
            assert_eq!(what(&error, "there"), expected, "{error:?}");
        }
    }
}
