//! Which entries of an object are not as they were left.

use std::collections::{BTreeMap, BTreeSet};

use tokio::time::Instant;

/// The entries of one object that are not as they were left, by folded name. Boxed, because most objects
/// have none.
#[derive(Default)]
pub(super) struct Marks(Option<Box<Marked>>);

#[derive(Default)]
struct Marked {
    /// Another object overwrote them.
    dirty: BTreeSet<String>,
    /// Since when they are known to be removed by a source.
    removed: BTreeMap<String, Instant>,
}

impl Marks {
    /// Those that another object overwrote.
    pub(super) fn dirty(&self) -> impl Iterator<Item = &str> {
        let dirty = self.0.iter().flat_map(|marked| &marked.dirty);
        dirty.map(String::as_str)
    }

    /// Another object overwrote one.
    pub(super) fn mark_overwritten(&mut self, name: &str) {
        let marked = self.0.get_or_insert_default();
        marked.dirty.insert(name.to_owned());
    }

    /// One was written.
    pub(super) fn written(&mut self, name: &str) {
        if let Some(marked) = &mut self.0 {
            marked.dirty.remove(name);
        }
        self.shrink();
    }

    /// These are the ones that sources have removed; since when each.
    pub(super) fn removed_by_sources(
        &mut self,
        names: BTreeSet<String>,
        now: Instant,
    ) -> BTreeMap<String, Instant> {
        let known = self.0.as_ref().map(|marked| &marked.removed);
        let since = |name: String| {
            let since = known.and_then(|known| known.get(&name).copied());
            (name, since.unwrap_or(now))
        };
        let removed: BTreeMap<_, _> = names.into_iter().map(since).collect();
        if self.0.is_some() || !removed.is_empty() {
            self.0.get_or_insert_default().removed.clone_from(&removed);
        }
        self.shrink();
        removed
    }

    /// Gives the memory back if no entry is marked.
    fn shrink(&mut self) {
        let is_marked = |marked: &Marked| !marked.dirty.is_empty() || !marked.removed.is_empty();
        self.0.take_if(|marked| !is_marked(marked));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn no_mark_takes_no_memory() {
        let (mut marks, now) = (Marks::default(), Instant::now());
        let later = now + Duration::from_secs(1);
        assert!(marks.removed_by_sources(BTreeSet::new(), now).is_empty());
        assert!(marks.0.is_none());
        let removed = marks.removed_by_sources(["a".to_owned()].into(), now);
        assert_eq!(removed, [("a".to_owned(), now)].into());
        let removed = marks.removed_by_sources(["a".to_owned(), "b".to_owned()].into(), later);
        assert_eq!(
            removed,
            [("a".to_owned(), now), ("b".to_owned(), later)].into()
        );
        marks.mark_overwritten("c");
        marks.removed_by_sources(BTreeSet::new(), later);
        assert_eq!(marks.dirty().collect::<Vec<_>>(), ["c"]);
        marks.written("c");
        assert!(marks.0.is_none());
    }
}
