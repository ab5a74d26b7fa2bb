//! Which objects name which Secret, so that a change of one wakes its readers and nobody else.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use super::SecretName;
use crate::account::ObjectName;

/// The readers of every Secret: namespace → Secret → objects. Lists and not sets, because most
/// Secrets have one reader and there may be many Secrets.
#[derive(Default)]
pub(crate) struct References(Mutex<HashMap<String, ReadersBySecret>>);

type ReadersBySecret = HashMap<Box<str>, Vec<Box<str>>>;

impl References {
    /// `object` reads the Secrets `now`, all of its namespace, where it read `before`.
    pub(crate) fn change(&self, object: &ObjectName, before: &[&str], now: &[&str]) {
        if before == now {
            return;
        }
        let (namespace, name) = object;
        let mut index = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let secrets = index.entry(namespace.clone()).or_default();
        for secret in before {
            if let Some(readers) = secrets.get_mut(*secret) {
                readers.retain(|reader| **reader != **name);
                if readers.is_empty() {
                    secrets.remove(*secret);
                }
            }
        }
        for secret in now {
            let readers = secrets.entry((*secret).into()).or_default();
            if !readers.iter().any(|reader| **reader == **name) {
                readers.push(name.as_str().into());
            }
        }
        if secrets.is_empty() {
            index.remove(namespace);
        }
    }

    /// The objects that read a Secret.
    pub(crate) fn readers(&self, (namespace, secret): &SecretName) -> Vec<ObjectName> {
        let index = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let readers = index
            .get(namespace)
            .and_then(|secrets| secrets.get(secret.as_str()));
        readers
            .into_iter()
            .flatten()
            .map(|name| (namespace.clone(), name.to_string()))
            .collect()
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
        references.change(&name("ml", "one"), &[], &["a", "b"]);
        references.change(&name("ml", "two"), &[], &["b"]);
        references.change(&name("other", "one"), &[], &["b"]);
        let readers = references.readers(&name("ml", "b"));
        assert_eq!(readers, [name("ml", "one"), name("ml", "two")]);
        references.change(&name("ml", "one"), &["a", "b"], &["a"]);
        assert_eq!(references.readers(&name("ml", "b")), [name("ml", "two")]);
        references.change(&name("ml", "two"), &["b"], &[]);
        assert!(references.readers(&name("ml", "b")).is_empty());
        assert_eq!(references.readers(&name("ml", "a")), [name("ml", "one")]);
    }
}
