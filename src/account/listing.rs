//! The listing of an account: fetched once for all who ask, one fetch in flight and one queued.

use std::{future::Future, sync::Arc, time::Duration};

use tokio::{sync::Mutex, time::Instant};

use jiff::Timestamp;

use crate::{
    http::ProviderError,
    provider::{Inventory, Remote},
};

/// What an account's scope held when it was listed.
#[derive(Debug)]
pub struct Snapshot {
    /// When the listing began. It says nothing of what happened later.
    pub began: Instant,
    /// The same by the clock, to be compared with times in status.
    pub began_at: Timestamp,
    /// Everything that was there.
    pub remotes: Vec<Remote>,
    /// Whose secrets these are, where the listing tells.
    pub scope: Option<String>,
    /// Whether the absence of a name may be believed: a listing that is empty for the first time
    /// proves none.
    pub proves_absence: bool,
}

/// The newest listing of an account.
#[derive(Default)]
pub struct ListingCache {
    latest: Mutex<Option<LastFetch>>,
}

/// A fetch that has ended.
struct LastFetch {
    ended: Instant,
    outcome: Result<Arc<Snapshot>, ProviderError>,
}

impl ListingCache {
    /// A listing that began after `instant`, fetched now if there is none.
    ///
    /// The lock is held while a fetch is under way. Whoever asked before it began shares it; of
    /// those who asked later the first fetches again, for all of them. A failure is shared with
    /// those who waited for it, and with nobody else: a provider that is down is asked once and not
    /// once for each object, and again at the next try. Who is in no hurry also takes one that is
    /// not older than his `patience`.
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
    async fn many_who_ask_at_once_cost_one_listing_and_those_during_it_one_more() {
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
    async fn a_failure_is_shared_with_those_who_waited_and_with_nobody_later() {
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
