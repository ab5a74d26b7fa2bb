//! Claims: a name in a scope has one owner among all objects of the operator.
//!
//! The owner is the oldest of those whose `spec.data` or status hold the (folded) name; where entries
//! belong to a set, the name is the set's. With the same API key a claim counts at once. With another key it counts
//! only when the provider has acknowledged a write under it, and shows under our own key what was
//! written: else anybody could keep a team's names to himself by naming the team.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use kube::ResourceExt;

pub(crate) use super::claimant::Mark;
use super::{claimant::Claimant, index::Index};
use crate::{
    account::ObjectName,
    api::ProviderSecret,
    provider::{self, Unit},
};

/// What every object claims.
#[derive(Default)]
pub(crate) struct Claims(Mutex<Index>);

/// Another object's claim with another key, of which it is not known yet whether it counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Dispute {
    pub(crate) uid: Arc<str>,
    pub(crate) folded: String,
    pub(crate) mark: Mark,
}

/// Another object with a claim on a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rival {
    pub(crate) uid: String,
    pub(crate) name: ObjectName,
    /// When its last acknowledged write of the name was.
    pub(crate) written: Option<Timestamp>,
}

impl Claims {
    /// Takes note of what an object claims now, and gives those whom that may concern.
    pub(crate) fn note(&self, object: &ProviderSecret) -> Vec<ObjectName> {
        let uid = object.uid().unwrap_or_default();
        let Some(choice) = object.spec.provider.choice() else {
            return self.forget(&uid);
        };
        let mut index = self.index();
        let mut claimant = Claimant::new(object, choice);
        // What a pass found out holds as long as the key is the same.
        let known = index.claimants.get(uid.as_str());
        if let Some(known) = known.filter(|known| known.key.reference == claimant.key.reference) {
            claimant.key.fingerprint = known.key.fingerprint;
            claimant.seen.clone_from(&known.seen);
            let scope = &mut claimant.place.scope;
            *scope = scope.take().or_else(|| known.place.scope.clone());
        }
        index.replace(&uid, claimant)
    }

    /// Takes note of names that an object wants and that its spec does not spell out.
    pub(crate) fn want<'a>(&self, uid: &str, folded: impl Iterator<Item = &'a str>) {
        let mut index = self.index();
        let is_single =
            |claimant: &Claimant| provider::rules(claimant.place.kind).unit == Unit::Each;
        let Some(known) = index.claimants.get(uid).filter(|known| is_single(known)) else {
            return;
        };
        let new: Vec<Box<str>> = folded
            .filter(|name| !known.names.contains(name))
            .map(Box::from)
            .collect();
        if !new.is_empty() {
            index.change(uid, |claimant| claimant.names.add(new.into_iter()));
        }
    }

    /// Takes note of the API key that an object uses and of what the provider calls the scope, and
    /// gives those whom that may concern.
    pub(crate) fn identify(
        &self,
        uid: &str,
        fingerprint: [u8; 32],
        scope: Option<&str>,
    ) -> Vec<ObjectName> {
        let mut index = self.index();
        let is_news = |claimant: &Claimant| {
            claimant.key.fingerprint != Some(fingerprint)
                || (scope.is_some() && claimant.place.scope.as_deref() != scope)
        };
        if !index.claimants.get(uid).is_some_and(is_news) {
            return Vec::new();
        }
        index.change(uid, |claimant| {
            if claimant.key.fingerprint != Some(fingerprint) {
                claimant.seen.clear();
            }
            claimant.key.fingerprint = Some(fingerprint);
            if scope.is_some() {
                claimant.place.scope = scope.map(str::to_owned);
            }
        });
        let mut affected = index.others(uid);
        if scope.is_some() {
            // Whoever has written and does not know his scope may turn out to share it.
            let strangers = index.strangers(uid);
            let is_unplaced = |other: &Claimant| other.place.scope.is_none() && other.has_written();
            let unplaced = strangers.filter(|(_, other)| is_unplaced(other));
            affected.extend(unplaced.map(|(_, other)| other.name.clone()));
        }
        affected
    }

    /// Whether another object claims one of the same names with another key, so that it matters
    /// whose names they are.
    pub(crate) fn has_stranger(&self, uid: &str) -> bool {
        self.index().strangers(uid).next().is_some()
    }

    /// Forgets an object that is gone, and gives those who claim a name that it claimed.
    pub(crate) fn forget(&self, uid: &str) -> Vec<ObjectName> {
        let mut index = self.index();
        let others = index.others(uid);
        index.remove(uid);
        others
    }

    /// Who owns a name, if it is not the object itself.
    pub(crate) fn owner(&self, uid: &str, folded: &str) -> Option<Rival> {
        let index = self.index();
        let me = index.claimants.get(uid)?;
        let age = |uid: &str, claimant: &Claimant| (claimant.created, uid.to_owned());
        let mine = age(uid, me);
        index
            .rivals(uid, me, folded)
            .map(|(other_uid, other)| (age(other_uid, other), other))
            .filter(|(theirs, _)| *theirs < mine)
            .min_by(|(a, _), (b, _)| a.cmp(b))
            .map(|((_, uid), other)| Rival {
                uid,
                name: other.name.clone(),
                written: other.written(folded).map(|written| written.at),
            })
    }

    /// Claims with other keys of which it is not known yet whether they count.
    pub(crate) fn disputes(&self, uid: &str) -> Vec<Dispute> {
        let index = self.index();
        let Some(me) = index.claimants.get(uid) else {
            return Vec::new();
        };
        let disputed = me.names.keys().flat_map(|name| {
            index
                .sharing(uid, me, name)
                .filter(|(other_uid, other)| other.is_disputed(other_uid, me, name))
                .filter_map(|(uid, other)| {
                    Some(Dispute {
                        uid: Arc::from(uid),
                        folded: name.to_owned(),
                        mark: other.written(name)?.mark.clone(),
                    })
                })
        });
        disputed.collect()
    }

    /// Takes note of whether what another object wrote is shown under this one's key.
    pub(crate) fn settle(&self, uid: &str, rival: Arc<str>, is_seen: bool) {
        if let Some(me) = self.index().claimants.get_mut(uid) {
            let seen = me.seen.entry(rival).or_default();
            *seen |= is_seen;
        }
    }

    /// Whether another object, that is not being deleted, claims a name too.
    pub(crate) fn has_successor(&self, uid: &str, folded: &str) -> bool {
        let index = self.index();
        let Some(me) = index.claimants.get(uid) else {
            return false;
        };
        index
            .sharing(uid, me, folded)
            .any(|(_, other)| !other.is_deleting && other.may_succeed(uid, me, folded))
    }

    fn index(&self) -> MutexGuard<'_, Index> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
