//! A listing and its time, indexed by name.

use jiff::Timestamp;
use tokio::time::Instant;

use crate::provider::{Listing, Remote};

/// A listing and its time: the secrets that the account's scope held.
#[derive(Debug)]
pub struct Snapshot {
    /// When the fetch began. The listing proves nothing of what happened later.
    pub began: Instant,
    /// The same by the wall clock, to be compared with the times in status.
    pub began_at: Timestamp,
    /// The id of the scope, where the provider's answer contains it.
    pub scope: Option<String>,
    /// As [`Listing::has_several_scopes`].
    pub has_several_scopes: bool,
    /// Whether a name that is missing here was absent. A listing that is empty for the first time
    /// does not prove it, because the provider may have answered so by mistake.
    pub proves_absence: bool,
    /// When the first of the empty listings began that followed each other without a write of the account; none if this
    /// one is not empty.
    pub empty_since: Option<Instant>,
    /// Every secret that the provider listed, from all pages, sorted by folded name. A plan looks up
    /// hundreds of names among ten thousand, so names are folded once and not for each look-up.
    secrets: Box<[(Box<str>, Remote)]>,
}

impl Snapshot {
    /// The snapshot of a listing that began at `began` and ended now. `empty_since` is that of the listing before it.
    pub fn new(
        (began, began_at): (Instant, Timestamp),
        listing: Listing,
        empty_since: Option<Instant>,
        fold: fn(&str) -> String,
    ) -> Self {
        let Listing {
            remotes,
            scope,
            has_several_scopes,
        } = listing;
        let proves_absence = empty_since.is_some() || !remotes.is_empty();
        let empty_since = remotes.is_empty().then(|| empty_since.unwrap_or(began));
        let indexed = remotes.into_iter();
        let mut secrets: Vec<(Box<str>, Remote)> = indexed
            .map(|remote| (fold(&remote.name).into_boxed_str(), remote))
            .collect();
        // Stable: secrets of one name stay in the order of the listing.
        secrets.sort_by(|(a, _), (b, _)| a.cmp(b));
        Self {
            began,
            began_at,
            scope,
            has_several_scopes,
            proves_absence,
            empty_since,
            secrets: secrets.into_boxed_slice(),
        }
    }

    /// The secrets of a folded name, in the order of the listing. Costs O(log n).
    pub fn named(&self, folded: &str) -> impl Iterator<Item = &Remote> {
        let first = self.secrets.partition_point(|(name, _)| **name < *folded);
        let rest = self.secrets[first..].iter();
        let named = rest.take_while(move |(name, _)| **name == *folded);
        named.map(|(_, remote)| remote)
    }

    /// Whether the provider listed a secret of this id, under whatever name. Costs O(n).
    pub fn has_id(&self, id: &str) -> bool {
        let mut remotes = self.secrets.iter().map(|(_, remote)| remote);
        remotes.any(|remote| remote.id.as_deref() == Some(id))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    static FOLDS: AtomicUsize = AtomicUsize::new(0);

    fn fold(name: &str) -> String {
        FOLDS.fetch_add(1, Ordering::Relaxed);
        name.replace('-', "_")
    }

    #[test]
    fn a_name_is_folded_once_and_not_for_each_look_up() {
        let remote = |name: String, id: usize| Remote {
            name,
            id: Some(id.to_string()),
            ..Remote::default()
        };
        let mut remotes: Vec<Remote> = (0..10_000)
            .map(|number| remote(format!("KEY-{number}"), number))
            .collect();
        remotes.push(remote("KEY_7".to_owned(), 10_000));
        let listing = Listing {
            remotes,
            ..Listing::default()
        };
        let began = (Instant::now(), Timestamp::UNIX_EPOCH);
        let snapshot = Snapshot::new(began, listing, None, fold);
        for number in 0..500 {
            let name = format!("KEY_{number}");
            let named = snapshot.named(&name);
            assert_eq!(named.count(), if number == 7 { 2 } else { 1 });
        }
        let ids: Vec<_> = snapshot.named("KEY_7").map(|one| one.id.clone()).collect();
        assert_eq!(ids, [Some("7".to_owned()), Some("10000".to_owned())]);
        assert_eq!(snapshot.named("KEY").count(), 0);
        assert_eq!(FOLDS.load(Ordering::Relaxed), 10_001);
    }
}
