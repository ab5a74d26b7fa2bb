//! Locks of names: one writer at a time, and when the last write ended.
//!
//! Where a provider would create a second secret of a name, "check and create" must be one step,
//! also between two objects that use two keys of one team. So a lock belongs to provider, endpoint,
//! scope and folded name. Where the scope is not known, a fingerprint of the key stands for it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{Mutex as AsyncMutex, OwnedMutexGuard},
    time::Instant,
};

use crate::provider::LONGEST_LISTING;

/// How long a lock remembers when a write ended. It is longer than any listing takes, so every
/// listing that began before the write is recognised.
const WRITE_MEMORY: Duration = Duration::from_mins(15);
const _: () = assert!(LONGEST_LISTING.as_secs() < WRITE_MEMORY.as_secs());
/// With how many locks those that are no longer needed are dropped for the first time; then always
/// when there are twice as many as were needed the last time.
const MANY: usize = 1024;

type Slot = Arc<AsyncMutex<Option<Instant>>>;

/// The locks of all names that objects write now or wrote lately.
#[derive(Default)]
pub struct NameLocks(Mutex<Slots>);

#[derive(Default)]
struct Slots {
    by_name: HashMap<String, Slot>,
    crowded_at: usize,
}

/// The right to write one name; dropping it passes it on.
pub struct NameLock(OwnedMutexGuard<Option<Instant>>);

impl NameLocks {
    /// Waits for the right to write `name`, a text of provider, endpoint, scope and folded name.
    pub async fn lock(&self, name: String) -> NameLock {
        let slot = {
            let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if slots.by_name.len() >= slots.crowded_at.max(MANY) {
                slots.by_name.retain(|_, slot| is_needed(slot));
                slots.crowded_at = slots.by_name.len() * 2;
            }
            Arc::clone(slots.by_name.entry(name).or_default())
        };
        NameLock(slot.lock_owned().await)
    }

    /// When the last write of `name` ended. This does not wait for the lock.
    pub fn last_write(&self, name: &str) -> LastWrite {
        let slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(slot) = slots.by_name.get(name) else {
            return LastWrite::LongAgo;
        };
        match slot.try_lock().map(|ended| *ended) {
            Err(_) => LastWrite::UnderWay,
            Ok(Some(ended)) => LastWrite::At(ended),
            Ok(None) => LastWrite::LongAgo,
        }
    }
}

/// When the last write of a name ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LastWrite {
    /// It has not ended.
    UnderWay,
    /// At this time.
    At(Instant),
    /// Longer ago than a listing takes, by another process, or never.
    LongAgo,
}

fn is_needed(slot: &Slot) -> bool {
    Arc::strong_count(slot) > 1
        || slot
            .try_lock()
            .is_ok_and(|ended| ended.is_some_and(|ended| ended.elapsed() < WRITE_MEMORY))
}

impl NameLock {
    /// When the last write of the name ended. The lock remembers it for 15 minutes at least.
    pub fn last_write(&self) -> Option<Instant> {
        *self.0
    }

    /// Notes that a write of the name ended now, whether it succeeded or not.
    pub fn wrote(&mut self) {
        *self.0 = Some(Instant::now());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_object_writes_at_a_time_and_the_next_one_knows_when() {
        let locks = Arc::new(NameLocks::default());
        let mut first = locks.lock("a".to_owned()).await;
        let second = tokio::spawn({
            let locks = Arc::clone(&locks);
            async move { locks.lock("a".to_owned()).await.last_write() }
        });
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!(!second.is_finished());
        first.wrote();
        let ended = first.last_write();
        drop(first);
        assert!(ended.is_some());
        assert_eq!(second.await.ok().flatten(), ended);
    }

    #[tokio::test(start_paused = true)]
    async fn locks_that_are_no_longer_needed_are_dropped() {
        let locks = NameLocks::default();
        for number in 0..MANY {
            locks.lock(number.to_string()).await.wrote();
        }
        tokio::time::advance(WRITE_MEMORY).await;
        drop(locks.lock("one more".to_owned()).await);
        assert_eq!(locks.0.lock().unwrap().by_name.len(), 1);
    }
}
