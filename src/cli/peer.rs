//! The other objects, as far as they have to do with one: they share its account, or own a name of it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::{
    read::{Known, Reader},
    view::{Standing, created, namespaced_name},
};
use crate::{
    api::{ConflictPolicy, ProviderSecret},
    provider::{self, Choice},
};

/// An object as others see it: its account, and the names that it claims there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Peer {
    pub(super) namespace: String,
    pub(super) name: String,
    created: Option<Timestamp>,
    account: Account,
    scope: Option<String>,
    /// The folded names that it claims, or its set.
    names: BTreeSet<String>,
    /// Those of them that it has written.
    written: BTreeSet<String>,
    /// Whether what it claims is a set and not each name in it.
    claims_set: bool,
    /// The keys of the set that it asks for or has recorded.
    keys: BTreeSet<String>,
    is_deleting: bool,
    /// Whether it writes over what it did not write, by its `conflictPolicy`.
    overwrites: bool,
    reason: String,
}

/// What the objects of one account have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Account {
    provider: Option<&'static str>,
    endpoint: String,
    field: Option<String>,
    /// The fingerprint of its API key; none where the operator has not told it.
    key: Option<String>,
    /// Where its API key is: namespace, Secret and key.
    credential: String,
}

impl Peer {
    pub(super) fn of(object: &ProviderSecret) -> Self {
        let (namespace, name) = namespaced_name(object);
        let status = object.status.as_ref();
        let choice = object.spec.provider.choice();
        let set = choice.and_then(|choice| choice.set_name(&name));
        let claimed = choice.map(|choice| {
            let records = || status.into_iter().flat_map(|status| &status.entries);
            let written = records().filter(|entry| entry.last_write_time.is_some());
            let fold = provider::rules(choice.kind()).fold;
            let desired = object.spec.explicit_names(&name).into_iter().map(fold);
            let names = desired.chain(records().map(|entry| fold(&entry.name)));
            let names: BTreeSet<String> = names.collect();
            if let Some(set) = set {
                let written = written.map(|_| set.to_owned()).collect();
                return (BTreeSet::from([set.to_owned()]), written, names);
            }
            let written = written.map(|entry| fold(&entry.name)).collect();
            (names, written, BTreeSet::new())
        });
        let (names, written, keys) = claimed.unwrap_or_default();
        let claims_set = set.is_some();
        Self {
            created: created(object),
            account: Account {
                provider: choice.map(|choice| choice.kind().as_str()),
                endpoint: choice.map_or("", Choice::endpoint).to_owned(),
                field: choice.and_then(Choice::scope_field).map(str::to_owned),
                key: status.and_then(|status| status.key_fingerprint.clone()),
                credential: choice.map_or_else(String::new, |choice| {
                    let reference = choice.api_key_secret_ref();
                    format!("{namespace}/{}/{}", reference.name, reference.key)
                }),
            },
            scope: status.and_then(|status| status.scope.clone()),
            reason: Standing::of(object).reason,
            names,
            written,
            claims_set,
            keys,
            is_deleting: object.metadata.deletion_timestamp.is_some(),
            overwrites: object.spec.conflict_policy() == ConflictPolicy::Overwrite,
            namespace,
            name,
        }
    }

    /// `namespace/name`.
    pub(super) fn namespaced_name(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }

    /// Whether it is the older one, as the operator decides it.
    fn is_older_than(&self, other: &Self) -> bool {
        self.age() < other.age()
    }

    fn age(&self) -> (Option<Timestamp>, &str, &str) {
        (self.created, &self.namespace, &self.name)
    }

    /// The older objects among others of its account that own names of this one, as the operator decides it: by folded
    /// name, or by the set.
    pub(super) fn owners<'p>(
        &self,
        others: impl Iterator<Item = &'p Self>,
    ) -> BTreeMap<String, &'p Self> {
        let mut rivals: Vec<&Self> = others.filter(|other| other.is_older_than(self)).collect();
        rivals.sort_by_key(|rival| (rival.created, rival.namespaced_name()));
        let mut owners = BTreeMap::new();
        for rival in rivals {
            for name in rival.names.intersection(&self.names) {
                owners.entry(name.clone()).or_insert(rival);
            }
        }
        owners
    }

    /// Which of the others has a folded name, or a `key` of the set, when this object gives up what it wrote there, as the
    /// operator decides it: its owner, else the oldest that lives on, if it takes what is there and asks for the key.
    pub(super) fn successor<'p>(
        &self,
        others: &'p [Self],
        name: &str,
        key: &str,
    ) -> Option<&'p Self> {
        let mut claiming: Vec<&'p Self> =
            others.iter().filter(|other| other.claims(name)).collect();
        claiming.sort_by(|a, b| a.age().cmp(&b.age()));
        let oldest = claiming.first().copied();
        let owner = oldest.filter(|oldest| oldest.is_older_than(self));
        let next = if owner.is_some() || self.keeps_set(name) {
            owner
        } else {
            let next = claiming.into_iter().find(|other| !other.is_deleting);
            next.filter(|next| next.overwrites || next.written.contains(name))
        };
        next.filter(|next| !self.claims_set || next.keys.contains(key))
    }

    /// Whether it claims this set and lives on: then it gives up an entry, and the set stays its own.
    fn keeps_set(&self, name: &str) -> bool {
        self.claims_set && !self.is_deleting && self.claims(name)
    }

    /// The same as an object that is not there yet: all that are there are older.
    pub(super) fn new_one(self) -> Self {
        let created = Some(Timestamp::MAX);
        Self { created, ..self }
    }

    /// The same with further names of entries, folded.
    pub(super) fn asking_for(mut self, names: impl Iterator<Item = String>) -> Self {
        let asked = if self.claims_set {
            &mut self.keys
        } else {
            &mut self.names
        };
        asked.extend(names);
        self
    }

    /// Whether it is known to write to the same place as another object: the provider has told one scope, or the key is
    /// the same.
    pub(super) fn shares_account(&self, other: &Self) -> bool {
        let (a, b) = (&self.account, &other.account);
        let is_one_scope = self.scope.is_some() && self.scope == other.scope;
        let is_one_key = a.credential == b.credential || (a.key.is_some() && a.key == b.key);
        (a.provider, &a.endpoint) == (b.provider, &b.endpoint)
            && (is_one_scope || (is_one_key && a.field == b.field))
    }

    /// Whether it claims a folded name, or the set.
    pub(super) fn claims(&self, name: &str) -> bool {
        self.names.contains(name)
    }

    /// Whether it may write to the same place as another object, of which nothing is known but the provider: that one was
    /// never at its account.
    pub(super) fn may_share_account(&self, other: &Self) -> bool {
        let (a, b) = (&self.account, &other.account);
        let is_unknown = other.scope.is_none() && b.key.is_none();
        is_unknown && (a.provider, &a.endpoint) == (b.provider, &b.endpoint)
    }

    /// Whether it has the same trouble with the same account as another object.
    pub(super) fn shares_trouble(&self, other: &Self) -> bool {
        let is_one_key = match (&self.account.key, &other.account.key) {
            (Some(a), Some(b)) => a == b,
            // Before the first write no fingerprint is told: the Secret of the key says the same, within a namespace.
            _ => self.namespace == other.namespace,
        };
        let without_key = |of: &Account| Account {
            key: None,
            credential: String::new(),
            ..of.clone()
        };
        self.reason == other.reason
            && is_one_key
            && without_key(&self.account) == without_key(&other.account)
    }
}

impl Reader {
    /// All objects but the one of this name, as far as the user may list them: of all namespaces, else of the
    /// reader's.
    pub(super) async fn peers(&self, namespace: &str, name: &str) -> Known<Vec<Peer>> {
        let peers = self.each_visible(|object| Peer::of(&object)).await;
        peers.found.map(|mut peers| {
            peers.retain(|peer| (peer.namespace.as_str(), peer.name.as_str()) != (namespace, name));
            peers
        })
    }
}
