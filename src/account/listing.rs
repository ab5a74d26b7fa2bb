//! The listing of an account: fetched once for all objects that ask, one fetch in flight and one
//! queued.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{sync::Mutex, time::Instant};

use super::Snapshot;
use crate::{http::ProviderError, provider::Listing};

/// The newest listing of an account, or why there is none.
pub struct ListingCache {
    /// The folded form of a name, which snapshots are indexed by.
    fold: fn(&str) -> String,
    latest: Mutex<Option<LastFetch>>,
    /// Whether a write of the account has ended since the last fetch began.
    is_written: AtomicBool,
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
            is_written: AtomicBool::new(false),
        }
    }

    /// A write of the account has ended, whatever came of it: an empty listing of before says nothing of the next one.
    pub fn note_write(&self) {
        self.is_written.store(true, Ordering::Relaxed);
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
        if self.is_written.swap(false, Ordering::Relaxed) {
            *latest = None;
        }
        let empty_since = latest.as_ref().and_then(|last| {
            let snapshot = last.outcome.as_ref();
            snapshot.ok().and_then(|snapshot| snapshot.empty_since)
        });
        let listing = fetch().await;
        let outcome =
            listing.map(|listing| Arc::new(Snapshot::new(began, listing, empty_since, self.fold)));
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

    /// Else one wrong answer would say that all that was written since is gone.
    /// Cases: P-25
    #[tokio::test(start_paused = true)]
    async fn an_empty_listing_of_before_a_write_proves_no_absence_after_it() {
        let listing = ListingCache::new(str::to_owned);
        let fetch = async || {
            tokio::time::advance(Duration::from_secs(1)).await;
            let asked = Instant::now();
            tokio::time::advance(Duration::from_secs(1)).await;
            let nothing = || async { Ok(Listing::default()) };
            let fetched = listing.began_after(asked, Duration::ZERO, nothing);
            let fetched = fetched.await.unwrap();
            (fetched.proves_absence, fetched.empty_since)
        };
        let (is_proof, began) = fetch().await;
        assert!(!is_proof);
        assert_eq!(fetch().await, (true, began));
        listing.note_write();
        let (is_proof, began_anew) = fetch().await;
        assert!(!is_proof && began_anew > began);
        assert_eq!(fetch().await, (true, began_anew));
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
