//! The listing of an account: fetched once for all objects that ask, one fetch in flight and one
//! queued.

use std::{future::Future, sync::Arc, time::Duration};

use tokio::{sync::Mutex, time::Instant};

use jiff::Timestamp;

use crate::{
    http::ProviderError,
    provider::{Inventory, Remote},
};

/// A listing and its time: the secrets that the account's scope held.
#[derive(Debug)]
pub struct Snapshot {
    /// When the fetch began. The listing proves nothing of what happened later.
    pub began: Instant,
    /// The same by the wall clock, to be compared with the times in status.
    pub began_at: Timestamp,
    /// Every secret that the provider listed, from all pages.
    pub remotes: Vec<Remote>,
    /// The id of the scope, where the provider's answer contains it.
    pub scope: Option<String>,
    /// Whether a name that is missing here was absent. A listing that is empty for the first time
    /// does not prove it, because the provider may have answered so by mistake.
    pub proves_absence: bool,
}

/// The newest listing of an account, or why there is none.
#[derive(Default)]
pub struct ListingCache {
    latest: Mutex<Option<LastFetch>>,
}

/// The last fetch that has ended.
struct LastFetch {
    ended: Instant,
    outcome: Result<Arc<Snapshot>, ProviderError>,
}

impl ListingCache {
    /// A listing that began after `instant`, fetched now if there is none.
    ///
    /// The lock is held during a fetch, so concurrent callers wait for it. Callers whose `instant` is
    /// before its beginning share its listing; of the others the first one fetches again, for all of
    /// them. The callers that waited for a failure share it: a provider that is down is asked once
    /// and not once for each object. A caller that asks later fetches again, unless the failure is
    /// at most `patience` old.
    ///
    /// A lock and no shared future: `fetch` borrows the provider of the object that asks, and if
    /// that reconcile is dropped, the next caller fetches.
    ///
    /// # Errors
    /// What the fetch ended in; an incomplete listing is an error too.
    pub async fn began_after<F>(
        &self,
        instant: Instant,
        patience: Duration,
        fetch: impl FnOnce() -> F,
    ) -> Result<Arc<Snapshot>, ProviderError>
    where
        F: Future<Output = Result<Inventory, ProviderError>>,
    {
        let asked = Instant::now();
        let mut latest = self.latest.lock().await;
        if let Some(fetched) = latest.as_ref() {
            let is_shared = match &fetched.outcome {
                Ok(snapshot) => snapshot.began > instant,
                Err(_) => fetched.ended + patience >= asked,
            };
            if is_shared {
                return fetched.outcome.clone();
            }
        }
        let (began, began_at) = (Instant::now(), crate::clock::now());
        let was_empty = latest.as_ref().is_some_and(|fetched| {
            fetched
                .outcome
                .as_ref()
                .is_ok_and(|last| last.remotes.is_empty())
        });
        let outcome = fetch().await.map(|Inventory { remotes, scope }| {
            Arc::new(Snapshot {
                began,
                began_at,
                scope,
                proves_absence: was_empty || !remotes.is_empty(),
                remotes,
            })
        });
        *latest = Some(LastFetch {
            ended: Instant::now(),
            outcome: outcome.clone(),
        });
        outcome
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn many_callers_at_once_cost_one_listing_and_those_during_it_one_more() {
        let listing = Arc::new(ListingCache::default());
        let fetches = Arc::new(AtomicUsize::new(0));
        let ask = |asked_at: Instant| {
            let (listing, fetches) = (Arc::clone(&listing), Arc::clone(&fetches));
            tokio::spawn(async move {
                listing
                    .began_after(asked_at, Duration::ZERO, || async {
                        fetches.fetch_add(1, Ordering::SeqCst);
                        tokio::time::sleep(Duration::from_secs(1)).await;
                        Ok(Inventory::default())
                    })
                    .await
            })
        };
        let start = Instant::now();
        tokio::time::advance(Duration::from_millis(1)).await;
        let mut asked: Vec<_> = (0..50).map(|_| ask(start)).collect();
        tokio::time::sleep(Duration::from_millis(500)).await;
        let during = Instant::now();
        asked.extend((0..50).map(|_| ask(during)));
        for one in asked {
            one.await.unwrap().unwrap();
        }
        assert_eq!(fetches.load(Ordering::SeqCst), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_is_shared_by_the_callers_that_waited_and_by_no_later_one() {
        let listing = ListingCache::default();
        let start = Instant::now();
        tokio::time::advance(Duration::from_millis(1)).await;
        let fail = || async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            Err(ProviderError::protocol())
        };
        let both = futures::future::join(
            listing.began_after(start, Duration::ZERO, fail),
            listing.began_after(start, Duration::ZERO, || async { Ok(Inventory::default()) }),
        );
        let (first, second) = both.await;
        assert!(first.is_err() && second.is_err());
        tokio::time::advance(Duration::from_millis(1)).await;
        let later =
            listing.began_after(start, Duration::ZERO, || async { Ok(Inventory::default()) });
        assert!(later.await.is_ok());
    }
}
