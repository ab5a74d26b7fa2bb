//! The names that an object claims.

use std::collections::BTreeMap;

use super::claimant::Written;

/// Folded names, and the last acknowledged write of each. A sorted list of its very size and no tree:
/// most objects have a few names, and a node of a tree has room for eleven.
#[derive(Default)]
pub(crate) struct Names(Box<[(Box<str>, Option<Written>)]>);

impl Names {
    fn position(&self, folded: &str) -> Option<usize> {
        self.0
            .binary_search_by(|(name, _)| (**name).cmp(folded))
            .ok()
    }

    pub(crate) fn contains(&self, folded: &str) -> bool {
        self.position(folded).is_some()
    }

    /// The last acknowledged write of a name.
    pub(crate) fn written(&self, folded: &str) -> Option<&Written> {
        self.0[self.position(folded)?].1.as_ref()
    }

    /// Every name, in their order, and its last acknowledged write.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, Option<&Written>)> {
        self.0
            .iter()
            .map(|(name, written)| (&**name, written.as_ref()))
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = &str> {
        self.iter().map(|(name, _)| name)
    }

    /// Adds names that were not written.
    pub(crate) fn add(&mut self, new: impl Iterator<Item = Box<str>>) {
        let mut all: BTreeMap<_, _> = std::mem::take(&mut self.0).into_iter().collect();
        for name in new {
            all.entry(name).or_default();
        }
        *self = all.into();
    }
}

impl From<BTreeMap<Box<str>, Option<Written>>> for Names {
    fn from(names: BTreeMap<Box<str>, Option<Written>>) -> Self {
        Self(names.into_iter().collect())
    }
}
