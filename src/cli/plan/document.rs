//! An object in a file, with what is there and what its Secrets give. Pure.

use std::collections::{BTreeMap, BTreeSet};

use kube::ResourceExt as _;

use crate::{
    api::{
        Approval, DataFromSource, DeletionPolicy, EntryState, EntryStatus, ProviderSecret, Reason,
        SecretKeyRef, SourceStatus,
    },
    cli::{
        origin::{Keys, origins},
        peer::Peer,
        view::is_observed,
    },
    controller::{
        Failure, desired_state, is_approved_alike, is_held_back, is_next_edit,
        is_removed_by_source, may_await, may_come_from_a_source, may_give, recorded_sources,
        says_held, unread_sources, was_held_back,
    },
    http::ErrorClass,
    provider::{self, Choice},
};

/// What is known of the wanted value of an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// Nothing: the Secrets were not read.
    Unread,
    /// Its digest under the API key, as status records it; none where that API key cannot be had.
    Digest(Option<String>),
    /// There is no value to send, for this reason.
    Refused(Reason),
}

/// An object in a file.
pub(super) struct Document {
    /// The object as the API server would store it.
    pub(super) wanted: ProviderSecret,
    /// The object as it is.
    pub(super) live: Option<ProviderSecret>,
    /// What the Secrets give, by name at the provider; none where they were not read.
    pub(super) values: Option<BTreeMap<String, Wanted>>,
    /// The versions of the Secrets that were read, that of the API key too.
    pub(super) versions: BTreeMap<String, String>,
    /// The entries that are refused whatever the Secrets hold, by name at the provider; where these were not read.
    pub(super) refused_names: BTreeMap<String, Reason>,
    /// The places in `dataFrom` of the sources that cannot be read, or give nothing, as far as that is known.
    pub(super) unread: BTreeSet<usize>,
    /// Whether the operator refuses the object as a whole.
    pub(super) is_refused: bool,
    /// Whether a source, or the object as a whole, cannot be sent as it is.
    pub(super) is_blocked: bool,
    /// What is known of the file as a whole, such as a Secret that is not there.
    pub(super) notes: Vec<String>,
}

impl Document {
    /// Whose Secrets were not read.
    pub(super) fn new(wanted: ProviderSecret, live: Option<ProviderSecret>) -> Self {
        Self {
            wanted,
            live,
            values: None,
            versions: BTreeMap::new(),
            refused_names: BTreeMap::new(),
            unread: BTreeSet::new(),
            is_refused: false,
            is_blocked: false,
            notes: Vec::new(),
        }
    }

    /// The same with what the operator refuses whatever the Secrets hold.
    pub(super) fn refused_by_spec(mut self) -> Self {
        let spec = &self.wanted.spec;
        let Some(choice) = spec.provider.choice() else {
            return self;
        };
        let (name, rules) = (self.wanted.name_any(), provider::rules(choice.kind()));
        let desired = match desired_state(spec, &name, &unread_sources(spec), rules) {
            Ok(desired) => desired,
            Err(failure) => return self.refused(&failure),
        };
        let is_config = |failure: &Failure| failure.class == ErrorClass::Config;
        let entries = desired.entries.into_iter();
        let refused = entries.filter_map(|entry| {
            let failure = entry.value.err().filter(is_config)?;
            Some((entry.name, failure.reason))
        });
        self.refused_names = refused.collect();
        let unread = desired.unread.into_iter();
        for (index, failure) in unread.filter(|(_, failure)| is_config(failure)) {
            self.unread.insert(index);
            self.notes.push(failure.message);
            self.is_blocked = true;
        }
        self
    }

    /// The same where the operator refuses it as a whole: nothing is written, and nothing is removed.
    pub(super) fn refused(mut self, failure: &Failure) -> Self {
        let refuse = |name: String| (name, Wanted::Refused(failure.reason));
        self.values = Some(self.names().into_iter().map(refuse).collect());
        (self.is_refused, self.is_blocked) = (true, true);
        self.notes.push(failure.message.clone());
        self
    }

    /// The names of the wanted entries, as far as they are known.
    fn names(&self) -> Vec<String> {
        if let Some(values) = &self.values {
            return values.keys().cloned().collect();
        }
        let name = self.wanted.name_any();
        let names = self.wanted.spec.explicit_names(&name).into_iter();
        names.map(str::to_owned).collect()
    }

    /// The wanted entries, as far as their names are known.
    pub(super) fn entries(&self) -> BTreeMap<String, Wanted> {
        if let Some(values) = &self.values {
            return values.clone();
        }
        let wanted = |name: String| {
            let refused = self.refused_names.get(&name).copied();
            (name, refused.map_or(Wanted::Unread, Wanted::Refused))
        };
        self.names().into_iter().map(wanted).collect()
    }

    /// The records of the object that is there.
    pub(super) fn records(&self) -> &[EntryStatus] {
        let status = self.live.as_ref().and_then(|live| live.status.as_ref());
        status.map_or(&[], |status| &status.entries)
    }

    /// The fingerprint of the API key that the digests were made with.
    pub(super) fn key_fingerprint(&self) -> Option<&str> {
        let status = self.live.as_ref()?.status.as_ref()?;
        status.key_fingerprint.as_deref()
    }

    /// Where the API key was until now, if it is elsewhere then.
    pub(super) fn former_key(&self) -> Option<&SecretKeyRef> {
        let former = api_key(self.live.as_ref()?)?;
        (Some(former) != api_key(&self.wanted)).then_some(former)
    }

    /// Whether the spec is the one that the operator has acted on: then to apply it confirms nothing.
    pub(super) fn is_as_it_is(&self) -> bool {
        let generation = self.wanted.metadata.generation;
        let live = self.live.as_ref();
        live.is_some_and(|live| is_observed(live) && live.metadata.generation == generation)
    }

    /// Whether to apply it confirms what the object holds: the object says so, no other edit comes before, and it goes on.
    fn confirms_removals(&self) -> bool {
        let generation = self.wanted.metadata.generation;
        let live = self.live.as_ref();
        let is_next = live.is_some_and(|live| says_held(live) && is_next_edit(live, generation));
        is_next && !self.wanted.spec.is_suspended()
    }

    /// Whether a user has approved what the spec sends, and no plan waits for that. The plan of a suspended object waits
    /// for nothing but its end.
    pub(super) fn is_approved(&self) -> bool {
        self.live.as_ref().is_some_and(|live| {
            let is_approved = live.status.as_ref().is_some_and(|status| {
                let waits = status.plan.is_some() && !live.spec.is_suspended();
                status.approval_seal.is_some() && !waits
            });
            is_approved && is_approved_alike(&live.spec, &self.wanted.spec)
        })
    }

    /// Whether an entry that is recorded stays with the object although it is not known to be wanted: a source that is not
    /// read may give it, or the object is refused as a whole.
    pub(super) fn may_be_given(&self, record: &EntryStatus) -> bool {
        let may_be_given = || !origins(&self.wanted, &record.name, &Keys::new()).is_empty();
        let is_known = || self.values.is_some() || self.is_known_gone(record);
        self.is_refused || self.is_awaited(record) || (!is_known() && may_be_given())
    }

    /// Whether the operator keeps an entry because of a source that cannot be read.
    fn is_awaited(&self, record: &EntryStatus) -> bool {
        let sources = self.wanted.spec.bulk_sources();
        let recorded = self.live.as_ref().map(recorded_sources);
        let recorded = recorded.unwrap_or_default();
        let mut unread = self.unread.iter();
        unread.any(|index| {
            let source = sources.get(*index);
            source.is_none_or(|source| may_await(record, *index, source, &recorded))
        })
    }

    /// Whether the operator has found that the sources of the object no longer give an entry, and the file names no other
    /// one that may.
    fn is_known_gone(&self, record: &EntryStatus) -> bool {
        let is_held = is_held_back(record) || was_held_back(record);
        let known = self.live.as_ref().map(|live| live.spec.bulk_sources());
        let is_known = |source: &DataFromSource| known.is_some_and(|of| of.contains(source));
        (record.leaving || is_held || is_removed_by_source(record))
            && self.giving(&record.name).all(is_known)
    }

    /// The sources of the file that could give a name.
    fn giving(&self, name: &str) -> impl Iterator<Item = &DataFromSource> {
        let sources = self.wanted.spec.bulk_sources().iter().enumerate();
        let giving = sources.filter(move |(index, source)| may_give(name, *index, source));
        giving.map(|(_, source)| source)
    }

    /// Whether the operator waits with the deletion of what is not wanted any more, or holds it, because it does not know
    /// that the spec alone took it away: its brake, as far as status tells (docs/architecture.md#brakes).
    pub(super) fn is_braked(&self, record: &EntryStatus) -> bool {
        let spec = &self.wanted.spec;
        let is_of_source = is_held_back(record)
            || was_held_back(record)
            || may_come_from_a_source(spec, &record.name);
        let is_confirmed = || {
            record.leaving
                || spec.approval() != Approval::Automatic
                || (record.state != EntryState::Failed && self.is_by_spec_alone(&record.name))
                || (is_held_back(record) && self.confirms_removals())
        };
        spec.deletion_policy() == DeletionPolicy::Delete && is_of_source && !is_confirmed()
    }

    /// Whether the spec is a newer one than the records were made from, and these from what each Secret holds that could
    /// give the name.
    fn is_by_spec_alone(&self, name: &str) -> bool {
        let status = self.live.as_ref().and_then(|live| live.status.as_ref());
        let recorded: &[SourceStatus] = status.map_or(&[], |status| &status.sources);
        let version = |name: &str| {
            let found = recorded.iter().find(|source| source.name == name);
            found.map(|source| &source.resource_version)
        };
        let mut versions = self.versions.iter();
        let is_unchanged =
            |(name, read): (&String, &String)| version(name).is_none_or(|known| known == read);
        let is_given_as_before = |source: &DataFromSource| {
            let secret = &source.secret_ref.name;
            version(secret).is_some_and(|known| self.versions.get(secret) == Some(known))
        };
        !self.is_as_it_is()
            && versions.all(is_unchanged)
            && self.giving(name).all(is_given_as_before)
    }

    /// The object as others see it when the files are applied. Of the account all is known from the object that is there; a new
    /// object is younger than all that are.
    pub(super) fn peer(&self) -> Peer {
        let mut whole = self.wanted.clone();
        whole.status = self.live.as_ref().and_then(|live| live.status.clone());
        let entries = self.entries();
        let Some(choice) = self.wanted.spec.provider.choice() else {
            return Peer::of(&whole);
        };
        let fold = provider::rules(choice.kind()).fold;
        let is_wanted = |name: &str| entries.keys().any(|wanted| fold(wanted) == fold(name));
        if let Some(status) = &mut whole.status
            && !self.wanted.spec.is_suspended()
        {
            let records = &mut status.entries;
            records.retain(|record| {
                is_wanted(&record.name) || self.may_be_given(record) || self.is_braked(record)
            });
        }
        let peer = Peer::of(&whole).asking_for(entries.keys().map(|name| fold(name)));
        if self.live.is_none() {
            peer.new_one()
        } else {
            peer
        }
    }
}

fn api_key(object: &ProviderSecret) -> Option<&SecretKeyRef> {
    object
        .spec
        .provider
        .choice()
        .map(Choice::api_key_secret_ref)
}
