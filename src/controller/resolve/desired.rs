//! What the spec and the Secrets ask for: names, values and options. Pure.

mod image_pull;
mod keys;
mod registry;
mod tally;
mod value;

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use zeroize::Zeroizing;

use self::{
    image_pull::image_pull,
    tally::Tally,
    value::{Bytes, ensure_fit_name, value_of, wire_value},
};
pub(crate) use self::{
    keys::{KeyFilter, bulk_name, may_give},
    tally::MOST_VALUES,
};
use crate::{
    api::{
        DataFromSource, Entry, EntryState, EntryStatus, MAX_RECORDS, ProviderSecretSpec, Reason,
    },
    controller::{
        error::Failure,
        object::Versions,
        plan::{BulkKey, DesiredEntry, Marks},
    },
    provider::{Options, Rules},
    template::Renderer,
};

/// Entries an object may have at most; status must stay well below what etcd takes.
pub(crate) const MAX_ENTRIES: usize = 500;
/// How large status may grow, in bytes; twice that while as many entries are to go. A property test holds the estimate
/// against the real thing.
pub(crate) const MAX_STATUS: usize = 302 * 1024;
/// What status holds of an entry besides its name, and of a Secret besides its name, at most.
const ENTRY_OVERHEAD: usize = 460;
const SOURCE_OVERHEAD: usize = 64;
/// How many patterns of a source a message shows.
const SHOWN_PATTERNS: usize = 3;
/// What to do about an object that asks for too much.
const SPLIT: &str = "Split the object into several.";
/// What status holds besides entries and Secrets: conditions with their messages, and a plan.
const STATUS_OVERHEAD: usize = 32 * 1024;

/// The data of one Secret, or why it could not be had. Values are erased when it is dropped.
pub(crate) type SecretData = Result<Arc<BTreeMap<String, Zeroizing<Vec<u8>>>>, Failure>;
/// The Secrets that were read, by name.
pub(crate) type Sources = HashMap<String, SecretData>;

/// Everything that an object asks for.
pub(crate) struct DesiredState {
    /// The entries, sorted by name.
    pub(crate) entries: Vec<DesiredEntry>,
    /// Why `dataFrom` sources could not be read, or give nothing, by their place in the list. Which names
    /// they would give is not known, so the names that they may give or may have given stay recorded.
    pub(crate) unread: BTreeMap<usize, Failure>,
}

/// Finds everything that an object asks for, in a process that does so for one object at a time.
///
/// # Errors
/// As [`desired_state_within`], and none that is passing.
pub(crate) fn desired_state(
    spec: &ProviderSecretSpec,
    object: &str,
    sources: &Sources,
    rules: &Rules,
) -> Result<DesiredState, Failure> {
    desired_state_within(spec, object, sources, rules, &mut |_| true)
}

/// Finds everything that an object asks for. `object` is the name of the ProviderSecret. Before a value is
/// copied, `has_room` is asked whether there is room in memory for so many bytes of values in all.
///
/// # Errors
/// What makes the object as a whole unfit, before any write: no entry at all, too many, or two
/// that claim one name. A passing failure where there is no room.
pub(crate) fn desired_state_within(
    spec: &ProviderSecretSpec,
    object: &str,
    sources: &Sources,
    rules: &Rules,
    has_room: &mut dyn FnMut(usize) -> bool,
) -> Result<DesiredState, Failure> {
    if let Some((set, secret)) = spec.image_pull_secret(object) {
        let entry = image_pull(set, secret, sources, rules);
        return Ok(DesiredState {
            entries: vec![entry],
            unread: BTreeMap::new(),
        });
    }
    let (renderer, mut tally) = (Renderer::new(), Tally::new(has_room));
    let mut desired = Vec::with_capacity(spec.entries().len());
    for entry in spec.entries() {
        desired.push(explicit(entry, sources, &renderer, rules, &mut tally));
        tally.ensure_room()?;
    }
    refuse_collisions(&desired, rules)?;
    let (mut bulk, mut unread) = (Vec::new(), BTreeMap::new());
    for (index, source) in spec.bulk_sources().iter().enumerate() {
        let filter = KeyFilter::new(index, source)?;
        match sources.get(&source.secret_ref.name) {
            Some(Ok(data)) => {
                let taken: Vec<_> = data.iter().filter(|(key, _)| filter.takes(key)).collect();
                if taken.is_empty() {
                    unread.insert(index, nothing_taken(source));
                }
                // Before an entry is made of each: a Secret may hold very many keys.
                if bulk.len() + taken.len() > MAX_ENTRIES {
                    return Err(too_many_taken());
                }
                for (key, bytes) in taken {
                    bulk.push(bulk_entry((index, source), key, bytes, rules, &mut tally));
                    tally.ensure_room()?;
                }
            }
            Some(Err(failure)) => {
                unread.insert(index, failure.clone());
            }
            None => {
                unread.insert(index, missing(&source.secret_ref.name));
            }
        }
    }
    // An explicit entry wins over a bulk one.
    bulk.retain(|entry: &DesiredEntry| {
        desired
            .iter()
            .all(|explicit| explicit.folded != entry.folded)
    });
    refuse_collisions(&bulk, rules)?;
    desired.append(&mut bulk);
    if desired.is_empty() && unread.is_empty() {
        return Err(nothing_named());
    }
    refuse_too_many(spec, &desired)?;
    desired.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(DesiredState {
        entries: desired,
        unread,
    })
}

/// A spec with empty lists, as an empty loop of a Helm chart leaves it: no user means that everything goes.
fn nothing_named() -> Failure {
    let message = "The spec names nothing to send: data and dataFrom are empty. Nothing is deleted for that. Name entries, or delete the object.";
    Failure::config(Reason::InvalidSpec, message)
}

/// More keys than an object may have entries, however many explicit entries take their names.
fn too_many_taken() -> Failure {
    let message = format!(
        "The dataFrom sources of the object give more than {MAX_ENTRIES} entries, and {MAX_ENTRIES} is the most. {SPLIT}"
    );
    Failure::config(Reason::TooManyEntries, message)
}

fn refuse_too_many(spec: &ProviderSecretSpec, desired: &[DesiredEntry]) -> Result<(), Failure> {
    if desired.len() > MAX_ENTRIES {
        let message = format!(
            "The object asks for {} entries, and {MAX_ENTRIES} is the most. {SPLIT}",
            desired.len()
        );
        return Err(Failure::config(Reason::TooManyEntries, message));
    }
    if status_size(spec, desired.iter().map(|entry| entry.name.as_str())) > MAX_STATUS {
        let message = format!(
            "The names of the object's entries and Secrets are too long for its status. {SPLIT}"
        );
        return Err(Failure::config(Reason::TooManyEntries, message));
    }
    Ok(())
}

/// How large status may become with entries of these names, in bytes.
fn status_size<'n>(spec: &ProviderSecretSpec, names: impl Iterator<Item = &'n str>) -> usize {
    let entries: usize = names.map(|name| name.len() + ENTRY_OVERHEAD).sum();
    let sources = spec.secret_names();
    let sources = sources.iter().map(|name| name.len() + SOURCE_OVERHEAD);
    entries + sources.sum::<usize>() + STATUS_OVERHEAD
}

/// Refuses what status has no room for, because other entries are not gone yet: each name is recorded before it is
/// written, and until it is gone.
pub(crate) fn ensure_recordable(
    spec: &ProviderSecretSpec,
    desired: &[DesiredEntry],
    others: &[&EntryStatus],
) -> Result<(), Failure> {
    let names = desired.iter().map(|entry| entry.name.as_str());
    let names = names.chain(others.iter().map(|other| other.name.as_str()));
    let count = desired.len() + others.len();
    if count <= MAX_RECORDS && status_size(spec, names) <= 2 * MAX_STATUS {
        return Ok(());
    }
    let message = format!(
        "The object asks for {} entries, and {} others are not gone yet. Its status holds {MAX_RECORDS} together, or fewer with long names. Nothing is written or deleted. Change the names in steps: put a part of the former ones back, and change it when the others are gone.",
        desired.len(),
        others.len()
    );
    Err(Failure::config(Reason::TooManyEntries, message))
}

fn explicit(
    entry: &Entry,
    sources: &Sources,
    renderer: &Renderer,
    rules: &Rules,
    tally: &mut Tally<'_>,
) -> DesiredEntry {
    let options = entry.options();
    let name = entry.name.clone();
    let Some(source) = entry.source() else {
        let message =
            format!("Give entry {name} either secretKeyRef, or template together with secretRef.");
        let value = Err(Failure::config(Reason::InvalidSpec, message));
        return desired_entry(name, "", options, value, rules, tally);
    };
    let secret = source.secret_name();
    let data = match sources.get(secret) {
        Some(Ok(data)) => Ok(&**data),
        Some(Err(failure)) => Err(failure.clone()),
        None => Err(missing(secret)),
    };
    let value = value_of(&name, source, renderer, data);
    desired_entry(name, secret, options, value, rules, tally)
}

fn bulk_entry(
    (index, source): (usize, &DataFromSource),
    key: &str,
    bytes: &[u8],
    rules: &Rules,
    tally: &mut Tally<'_>,
) -> DesiredEntry {
    let (name, secret) = (bulk_name(key, source), &source.secret_ref.name);
    let value = Ok(Bytes::Held(bytes));
    let bulk = BulkKey {
        source: index,
        key: key.to_owned(),
    };
    DesiredEntry {
        bulk: Some(bulk),
        ..desired_entry(name, secret, Options::default(), value, rules, tally)
    }
}

fn desired_entry(
    name: String,
    secret: &str,
    options: Options,
    bytes: Result<Bytes<'_>, Failure>,
    rules: &Rules,
    tally: &mut Tally<'_>,
) -> DesiredEntry {
    let marks = match &bytes {
        // They are part of a file.
        Ok(bytes) if !rules.is_file(&options) => bytes.marks(),
        _ => Marks::default(),
    };
    // The name first: no Secret mends it.
    let value = ensure_fit_name(&name, rules)
        .and(bytes)
        .and_then(|bytes| wire_value(&name, bytes.as_slice(), &options, rules, tally));
    DesiredEntry {
        folded: (rules.fold)(&name),
        name,
        options,
        value,
        secret: secret.to_owned(),
        bulk: None,
        marks,
    }
}

fn refuse_collisions(entries: &[DesiredEntry], rules: &Rules) -> Result<(), Failure> {
    let mut seen: HashMap<&str, &str> = HashMap::new();
    for entry in entries {
        if let Some(other) = seen.insert(&entry.folded, &entry.name) {
            let message = if other == entry.name {
                format!(
                    "Two sources give the name {other}. Nothing is written until one is renamed or excluded."
                )
            } else {
                format!(
                    "{} takes {other} and {} for one name. Nothing is written until one is renamed or excluded.",
                    rules.kind, entry.name
                )
            };
            return Err(Failure::config(Reason::Conflict, message));
        }
    }
    Ok(())
}

/// Whether a bulk source of the spec could give a name, if its Secret held the right key.
pub(crate) fn may_come_from_a_source(spec: &ProviderSecretSpec, name: &str) -> bool {
    let mut sources = spec.bulk_sources().iter().enumerate();
    sources.any(|(index, source)| may_give(name, index, source))
}

/// Whether a source that cannot be read may ask for an entry that is recorded, or may have given it. What is synced was
/// made from the Secrets that are `recorded`, and from no other.
pub(crate) fn may_await(
    record: &EntryStatus,
    index: usize,
    source: &DataFromSource,
    recorded: &Versions,
) -> bool {
    let secret = &source.secret_ref.name;
    record.state != EntryState::Synced
        || recorded.iter().any(|(name, _)| name == secret)
        || may_give(&record.name, index, source)
}

/// A source of which no key is taken: an owner who empties a Secret, or mistypes a pattern, seldom
/// means that nothing is wanted.
fn nothing_taken(source: &DataFromSource) -> Failure {
    let secret = &source.secret_ref.name;
    let patterns = |field, patterns: &Option<Vec<String>>| {
        let patterns = patterns.as_ref()?;
        let more = if patterns.len() > SHOWN_PATTERNS {
            ", …"
        } else {
            ""
        };
        let shown: Vec<&str> = patterns
            .iter()
            .take(SHOWN_PATTERNS)
            .map(String::as_str)
            .collect();
        Some(format!("{field} [{}{more}]", shown.join(", ")))
    };
    let filters = [
        patterns("include", &source.include),
        patterns("exclude", &source.exclude),
    ];
    let filters: Vec<String> = filters.into_iter().flatten().collect();
    let what = if filters.is_empty() {
        format!("Secret {secret} holds no keys.")
    } else {
        format!(
            "No key of Secret {secret} is taken by {}.",
            filters.join(" and ")
        )
    };
    let message = format!(
        "{what} It is used as soon as it gives an entry; what was made from it stays at the provider. To have that deleted, remove it from dataFrom."
    );
    Failure::waiting(Reason::KeyNotFound, message)
}

/// What is known of the Secrets of an object before any is read: that of its API key is no source.
pub(crate) fn unread_sources(spec: &ProviderSecretSpec) -> Sources {
    let choice = spec.provider.choice();
    let key = choice.map(|choice| choice.api_key_secret_ref().name.clone());
    let refused = |name: String| (name.clone(), Err(own_api_key(&name)));
    key.into_iter().map(refused).collect()
}

/// The Secret of the object's own API key, named as a source.
pub(crate) fn own_api_key(secret: &str) -> Failure {
    let message = format!(
        "Secret {secret} holds the API key of this object and is not sent to the provider. Keep the values in another Secret."
    );
    Failure::config(Reason::SourceRefused, message)
}

/// A Secret that does not exist.
pub(crate) fn missing(secret: &str) -> Failure {
    Failure::waiting(
        Reason::SecretNotFound,
        format!("Secret {secret} does not exist. It is used as soon as it does."),
    )
}

#[cfg(test)]
mod tests;
