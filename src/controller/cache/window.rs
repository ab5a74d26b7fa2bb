//! What is in the queue: how many objects of a round at once, and how many objects at all.

use std::{
    collections::HashSet,
    hash::{BuildHasher, BuildHasherDefault, DefaultHasher},
    sync::{Mutex, MutexGuard, PoisonError},
};

use tokio::sync::Notify;

use crate::account::ObjectName;

/// The most objects that a round gives to the queue before they are looked at. Some dozen are looked at at
/// once. The queue takes all it is given, holds its room for ever, and gives in the order of its hashes: behind
/// a hundred thousand, a rotation would wait.
const MAX_ROUND: usize = 512;

/// The objects that were given to the queue and that were not looked at yet.
#[derive(Debug, Default)]
pub(crate) struct Window {
    /// By a round.
    given: Mutex<HashSet<ObjectName>>,
    has_room: Notify,
    /// By a round or anything else, as hashes of their names. The queue is kube's, and does not tell how long it is.
    queued: Mutex<HashSet<u64>>,
}

impl Window {
    /// Waits until there is room for an object, and takes it.
    pub(crate) async fn give(&self, name: &ObjectName) {
        loop {
            // From here on it hears of room.
            let has_room = self.has_room.notified();
            if self.has_given(name) {
                return;
            }
            has_room.await;
        }
    }

    fn has_given(&self, name: &ObjectName) -> bool {
        let mut given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
        let has_room = given.len() < MAX_ROUND;
        if has_room {
            given.insert(name.clone());
        }
        has_room
    }

    /// An object is given to the queue.
    pub(crate) fn note_queued(&self, name: &ObjectName) {
        self.queued_objects().insert(hash(name));
    }

    /// How many objects wait to be looked at.
    pub(crate) fn queued(&self) -> usize {
        self.queued_objects().len()
    }

    fn queued_objects(&self) -> MutexGuard<'_, HashSet<u64>> {
        self.queued.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The queue has let an object go: it is looked at, or it is not there any more.
    pub(crate) fn note_started(&self, name: &ObjectName) {
        let mut queued = self.queued_objects();
        queued.remove(&hash(name));
        // What a burst took is given back.
        if queued.is_empty() && queued.capacity() > MAX_ROUND {
            *queued = HashSet::new();
        }
        drop(queued);
        let mut given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
        // When all are: what is always given last would wait for the end of the round if it were filled up before.
        let has_room = given.remove(name) && given.is_empty();
        drop(given);
        if has_room {
            self.has_room.notify_waiters();
        }
    }
}

fn hash(name: &ObjectName) -> u64 {
    BuildHasherDefault::<DefaultHasher>::default().hash_one(name)
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    fn name(number: usize) -> ObjectName {
        ("ml".to_owned(), number.to_string())
    }

    #[tokio::test]
    async fn a_round_waits_until_all_that_it_gave_was_looked_at() {
        let window = Window::default();
        for number in 0..MAX_ROUND {
            window.give(&name(number)).await;
        }
        // Two rounds may wait.
        let mut one = Box::pin(async { window.give(&name(MAX_ROUND)).await });
        let mut other = Box::pin(async { window.give(&name(MAX_ROUND + 1)).await });
        for number in 0..MAX_ROUND {
            assert!((&mut one).now_or_never().is_none());
            assert!((&mut other).now_or_never().is_none());
            window.note_started(&name(number));
            // What was not given makes no room.
            window.note_started(&name(number));
        }
        assert!(one.now_or_never().is_some() && other.now_or_never().is_some());
    }

    #[test]
    fn an_object_waits_once_however_often_it_is_given_to_the_queue() {
        let window = Window::default();
        for number in [0, 1, 1] {
            window.note_queued(&name(number));
        }
        assert_eq!(window.queued(), 2);
        window.note_started(&name(1));
        // A retry was not given to it.
        window.note_started(&name(2));
        assert_eq!(window.queued(), 1);
        window.note_started(&name(0));
        assert_eq!(window.queued(), 0);
    }
}
