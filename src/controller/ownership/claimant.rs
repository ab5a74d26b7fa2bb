//! One object and what it claims.

use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;
use kube::ResourceExt;

use super::{names::Names, scopes::CredentialRef};
use crate::{
    account::ObjectName,
    api::{ConflictPolicy, EntryStatus, ProviderSecret},
    controller::object::object_name,
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
}

impl Claimant {
    /// What an object claims at a provider by its spec and status.
    pub(super) fn new(
        object: &ProviderSecret,
        choice: Choice<'_>,
        credential: Arc<CredentialRef>,
    ) -> Self {
        Self {
            name: object_name(object),
            created: object
                .creation_timestamp()
                .map_or(Timestamp::MAX, |time| time.0),
            is_deleting: object.metadata.deletion_timestamp.is_some(),
            overwrites: object.spec.conflict_policy() == ConflictPolicy::Overwrite,
            credential,
            names: names(object, choice),
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

/// The folded names that an object claims, and the last acknowledged write of each.
fn names(object: &ProviderSecret, choice: Choice<'_>) -> Names {
    let records = object.status.iter().flat_map(|status| &status.entries);
    let written = |record: &EntryStatus| Some(record.last_write_time.as_ref()?.0);
    let mut names: BTreeMap<Box<str>, Option<Timestamp>> = BTreeMap::new();
    if let Some(set) = choice.set_name(&object.name_any()) {
        names.insert(set.into(), records.filter_map(written).max());
    } else {
        let fold = provider::rules(choice.kind()).fold;
        let desired = object.spec.entries().iter();
        names.extend(desired.map(|entry| (fold(&entry.name).into(), None)));
        names.extend(records.map(|record| (fold(&record.name).into(), written(record))));
    }
    names.into()
}
