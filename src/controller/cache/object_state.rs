//! What is remembered of an object between two passes, in memory only. After a restart status
//! alone tells that nothing moved.

use std::{
    collections::{BTreeSet, HashMap},
    hash::{DefaultHasher, Hash, Hasher},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use tokio::time::Instant;

use crate::{
    account::{Account, DigestKey, ObjectName},
    api::ProviderSecret,
    controller::object::is_newer,
};

/// How many answers in a row may be not understood before a person is asked to look.
const PROTOCOL_FAILURES: u32 = 3;
/// How long failures are tried again soon, and how long the waits are from then on.
const LONG_BACKOFF: Duration = Duration::from_hours(1);

/// What a pass acted on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Acted {
    /// The generation of the spec.
    pub(crate) generation: i64,
    /// The Secrets that were read and their versions, sorted by name.
    pub(crate) sources: Vec<(String, String)>,
}

/// What is remembered of one object.
#[derive(Default)]
pub(crate) struct ObjectState {
    /// What the last pass acted on.
    pub(crate) acted: Option<Acted>,
    /// When the next try is due if there is no news; none means never.
    pub(crate) next_try: Option<Instant>,
    /// The waits after failures, each twice the last, and when they began.
    backoff: Option<Box<(ExponentialBackoff, Instant)>>,
    /// Passes in a row that ended in an answer that was not understood.
    protocol_failures: u32,
    /// The answer to our newest write, until the watch has caught up with it.
    newest: Option<Arc<ProviderSecret>>,
    /// The account, kept alive for its queue and its listing.
    account: Option<Arc<Account>>,
    /// What digests were made with under the API key before, until the records have followed it.
    former: Option<Box<DigestKey>>,
    /// The generation that is wanted and since when.
    wanted: Option<(i64, Instant)>,
    /// When what was written is compared with the account's listing again.
    pub(crate) verify_at: Option<Instant>,
    /// Somebody asked for a pass, whatever the object waits for.
    pub(crate) is_requeued: bool,
    /// What the last pass did could not be recorded: nothing is sent before that can be.
    pub(crate) is_unrecorded: bool,
    /// The key that was found to open the account that was written to. While a cleanup takes away
    /// what proves that, it must not be asked again.
    proved: Option<Box<[u8; 32]>>,
    /// What stands for the status that we last saw or wrote.
    status_hash: Option<u64>,
    /// Since when this process knows that the object is deleted.
    deleted: Option<Instant>,
    /// The folded names of entries that another object wrote; most objects have none.
    dirty: BTreeSet<String>,
}

/// The states of all objects, by uid.
#[derive(Default)]
pub(crate) struct ObjectStates(Mutex<HashMap<String, ObjectState>>);

impl ObjectStates {
    /// Lends the state of an object.
    pub(crate) fn with<T>(&self, uid: &str, use_it: impl FnOnce(&mut ObjectState) -> T) -> T {
        let mut states = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Without the allocation of a key where there is one.
        if let Some(state) = states.get_mut(uid) {
            return use_it(state);
        }
        use_it(states.entry(uid.to_owned()).or_default())
    }

    /// Whether the time has come for something that no wake-up brings.
    pub(crate) fn is_due(&self, uid: &str, now: Instant) -> bool {
        let states = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        states.get(uid).is_some_and(|state| state.is_due(now))
    }

    /// The account of an object, where one is known.
    pub(crate) fn account(&self, uid: &str) -> Option<Arc<Account>> {
        let states = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        states.get(uid).and_then(ObjectState::account)
    }

    /// Forgets an object that is gone, and gives back its account.
    pub(crate) fn forget(&self, uid: &str) -> Option<Arc<Account>> {
        let mut states = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        states.remove(uid).and_then(|state| state.account)
    }
}

impl ObjectState {
    /// The newest known form of an object that the watch shows as `seen`: our own write's answer
    /// until the watch has caught up with it.
    pub(crate) fn newest(&mut self, seen: &Arc<ProviderSecret>) -> Arc<ProviderSecret> {
        let newest = self.newer_than(seen);
        if newest.is_none() {
            self.newest = None;
        }
        newest.unwrap_or_else(|| Arc::clone(seen))
    }

    /// Our own write's answer, if it is newer than what is known of the object. It stays: who asks
    /// may know more than the watch has shown.
    pub(crate) fn newer_than(&self, known: &ProviderSecret) -> Option<Arc<ProviderSecret>> {
        let version =
            |object: &ProviderSecret| object.metadata.resource_version.clone().unwrap_or_default();
        let newest = self.newest.as_ref()?;
        is_newer(&version(newest), &version(known)).then(|| Arc::clone(newest))
    }

    /// Keeps the answer to a write of ours.
    pub(crate) fn wrote(&mut self, answer: &Arc<ProviderSecret>) {
        self.newest = Some(Arc::clone(answer));
        self.status_seen(answer);
    }

    /// Whether this key was found to open the account that was written to.
    pub(crate) fn is_proved(&self, key: [u8; 32]) -> bool {
        self.proved.as_deref() == Some(&key)
    }

    /// This key opens the account that was written to.
    pub(crate) fn prove(&mut self, key: [u8; 32]) {
        self.proved = Some(Box::new(key));
    }

    /// The status of the object is the one that we know of.
    pub(crate) fn status_seen(&mut self, object: &ProviderSecret) {
        self.status_hash = Some(status_hash(object));
    }

    /// Whether somebody else edited status since we last saw or wrote it.
    pub(crate) fn is_edited(&mut self, object: &ProviderSecret) -> bool {
        let now = status_hash(object);
        *self.status_hash.get_or_insert(now) != now
    }

    /// Keeps the account alive; the one before, if it was another.
    pub(crate) fn use_account(&mut self, account: &Arc<Account>) -> Option<Arc<Account>> {
        let before = self.account.replace(Arc::clone(account));
        let other = before.filter(|before| !Arc::ptr_eq(before, account));
        if let Some(other) = &other {
            // What failed there says nothing of this one.
            self.reset_backoff();
            self.former = Some(Box::new(other.digests.clone()));
        }
        other
    }

    /// What digests were made with before the API key was exchanged.
    pub(crate) fn former_digests(&self) -> Option<DigestKey> {
        self.former.as_deref().cloned()
    }

    /// The records have followed the API key.
    pub(crate) fn forget_former_key(&mut self) {
        self.former = None;
    }

    /// The account, where one is known.
    pub(crate) fn account(&self) -> Option<Arc<Account>> {
        self.account.clone()
    }

    /// When the next try is due if there is no news: at once, where the account gave `name` its
    /// turn.
    pub(crate) fn due(&self, name: &ObjectName, now: Instant) -> Option<Instant> {
        let has_turn = || {
            let account = self.account.as_ref();
            account.is_some_and(|account| account.limiter.is_granted(name))
        };
        self.next_try
            .map(|due| if due > now && has_turn() { now } else { due })
    }

    /// Since when this generation is wanted.
    pub(crate) fn wanted_since(&mut self, generation: i64) -> Instant {
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
    pub(crate) fn deleted_since(&mut self) -> Instant {
        *self.deleted.get_or_insert_with(Instant::now)
    }

    /// Whether the time has come for something that no wake-up brings.
    fn is_due(&self, now: Instant) -> bool {
        self.verify_at.is_some_and(|due| due <= now) || !self.dirty.is_empty()
    }

    /// The folded names of entries that another object wrote.
    pub(crate) fn dirty(&self) -> impl Iterator<Item = &str> {
        self.dirty.iter().map(String::as_str)
    }

    /// Another object wrote an entry.
    pub(crate) fn mark_overwritten(&mut self, folded: &str) {
        self.dirty.insert(folded.to_owned());
    }

    /// An entry was written.
    pub(crate) fn written(&mut self, folded: &str) {
        self.dirty.remove(folded);
    }

    /// The wait after one more failure at the provider: 1 s doubling to 5 min, with full jitter;
    /// after an hour of failures an hour. So what is broken for good costs 24 tries a day.
    pub(crate) fn back_off(&mut self) -> Duration {
        let (next, began) = self.next_wait();
        if began.elapsed() < LONG_BACKOFF {
            next
        } else {
            LONG_BACKOFF.mul_f64(1.0 + fastrand::f64() * 0.2)
        }
    }

    /// The wait after one more failure that is not the provider's: 1 s doubling to 5 min, with full
    /// jitter.
    pub(crate) fn back_off_briefly(&mut self) -> Duration {
        self.next_wait().0
    }

    /// What a pass did could not be recorded; the wait before it is tried again.
    pub(crate) fn could_not_record(&mut self) -> Duration {
        self.acted = None;
        self.is_unrecorded = true;
        // Else every look for what is due would be a try.
        self.verify_at = None;
        self.back_off_briefly()
    }

    /// What a pass did was recorded.
    pub(crate) fn recorded(&mut self) {
        if std::mem::take(&mut self.is_unrecorded) {
            self.backoff = None;
        }
    }

    fn next_wait(&mut self) -> (Duration, Instant) {
        let (sequence, began) = &mut **self.backoff.get_or_insert_with(|| {
            let sequence = ExponentialBuilder::default()
                .with_min_delay(Duration::from_secs(1))
                .with_max_delay(Duration::from_mins(5))
                .without_max_times()
                .build();
            Box::new((sequence, Instant::now()))
        });
        let most = sequence.next().unwrap_or(Duration::from_mins(5));
        let wait = most.mul_f64(fastrand::f64());
        (wait.max(Duration::from_millis(100)), *began)
    }

    /// The wait before a refused credential is tried again: 1 min doubling to 1 h.
    pub(crate) fn back_off_credential(&mut self) -> Duration {
        (self.next_wait().0 * 60).clamp(Duration::from_mins(1), Duration::from_hours(1))
    }

    /// The pass succeeded, or ended in something that waiting does not heal. While that cannot be
    /// recorded the waits grow all the same.
    pub(crate) fn reset_backoff(&mut self) {
        if !self.is_unrecorded {
            self.backoff = None;
        }
    }

    /// One more answer that was not understood, or none; whether there were too many in a row.
    pub(crate) fn protocol_failed(&mut self, failed: bool) -> bool {
        self.protocol_failures = if failed {
            self.protocol_failures + 1
        } else {
            0
        };
        self.protocol_failures >= PROTOCOL_FAILURES
    }
}

fn status_hash(object: &ProviderSecret) -> u64 {
    let mut hasher = DefaultHasher::new();
    // Our own types are always JSON.
    serde_json::to_string(&object.status)
        .unwrap_or_default()
        .hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;
    use tower::{service_fn, util::BoxCloneSyncService};

    use super::*;
    use crate::{
        account::{Accounts, Admission, Credential, Endpoints, Limiter},
        api::ProviderSpec,
        http::{Http, TransportError},
        telemetry::Metrics,
    };

    #[tokio::test]
    async fn whose_turn_has_come_does_not_wait_for_its_own_next_try() {
        let transport = service_fn(async |_| Err(TransportError::Connect));
        let http = Http::new(BoxCloneSyncService::new(transport), Metrics::default());
        let (requeue, _requeued) = mpsc::unbounded_channel();
        let limiter = Limiter::new(1, 1, requeue, Metrics::default());
        let accounts = Accounts::new(http, Endpoints::new([]), limiter);
        let spec = r#"{"baseten": {"apiKeySecretRef": {"name": "n", "key": "k"}}}"#;
        let spec: ProviderSpec = serde_json::from_str(spec).unwrap();
        let credential = Credential::new(b"key").unwrap();
        let account = accounts.get(spec.choice().unwrap(), &credential).unwrap();
        let name = |name: &str| ("namespace".to_owned(), name.to_owned());
        let permit = account.limiter.admit(&name("first"));
        let second = account.limiter.admit(&name("second"));
        assert!(matches!(permit, Admission::Granted(_)) && matches!(second, Admission::Parked));

        let now = Instant::now();
        let later = now + Duration::from_hours(1);
        let mut state = ObjectState {
            next_try: Some(later),
            ..ObjectState::default()
        };
        state.use_account(&account);
        assert_eq!(state.due(&name("second"), now), Some(later));
        drop(permit);
        assert_eq!(state.due(&name("second"), now), Some(now));
        state.next_try = None;
        assert_eq!(state.due(&name("second"), now), None, "nothing to do");
    }

    /// Cases: P-14
    #[tokio::test(start_paused = true)]
    async fn what_fails_for_a_day_is_tried_24_times_after_the_first_hour() {
        let hour = Duration::from_hours(1);
        for _ in 0..20 {
            let (mut state, began) = (ObjectState::default(), Instant::now());
            let mut tries = Vec::new();
            while began.elapsed() < 24 * hour {
                tries.push(began.elapsed());
                tokio::time::advance(state.back_off()).await;
            }
            let later = tries.iter().filter(|tried| **tried > hour).count();
            assert!((18..=24).contains(&later), "{later}");
            assert!(
                (12..=120).contains(&(tries.len() - later)),
                "{}",
                tries.len()
            );
            state.reset_backoff();
            assert!(state.back_off() <= Duration::from_secs(1));
        }
    }
}
