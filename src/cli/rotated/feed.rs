//! Whether an object has acknowledged what a Secret feeds into it. Pure.
//!
//! What it rests on, in status: `sources[].resourceVersion` is the version that the entries were made from, and stays
//! the older one while a newer cannot be acted on; an entry is Synced when the provider has acknowledged the value of that
//! version; a provider that applies what it accepted keeps Ready False until it has.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    api::{Entry, EntryState, EntryStatus, ProviderSecret, Reason, SYNC_REQUESTED_AT},
    cli::{
        origin::Keys,
        output::some,
        placement::{MAY_BE_OLDER, placements},
        reasons,
        request::{last_request, token},
        view::{
            Standing, conditions, foreign_finalizers, is_acknowledged, is_observed, namespaced_name,
        },
    },
    provider,
};

/// What an object takes from the Secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Feed {
    pub(super) object: String,
    pub(super) provider: &'static str,
    /// `values`, `api-key`, or both; `former-values` where the spec names the Secret no longer, or never did.
    pub(super) r#use: &'static str,
    /// The names at the provider that it feeds.
    pub(super) entries: Vec<String>,
    /// Those of them that are not acknowledged.
    pub(super) pending: Vec<String>,
    #[serde(rename = "acknowledged", serialize_with = "as_bool")]
    pub(super) acknowledged: Acknowledged,
    /// Why it is not acknowledged.
    pub(super) because: String,
    #[serde(skip)]
    after_rotation: Option<&'static str>,
    /// The resourceVersion of the object that was looked at.
    #[serde(skip)]
    version: Option<String>,
    /// The last request for a sync of it.
    #[serde(skip)]
    last_request: Option<String>,
}

/// Whether everything is acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Acknowledged {
    /// In a version that the Secret has, or had since the command began.
    Yes,
    /// Not yet.
    No,
    /// The object is Ready, but for entries of other Secrets, and its status names an older version: either the change
    /// is on its way, or it left every value as it was.
    AtRest,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn as_bool<S: serde::Serializer>(of: &Acknowledged, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_bool(*of == Acknowledged::Yes)
}

impl Feed {
    /// A request for a sync of the object as it was looked at. Over a newer state, which may say what a request
    /// confirms (docs/reference.md#requests), the API server refuses it.
    pub(super) fn sync_patch(&self, now: Timestamp) -> Value {
        json!({"metadata": {
            "resourceVersion": self.version,
            "annotations": {SYNC_REQUESTED_AT: token(self.last_request.as_deref(), now)},
        }})
    }

    pub(super) fn is_acknowledged(&self) -> bool {
        self.acknowledged == Acknowledged::Yes
    }
}

/// What the providers of these objects need besides, before every consumer has the new value.
pub(super) fn besides(feeds: &[Feed]) -> Vec<&'static str> {
    let mut besides: Vec<&str> = feeds
        .iter()
        .filter_map(|feed| feed.after_rotation)
        .collect();
    besides.sort_unstable();
    besides.dedup();
    besides
}

/// What an object takes from a Secret that has this version; none if it takes nothing.
pub(super) fn of(object: &ProviderSecret, secret: &str, version: &str) -> Option<Feed> {
    let choice = object.spec.provider.choice();
    let is_key = choice.is_some_and(|choice| choice.api_key_secret_ref().name == secret);
    let is_source = object.spec.source_names().contains(&secret);
    let r#use = match (is_source, is_key) {
        (true, true) => "values+api-key",
        (true, false) => "values",
        (false, true) => "api-key",
        (false, false) => return None,
    };
    let fed = if is_source {
        fed(object, secret)
    } else {
        Vec::new()
    };
    let (_, name) = namespaced_name(object);
    let entries: Vec<String> = fed.iter().map(|fed| fed.name.clone()).collect();
    let open = fed.iter().filter(|fed| !fed.is_acknowledged());
    let pending: Vec<String> = open.map(|fed| fed.name.clone()).collect();
    let (acknowledged, because) = match unacknowledged(object, secret, version, &fed, is_key) {
        None => (Acknowledged::Yes, String::new()),
        Some((acknowledged, because)) => (acknowledged, because),
    };
    Some(Feed {
        object: name,
        provider: choice.map_or("", |choice| choice.kind().as_str()),
        r#use,
        pending: match acknowledged {
            Acknowledged::Yes => Vec::new(),
            // None of them is known to hold this version.
            _ if pending.is_empty() => entries.clone(),
            _ => pending,
        },
        entries,
        acknowledged,
        because,
        version: object.metadata.resource_version.clone(),
        last_request: last_request(object).map(str::to_owned),
        after_rotation: choice
            .filter(|_| is_source)
            .and_then(|choice| choice.kind().descriptor().after_rotation),
    })
}

/// What an object may hold of a Secret that its spec does not name: what was sent before the spec was edited, and is not
/// acknowledged since, may come from any Secret. None if the provider holds what the spec says.
pub(super) fn former(object: &ProviderSecret) -> Option<Feed> {
    if foreign_finalizers(object).is_some() {
        // The operator is done with it.
        return None;
    }
    let placed = placements(object, &Keys::new()).into_iter();
    let older = placed.filter(|placement| placement.may_be_older);
    let entries: Vec<String> = older.map(|placement| placement.name).collect();
    if entries.is_empty() {
        return None;
    }
    let (_, name) = namespaced_name(object);
    let choice = object.spec.provider.choice();
    Some(Feed {
        object: name,
        provider: choice.map_or("", |choice| choice.kind().as_str()),
        r#use: "former-values",
        because: format!("{} {MAY_BE_OLDER}", some(&entries)),
        pending: entries.clone(),
        entries,
        acknowledged: Acknowledged::No,
        version: object.metadata.resource_version.clone(),
        last_request: None,
        after_rotation: None,
    })
}

/// An entry that the Secret feeds, or may.
struct Fed<'a> {
    name: String,
    record: Option<&'a EntryStatus>,
}

impl Fed<'_> {
    fn is_acknowledged(&self) -> bool {
        self.record.is_some_and(is_acknowledged)
    }
}

/// The entries that a Secret feeds: those of `data` that name it, and, if `dataFrom` names it, every record of no entry
/// of `data`. It may be one too many, which is waited for in vain at most.
fn fed<'a>(object: &'a ProviderSecret, secret: &str) -> Vec<Fed<'a>> {
    let records = object
        .status
        .as_ref()
        .map_or(&[][..], |status| &status.entries);
    let (_, of) = namespaced_name(object);
    let fold = |name: &str| folded(object, name);
    let record = |name: &str| {
        records
            .iter()
            .find(|record| fold(&record.name) == fold(name))
    };
    if let Some((set, _)) = object.spec.image_pull_secret(&of) {
        let name = set.to_owned();
        return vec![Fed {
            record: record(&name),
            name,
        }];
    }
    let is_of_it = |entry: &&Entry| {
        entry
            .source()
            .is_some_and(|source| source.secret_name() == secret)
    };
    let explicit = object.spec.entries().iter();
    let mut all: Vec<Fed<'_>> = explicit
        .filter(is_of_it)
        .map(|entry| Fed {
            record: record(&entry.name),
            name: entry.name.clone(),
        })
        .collect();
    if takes_all(object, secret) {
        let named: Vec<String> = object
            .spec
            .entries()
            .iter()
            .map(|entry| fold(&entry.name))
            .collect();
        let bulk = records
            .iter()
            .filter(|record| !named.contains(&fold(&record.name)));
        all.extend(bulk.map(|record| Fed {
            name: record.name.clone(),
            record: Some(record),
        }));
    }
    all
}

/// Whether `dataFrom` names the Secret.
fn takes_all(object: &ProviderSecret, secret: &str) -> bool {
    let mut bulk = object.spec.bulk_sources().iter();
    bulk.any(|source| source.secret_ref.name == secret)
}

/// Why not everything is acknowledged; none if it is.
fn unacknowledged(
    object: &ProviderSecret,
    secret: &str,
    version: &str,
    fed: &[Fed<'_>],
    is_key: bool,
) -> Option<(Acknowledged, String)> {
    let no = |because: String| Some((Acknowledged::No, because));
    if object.metadata.deletion_timestamp.is_some() {
        return no("the object is being deleted".to_owned());
    }
    if !is_observed(object) {
        return no("the operator has not acted on the newest spec yet".to_owned());
    }
    let standing = Standing::of(object);
    let message = conditions(object)
        .first()
        .map(|first| first.message.clone());
    let said = format!("{}: {}", standing.reason, message.unwrap_or_default());
    let mut sources = object.status.iter().flat_map(|status| &status.sources);
    let acted = sources.find(|source| source.name == secret);
    let Some(acted) = acted.map(|source| &source.resource_version) else {
        return no(said);
    };
    let waits_for_others = || !is_key && is_of_others(object, secret);
    if acted != version {
        let is_resting =
            standing.is_ready() || (may_be_asked(&standing.reason) && waits_for_others());
        if is_resting && !object.spec.is_suspended() {
            let because = format!(
                "the operator has acted on version {acted}, and not yet on this one or it changed no value"
            );
            return Some((Acknowledged::AtRest, because));
        }
        return no(format!("the operator has acted on version {acted}; {said}"));
    }
    if let Some(open) = fed.iter().find(|fed| !fed.is_acknowledged()) {
        return no(match open.record {
            Some(record) if record.state == EntryState::Synced => format!(
                "an older value of {} may still be on its way to the provider; the new one is written once more within a minute",
                open.name
            ),
            Some(record) => {
                let reason = record.reason.as_deref().unwrap_or("Progressing");
                format!("{} is not written ({reason}); {said}", open.name)
            }
            None => format!("{} was never written; {said}", open.name),
        });
    }
    if standing.is_ready() || waits_for_others() {
        return None;
    }
    no(said)
}

/// Whether a sync may be requested of an object that is not Ready for this reason: the request confirms nothing
/// (docs/reference.md#requests), makes no call to an account that is held back, and finds an object of which something is
/// sent.
fn may_be_asked(reason: &str) -> bool {
    use Reason as R;
    reasons::reason(reason).is_some_and(|reason| {
        let is_confirmed = matches!(reason, R::AccountChanged | R::Contended | R::RemovalHeld);
        let waits_as_a_whole = matches!(
            reason,
            R::AwaitingApproval
                | R::InvalidSpec
                | R::TooManyEntries
                | R::CredentialNotFound
                | R::CredentialKeyMissing
                | R::CredentialInvalid
                | R::ProviderNotAllowed
        );
        !is_confirmed && !waits_as_a_whole && !reasons::is_of_account(reason)
    })
}

/// Whether it is for entries of other Secrets alone that an object is not Ready: then those of this one are
/// acknowledged each by itself. Of a set nothing is before the whole is; and of `dataFrom` a record may be of a key that has
/// gone.
fn is_of_others(object: &ProviderSecret, secret: &str) -> bool {
    let (_, name) = namespaced_name(object);
    let choice = object.spec.provider.choice();
    let is_set = choice.is_some_and(|choice| choice.set_name(&name).is_some());
    let records = object.status.iter().flat_map(|status| &status.entries);
    let mut unsynced = records.filter(|record| !is_acknowledged(record)).peekable();
    unsynced.peek().is_some()
        && !is_set
        && !takes_all(object, secret)
        && unsynced.all(|record| is_of_another(object, record, secret))
}

/// Whether a record is of an entry that another Secret feeds and that was never written. What was written once, or goes
/// away, may be an old value of this Secret: the entry took it from there before the spec changed.
fn is_of_another(object: &ProviderSecret, record: &EntryStatus, secret: &str) -> bool {
    let fold = |name: &str| folded(object, name);
    let mut entries = object.spec.entries().iter();
    let entry = entries.find(|entry| fold(&entry.name) == fold(&record.name));
    let source = entry.and_then(Entry::source);
    let is_written = record.last_write_time.is_some() || record.attempted.is_some();
    !is_written && !record.leaving && source.is_some_and(|source| source.secret_name() != secret)
}

/// A name as its provider compares names.
fn folded(object: &ProviderSecret, name: &str) -> String {
    match object.spec.provider.choice() {
        Some(choice) => (provider::rules(choice.kind()).fold)(name),
        None => name.to_owned(),
    }
}
