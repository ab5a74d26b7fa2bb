//! The objects that a standby would reconcile if it led.

use std::{
    collections::HashSet,
    sync::{Mutex, PoisonError},
};

use crate::account::ObjectName;

/// The objects with news, until this process leads. It looks at these and not at all: behind a hundred
/// thousand objects without news, a rotation that the leader before left undone would wait for seconds.
#[derive(Debug, Default)]
pub(crate) struct News(Mutex<HashSet<ObjectName>>);

impl News {
    /// Notes whether there is news of an object.
    pub(crate) fn note(&self, name: ObjectName, is_there: bool) {
        let mut names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if is_there {
            names.insert(name);
        } else {
            names.remove(&name);
        }
    }

    /// The objects with news.
    pub(crate) fn take(&self) -> HashSet<ObjectName> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
