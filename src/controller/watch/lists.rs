//! Several watches as one: a watch for each namespace, or one of everything.
//!
//! Reconciling begins when each has given its first list. A namespace that refuses to be listed must
//! not stop the others for ever: after some refusals in a row they go on without it. Then nothing is
//! known of it, which is not the same as that nothing is there: [`WatchEvent::Listed`] says of which
//! namespaces absence means something.

use std::{collections::BTreeMap, sync::Arc};

use super::differences::Difference;
use crate::account::ObjectName;

/// After how many refusals in a row the others go on without a namespace. With the waits of a watch
/// that fails these are some seconds: roles that are applied together with the operator, and an API
/// server that has just begun and has not read its roles, get their time.
pub(super) const MAX_REFUSED_LISTS: u32 = 5;

/// What a watch covers: one namespace, or all.
pub(super) type Coverage = Option<Arc<str>>;

/// A step of one watch.
#[derive(Clone, Debug)]
pub(super) enum Step<K> {
    /// It showed something. `is_listed` says whether everything has been listed now.
    Shown {
        differences: Vec<Difference<K>>,
        is_listed: bool,
    },
    /// A try failed.
    Failed {
        /// Whether the API server does not allow it.
        is_refusal: bool,
    },
}

/// What the watches show together.
#[derive(Clone, Debug)]
pub(super) enum WatchEvent<K> {
    Applied(K),
    Deleted(ObjectName),
    /// The data store was restored, and a list follows of what a watch covers. A version that comes again may be
    /// another one.
    WentBack(Coverage),
    /// Everything that a watch covers has been listed, for the first time.
    Listed(Coverage),
    /// Each watch has given its first list, or was given up.
    Complete,
}

/// The first lists of several watches.
#[derive(Debug)]
pub(super) struct FirstLists {
    /// The watches that have given no list yet, and how often in a row they were refused.
    missing: BTreeMap<Coverage, u32>,
    is_complete: bool,
}

impl FirstLists {
    pub(super) fn new(watches: impl IntoIterator<Item = Coverage>) -> Self {
        Self {
            missing: watches.into_iter().map(|watch| (watch, 0)).collect(),
            is_complete: false,
        }
    }

    /// What a step of one watch shows of all.
    pub(super) fn take<K>(&mut self, watch: &Coverage, step: Step<K>) -> Vec<WatchEvent<K>> {
        let mut events = Vec::new();
        match step {
            Step::Failed { is_refusal } => {
                if let Some(refusals) = self.missing.get_mut(watch) {
                    *refusals = if is_refusal { *refusals + 1 } else { 0 };
                }
            }
            Step::Shown {
                differences,
                is_listed,
            } => {
                events.extend(differences.into_iter().map(|difference| match difference {
                    Difference::Applied(object) => WatchEvent::Applied(object),
                    Difference::Deleted(name) => WatchEvent::Deleted(name),
                    Difference::WentBack => WatchEvent::WentBack(watch.clone()),
                }));
                if is_listed && self.missing.remove(watch).is_some() {
                    events.push(WatchEvent::Listed(watch.clone()));
                }
            }
        }
        let is_awaited =
            |(watch, refusals): (&Coverage, &u32)| watch.is_none() || *refusals < MAX_REFUSED_LISTS;
        if !self.is_complete && !self.missing.iter().any(is_awaited) {
            self.is_complete = true;
            events.push(WatchEvent::Complete);
        }
        events
    }
}

#[cfg(test)]
mod tests;
