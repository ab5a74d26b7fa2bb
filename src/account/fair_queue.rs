//! The objects that wait for one account, round robin by namespace.

use std::collections::{HashMap, HashSet};

use super::round_robin::RoundRobin;

/// Namespace and name of an object.
pub type ObjectName = (String, String);

/// The parked objects of one account. A namespace with many objects does not delay the objects of
/// other namespaces.
#[derive(Debug, Default)]
pub(super) struct FairQueue {
    /// The namespaces that have parked objects.
    namespaces: RoundRobin<String>,
    /// The names of each of these namespaces in the order of arrival.
    names: HashMap<String, RoundRobin<String>>,
    /// The parked objects whose status does not say yet that the account's circuit is open.
    uninformed: HashSet<ObjectName>,
}

impl FairQueue {
    /// Parks an object behind the objects of its namespace. An object that is parked already keeps
    /// its turn. `is_informed` says whether the object's reconcile knows that the circuit is open.
    pub(super) fn park(&mut self, object: &ObjectName, is_informed: bool) {
        if is_informed {
            self.uninformed.remove(object);
        } else {
            self.uninformed.insert(object.clone());
        }
        let (namespace, name) = object;
        self.namespaces.push(namespace);
        self.names.entry(namespace.clone()).or_default().push(name);
    }

    /// Takes an object out.
    pub(super) fn remove(&mut self, object @ (namespace, name): &ObjectName) {
        self.uninformed.remove(object);
        if let Some(names) = self.names.get_mut(namespace) {
            names.remove(name);
            if names.is_empty() {
                self.names.remove(namespace);
                self.namespaces.remove(namespace);
            }
        }
    }

    /// Takes the first object of the first namespace out, and puts the namespace at the end.
    pub(super) fn next(&mut self) -> Option<ObjectName> {
        let namespace = self.namespaces.pop()?;
        let names = self.names.get_mut(&namespace)?;
        let name = names.pop()?;
        if names.is_empty() {
            self.names.remove(&namespace);
        } else {
            self.namespaces.push(&namespace);
        }
        let object = (namespace, name);
        self.uninformed.remove(&object);
        Some(object)
    }

    /// The objects that have to learn that the account's circuit is open, each of them once.
    pub(super) fn take_uninformed(&mut self) -> impl Iterator<Item = ObjectName> {
        std::mem::take(&mut self.uninformed).into_iter()
    }

    /// Whether an object is parked.
    pub(super) fn contains(&self, (namespace, name): &ObjectName) -> bool {
        let names = self.names.get(namespace);
        names.is_some_and(|names| names.contains(name))
    }

    /// Whether no object is parked.
    pub(super) fn is_empty(&self) -> bool {
        self.namespaces.is_empty()
    }

    /// How many objects are parked.
    pub(super) fn len(&self) -> usize {
        self.names.values().map(RoundRobin::len).sum()
    }

    /// Every parked object, in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = ObjectName> {
        self.names.iter().flat_map(|(namespace, names)| {
            let names = names.iter();
            names.map(|name| (namespace.clone(), name.clone()))
        })
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
    fn every_object_is_informed_once() {
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
