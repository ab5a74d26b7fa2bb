//! A round robin: keys in the order of their turns.

use std::{
    collections::{BTreeMap, HashMap},
    hash::Hash,
};

/// Keys in the order in which they were pushed, each at most once. Every change costs O(log n).
#[derive(Debug)]
pub(super) struct RoundRobin<K> {
    by_turn: BTreeMap<u64, K>,
    turns: HashMap<K, u64>,
    next_turn: u64,
}

// Derived, it would demand a default of the keys.
impl<K> Default for RoundRobin<K> {
    fn default() -> Self {
        Self {
            by_turn: BTreeMap::new(),
            turns: HashMap::new(),
            next_turn: 0,
        }
    }
}

impl<K: Clone + Eq + Hash> RoundRobin<K> {
    /// Appends a key. A key that has a turn keeps it.
    pub(super) fn push(&mut self, key: &K) {
        if !self.turns.contains_key(key) {
            self.turns.insert(key.clone(), self.next_turn);
            self.by_turn.insert(self.next_turn, key.clone());
            self.next_turn += 1;
        }
    }

    /// Takes a key out.
    pub(super) fn remove(&mut self, key: &K) {
        if let Some(turn) = self.turns.remove(key) {
            self.by_turn.remove(&turn);
        }
    }

    /// Takes the first key out.
    pub(super) fn pop(&mut self) -> Option<K> {
        let (_, key) = self.by_turn.pop_first()?;
        self.turns.remove(&key);
        Some(key)
    }

    /// Whether a key has a turn.
    pub(super) fn contains(&self, key: &K) -> bool {
        self.turns.contains_key(key)
    }

    /// Whether no key has a turn.
    pub(super) fn is_empty(&self) -> bool {
        self.by_turn.is_empty()
    }

    /// How many keys have a turn.
    pub(super) fn len(&self) -> usize {
        self.by_turn.len()
    }

    /// The keys in the order of their turns.
    pub(super) fn iter(&self) -> impl Iterator<Item = &K> {
        self.by_turn.values()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_one_turn_and_a_removed_key_has_none() {
        let mut round = RoundRobin::default();
        for key in ["a", "b", "c", "a", "d"] {
            round.push(&key);
        }
        round.remove(&"b");
        round.remove(&"unknown");
        assert_eq!(round.iter().collect::<Vec<_>>(), [&"a", &"c", &"d"]);
        assert_eq!(round.pop(), Some("a"));
        round.push(&"a");
        assert!(round.contains(&"a") && !round.contains(&"b"));
        let rest: Vec<&str> = std::iter::from_fn(|| round.pop()).collect();
        assert_eq!(rest, ["c", "d", "a"]);
        assert!(round.is_empty());
    }
}
