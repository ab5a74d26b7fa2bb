//! Names that are being written: one writer at a time, and when the last write ended.
//!
//! Where a provider would create a second secret of a name, "check and create" must be one step,
//! also between two objects that use two keys of one team. So the lock is by provider, endpoint
//! and name, whatever the account.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{Mutex as AsyncMutex, OwnedMutexGuard},
    time::Instant,
};

/// How long it is remembered when a write ended. Longer than any listing can take, so that none
/// that began before the write is believed.
const REMEMBERED: Duration = Duration::from_secs(15 * 60);
/// From how many names on those that are no longer needed are dropped.
const MANY: usize = 1024;

type Slot = Arc<AsyncMutex<Option<Instant>>>;

/// Every name that is being, or was lately, written.
#[derive(Default)]
pub struct Names {
    slots: Mutex<HashMap<String, Slot>>,
}

/// The right to write one name.
pub struct NameLock(OwnedMutexGuard<Option<Instant>>);

impl Names {
    /// Waits for the right to write `name`, which holds provider, endpoint and folded name.
    pub async fn lock(&self, name: String) -> NameLock {
        let slot = {
            let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
            if slots.len() >= MANY {
                slots.retain(|_, slot| is_needed(slot));
            }
            Arc::clone(slots.entry(name).or_default())
        };
        NameLock(slot.lock_owned().await)
    }
}

fn is_needed(slot: &Slot) -> bool {
    Arc::strong_count(slot) > 1
        || slot
            .try_lock()
            .is_ok_and(|ended| ended.is_some_and(|ended| ended.elapsed() < REMEMBERED))
}

impl NameLock {
    /// When the last write of the name ended, if that is remembered.
    pub fn last_write(&self) -> Option<Instant> {
        *self.0
    }

    /// A write of the name ended now, however it ended.
    pub fn wrote(&mut self) {
        *self.0 = Some(Instant::now());
    }
}
