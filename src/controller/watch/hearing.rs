//! A watch that has gone deaf: it stays open and says nothing, although its collection moves on; or its
//! collection has gone back, because the data store was restored from a snapshot, and the watch waits
//! for versions from the future. No error tells it, so each watch is compared with its collection.

use std::{
    fmt::Debug,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use futures::TryStreamExt;
use kube::{
    Api, Resource, ResourceExt,
    api::{ListParams, WatchParams},
    core::WatchEvent,
    runtime::watcher::Event,
};
use serde::de::DeserializeOwned;
use tokio::time::{Instant, sleep, timeout};

use crate::{
    clock::jittered,
    controller::{kubernetes::bounded, object::is_newer},
};

/// How long a watch may lag behind its collection: while a watch is opened anew it waits up to 20 s.
const MAX_WATCH_LAG: Duration = Duration::from_secs(25);
/// How many seconds the API server is asked for changes that a watch did not show.
const CHECK_SECONDS: u32 = 1;
/// How long its answer is waited for.
const CHECK_TIMEOUT: Duration = Duration::from_secs(10);
/// A watch that ends so soon was ended by something on its way.
const ENDED_AT_ONCE: Duration = Duration::from_millis(500);

/// Objects whose versions are looked at in each check. Few, because it is done for ever: larger collections are gone
/// through in many checks.
const PAGE: u32 = 50;

/// Why a watch is begun anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Deafness {
    /// The versions of the collection are lower than those that were seen.
    WentBack,
    /// The collection has changes that the watch did not show.
    Silent,
}

/// The versions that a watch has shown.
#[derive(Debug, Default)]
struct Versions {
    /// The newest one of the list under way. A stream may show what the API server had before its data store was
    /// restored: versions from the future.
    listed: String,
    /// The newest one, once everything was listed.
    newest: Option<String>,
}

/// What a watch has shown.
#[derive(Debug, Default)]
pub(super) struct Heard {
    versions: Mutex<Versions>,
    /// How many lists have begun.
    lists: AtomicU64,
}

impl Heard {
    /// Notes an event of the watch.
    pub(super) fn note<K: ResourceExt>(&self, event: &Event<K>) {
        let mut versions = self.lock();
        let version = |object: &K| object.resource_version().unwrap_or_default();
        match event {
            Event::Init => {
                self.lists.fetch_add(1, Ordering::Relaxed);
                *versions = Versions::default();
            }
            Event::InitApply(object) => note_later(&mut versions.listed, version(object)),
            Event::InitDone => versions.newest = Some(std::mem::take(&mut versions.listed)),
            Event::Apply(object) | Event::Delete(object) => {
                if let Some(newest) = &mut versions.newest {
                    note_later(newest, version(object));
                }
            }
        }
    }

    /// The list that the watch goes on from, and the newest version that it has shown since; none
    /// while a list is read.
    fn newest(&self) -> Option<(u64, String)> {
        let newest = self.lock().newest.clone()?;
        Some((self.lists.load(Ordering::Relaxed), newest))
    }

    fn lock(&self) -> MutexGuard<'_, Versions> {
        self.versions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Completes when the watch is found to be deaf. It is compared with its collection every `check`.
    pub(super) async fn until_deaf<K>(&self, api: &Api<K>, check: Duration) -> Deafness
    where
        K: Resource + Clone + Debug + DeserializeOwned + Send + 'static,
    {
        // A version of the collection before which the watch has missed nothing. The first one is looked up while the
        // list is: what changes between the list and the first check counts.
        let mut before = version(api).await.unwrap_or_default();
        let mut pages = Pages::default();
        loop {
            sleep(jittered(check)).await;
            let (Some((list, shown)), Some(version)) = (self.newest(), version(api).await) else {
                continue;
            };
            if is_later(&before, &version) || is_later(&shown, &version) {
                return Deafness::WentBack;
            }
            let since = if is_later(&shown, &before) {
                &shown
            } else {
                &before
            };
            let answer = first_change(api, since).await;
            // Without an answer the next check asks from there again.
            if answer.is_ok() {
                before = version;
            }
            let change = match answer {
                Ok(Some(change)) => Some(change),
                // What swallows the events of one watch may swallow those of each.
                Ok(None) | Err(Unanswered) => pages.newest(api).await,
            };
            if let Some(change) = change
                && self.misses(&change, list).await
            {
                return Deafness::Silent;
            }
        }
    }

    /// Whether the watch does not show a change in time, and no list has begun since.
    async fn misses(&self, change: &str, list: u64) -> bool {
        let is_missing = || {
            let now = self.newest();
            now.is_some_and(|(of, shown)| of == list && is_later(change, &shown))
        };
        if !is_missing() {
            return false;
        }
        sleep(MAX_WATCH_LAG).await;
        is_missing()
    }
}

/// Keeps the later one of two versions.
fn note_later(newest: &mut String, version: String) {
    if is_later(&version, newest) {
        *newest = version;
    }
}

/// Whether a version is later than another; of versions that are no numbers nothing is known.
fn is_later(version: &str, than: &str) -> bool {
    let is_number = |text: &str| text.parse::<u64>().is_ok();
    is_number(version) && (than.is_empty() || is_number(than)) && is_newer(version, than)
}

/// The version of a collection.
async fn version<K>(api: &Api<K>) -> Option<String>
where
    K: Resource + Clone + Debug + DeserializeOwned,
{
    let first = ListParams::default().limit(1);
    let list = bounded(api.list_metadata(&first)).await;
    list.ok()?.metadata.resource_version
}

/// A collection that is read page by page, one at each check.
#[derive(Default)]
struct Pages {
    /// The token of the next page; none for the first one.
    next: Option<String>,
}

impl Pages {
    /// The newest version in the next page.
    async fn newest<K>(&mut self, api: &Api<K>) -> Option<String>
    where
        K: Resource + Clone + Debug + DeserializeOwned,
    {
        let page = ListParams {
            limit: Some(PAGE),
            continue_token: self.next.take(),
            ..ListParams::default()
        };
        let page = match timeout(CHECK_TIMEOUT, api.list_metadata(&page))
            .await
            .ok()?
        {
            Ok(page) => page,
            // The token is too old. The answer has one that goes on from there.
            Err(kube::Error::Api(status)) if status.code == 410 => {
                self.next = status.metadata.and_then(|of| of.continue_);
                return None;
            }
            Err(_) => return None,
        };
        self.next = page.metadata.continue_.filter(|token| !token.is_empty());
        let mut newest = String::new();
        for object in page.items {
            note_later(&mut newest, object.resource_version().unwrap_or_default());
        }
        Some(newest)
    }
}

/// The API server did not say what has changed.
struct Unanswered;

/// The version of the first change after a version, if there is one that the API server still knows.
async fn first_change<K>(api: &Api<K>, since: &str) -> Result<Option<String>, Unanswered>
where
    K: Resource + Clone + Debug + DeserializeOwned + Send + 'static,
{
    let parameters = WatchParams::default()
        .timeout(CHECK_SECONDS)
        .disable_bookmarks();
    let began = Instant::now();
    let first = async {
        let changes = api.watch_metadata(&parameters, since).await?;
        Box::pin(changes).try_next().await
    };
    match timeout(CHECK_TIMEOUT, first).await {
        Ok(Ok(Some(
            WatchEvent::Added(object) | WatchEvent::Modified(object) | WatchEvent::Deleted(object),
        ))) => Ok(object.resource_version()),
        // What came after that version is forgotten, and will not be known at the next check either.
        Ok(Ok(Some(WatchEvent::Error(status)))) if status.code == 410 => Ok(None),
        Ok(Err(kube::Error::Api(status))) if status.code == 410 => Ok(None),
        // Where nothing has changed it lasts as long as it is to. One that ends at once says nothing.
        Ok(Ok(None)) if began.elapsed() >= ENDED_AT_ONCE => Ok(None),
        _ => Err(Unanswered),
    }
}
