//! Which objects name which Secret, so that a change of one wakes its readers and nobody else.

use std::{
    collections::{HashMap, HashSet},
    sync::{Mutex, PoisonError},
};

use super::secrets::SecretName;
use crate::account::ObjectName;

/// The index in both directions.
#[derive(Default)]
pub(super) struct References(Mutex<Index>);

#[derive(Default)]
struct Index {
    readers: HashMap<SecretName, HashSet<String>>,
    read: HashMap<ObjectName, Vec<String>>,
}

impl References {
    /// `object` reads these Secrets of its namespace, and no others.
    pub(super) fn set(&self, object: &ObjectName, secrets: &[&str]) {
        let mut index = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if index
            .read
            .get(object)
            .is_some_and(|known| known.iter().eq(secrets.iter()))
        {
            return;
        }
        index.remove(object);
        for secret in secrets {
            let secret = (object.0.clone(), (*secret).to_owned());
            index
                .readers
                .entry(secret)
                .or_default()
                .insert(object.1.clone());
        }
        let secrets = secrets.iter().map(|&secret| secret.to_owned()).collect();
        index.read.insert(object.clone(), secrets);
    }

    /// `object` is gone.
    pub(super) fn remove(&self, object: &ObjectName) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(object);
    }

    /// The objects that read a Secret.
    pub(super) fn readers(&self, secret: &SecretName) -> Vec<ObjectName> {
        let index = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let readers = index.readers.get(secret).into_iter().flatten();
        readers
            .map(|name| (secret.0.clone(), name.clone()))
            .collect()
    }
}

impl Index {
    fn remove(&mut self, object: &ObjectName) {
        for secret in self.read.remove(object).unwrap_or_default() {
            let secret = (object.0.clone(), secret);
            if let Some(readers) = self.readers.get_mut(&secret) {
                readers.remove(&object.1);
                if readers.is_empty() {
                    self.readers.remove(&secret);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(namespace: &str, name: &str) -> (String, String) {
        (namespace.to_owned(), name.to_owned())
    }

    #[test]
    fn readers_follow_the_spec() {
        let references = References::default();
        references.set(&name("ml", "one"), &["a", "b"]);
        references.set(&name("ml", "two"), &["b"]);
        references.set(&name("other", "one"), &["b"]);
        let mut readers = references.readers(&name("ml", "b"));
        readers.sort();
        assert_eq!(readers, [name("ml", "one"), name("ml", "two")]);
        references.set(&name("ml", "one"), &["a"]);
        assert_eq!(references.readers(&name("ml", "b")), [name("ml", "two")]);
        references.remove(&name("ml", "two"));
        assert!(references.readers(&name("ml", "b")).is_empty());
    }
}
