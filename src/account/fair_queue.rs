//! Who waits for an account, round robin by namespace.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

/// Namespace and name of an object.
pub type ObjectName = (String, String);

/// The objects that wait for one account.
#[derive(Debug, Default)]
pub(super) struct FairQueue {
    /// The number of each object in the order of arrival.
    numbers: HashMap<ObjectName, u64>,
    next: u64,
    /// The names of each namespace in that order, and the namespaces in the order of their turns.
    names: HashMap<String, BTreeMap<u64, String>>,
    namespaces: VecDeque<String>,
    /// Those who do not know why they wait.
    uninformed: HashSet<ObjectName>,
}

impl FairQueue {
    /// Puts an object at the end of its namespace's line, unless it waits already. `is_informed` says
    /// whether it knows that the account is closed.
    pub(super) fn park(&mut self, object: &ObjectName, is_informed: bool) {
        if is_informed {
            self.uninformed.remove(object);
        } else {
            self.uninformed.insert(object.clone());
        }
        if self.numbers.contains_key(object) {
            return;
        }
        let (namespace, name) = object;
        self.numbers.insert(object.clone(), self.next);
        if !self.names.contains_key(namespace) {
            self.namespaces.push_back(namespace.clone());
        }
        let names = self.names.entry(namespace.clone()).or_default();
        names.insert(self.next, name.clone());
        self.next += 1;
    }

    /// Takes an object out.
    pub(super) fn remove(&mut self, object: &ObjectName) {
        self.uninformed.remove(object);
        let Some(number) = self.numbers.remove(object) else {
            return;
        };
        let namespace = &object.0;
        if let Some(names) = self.names.get_mut(namespace) {
            names.remove(&number);
            if names.is_empty() {
                self.names.remove(namespace);
                self.namespaces.retain(|waiting| waiting != namespace);
            }
        }
    }

    /// Takes the object out whose turn it is.
    pub(super) fn next(&mut self) -> Option<ObjectName> {
        let namespace = self.namespaces.pop_front()?;
        let names = self.names.get_mut(&namespace)?;
        let (_, name) = names.pop_first()?;
        if names.is_empty() {
            self.names.remove(&namespace);
        } else {
            self.namespaces.push_back(namespace.clone());
        }
        let object = (namespace, name);
        self.numbers.remove(&object);
        self.uninformed.remove(&object);
        Some(object)
    }

    /// Those who did not know that the account is closed; from now on they do.
    pub(super) fn take_uninformed(&mut self) -> impl Iterator<Item = ObjectName> {
        std::mem::take(&mut self.uninformed).into_iter()
    }

    /// Whether an object waits.
    pub(super) fn contains(&self, object: &ObjectName) -> bool {
        self.numbers.contains_key(object)
    }

    /// Whether nobody waits.
    pub(super) fn is_empty(&self) -> bool {
        self.numbers.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(namespace: &str, name: &str) -> ObjectName {
        (namespace.to_owned(), name.to_owned())
    }

    fn drain(queue: &mut FairQueue) -> Vec<String> {
        std::iter::from_fn(|| queue.next())
            .map(|(namespace, name)| namespace + &name)
            .collect()
    }

    #[test]
    fn turns_go_round_by_namespace_in_the_order_of_arrival() {
        let mut queue = FairQueue::default();
        for (namespace, name) in [("a", "1"), ("a", "2"), ("a", "3"), ("b", "1"), ("c", "1")] {
            queue.park(&object(namespace, name), false);
        }
        queue.park(&object("a", "1"), true);
        assert_eq!(drain(&mut queue), ["a1", "b1", "c1", "a2", "a3"]);
        assert!(queue.is_empty());
    }

    #[test]
    fn what_is_taken_out_leaves_no_turn_behind() {
        let mut queue = FairQueue::default();
        for (namespace, name) in [("a", "1"), ("b", "1"), ("b", "2")] {
            queue.park(&object(namespace, name), false);
        }
        queue.remove(&object("a", "1"));
        queue.remove(&object("a", "9"));
        queue.park(&object("a", "2"), false);
        assert!(!queue.contains(&object("a", "1")));
        assert_eq!(drain(&mut queue), ["b1", "a2", "b2"]);
    }

    #[test]
    fn everybody_is_told_once() {
        let mut queue = FairQueue::default();
        queue.park(&object("a", "1"), false);
        queue.park(&object("a", "2"), true);
        assert_eq!(
            queue.take_uninformed().collect::<Vec<_>>(),
            [object("a", "1")]
        );
        assert_eq!(queue.take_uninformed().count(), 0);
        assert_eq!(drain(&mut queue), ["a1", "a2"]);
    }
}
