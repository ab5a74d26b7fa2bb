//! One object and what it claims.

use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;
use kube::ResourceExt;

use super::{names::Names, scopes::CredentialRef};
use crate::{
    account::ObjectName,
    api::{ConflictPolicy, DataFromSource, ProviderSecret},
    controller::{
        object::{is_acted_on, object_name, recorded_sources},
        resolve::desired::may_give,
    },
    provider::{self, Choice, Unit},
};

/// One object and what it claims.
pub(super) struct Claimant {
    pub(super) name: ObjectName,
    pub(super) created: Timestamp,
    pub(super) is_deleting: bool,
    /// Whether it writes over what it did not write, by its `conflictPolicy`.
    overwrites: bool,
    pub(super) credential: Arc<CredentialRef>,
    pub(super) names: Names,
    /// The keys of the set that it claims, where it claims one.
    keys: Option<Box<Keys>>,
}

/// The keys of a set that an object asks for.
struct Keys {
    /// Those that its spec or its status names.
    named: Names,
    /// Its sources, with their places in the spec, of whose keys status says nothing yet.
    unread: Box<[(usize, DataFromSource)]>,
}

/// Whether an object asks for a key of the set that it claims.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wants {
    Yes,
    No,
    /// A source may give it whose keys are not known.
    Perhaps,
}

impl Claimant {
    /// What an object claims at a provider by its spec and status.
    pub(super) fn new(
        object: &ProviderSecret,
        choice: Choice<'_>,
        credential: Arc<CredentialRef>,
    ) -> Self {
        let (names, keys) = names(object, choice);
        Self {
            name: object_name(object),
            created: object
                .creation_timestamp()
                .map_or(Timestamp::MAX, |time| time.0),
            is_deleting: object.metadata.deletion_timestamp.is_some(),
            overwrites: object.spec.conflict_policy() == ConflictPolicy::Overwrite,
            credential,
            names,
            keys: keys.map(Box::new),
        }
    }

    /// Whether another form of this object claims the same under the same credential.
    pub(super) fn claims_as(&self, other: &Self) -> bool {
        self.is_deleting == other.is_deleting
            && Arc::ptr_eq(&self.credential, &other.credential)
            && self.names.claims().eq(other.names.claims())
    }

    /// Whether the object writes a name that another object has written. Under `conflictPolicy: Fail` it leaves alone
    /// what it did not write itself.
    pub(super) fn takes(&self, folded: &str) -> bool {
        self.overwrites || self.names.written(folded).is_some()
    }

    /// Whether the object asks for a key of the set that it claims.
    pub(super) fn wants(&self, key: &str) -> Wants {
        let Some(keys) = &self.keys else {
            return Wants::No;
        };
        let mut unread = keys.unread.iter();
        if keys.named.contains(key) {
            Wants::Yes
        } else if unread.any(|(index, source)| may_give(key, *index, source)) {
            Wants::Perhaps
        } else {
            Wants::No
        }
    }

    /// Whether what is claimed is a set and not each name in it.
    pub(super) fn claims_set(&self) -> bool {
        provider::rules(self.credential.kind).unit == Unit::Set
    }

    /// Whether the object claims this set and lives on: then it gives up an entry, and the set stays its own.
    pub(super) fn keeps_set(&self, folded: &str) -> bool {
        self.claims_set() && !self.is_deleting && self.names.contains(folded)
    }

    /// The order of owners: the oldest object first. Of two that were created in one second the
    /// first by namespace and name, so that a rebuilt cluster gives the same owner.
    pub(super) fn age(&self) -> (Timestamp, &ObjectName) {
        (self.created, &self.name)
    }
}

/// The credential that an object names.
pub(super) fn credential(object: &ProviderSecret, choice: Choice<'_>) -> CredentialRef {
    CredentialRef {
        kind: choice.kind(),
        endpoint: choice.endpoint().to_owned(),
        field: choice.scope_field().map(str::to_owned),
        namespace: object.namespace().unwrap_or_default(),
        secret: choice.api_key_secret_ref().clone(),
    }
}

/// The folded names that an object claims, and the last acknowledged write of each; where it claims a set, that one, and
/// the keys of it.
fn names(object: &ProviderSecret, choice: Choice<'_>) -> (Names, Option<Keys>) {
    let fold = provider::rules(choice.kind()).fold;
    let desired = object.spec.entries().iter();
    let desired = desired.map(|entry| (Box::<str>::from(fold(&entry.name)), None));
    let mut named: BTreeMap<Box<str>, Option<Timestamp>> = desired.collect();
    let records = object.status.iter().flat_map(|status| &status.entries);
    named.extend(records.map(|record| {
        let written = record.last_write_time.as_ref().map(|time| time.0);
        (fold(&record.name).into(), written)
    }));
    let name = object.name_any();
    let Some(set) = choice.set_name(&name) else {
        return (named.into(), None);
    };
    let written = named.values().copied().flatten().max();
    let keys = Keys {
        named: named.into(),
        unread: unread_sources(object),
    };
    let claimed = BTreeMap::from([(Box::<str>::from(set), written)]);
    (claimed.into(), Some(keys))
}

/// The `dataFrom` sources of an object, with their places in the spec, that its records were not made from.
fn unread_sources(object: &ProviderSecret) -> Box<[(usize, DataFromSource)]> {
    let (is_current, recorded) = (is_acted_on(object), recorded_sources(object));
    let is_read = |source: &DataFromSource| {
        let mut recorded = recorded.iter();
        is_current && recorded.any(|(name, _)| *name == source.secret_ref.name)
    };
    let sources = object.spec.bulk_sources().iter().cloned().enumerate();
    sources.filter(|(_, source)| !is_read(source)).collect()
}
