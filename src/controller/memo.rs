//! What is remembered of an object between two passes, in memory only. After a restart status
//! alone tells that nothing moved.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use tokio::time::Instant;

use super::{gate::Acted, version};
use crate::{account::Account, api::ProviderSecret};

/// How many answers in a row may be not understood before a person is asked to look.
const PROTOCOL_FAILURES: u32 = 3;

/// What is remembered of one object.
#[derive(Default)]
pub(super) struct Memo {
    /// What the last pass acted on.
    pub(super) acted: Option<Acted>,
    /// When the next try is due if there is no news; none means never.
    pub(super) next_try: Option<Instant>,
    /// The waits after failures, each twice the last.
    backoff: Option<Box<ExponentialBackoff>>,
    /// Passes in a row that ended in an answer that was not understood.
    protocol_failures: u32,
    /// The answer to our newest write, until the watch has caught up with it.
    newest: Option<Arc<ProviderSecret>>,
    /// The account, kept alive for its queue and its listing.
    account: Option<Arc<Account>>,
    /// The generation that is wanted and since when.
    wanted: Option<(i64, Instant)>,
}

/// The memos of all objects, by uid.
#[derive(Default)]
pub(super) struct Memos(Mutex<HashMap<String, Memo>>);

impl Memos {
    /// Lends the memo of an object.
    pub(super) fn with<T>(&self, uid: &str, use_it: impl FnOnce(&mut Memo) -> T) -> T {
        let mut memos = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Without the allocation of a key where there is one.
        if let Some(memo) = memos.get_mut(uid) {
            return use_it(memo);
        }
        use_it(memos.entry(uid.to_owned()).or_default())
    }

    /// Forgets an object that is gone, and gives back its account.
    pub(super) fn forget(&self, uid: &str) -> Option<Arc<Account>> {
        let mut memos = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        memos.remove(uid).and_then(|memo| memo.account)
    }
}

impl Memo {
    /// The newest known form of an object that the watch shows as `seen`: our own write's answer
    /// until the watch has caught up with it.
    pub(super) fn newest(&mut self, seen: &Arc<ProviderSecret>) -> Arc<ProviderSecret> {
        let newest = self.newer_than(seen);
        if newest.is_none() {
            self.newest = None;
        }
        newest.unwrap_or_else(|| Arc::clone(seen))
    }

    /// Our own write's answer, if it is newer than what is known of the object. It stays: who asks
    /// may know more than the watch has shown.
    pub(super) fn newer_than(&self, known: &ProviderSecret) -> Option<Arc<ProviderSecret>> {
        let version =
            |object: &ProviderSecret| object.metadata.resource_version.clone().unwrap_or_default();
        let newest = self.newest.as_ref()?;
        version::is_newer(&version(newest), &version(known)).then(|| Arc::clone(newest))
    }

    /// Keeps the answer to a write of ours.
    pub(super) fn wrote(&mut self, answer: &Arc<ProviderSecret>) {
        self.newest = Some(Arc::clone(answer));
    }

    /// Keeps the account alive; the one before, if it was another.
    pub(super) fn use_account(&mut self, account: &Arc<Account>) -> Option<Arc<Account>> {
        let before = self.account.replace(Arc::clone(account));
        before.filter(|before| !Arc::ptr_eq(before, account))
    }

    /// The account, where one is known.
    pub(super) fn account(&self) -> Option<Arc<Account>> {
        self.account.clone()
    }

    /// Since when this generation is wanted.
    pub(super) fn wanted_since(&mut self, generation: i64) -> Instant {
        match self.wanted {
            Some((known, since)) if known == generation => since,
            _ => {
                let now = Instant::now();
                self.wanted = Some((generation, now));
                now
            }
        }
    }

    /// The wait after one more failure: 1 s doubling to 5 min, with full jitter.
    pub(super) fn back_off(&mut self) -> Duration {
        let sequence = self.backoff.get_or_insert_with(|| {
            Box::new(
                ExponentialBuilder::default()
                    .with_min_delay(Duration::from_secs(1))
                    .with_max_delay(Duration::from_mins(5))
                    .without_max_times()
                    .build(),
            )
        });
        let most = sequence.next().unwrap_or(Duration::from_mins(5));
        most.mul_f64(fastrand::f64())
            .max(Duration::from_millis(100))
    }

    /// The wait before a refused credential is tried again: 1 min doubling to 1 h.
    pub(super) fn back_off_credential(&mut self) -> Duration {
        (self.back_off() * 60).clamp(Duration::from_mins(1), Duration::from_hours(1))
    }

    /// The pass succeeded, or ended in something that waiting does not heal.
    pub(super) fn reset_backoff(&mut self) {
        self.backoff = None;
    }

    /// One more answer that was not understood, or none; whether there were too many in a row.
    pub(super) fn protocol_failed(&mut self, failed: bool) -> bool {
        self.protocol_failures = if failed {
            self.protocol_failures + 1
        } else {
            0
        };
        self.protocol_failures >= PROTOCOL_FAILURES
    }
}
