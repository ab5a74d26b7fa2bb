//! All claimants, and where to find those that claim one name of one scope.

use std::{
    collections::{BTreeSet, HashMap},
    hash::{BuildHasher, RandomState},
    sync::Arc,
};

use super::{
    claimant::Claimant,
    scopes::{CredentialRef, Fingerprint, ReportedScope, Scopes},
};
use crate::account::ObjectName;

#[derive(Default)]
pub(super) struct Index {
    pub(super) scopes: Scopes,
    /// Boxed, because a map has room for more than it holds.
    claimants: HashMap<Arc<str>, Box<Indexed>>,
    /// The claimants of a name in a scope, by a hash of both: scopes are many, most of their names
    /// with one claimant. What is found is compared in full.
    by_name: BTreeSet<(u64, Arc<str>)>,
    hasher: RandomState,
}

struct Indexed {
    claimant: Claimant,
    /// The hash of the scope under which it is found.
    scope: u64,
}

impl Index {
    pub(super) fn get(&self, uid: &str) -> Option<&Claimant> {
        self.claimants.get(uid).map(|indexed| &indexed.claimant)
    }

    /// Puts a claimant in the place of its former self, and gives the objects that this affects:
    /// those that claim a name which it no longer claims, or claims differently.
    pub(super) fn replace(&mut self, uid: &Arc<str>, claimant: Claimant) -> Vec<ObjectName> {
        let known = self.get(uid);
        if known.is_some_and(|known| known.claims_as(&claimant)) {
            // It is found under the same keys of the index.
            if let Some(known) = self.claimants.get_mut(uid) {
                known.claimant = claimant;
            }
            return Vec::new();
        }
        let is_known = known.is_some();
        let mut affected = self.others(uid);
        // The copy of the uid that is known is the one that others share.
        let uid = match self.take(uid) {
            Some((uid, known)) => {
                if !Arc::ptr_eq(&known.credential, &claimant.credential) {
                    self.scopes.leave(&uid, &known.credential);
                }
                uid
            }
            None => Arc::clone(uid),
        };
        self.insert(Arc::clone(&uid), claimant);
        if is_known {
            affected.extend(self.others(&uid));
            affected.sort();
            affected.dedup();
        }
        affected
    }

    /// Notes that an object names a credential, and what its status says of the scope. Gives the one
    /// copy of the credential.
    pub(super) fn join(
        &mut self,
        uid: &Arc<str>,
        credential: CredentialRef,
        recorded: Option<&str>,
    ) -> Arc<CredentialRef> {
        let (credential, is_changed) = self.scopes.join(uid, credential, recorded);
        if is_changed {
            for uid in self.scopes.claimants(&credential) {
                self.reindex(&uid);
            }
        }
        credential
    }

    /// Adds names that were not written to those of a claimant.
    pub(super) fn add_names(&mut self, uid: &str, new: Vec<Box<str>>) {
        if let Some((uid, mut claimant)) = self.take(uid) {
            claimant.names.add(new.into_iter());
            self.insert(uid, claimant);
        }
    }

    /// Notes the key that a credential holds and what the provider reported of the scope, and gives
    /// the objects with other credentials that this affects.
    pub(super) fn identify(
        &mut self,
        credential: &Arc<CredentialRef>,
        key: (Fingerprint, &str),
        reported: Option<ReportedScope<'_>>,
    ) -> Vec<ObjectName> {
        let mut affected = BTreeSet::new();
        for changed in self.scopes.identify(credential, key, reported) {
            for uid in self.scopes.claimants(&changed) {
                affected.extend(self.strangers(&uid));
                self.reindex(&uid);
                affected.extend(self.strangers(&uid));
            }
        }
        affected.into_iter().collect()
    }

    /// Drops a claimant.
    pub(super) fn remove(&mut self, uid: &str) {
        if let Some((_, claimant)) = self.take(uid) {
            self.scopes.leave(uid, &claimant.credential);
        }
    }

    /// Finds a claimant under the scope that its credential opens now.
    fn reindex(&mut self, uid: &str) {
        if let Some((uid, claimant)) = self.take(uid) {
            self.insert(uid, claimant);
        }
    }

    fn take(&mut self, uid: &str) -> Option<(Arc<str>, Claimant)> {
        let (uid, indexed) = self.claimants.remove_entry(uid)?;
        let Indexed { claimant, scope } = *indexed;
        for name in claimant.names.iter() {
            let key = self.hasher.hash_one((scope, name));
            self.by_name.remove(&(key, Arc::clone(&uid)));
        }
        Some((uid, claimant))
    }

    fn insert(&mut self, uid: Arc<str>, claimant: Claimant) {
        let scope = self.scopes.scope(&claimant.credential);
        let scope = self.hasher.hash_one(scope);
        for name in claimant.names.iter() {
            let key = self.hasher.hash_one((scope, name));
            self.by_name.insert((key, Arc::clone(&uid)));
        }
        let indexed = Box::new(Indexed { claimant, scope });
        self.claimants.insert(uid, indexed);
    }

    /// The other objects that claim a name of the scope of `uid`, and their uids.
    pub(super) fn sharing<'a>(
        &'a self,
        uid: &'a str,
        folded: &'a str,
    ) -> impl Iterator<Item = (&'a str, &'a Claimant)> {
        let me = self.claimants.get(uid).into_iter();
        me.flat_map(move |me| {
            let key = self.hasher.hash_one((me.scope, folded));
            // No uid is before the empty one.
            let found = self.by_name.range((key, Arc::default())..);
            let found = found.take_while(move |(at, _)| *at == key);
            let others = found.filter(move |(_, other)| **other != *uid);
            let others = others.filter_map(|(_, other)| Some((&**other, self.get(other)?)));
            let scope = self.scopes.scope(&me.claimant.credential);
            others.filter(move |(_, other)| {
                other.names.contains(folded) && self.scopes.scope(&other.credential) == scope
            })
        })
    }

    /// The owner of a name, if it is not `uid`, and its uid.
    pub(super) fn owner<'a>(
        &'a self,
        uid: &'a str,
        folded: &'a str,
    ) -> Option<(&'a str, &'a Claimant)> {
        let me = self.get(uid)?;
        let rivals = self
            .sharing(uid, folded)
            .filter(|(_, other)| self.counts_against(other, me, folded))
            .filter(|(_, other)| other.age() < me.age());
        rivals.min_by(|(_, a), (_, b)| a.age().cmp(&b.age()))
    }

    /// Whether `other`, which claims a name of the scope of `me`, is known to write there: they use one key, or the
    /// provider has said that the other's key opens the scope. What its spec and status say any user may have written.
    pub(super) fn is_verified(&self, other: &Claimant, me: &Claimant) -> bool {
        let (other, me) = (&other.credential, &me.credential);
        self.scopes.is_same_key(other, me) || self.scopes.is_answered(other)
    }

    /// Whether a claim of `other` on a name counts against one of `me`.
    pub(super) fn counts_against(&self, other: &Claimant, me: &Claimant, folded: &str) -> bool {
        let is_same_key = || self.scopes.is_same_key(&other.credential, &me.credential);
        other.names.written(folded).is_some() || is_same_key()
    }

    /// The objects that claim one of the names of `uid`.
    pub(super) fn others(&self, uid: &str) -> Vec<ObjectName> {
        let names = self.get(uid).into_iter().flat_map(|me| me.names.iter());
        let others = names.flat_map(|name| self.sharing(uid, name));
        let others: BTreeSet<_> = others.map(|(_, other)| other.name.clone()).collect();
        others.into_iter().collect()
    }

    /// Those of them that name another credential.
    fn strangers(&self, uid: &str) -> Vec<ObjectName> {
        let me = self.get(uid).into_iter();
        let strangers = me.flat_map(|me| {
            let others = me.names.iter().flat_map(|name| self.sharing(uid, name));
            let others =
                others.filter(|(_, other)| !Arc::ptr_eq(&other.credential, &me.credential));
            others.map(|(_, other)| other.name.clone())
        });
        strangers.collect()
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.claimants.is_empty() && self.by_name.is_empty() && self.scopes.is_empty()
    }
}
