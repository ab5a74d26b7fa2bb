//! The names that an object claims.

use std::collections::BTreeMap;

use jiff::Timestamp;

/// Folded names, and the last acknowledged write of each. A sorted list of its very size and no tree:
/// most objects have a few names, and a node of a tree has room for eleven.
#[derive(Default, PartialEq, Eq)]
pub(super) struct Names(Box<[(Box<str>, Option<Timestamp>)]>);

impl Names {
    fn get(&self, folded: &str) -> Option<&(Box<str>, Option<Timestamp>)> {
        let found = self.0.binary_search_by(|(name, _)| (**name).cmp(folded));
        self.0.get(found.ok()?)
    }

    pub(super) fn contains(&self, folded: &str) -> bool {
        self.get(folded).is_some()
    }

    /// The last acknowledged write of a name.
    pub(super) fn written(&self, folded: &str) -> Option<Timestamp> {
        self.get(folded)?.1
    }

    /// Every name, in their order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| &**name)
    }

    /// Every name and whether it was written.
    pub(super) fn claims(&self) -> impl Iterator<Item = (&str, bool)> {
        let names = self.0.iter();
        names.map(|(name, written)| (&**name, written.is_some()))
    }

    /// Adds names that were not written.
    pub(super) fn add(&mut self, new: impl Iterator<Item = Box<str>>) {
        let mut all: BTreeMap<_, _> = std::mem::take(&mut self.0).into_iter().collect();
        for name in new {
            all.entry(name).or_default();
        }
        *self = all.into();
    }
}

impl From<BTreeMap<Box<str>, Option<Timestamp>>> for Names {
    fn from(names: BTreeMap<Box<str>, Option<Timestamp>>) -> Self {
        Self(names.into_iter().collect())
    }
}
