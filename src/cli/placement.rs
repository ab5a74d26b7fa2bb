//! What stands where: each record of an object, with the account that holds it and the Secret that it comes from. Pure.

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::{
    origin::{Keys, Origin, origins},
    output::one_word,
    view::{created, edited, is_acknowledged, is_observed, namespaced_name},
};
use crate::{
    api::{EntryState, EntryStatus, ProviderSecret},
    provider,
};

/// How long after its begin a write may end, the clocks of two machines included.
const LONGEST_WRITE: SignedDuration = SignedDuration::from_mins(1);
/// What is said of a value that may be older than the spec.
pub(super) const MAY_BE_OLDER: &str = "may still hold a value of before the last edit of the spec";

/// A value at a provider.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Placement {
    pub(super) provider: &'static str,
    pub(super) endpoint: String,
    /// Whose secrets these are, as far as the operator has told.
    pub(super) scope: Option<String>,
    /// The set that it is a key of.
    pub(super) set: Option<String>,
    /// The name at the provider.
    pub(super) name: String,
    pub(super) state: EntryState,
    pub(super) reason: Option<String>,
    /// Since when the provider holds the value.
    pub(super) since: Option<Timestamp>,
    pub(super) namespace: String,
    pub(super) object: String,
    /// The Secrets and keys that it comes from, or may.
    pub(super) from: Vec<Origin>,
    /// Whether the provider may still hold a value that the entry took from elsewhere, before the spec was edited.
    #[serde(skip)]
    pub(super) may_be_older: bool,
    #[serde(skip)]
    flag: &'static str,
    #[serde(skip)]
    folded: String,
}

impl Placement {
    /// The name with that of its set.
    pub(super) fn full_name(&self) -> String {
        match &self.set {
            Some(set) => format!("{set}/{}", self.name),
            None => self.name.clone(),
        }
    }

    /// The scope as one word.
    pub(super) fn scope_word(&self) -> String {
        one_word(self.scope.as_deref().unwrap_or_default())
    }

    /// Whether it is at the provider with this name, and has this name there, or is in the set of this name; `provider`
    /// stands for any.
    pub(super) fn is_at(&self, provider: &str, name: &str) -> bool {
        let is_provider = provider.eq_ignore_ascii_case("provider")
            || provider.eq_ignore_ascii_case(self.provider)
            || provider.eq_ignore_ascii_case(self.flag);
        let (set, key) = match name.split_once('/') {
            Some((set, key)) => (Some(set), key),
            None => (None, name),
        };
        let fold = provider::PROVIDERS.iter().find(|of| of.flag == self.flag);
        let folded = fold.map_or_else(|| key.to_owned(), |of| (of.rules.fold)(key));
        let is_of = |set: &str| self.set.as_deref() == Some(set);
        let is_named = folded == self.folded && set.is_none_or(is_of);
        is_provider && (is_named || is_of(name))
    }

    /// Whether it comes, or may come, from this Secret, and from this key of it.
    pub(super) fn is_from(&self, secret: &str, key: Option<&str>) -> bool {
        self.from.iter().any(|origin| {
            let is_key =
                |key: &str| origin.keys.is_empty() || origin.keys.iter().any(|of| of == key);
            origin.secret == secret && key.is_none_or(is_key)
        })
    }

    /// The origins as one word.
    pub(super) fn origin_word(&self) -> String {
        let texts: Vec<String> = self.from.iter().map(Origin::text).collect();
        texts.join(",")
    }
}

/// The records of an object.
pub(super) fn placements(object: &ProviderSecret, keys: &Keys) -> Vec<Placement> {
    let (namespace, name) = namespaced_name(object);
    let Some(choice) = object.spec.provider.choice() else {
        return Vec::new();
    };
    let status = object.status.as_ref();
    let scope = status.and_then(|status| status.scope.clone());
    let is_set = choice.image_pull_secret().is_none();
    let set = choice.set_name(&name).filter(|_| is_set).map(str::to_owned);
    let entries = status.into_iter().flat_map(|status| &status.entries);
    // A deletion is a step of the generation and no edit of the spec.
    let steps = i64::from(object.metadata.deletion_timestamp.is_some());
    let generation = object.metadata.generation.map(|now| now - steps);
    let is_acted_on =
        is_observed(object) || status.and_then(|status| status.observed_generation) == generation;
    // Without a trace of the edit it is not known when it was.
    let edited = edited(object).filter(|edited| Some(*edited) != created(object));
    let fold = provider::rules(choice.kind()).fold;
    // To an edit that only removes the API server gives no time, and to one that names an entry it does.
    let image_pull = object.spec.image_pull_secret(&name).map(|(set, _)| set);
    let is_named = |entry: &EntryStatus| {
        let mut named = object.spec.entries().iter();
        image_pull.is_some_and(|set| set == entry.name)
            || named.any(|named| fold(&named.name) == fold(&entry.name))
    };
    let may_be_older = |entry: &EntryStatus| {
        let written = entry.last_write_time.as_ref().map(|time| time.0);
        let was_sent = written.is_some() || entry.attempted.is_some();
        // One that began before the edit may end after it.
        let is_later = written.zip(edited).is_some_and(|(written, edited)| {
            entry.attempted.is_none() && written.duration_since(edited) > LONGEST_WRITE
        });
        let is_newer = is_later && !entry.leaving && is_named(entry);
        let is_of_the_spec = is_newer || (is_acted_on && is_acknowledged(entry));
        generation != Some(1) && was_sent && !is_of_the_spec
    };
    let placed = entries.map(|entry| {
        let mut from = origins(object, &entry.name, keys);
        // The recorded writers of a Secret need not be all: the keys tell an origin, and exclude none.
        for possible in origins(object, &entry.name, &Keys::new()) {
            if !from.iter().any(|told| told.secret == possible.secret) {
                from.push(possible);
            }
        }
        Placement {
            provider: choice.kind().as_str(),
            flag: choice.kind().flag(),
            endpoint: choice.endpoint().to_owned(),
            scope: scope.clone(),
            set: set.clone(),
            folded: fold(&entry.name),
            name: entry.name.clone(),
            state: entry.state,
            reason: entry.reason.clone(),
            may_be_older: may_be_older(entry),
            since: entry.last_write_time.as_ref().map(|time| time.0),
            namespace: namespace.clone(),
            object: name.clone(),
            from,
        }
    });
    placed.collect()
}
