//! One object and what it claims.

use std::{
    collections::BTreeMap,
    hash::{BuildHasher, RandomState},
    sync::Arc,
};

use jiff::Timestamp;
use kube::ResourceExt;

use super::names::Names;
use crate::{
    account::ObjectName,
    api::{EntryStatus, ProviderKind, ProviderSecret, SecretKeyRef},
    controller::object::object_name,
    provider::{self, Choice},
};

/// One object and what it claims.
pub(crate) struct Claimant {
    pub(crate) name: ObjectName,
    pub(crate) created: Timestamp,
    pub(crate) is_deleting: bool,
    pub(crate) place: Place,
    pub(crate) key: Key,
    pub(crate) names: Names,
    /// Objects with other keys, and whether what they wrote is shown under this one's key.
    pub(crate) seen: BTreeMap<Arc<str>, bool>,
}

/// Whose names they are.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) kind: ProviderKind,
    pub(crate) endpoint: String,
    /// The team or organization that the spec names.
    pub(crate) field: Option<String>,
    /// What the provider calls it.
    pub(crate) scope: Option<String>,
}

/// Which API key an object uses.
pub(crate) struct Key {
    pub(crate) reference: (String, SecretKeyRef),
    pub(crate) fingerprint: Option<[u8; 32]>,
}

/// The last acknowledged write of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Written {
    pub(crate) at: Timestamp,
    pub(crate) mark: Mark,
}

/// What a secret is recognised by: its id, else its version.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) id: Option<Box<str>>,
    pub(crate) version: Option<Box<str>>,
}

/// What two objects may have in common for their names to be the same.
#[derive(Clone, Copy, Hash)]
pub(crate) enum Ground<'a> {
    /// The team or organization that the spec names.
    Field(&'a str),
    /// What the provider calls the scope.
    Scope(&'a str),
    /// The API key.
    Fingerprint([u8; 32]),
    /// Where the API key is.
    Reference(&'a (String, SecretKeyRef)),
    /// The provider, where no field tells more: perhaps nothing else.
    Unknown,
}

impl Claimant {
    pub(crate) fn new(object: &ProviderSecret, choice: Choice<'_>) -> Self {
        let rules = provider::rules(choice.kind());
        let status = object.status.as_ref();
        let recorded = status.into_iter().flat_map(|status| &status.entries);
        let mut names: BTreeMap<Box<str>, Option<Written>> = BTreeMap::new();
        if let Some(set) = choice.set_name(&object.name_any()) {
            let last = recorded
                .filter_map(Written::of)
                .max_by_key(|written| written.at);
            names.insert(set.into(), last);
        } else {
            let wanted = object.spec.entries().iter();
            names.extend(wanted.map(|entry| ((rules.fold)(&entry.name).into(), None)));
            for entry in recorded {
                names.insert((rules.fold)(&entry.name).into(), Written::of(entry));
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
                field: choice.scope_field().map(str::to_owned),
                scope: status.and_then(|status| status.scope.clone()),
            },
            key: Key {
                reference: (
                    object.namespace().unwrap_or_default(),
                    choice.api_key_secret_ref().clone(),
                ),
                fingerprint: None,
            },
            names: names.into(),
            seen: BTreeMap::new(),
        }
    }

    pub(crate) fn written(&self, folded: &str) -> Option<&Written> {
        self.names.written(folded)
    }

    /// Every name, and whether it was written.
    pub(crate) fn claims(&self) -> impl Iterator<Item = (&str, bool)> {
        let names = self.names.iter();
        names.map(|(name, written)| (name, written.is_some()))
    }

    pub(crate) fn has_written(&self) -> bool {
        self.names.iter().any(|(_, written)| written.is_some())
    }

    /// Every ground on which names may be shared.
    pub(crate) fn grounds(&self) -> impl Iterator<Item = Ground<'_>> {
        let unknown = self.place.field.is_none().then_some(Ground::Unknown);
        [
            self.place.field.as_deref().map(Ground::Field),
            self.place.scope.as_deref().map(Ground::Scope),
            self.key.fingerprint.map(Ground::Fingerprint),
            Some(Ground::Reference(&self.key.reference)),
            unknown,
        ]
        .into_iter()
        .flatten()
    }

    pub(crate) fn place(&self, hasher: &RandomState, ground: Ground<'_>, folded: &str) -> u64 {
        hasher.hash_one((self.place.kind, &self.place.endpoint, ground, folded))
    }

    /// Where this claimant is found.
    pub(crate) fn places(&self, hasher: &RandomState) -> Vec<u64> {
        self.grounds()
            .flat_map(|ground| {
                self.names
                    .keys()
                    .map(move |name| self.place(hasher, ground, name))
            })
            .collect()
    }

    /// Whether this object's claim on a name counts against `other`'s.
    pub(crate) fn counts_against(&self, uid: &str, other: &Self, folded: &str) -> bool {
        let has_same_key = self.key.is(&other.key);
        self.names.contains(folded)
            && self.place.shares_names_with(&other.place, has_same_key)
            && (has_same_key
                || (self.written(folded).is_some() && other.seen.get(uid) == Some(&true)))
    }

    /// Whether it is not known yet if this object's claim counts against `other`'s.
    pub(crate) fn is_disputed(&self, uid: &str, other: &Self, folded: &str) -> bool {
        let is_marked = |written: &Written| written.mark != Mark::default();
        !self.key.is(&other.key)
            && self.place.shares_names_with(&other.place, false)
            && self.written(folded).is_some_and(is_marked)
            && !other.seen.contains_key(uid)
    }

    /// Whether this object may have a name when `other` goes: it has the same key, or was shown
    /// under its own key what `other` wrote.
    pub(crate) fn may_succeed(&self, other_uid: &str, other: &Self, folded: &str) -> bool {
        let has_same_key = self.key.is(&other.key);
        self.names.contains(folded)
            && self.place.shares_names_with(&other.place, has_same_key)
            && (has_same_key || self.seen.get(other_uid) == Some(&true))
    }
}

impl Written {
    pub(crate) fn of(entry: &EntryStatus) -> Option<Self> {
        let at = entry.last_write_time.as_ref()?.0;
        let text = |text: &Option<String>| text.as_deref().map(Box::from);
        let mark = Mark {
            id: text(&entry.remote_id),
            version: text(&entry.remote_version),
        };
        Some(Self { at, mark })
    }
}

impl Key {
    /// Whether both are one key, as far as it is known.
    pub(crate) fn is(&self, other: &Self) -> bool {
        self.reference == other.reference
            || (self.fingerprint.is_some() && self.fingerprint == other.fingerprint)
    }
}

impl Place {
    /// Whether nothing speaks against both being one place.
    pub(crate) fn may_be(&self, other: &Self) -> bool {
        self.scope.is_none() || other.scope.is_none() || self.scope == other.scope
    }

    pub(crate) fn shares_names_with(&self, other: &Self, has_same_key: bool) -> bool {
        let is_same_scope = self.scope.is_some() && self.scope == other.scope;
        let is_same_field = self.field == other.field && (self.field.is_some() || has_same_key);
        self.kind == other.kind
            && self.endpoint == other.endpoint
            && (is_same_scope || is_same_field)
    }
}
