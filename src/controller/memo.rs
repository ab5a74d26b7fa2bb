//! What is remembered of an object between two passes, in memory only. After a restart status
//! alone tells that nothing moved.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use kube::ResourceExt;
use tokio::time::Instant;

use super::{gate::Acted, plan::Cause, version};
use crate::{
    account::{Account, DigestKey},
    api::ProviderSecret,
};

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
    /// What digests were made with under the API key before, until the records have followed it.
    former: Option<Box<DigestKey>>,
    /// The key that was found to open the account that was written to. While a cleanup takes away what
    /// proves that, it must not be asked again.
    proved: Option<Box<str>>,
    /// The generation that is wanted and since when.
    wanted: Option<(i64, Instant)>,
    /// When what was written is compared with the account's listing again.
    pub(super) verify_at: Option<Instant>,
    /// Somebody asked for a pass, whatever the object waits for.
    pub(super) is_nudged: bool,
    /// Since when this process knows that the object is deleted.
    deleted: Option<Instant>,
    /// What is known about single entries; most objects have nothing here.
    doubts: Option<Box<Doubts>>,
}

/// What is known about single entries, by folded name.
#[derive(Default)]
struct Doubts {
    /// The digest of a write whose outcome was never known.
    unknown: HashMap<String, Option<String>>,
    /// Entries that are written again, why, and when.
    suspects: BTreeMap<String, (Cause, Instant)>,
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

    /// Whether the time has come for something that no wake-up brings.
    pub(super) fn is_due(&self, uid: &str, now: Instant) -> bool {
        let memos = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        memos.get(uid).is_some_and(|memo| memo.is_due(now))
    }

    /// Forgets an object that is gone, and gives back its account.
    pub(super) fn forget(&self, uid: &str) -> Option<Arc<Account>> {
        let mut memos = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        memos.remove(uid).and_then(|memo| memo.account)
    }
}

impl Memo {
    /// The newest known form of an object: our own write's answer until the watch shows it.
    pub(super) fn newest(&mut self, seen: &Arc<ProviderSecret>) -> Arc<ProviderSecret> {
        let seen_version = seen.resource_version().unwrap_or_default();
        match &self.newest {
            Some(newest)
                if version::is_newer(
                    &newest.resource_version().unwrap_or_default(),
                    &seen_version,
                ) =>
            {
                Arc::clone(newest)
            }
            _ => {
                self.newest = None;
                Arc::clone(seen)
            }
        }
    }

    /// Keeps the answer to a write of ours.
    pub(super) fn wrote(&mut self, answer: &Arc<ProviderSecret>) {
        self.newest = Some(Arc::clone(answer));
    }

    /// Keeps the account alive; the one before, if it was another.
    pub(super) fn use_account(&mut self, account: &Arc<Account>) -> Option<Arc<Account>> {
        let before = self.account.replace(Arc::clone(account));
        let before = before.filter(|before| !Arc::ptr_eq(before, account));
        if let Some(before) = &before {
            self.former = Some(Box::new(before.digests.clone()));
        }
        before
    }

    /// What digests were made with before the API key was exchanged.
    pub(super) fn former_digests(&self) -> Option<DigestKey> {
        self.former.as_deref().cloned()
    }

    /// The records have followed the API key.
    pub(super) fn forget_former_key(&mut self) {
        self.former = None;
    }

    /// Whether this key was found to open the account that was written to.
    pub(super) fn is_proved(&self, key: &str) -> bool {
        self.proved.as_deref() == Some(key)
    }

    /// This key opens the account that was written to.
    pub(super) fn prove(&mut self, key: &str) {
        self.proved = Some(key.into());
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

    /// Since when this process knows that the object is deleted.
    pub(super) fn deleted_since(&mut self) -> Instant {
        *self.deleted.get_or_insert_with(Instant::now)
    }

    /// Whether the time has come for something that no wake-up brings.
    fn is_due(&self, now: Instant) -> bool {
        self.verify_at.is_some_and(|due| due <= now) || !self.suspects(now).is_empty()
    }

    /// The entries that are to be written again now.
    pub(super) fn suspects(&self, now: Instant) -> BTreeMap<String, Cause> {
        let all = self.doubts.iter().flat_map(|doubts| &doubts.suspects);
        all.filter(|(_, (_, due))| *due <= now)
            .map(|(name, (cause, _))| (name.clone(), *cause))
            .collect()
    }

    /// An entry must be written again after `wait`.
    pub(super) fn suspect(&mut self, folded: &str, cause: Cause, wait: Duration) {
        let doubts = self.doubts.get_or_insert_default();
        let due = Instant::now() + wait;
        doubts.suspects.insert(folded.to_owned(), (cause, due));
    }

    /// The outcome of a write of an entry, with the digest it was made with, is not known.
    pub(super) fn lost_sight(&mut self, folded: &str, digest: Option<&str>) {
        let doubts = self.doubts.get_or_insert_default();
        doubts
            .unknown
            .insert(folded.to_owned(), digest.map(str::to_owned));
    }

    /// An entry was written. Whether a write of another value, whose outcome is not known, may
    /// come in after it.
    pub(super) fn acknowledged(&mut self, folded: &str, digest: Option<&str>) -> bool {
        let Some(doubts) = &mut self.doubts else {
            return false;
        };
        doubts.suspects.remove(folded);
        let unknown = doubts.unknown.remove(folded);
        if doubts.suspects.is_empty() && doubts.unknown.is_empty() {
            self.doubts = None;
        }
        unknown.is_some_and(|unknown| unknown.as_deref() != digest)
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
