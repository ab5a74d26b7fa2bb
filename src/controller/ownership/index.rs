//! All claimants, and where to find those who share a name.

use std::{
    collections::{BTreeSet, HashMap},
    hash::RandomState,
    sync::Arc,
};

use super::claimant::{Claimant, Ground};
use crate::account::ObjectName;

#[derive(Default)]
pub(crate) struct Index {
    pub(crate) claimants: HashMap<Arc<str>, Claimant>,
    /// The claimants of a name in a place, by a hash of both: the same names are common, and places
    /// are many, most of them with one claimant. What is found is compared in full.
    pub(crate) by_place: BTreeSet<(u64, Arc<str>)>,
    hasher: RandomState,
}

impl Index {
    /// Puts a claimant in the place of its former self. Those who claim a name that it no longer
    /// claims, or claims differently, are affected.
    pub(crate) fn replace(&mut self, uid: &str, claimant: Claimant) -> Vec<ObjectName> {
        let is_same = |known: &Claimant| {
            known.is_deleting == claimant.is_deleting
                && known.place == claimant.place
                && known.claims().eq(claimant.claims())
        };
        let is_changed = self.claimants.get(uid).is_some_and(|known| !is_same(known));
        let mut affected = if is_changed {
            self.others(uid)
        } else {
            Vec::new()
        };
        self.remove(uid);
        self.insert(Arc::from(uid), claimant);
        if is_changed {
            affected.extend(self.others(uid));
            affected.sort();
            affected.dedup();
        }
        affected
    }

    pub(crate) fn change(&mut self, uid: &str, change: impl FnOnce(&mut Claimant)) {
        if let Some((uid, mut claimant)) = self.remove(uid) {
            change(&mut claimant);
            self.insert(uid, claimant);
        }
    }

    pub(crate) fn insert(&mut self, uid: Arc<str>, claimant: Claimant) {
        for place in claimant.places(&self.hasher) {
            self.by_place.insert((place, Arc::clone(&uid)));
        }
        self.claimants.insert(uid, claimant);
    }

    pub(crate) fn remove(&mut self, uid: &str) -> Option<(Arc<str>, Claimant)> {
        let (uid, claimant) = self.claimants.remove_entry(uid)?;
        for place in claimant.places(&self.hasher) {
            self.by_place.remove(&(place, Arc::clone(&uid)));
        }
        Some((uid, claimant))
    }

    /// The other objects whose claim on a name counts against this one's, or this one's against
    /// theirs.
    pub(crate) fn others(&self, uid: &str) -> Vec<ObjectName> {
        let Some(me) = self.claimants.get(uid) else {
            return Vec::new();
        };
        let mut others: Vec<ObjectName> = Vec::new();
        for name in me.names.keys() {
            for (other_uid, other) in self.sharing(uid, me, name) {
                let is_rival = other.counts_against(other_uid, me, name)
                    || me.counts_against(uid, other, name)
                    || me.is_disputed(uid, other, name);
                if is_rival && !others.contains(&other.name) {
                    others.push(other.name.clone());
                }
            }
        }
        others
    }

    /// The other objects whose claim on a name counts against `me`.
    pub(crate) fn rivals<'a>(
        &'a self,
        uid: &'a str,
        me: &'a Claimant,
        folded: &'a str,
    ) -> impl Iterator<Item = (&'a str, &'a Claimant)> {
        self.sharing(uid, me, folded)
            .filter(move |(other_uid, other)| other.counts_against(other_uid, me, folded))
    }

    /// The other objects that claim a name and have a ground in common with `me`; some twice.
    pub(crate) fn sharing<'a>(
        &'a self,
        uid: &'a str,
        me: &'a Claimant,
        folded: &'a str,
    ) -> impl Iterator<Item = (&'a str, &'a Claimant)> {
        me.grounds()
            .filter(|ground| !matches!(ground, Ground::Unknown))
            .flat_map(move |ground| self.at(uid, me.place(&self.hasher, ground, folded)))
    }

    /// The other objects that claim one of the same names with another key, where no field of the
    /// spec tells whose names they are.
    pub(crate) fn strangers<'a>(
        &'a self,
        uid: &'a str,
    ) -> impl Iterator<Item = (&'a str, &'a Claimant)> {
        let me = self
            .claimants
            .get(uid)
            .filter(|me| me.place.field.is_none());
        me.into_iter().flat_map(move |me| {
            me.names
                .keys()
                .flat_map(move |name| self.at(uid, me.place(&self.hasher, Ground::Unknown, name)))
                .filter(|(_, other)| other.place.may_be(&me.place) && !other.key.is(&me.key))
        })
    }

    pub(crate) fn at<'a>(
        &'a self,
        uid: &'a str,
        place: u64,
    ) -> impl Iterator<Item = (&'a str, &'a Claimant)> {
        // No uid is before the empty one.
        self.by_place
            .range((place, Arc::default())..)
            .take_while(move |(at, _)| *at == place)
            .filter(move |(_, other)| **other != *uid)
            .filter_map(|(_, other)| Some((&**other, self.claimants.get(other)?)))
    }
}
