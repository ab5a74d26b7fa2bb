//! A list is a difference. What a watch shows, a list that it begins anew included, is turned into
//! objects that are applied and objects that are deleted, so that a store is fed nothing else: there
//! is no second copy of it while a list is read, and no moment at which it shows less than there is.

use std::collections::HashSet;

use kube::{ResourceExt, runtime::watcher::Event};

use crate::{account::ObjectName, controller::object::object_name};

/// One thing that a watch shows.
#[derive(Clone, Debug)]
pub(super) enum Difference<K> {
    /// An object is there, perhaps as it was known.
    Applied(K),
    /// An object of this name is not there any more.
    Deleted(ObjectName),
    /// The data store was restored, and a list follows. A version that comes again may be another one.
    WentBack,
}

/// The names that the list under way has shown.
#[derive(Debug, Default)]
pub(super) struct Differences(HashSet<ObjectName>);

impl Differences {
    /// Turns an event into differences, and says whether it shows that everything has been listed.
    /// `known` gives the names that are known of what the watch covers: the list has ended, and what
    /// it did not show is gone. A list that breaks off deletes nothing.
    pub(super) fn take<K: ResourceExt>(
        &mut self,
        event: Event<K>,
        known: impl FnOnce() -> Vec<ObjectName>,
    ) -> (Vec<Difference<K>>, bool) {
        match event {
            Event::Init => {
                self.0.clear();
                (Vec::new(), false)
            }
            Event::InitApply(object) => {
                self.0.insert(object_name(&object));
                (vec![Difference::Applied(object)], false)
            }
            Event::InitDone => {
                let listed = std::mem::take(&mut self.0);
                let gone = known().into_iter().filter(|name| !listed.contains(name));
                (gone.map(Difference::Deleted).collect(), true)
            }
            Event::Apply(object) => (vec![Difference::Applied(object)], false),
            Event::Delete(object) => (vec![Difference::Deleted(object_name(&object))], false),
        }
    }
}
