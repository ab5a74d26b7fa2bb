//! Which objects name which Secret, so that a change of one requeues its objects and no others.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use super::SecretName;
use crate::account::ObjectName;

/// The objects of every Secret: namespace → Secret → objects, sorted. Lists and not sets, because most
/// Secrets have one reader and there may be many Secrets. But that of an API key has all objects of its
/// account: to search the list from its begin was a quarter of a start with 100,000 objects.
#[derive(Default)]
pub(crate) struct ReverseIndex(Mutex<HashMap<String, ObjectsBySecret>>);

type ObjectsBySecret = HashMap<Box<str>, Vec<Box<str>>>;

impl ReverseIndex {
    /// `object` reads the Secrets `now`, all of its namespace, where it read `before`.
    pub(crate) fn change(&self, object: &ObjectName, before: &[&str], now: &[&str]) {
        if before == now {
            return;
        }
        let (namespace, name) = object;
        let mut index = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let secrets = index.entry(namespace.clone()).or_default();
        for secret in before {
            if let Some(objects) = secrets.get_mut(*secret) {
                if let Ok(at) = position(objects, name) {
                    objects.remove(at);
                }
                if objects.is_empty() {
                    secrets.remove(*secret);
                }
            }
        }
        for secret in now {
            let objects = secrets.entry((*secret).into()).or_default();
            if let Err(at) = position(objects, name) {
                if objects.is_empty() {
                    // Else it has room for four.
                    objects.reserve_exact(1);
                }
                objects.insert(at, name.as_str().into());
            }
        }
        if secrets.is_empty() {
            index.remove(namespace);
        }
    }

    /// Whether an object reads a Secret.
    pub(crate) fn has_readers(&self, (namespace, secret): &SecretName) -> bool {
        let index = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let secrets = index.get(namespace);
        secrets.is_some_and(|secrets| secrets.contains_key(secret.as_str()))
    }

    /// The objects that read a Secret.
    pub(crate) fn objects_of(&self, (namespace, secret): &SecretName) -> Vec<ObjectName> {
        let index = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let objects = index
            .get(namespace)
            .and_then(|secrets| secrets.get(secret.as_str()));
        objects
            .into_iter()
            .flatten()
            .map(|name| (namespace.clone(), name.to_string()))
            .collect()
    }
}

/// Where an object is in a list, or would be.
fn position(objects: &[Box<str>], name: &str) -> Result<usize, usize> {
    objects.binary_search_by(|object| (**object).cmp(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(namespace: &str, name: &str) -> (String, String) {
        (namespace.to_owned(), name.to_owned())
    }

    #[test]
    fn an_object_is_in_a_list_once_whatever_order_they_come_in() {
        let reverse_index = ReverseIndex::default();
        for object in ["c", "a", "b", "a", "c"] {
            reverse_index.change(&name("ml", object), &[], &["key"]);
        }
        let objects = || reverse_index.objects_of(&name("ml", "key"));
        assert_eq!(objects(), ["a", "b", "c"].map(|object| name("ml", object)));
        reverse_index.change(&name("ml", "b"), &["key"], &[]);
        assert_eq!(objects(), ["a", "c"].map(|object| name("ml", object)));
    }

    #[test]
    fn readers_follow_the_spec() {
        let reverse_index = ReverseIndex::default();
        reverse_index.change(&name("ml", "one"), &[], &["a", "b"]);
        reverse_index.change(&name("ml", "two"), &[], &["b"]);
        reverse_index.change(&name("other", "one"), &[], &["b"]);
        let objects = reverse_index.objects_of(&name("ml", "b"));
        assert_eq!(objects, [name("ml", "one"), name("ml", "two")]);
        reverse_index.change(&name("ml", "one"), &["a", "b"], &["a"]);
        assert_eq!(
            reverse_index.objects_of(&name("ml", "b")),
            [name("ml", "two")]
        );
        reverse_index.change(&name("ml", "two"), &["b"], &[]);
        assert!(reverse_index.objects_of(&name("ml", "b")).is_empty());
        assert_eq!(
            reverse_index.objects_of(&name("ml", "a")),
            [name("ml", "one")]
        );
    }
}
