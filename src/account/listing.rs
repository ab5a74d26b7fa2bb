//! The listing of an account: fetched once for all objects that ask, one fetch in flight and one
//! queued.

use std::{future::Future, sync::Arc, time::Duration};

use tokio::{sync::Mutex, time::Instant};

use super::Snapshot;
use crate::{http::ProviderError, provider::Listing};

/// The newest listing of an account, or why there is none.
pub struct ListingCache {
    /// The folded form of a name, which snapshots are indexed by.
    fold: fn(&str) -> String,
    latest: Mutex<Option<LastFetch>>,
}

/// The last fetch that has ended.
struct LastFetch {
    ended: Instant,
    outcome: Result<Arc<Snapshot>, ProviderError>,
}

impl ListingCache {
    /// No listing yet. `fold` gives the folded form of a name.
    pub fn new(fold: fn(&str) -> String) -> Self {
        Self {
            fold,
            latest: Mutex::default(),
        }
    }

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
        F: Future<Output = Result<Listing, ProviderError>>,
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
        let began = (Instant::now(), crate::clock::now());
        let was_empty = latest.as_ref().is_some_and(|last| {
            let snapshot = last.outcome.as_ref();
            snapshot.is_ok_and(|snapshot| snapshot.is_empty())
        });
        let listing = fetch().await;
        let outcome =
            listing.map(|listing| Arc::new(Snapshot::new(began, listing, was_empty, self.fold)));
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
        let listing = Arc::new(ListingCache::new(str::to_owned));
        let fetches = Arc::new(AtomicUsize::new(0));
        let ask = |asked_at: Instant| {
            let (listing, fetches) = (Arc::clone(&listing), Arc::clone(&fetches));
            tokio::spawn(async move {
                listing
                    .began_after(asked_at, Duration::ZERO, || async {
                        fetches.fetch_add(1, Ordering::SeqCst);
                        tokio::time::sleep(Duration::from_secs(1)).await;
                        Ok(Listing::default())
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
        let listing = ListingCache::new(str::to_owned);
        let start = Instant::now();
        tokio::time::advance(Duration::from_millis(1)).await;
        let fail = || async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            Err(ProviderError::protocol())
        };
        let both = futures::future::join(
            listing.began_after(start, Duration::ZERO, fail),
            listing.began_after(start, Duration::ZERO, || async { Ok(Listing::default()) }),
        );
        let (first, second) = both.await;
        assert!(first.is_err() && second.is_err());
        tokio::time::advance(Duration::from_millis(1)).await;
        let later = listing.began_after(start, Duration::ZERO, || async { Ok(Listing::default()) });
        assert!(later.await.is_ok());
    }
}
