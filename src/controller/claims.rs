//! Claims: a name in a scope has one owner among all objects of the operator.
//!
//! The owner is the oldest of those whose `spec.data` or status hold the (folded) name; at Pipecat
//! the name is the set. With the same API key a claim counts at once. With another key it counts
//! only when the provider has acknowledged a write under it: else anybody could keep a team's names
//! to himself by naming the team.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::{Mutex, MutexGuard, PoisonError},
};

use jiff::Timestamp;
use kube::ResourceExt;

use super::context::object_name;
use crate::{
    account::{ObjectName, scope_field},
    api::{Choice, ProviderKind, ProviderSecret, SecretKeyRef},
    provider::{self, Unit},
};

/// What every object claims.
#[derive(Default)]
pub(super) struct Claims(Mutex<Index>);

#[derive(Default)]
struct Index {
    claimants: HashMap<String, Claimant>,
    by_name: HashMap<(ProviderKind, Box<str>), Vec<String>>,
}

/// One object and what it claims.
struct Claimant {
    name: ObjectName,
    created: Timestamp,
    is_deleting: bool,
    place: Place,
    key: Key,
    /// Folded names, and when the last acknowledged write of each was.
    names: BTreeMap<Box<str>, Option<Timestamp>>,
}

/// Whose names they are.
#[derive(Clone, PartialEq, Eq)]
struct Place {
    kind: ProviderKind,
    endpoint: String,
    /// The team or organization that the spec names.
    field: Option<String>,
    /// What the provider calls it.
    scope: Option<String>,
}

/// Which API key an object uses.
struct Key {
    reference: (String, SecretKeyRef),
    fingerprint: Option<[u8; 32]>,
}

/// Another object with a claim on a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rival {
    pub(super) uid: String,
    pub(super) name: ObjectName,
    /// When its last acknowledged write of the name was.
    pub(super) written: Option<Timestamp>,
}

impl Claims {
    /// Takes note of what an object claims now, and gives those whom that may concern.
    pub(super) fn note(&self, object: &ProviderSecret) -> Vec<ObjectName> {
        let uid = object.uid().unwrap_or_default();
        let Some(choice) = object.spec.provider.choice() else {
            return self.forget(&uid);
        };
        let mut index = self.index();
        let mut claimant = Claimant::new(object, choice);
        // What a pass found out holds as long as the key is the same.
        let known = index.claimants.get(&uid);
        if let Some(known) = known.filter(|known| known.key.reference == claimant.key.reference) {
            claimant.key.fingerprint = known.key.fingerprint;
            let scope = &mut claimant.place.scope;
            *scope = scope.take().or_else(|| known.place.scope.clone());
        }
        index.replace(&uid, claimant)
    }

    /// Takes note of names that an object wants and that its spec does not spell out.
    pub(super) fn want<'a>(&self, uid: &str, folded: impl Iterator<Item = &'a str>) {
        let mut index = self.index();
        let Some(claimant) = index.claimants.get_mut(uid) else {
            return;
        };
        let kind = claimant.place.kind;
        if provider::rules(kind).unit == Unit::Set {
            return;
        }
        let new: Vec<Box<str>> = folded
            .filter(|name| !claimant.names.contains_key(*name))
            .map(Box::from)
            .collect();
        for name in new {
            if let Some(claimant) = index.claimants.get_mut(uid) {
                claimant.names.insert(name.clone(), None);
            }
            index
                .by_name
                .entry((kind, name))
                .or_default()
                .push(uid.to_owned());
        }
    }

    /// Takes note of the API key that an object uses and of what the provider calls the scope, and
    /// gives those whom that may concern.
    pub(super) fn identify(
        &self,
        uid: &str,
        fingerprint: [u8; 32],
        scope: Option<&str>,
    ) -> Vec<ObjectName> {
        let mut index = self.index();
        let Some(claimant) = index.claimants.get_mut(uid) else {
            return Vec::new();
        };
        let is_news = claimant.key.fingerprint != Some(fingerprint)
            || (scope.is_some() && claimant.place.scope.as_deref() != scope);
        if !is_news {
            return Vec::new();
        }
        claimant.key.fingerprint = Some(fingerprint);
        if scope.is_some() {
            claimant.place.scope = scope.map(str::to_owned);
        }
        index.others(uid)
    }

    /// Forgets an object that is gone, and gives those who claim a name that it claimed.
    pub(super) fn forget(&self, uid: &str) -> Vec<ObjectName> {
        let mut index = self.index();
        let others = index.others(uid);
        index.remove(uid);
        others
    }

    /// Who owns a name, if it is not the object itself.
    pub(super) fn owner(&self, uid: &str, folded: &str) -> Option<Rival> {
        let index = self.index();
        let me = index.claimants.get(uid)?;
        let older = |(other_uid, other): &(&String, &Claimant)| {
            (other.created, other_uid.as_str()) < (me.created, uid)
        };
        index
            .rivals(uid, me, folded)
            .filter(older)
            .min_by_key(|(uid, other)| (other.created, (*uid).clone()))
            .map(|(uid, other)| Rival {
                uid: uid.clone(),
                name: other.name.clone(),
                written: other.names.get(folded).copied().flatten(),
            })
    }

    /// Whether another object, that is not being deleted, claims a name too.
    pub(super) fn has_heir(&self, uid: &str, folded: &str) -> bool {
        let index = self.index();
        let Some(me) = index.claimants.get(uid) else {
            return false;
        };
        index
            .rivals(uid, me, folded)
            .any(|(_, other)| !other.is_deleting)
    }

    fn index(&self) -> MutexGuard<'_, Index> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Index {
    /// Puts a claimant in the place of its former self. Those who claim a name that it no longer
    /// claims, or claims differently, are concerned.
    fn replace(&mut self, uid: &str, claimant: Claimant) -> Vec<ObjectName> {
        let is_same = |known: &Claimant| {
            known.is_deleting == claimant.is_deleting
                && known.place == claimant.place
                && known.names.keys().eq(claimant.names.keys())
        };
        let concerned = match self.claimants.get(uid) {
            Some(known) if is_same(known) => Vec::new(),
            Some(_) => self.others(uid),
            None => Vec::new(),
        };
        self.remove(uid);
        for name in claimant.names.keys() {
            self.by_name
                .entry((claimant.place.kind, name.clone()))
                .or_default()
                .push(uid.to_owned());
        }
        self.claimants.insert(uid.to_owned(), claimant);
        concerned
    }

    fn remove(&mut self, uid: &str) {
        let Some(claimant) = self.claimants.remove(uid) else {
            return;
        };
        for name in claimant.names.into_keys() {
            let key = (claimant.place.kind, name);
            if let Some(uids) = self.by_name.get_mut(&key) {
                uids.retain(|other| other != uid);
                if uids.is_empty() {
                    self.by_name.remove(&key);
                }
            }
        }
    }

    /// The other objects that claim one of the names that `uid` claims in the same scope, whether or not
    /// the claims count: a name such as `OPENAI_API_KEY` is in many accounts, and those of others are
    /// none of its business.
    fn others(&self, uid: &str) -> Vec<ObjectName> {
        let Some(me) = self.claimants.get(uid) else {
            return Vec::new();
        };
        let named = |name: &str| self.by_name.get(&(me.place.kind, Box::from(name)));
        let uids: HashSet<&String> = me
            .names
            .keys()
            .filter_map(|name| named(name))
            .flatten()
            .filter(|other| *other != uid)
            .collect();
        uids.into_iter()
            .filter_map(|uid| self.claimants.get(uid))
            // Of one whose key is not known yet it cannot be told; to look makes it known.
            .filter(|other| {
                other.key.fingerprint.is_none()
                    || other
                        .place
                        .shares_names_with(&me.place, other.has_key_of(me))
            })
            .map(|other| other.name.clone())
            .collect()
    }

    /// The other objects whose claim on a name counts against `me`.
    fn rivals<'a>(
        &'a self,
        uid: &'a str,
        me: &'a Claimant,
        folded: &'a str,
    ) -> impl Iterator<Item = (&'a String, &'a Claimant)> {
        let uids = self.by_name.get(&(me.place.kind, Box::from(folded)));
        uids.into_iter()
            .flatten()
            .filter(move |other| *other != uid)
            .filter_map(|other| self.claimants.get_key_value(other))
            .filter(move |(_, other)| other.counts_against(me, folded))
    }
}

impl Claimant {
    fn new(object: &ProviderSecret, choice: Choice<'_>) -> Self {
        let rules = provider::rules(choice.kind());
        let status = object.status.as_ref();
        let recorded = status.into_iter().flat_map(|status| &status.entries);
        let written = |time: Option<&k8s_openapi::apimachinery::pkg::apis::meta::v1::Time>| {
            time.map(|time| time.0)
        };
        let mut names: BTreeMap<Box<str>, Option<Timestamp>> = BTreeMap::new();
        match choice {
            Choice::Pipecat(spec) => {
                let set = spec.set_name.clone().unwrap_or_else(|| object.name_any());
                let last = recorded
                    .filter_map(|entry| written(entry.last_write_time.as_ref()))
                    .max();
                names.insert(set.into(), last);
            }
            Choice::Baseten(_) | Choice::PrimeIntellect(_) | Choice::Braintrust(_) => {
                let wanted = object.spec.entries().iter();
                names.extend(wanted.map(|entry| ((rules.fold)(&entry.name).into(), None)));
                for entry in recorded {
                    let last = written(entry.last_write_time.as_ref());
                    names.insert((rules.fold)(&entry.name).into(), last);
                }
            }
        }
        Self {
            name: object_name(object),
            created: object
                .creation_timestamp()
                .map_or(Timestamp::MAX, |time| time.0),
            is_deleting: object.metadata.deletion_timestamp.is_some(),
            place: Place {
                kind: choice.kind(),
                endpoint: choice.endpoint().to_owned(),
                field: scope_field(choice).map(str::to_owned),
                scope: status.and_then(|status| status.scope.clone()),
            },
            key: Key {
                reference: (
                    object.namespace().unwrap_or_default(),
                    choice.api_key_secret_ref().clone(),
                ),
                fingerprint: None,
            },
            names,
        }
    }

    /// Whether both use one API key.
    fn has_key_of(&self, other: &Self) -> bool {
        self.key.reference == other.key.reference
            || (self.key.fingerprint.is_some() && self.key.fingerprint == other.key.fingerprint)
    }

    /// Whether this object's claim on a name counts against `other`'s.
    fn counts_against(&self, other: &Self, folded: &str) -> bool {
        let has_same_key = self.has_key_of(other);
        self.place.shares_names_with(&other.place, has_same_key)
            && (has_same_key || self.names.get(folded).copied().flatten().is_some())
    }
}

impl Place {
    fn shares_names_with(&self, other: &Self, has_same_key: bool) -> bool {
        let is_same_scope = self.scope.is_some() && self.scope == other.scope;
        let is_same_field = self.field == other.field && (self.field.is_some() || has_same_key);
        self.kind == other.kind
            && self.endpoint == other.endpoint
            && (is_same_scope || is_same_field)
    }
}

#[cfg(test)]
mod tests;
