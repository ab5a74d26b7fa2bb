//! Secrets as they were read, shared by all objects that read them: a change of a Secret with a thousand
//! readers is one GET. Values are kept for as long as readers wait for them, and seconds at most: readers
//! whose account lets them come later cost one more GET in each ten seconds.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use kube::Client;
use tokio::{
    sync::{Mutex as AsyncMutex, OwnedSemaphorePermit, Semaphore},
    time::Instant,
};
use zeroize::Zeroizing;

use super::SecretName;
use crate::{
    account::ObjectName,
    controller::{
        kubernetes::{KubernetesError, ReadSecret, read_secret},
        object::is_newer,
    },
};

/// Secrets that are read at once. A Secret is 1 MiB at most, which is 1.4 MiB on the wire: 8 are within
/// 16 MiB. Measured, 150 Secrets of 1 MB that were read at once took 223 MiB.
const IN_FLIGHT: usize = 8;
/// How long values are kept for readers that have not come yet.
const VALUES_TTL: Duration = Duration::from_secs(10);
/// How many kibibytes of values are kept for readers. What finds no room is read again by each.
const CACHE_KIB: usize = 16 * 1024;
/// Up to this size of all values a Secret is kept as a whole; of a larger one, the keys that its readers name.
const MAX_WHOLE_SECRET: usize = 128 * 1024;

/// The keys of a Secret that an object names; none names all.
pub(crate) type NamedKeys = Option<BTreeSet<String>>;

/// A Secret as it was read.
pub(crate) struct SharedSecret {
    pub(crate) version: String,
    /// The type, such as `Opaque`.
    pub(crate) kind: String,
    /// Whether its labels say that it may leave the cluster.
    pub(crate) is_labelled: bool,
    /// The values, as far as they were named.
    pub(crate) data: Arc<BTreeMap<String, Zeroizing<Vec<u8>>>>,
    /// The keys that were kept; none stands for all.
    keys: NamedKeys,
}

/// The Secrets that readers wait for.
pub(crate) struct SecretReads {
    slots: Mutex<HashMap<SecretName, Arc<Slot>>>,
    in_flight: Semaphore,
    room: Arc<Semaphore>,
}

/// One Secret: the reader that holds the lock reads it, and the others wait for it.
#[derive(Default)]
struct Slot(AsyncMutex<Answers>);

/// How reads of a Secret ended.
#[derive(Default)]
struct Answers {
    /// The values that readers wait for.
    read: Option<Read>,
    /// Why the last read failed, and when: those who waited for it do not ask again.
    failed: Option<(Instant, KubernetesError)>,
}

struct Read {
    secret: Arc<SharedSecret>,
    at: Instant,
    /// The readers that have not had it yet.
    awaited_by: HashSet<ObjectName>,
    /// The room that the values take.
    _room: OwnedSemaphorePermit,
}

impl Answers {
    /// A read failed. That a Secret is not there is no answer for others: it may have come back after the
    /// read began.
    fn failed(&mut self, error: KubernetesError) {
        let is_shared = error != KubernetesError::NotFound;
        self.failed = is_shared.then(|| (Instant::now(), error));
    }
}

impl Default for SecretReads {
    fn default() -> Self {
        Self {
            slots: Mutex::default(),
            in_flight: Semaphore::new(IN_FLIGHT),
            room: Arc::new(Semaphore::new(CACHE_KIB)),
        }
    }
}

impl SecretReads {
    /// The Secret `name` for `reader`, in the version `seen` or a later one. `readers` gives every
    /// object that reads it, and `named` the keys that these name.
    ///
    /// # Errors
    /// Why it could not be read.
    pub(crate) async fn read(
        &self,
        client: &Client,
        name: &SecretName,
        (reader, keys): (&ObjectName, &NamedKeys),
        seen: &str,
        readers: impl FnOnce() -> Vec<ObjectName>,
        named: impl FnOnce(&[ObjectName]) -> NamedKeys,
    ) -> Result<Arc<SharedSecret>, KubernetesError> {
        let (slot, asked_at) = (self.slot(name), Instant::now());
        let mut answers = slot.0.lock().await;
        if let Some((_, error)) = answers.failed.filter(|(at, _)| asked_at < *at) {
            return Err(error);
        }
        let known = answers.read.as_mut().filter(|read| {
            read.at.elapsed() < VALUES_TTL
                && !is_newer(seen, &read.secret.version)
                && read.secret.holds(keys)
        });
        if let Some(known) = known {
            let secret = Arc::clone(&known.secret);
            known.awaited_by.remove(reader);
            if known.awaited_by.is_empty() {
                answers.read = None;
            }
            return Ok(secret);
        }
        // Before the next Secret is read.
        answers.read = None;
        self.sweep();
        let _permit = self.in_flight.acquire().await;
        let read = read_secret(client, &name.0, &name.1).await;
        let read = read.inspect_err(|error| answers.failed(*error))?;
        let readers = readers();
        let all_keys = || together(keys, named(&readers));
        let secret = Arc::new(SharedSecret::of(read, all_keys));
        let mut awaited_by: HashSet<ObjectName> = readers.into_iter().collect();
        awaited_by.remove(reader);
        let kibibytes = u32::try_from(secret.size().div_ceil(1024)).unwrap_or(u32::MAX);
        let room = Arc::clone(&self.room).try_acquire_many_owned(kibibytes);
        if let (Ok(room), false) = (room, awaited_by.is_empty()) {
            answers.read = Some(Read {
                secret: Arc::clone(&secret),
                at: Instant::now(),
                awaited_by,
                _room: room,
            });
        }
        Ok(secret)
    }

    /// Drops values that were kept long enough, and the slots that hold none.
    pub(crate) fn sweep(&self) {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        slots.retain(|_, slot| {
            // A slot that a reader holds is in use.
            let Ok(mut answers) = slot.0.try_lock() else {
                return true;
            };
            let read = &mut answers.read;
            if read
                .as_ref()
                .is_some_and(|read| read.at.elapsed() >= VALUES_TTL)
            {
                *read = None;
            }
            read.is_some() || Arc::strong_count(slot) > 1
        });
    }

    /// Drops what is kept of a Secret: it is gone, or went back to an older version.
    pub(crate) fn forget(&self, name: &SecretName) {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        slots.remove(name);
    }

    /// Drops what is kept of all Secrets.
    pub(crate) fn clear(&self) {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        slots.clear();
    }

    fn slot(&self, name: &SecretName) -> Arc<Slot> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(slots.entry(name.clone()).or_default())
    }
}

impl SharedSecret {
    fn of(read: ReadSecret, keys: impl FnOnce() -> NamedKeys) -> Self {
        let size: usize = read.data.values().map(|value| value.len()).sum();
        let keys = if size > MAX_WHOLE_SECRET {
            keys()
        } else {
            None
        };
        let mut data = read.data;
        if let Some(keys) = &keys {
            data.retain(|key, _| keys.contains(key));
        }
        Self {
            version: read.version,
            kind: read.kind,
            is_labelled: read.is_labelled,
            data: Arc::new(data),
            keys,
        }
    }

    /// How many bytes of values it has.
    pub(crate) fn size(&self) -> usize {
        self.data.values().map(|value| value.len()).sum()
    }

    /// Whether it has what an object names.
    fn holds(&self, named: &NamedKeys) -> bool {
        match (&self.keys, named) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(kept), Some(named)) => named.is_subset(kept),
        }
    }
}

/// What a reader and the others name.
fn together(own: &NamedKeys, others: NamedKeys) -> NamedKeys {
    let (own, mut all) = (own.as_ref()?, others?);
    all.extend(own.iter().cloned());
    Some(all)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use kube::client::Body;
    use tower::service_fn;

    use super::*;

    #[tokio::test]
    async fn what_finds_no_room_is_not_kept() {
        // 600 KiB in base64.
        let value = "YWFh".repeat(200 * 1024);
        let body =
            format!(r#"{{"metadata": {{"resourceVersion": "5"}}, "data": {{"a": "{value}"}}}}"#);
        let answer = move |_: ::http::Request<Body>| {
            let answer = ::http::Response::new(Body::from(body.clone().into_bytes()));
            std::future::ready(Ok::<_, std::io::Error>(answer))
        };
        let client = Client::new(service_fn(answer), "default");
        let reads = SecretReads::default();
        let (reader, keys) = (name("first"), Some(["a".to_owned()].into()));
        for number in 0..40 {
            let secret = name(&format!("secret-{number}"));
            let readers = || vec![name("first"), name("second")];
            let read = reads.read(&client, &secret, (&reader, &keys), "5", readers, |_| None);
            assert_eq!(read.await.expect("a Secret").size(), 600 * 1024);
        }
        let kept = |slot: &Arc<Slot>| slot.0.try_lock().is_ok_and(|kept| kept.read.is_some());
        let kept = reads
            .slots
            .lock()
            .unwrap()
            .values()
            .filter(|slot| kept(slot))
            .count();
        assert_eq!(kept, CACHE_KIB / 600);
    }

    #[tokio::test]
    async fn readers_that_name_different_keys_of_a_large_secret_share_one_read() {
        let calls: &'static AtomicUsize = Box::leak(Box::default());
        // 60 KiB each in base64.
        let value = "YWFh".repeat(20 * 1024);
        let data: Vec<String> = (0..4)
            .map(|key| format!(r#""key-{key}": "{value}""#))
            .collect();
        let data = data.join(", ");
        let body = format!(r#"{{"metadata": {{"resourceVersion": "5"}}, "data": {{{data}}}}}"#);
        let answer = move |_: ::http::Request<Body>| {
            calls.fetch_add(1, Ordering::Relaxed);
            let answer = ::http::Response::new(Body::from(body.clone().into_bytes()));
            std::future::ready(Ok::<_, std::io::Error>(answer))
        };
        let client = Client::new(service_fn(answer), "default");
        let (reads, secret) = (SecretReads::default(), name("large"));
        for number in 0..3 {
            let reader = name(&format!("reader-{number}"));
            let keys = Some([format!("key-{number}")].into());
            let readers = || (0..3).map(|each| name(&format!("reader-{each}"))).collect();
            let named = |readers: &[ObjectName]| {
                let keys = readers
                    .iter()
                    .map(|(_, name)| name.replace("reader", "key"));
                Some(keys.collect::<BTreeSet<_>>())
            };
            let read = reads.read(&client, &secret, (&reader, &keys), "5", readers, named);
            let read = read.await.expect("a Secret");
            // A key that no object names is not kept.
            assert!(read.data.keys().eq(&["key-0", "key-1", "key-2"]));
        }
        assert_eq!(calls.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn who_names_all_keys_keeps_all_of_them() {
        let keys = |keys: &[&str]| Some(keys.iter().map(|key| (*key).to_owned()).collect());
        assert_eq!(together(&keys(&["a"]), keys(&["b"])), keys(&["a", "b"]));
        assert_eq!(together(&keys(&["a"]), None), None);
        assert_eq!(together(&None, keys(&["b"])), None);
    }

    #[tokio::test(start_paused = true)]
    async fn those_who_wait_for_a_read_that_fails_do_not_ask_again() {
        let calls = AtomicUsize::new(0);
        let calls: &'static AtomicUsize = Box::leak(Box::new(calls));
        let answer = move |_: ::http::Request<Body>| async move {
            calls.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(Duration::from_secs(1)).await;
            let body = Body::from(br#"{"reason": "Forbidden", "code": 403}"#.to_vec());
            let answer = ::http::Response::builder().status(403).body(body);
            Ok::<_, std::io::Error>(answer.unwrap())
        };
        let client = Client::new(service_fn(answer), "default");
        let reads = SecretReads::default();
        let (secret, keys) = (name("shared"), None);
        let read = async |reader: usize| {
            let reader = name(&format!("reader-{reader}"));
            let read = reads.read(&client, &secret, (&reader, &keys), "5", Vec::new, |_| None);
            read.await.err()
        };
        let refused = Some(KubernetesError::Forbidden);
        let all = futures::future::join_all((0..100).map(read)).await;
        assert!(all.iter().all(|error| *error == refused), "{all:?}");
        assert_eq!(calls.load(Ordering::Relaxed), 1);
        // Who asks later has its own answer.
        assert_eq!(read(100).await, refused);
        assert_eq!(calls.load(Ordering::Relaxed), 2);
    }

    fn name(name: &str) -> ObjectName {
        ("team".to_owned(), name.to_owned())
    }
}
