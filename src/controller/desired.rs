//! What the spec and the Secrets ask for: names, values and options. Pure.

use std::collections::{BTreeMap, HashMap};

use base64::Engine as _;
use globset::{Glob, GlobSet, GlobSetBuilder};
use secrecy::SecretString;
use zeroize::Zeroizing;

use super::trouble::Trouble;
use crate::{
    api::{DataFromSource, Entry, NameTransform, ProviderSecretSpec, Reason},
    provider::{Options, Rules},
};

/// Entries an object may have at most; status must stay well below what etcd takes.
pub(super) const MAX_ENTRIES: usize = 500;
/// How large status may grow, in bytes. A property test holds the estimate against the real thing.
pub(super) const MAX_STATUS: usize = 256 * 1024;
/// What status holds of an entry besides its name, and of a Secret besides its name, at most.
const ENTRY_OVERHEAD: usize = 402;
const SOURCE_OVERHEAD: usize = 64;
/// What status holds besides entries and Secrets: conditions with their messages.
const STATUS_OVERHEAD: usize = 8 * 1024;
/// What PrimeIntellect takes of a file, in bytes of base64 (seed: 64KB base64 encoded).
const MAX_FILE: usize = 64 * 1024;

/// The data of one Secret, or why it could not be had. Values are erased when it is dropped.
pub(super) type SecretData = Result<BTreeMap<String, Zeroizing<Vec<u8>>>, Trouble>;
/// The Secrets that were read, by name.
pub(super) type Sources = HashMap<String, SecretData>;

/// One wanted entry.
pub(super) struct Desired {
    /// The name at the provider.
    pub(super) name: String,
    /// Its identity: two names with one folded form are one secret.
    pub(super) folded: String,
    /// The Secret that its value is made from.
    pub(super) source: String,
    /// The managed options.
    pub(super) options: Options,
    /// The value as it goes over the wire, or why there is none.
    pub(super) value: Result<SecretString, Trouble>,
}

/// Everything that is wanted.
pub(super) struct Wanted {
    /// The entries, sorted by name.
    pub(super) entries: Vec<Desired>,
    /// Why `dataFrom` sources could not be read. Which names they would give is not known, so the
    /// names that were recorded stay recorded.
    pub(super) unread: Vec<Trouble>,
}

/// Finds everything that is wanted.
///
/// # Errors
/// What makes the object as a whole unfit, before any write: too many entries, or two entries
/// that claim one name.
pub(super) fn desired(
    spec: &ProviderSecretSpec,
    sources: &Sources,
    rules: &Rules,
) -> Result<Wanted, Trouble> {
    let mut wanted: Vec<Desired> = spec
        .entries()
        .iter()
        .map(|entry| explicit(entry, sources, rules))
        .collect();
    refuse_collisions(&wanted, rules)?;
    let (mut bulk, mut unread) = (Vec::new(), Vec::new());
    for (index, source) in spec.bulk_sources().iter().enumerate() {
        let filter = KeyFilter::new(index, source)?;
        match sources.get(&source.secret_ref.name) {
            Some(Ok(data)) => bulk.extend(from_source(source, &filter, data, rules)),
            Some(Err(trouble)) => unread.push(trouble.clone()),
            None => unread.push(missing(&source.secret_ref.name)),
        }
    }
    // An explicit entry wins over a bulk one.
    bulk.retain(|entry: &Desired| {
        wanted
            .iter()
            .all(|explicit| explicit.folded != entry.folded)
    });
    refuse_collisions(&bulk, rules)?;
    wanted.append(&mut bulk);
    refuse_too_many(spec, &wanted)?;
    wanted.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(Wanted {
        entries: wanted,
        unread,
    })
}

fn refuse_too_many(spec: &ProviderSecretSpec, wanted: &[Desired]) -> Result<(), Trouble> {
    let advice = "Split the object into several.";
    if wanted.len() > MAX_ENTRIES {
        let message = format!(
            "The object asks for {} entries, and {MAX_ENTRIES} is the most. {advice}",
            wanted.len()
        );
        return Err(Trouble::config(Reason::TooManyEntries, message));
    }
    let entries: usize = wanted
        .iter()
        .map(|entry| entry.name.len() + ENTRY_OVERHEAD)
        .sum();
    let sources: usize = spec
        .secret_names()
        .iter()
        .map(|name| name.len() + SOURCE_OVERHEAD)
        .sum();
    if entries + sources + STATUS_OVERHEAD > MAX_STATUS {
        let message = format!(
            "The names of the object's entries and Secrets are too long for its status. {advice}"
        );
        return Err(Trouble::config(Reason::TooManyEntries, message));
    }
    Ok(())
}

fn explicit(entry: &Entry, sources: &Sources, rules: &Rules) -> Desired {
    let options = Options {
        braintrust: entry.braintrust.clone().unwrap_or_default(),
        prime_intellect: entry.prime_intellect.clone().unwrap_or_default(),
    };
    let reference = &entry.secret_key_ref;
    let bytes = match sources.get(&reference.name) {
        Some(Ok(data)) => data.get(&reference.key).ok_or_else(|| {
            Trouble::waiting(
                Reason::KeyNotFound,
                format!(
                    "Secret {} has no key {}. Entry {} waits for it.",
                    reference.name, reference.key, entry.name
                ),
            )
        }),
        Some(Err(trouble)) => Err(trouble.clone()),
        None => Err(missing(&reference.name)),
    };
    let value = bytes.and_then(|bytes| wire_value(&entry.name, bytes, &options, rules));
    Desired {
        folded: (rules.fold)(&entry.name),
        name: entry.name.clone(),
        source: reference.name.clone(),
        options,
        value,
    }
}

fn from_source(
    source: &DataFromSource,
    filter: &KeyFilter,
    data: &BTreeMap<String, Zeroizing<Vec<u8>>>,
    rules: &Rules,
) -> Vec<Desired> {
    data.iter()
        .filter(|(key, _)| filter.takes(key))
        .map(|(key, bytes)| {
            let name = bulk_name(key, source);
            let options = Options::default();
            let value = wire_value(&name, bytes, &options, rules);
            Desired {
                folded: (rules.fold)(&name),
                name,
                source: source.secret_ref.name.clone(),
                options,
                value,
            }
        })
        .collect()
}

/// `include` and `exclude` of a source.
struct KeyFilter {
    include: Option<GlobSet>,
    exclude: Option<GlobSet>,
}

impl KeyFilter {
    fn new(index: usize, source: &DataFromSource) -> Result<Self, Trouble> {
        let field = format!("spec.dataFrom[{index}]");
        Ok(Self {
            include: globs(source.include.as_deref(), &format!("{field}.include"))?,
            exclude: globs(source.exclude.as_deref(), &format!("{field}.exclude"))?,
        })
    }

    fn takes(&self, key: &str) -> bool {
        self.include
            .as_ref()
            .is_none_or(|globs| globs.is_match(key))
            && !self
                .exclude
                .as_ref()
                .is_some_and(|globs| globs.is_match(key))
    }
}

fn globs(patterns: Option<&[String]>, field: &str) -> Result<Option<GlobSet>, Trouble> {
    let Some(patterns) = patterns else {
        return Ok(None);
    };
    let mut set = GlobSetBuilder::new();
    for (index, pattern) in patterns.iter().enumerate() {
        let glob = Glob::new(pattern).map_err(|_| not_a_pattern(&format!("{field}[{index}]")))?;
        set.add(glob);
    }
    set.build().map(Some).map_err(|_| not_a_pattern(field))
}

fn not_a_pattern(field: &str) -> Trouble {
    Trouble::config(
        Reason::InvalidSpec,
        format!("{field} is not a pattern. Close every bracket, as in *_KEY or [ab]*."),
    )
}

/// The name of a bulk entry: transform, then prefix.
fn bulk_name(key: &str, source: &DataFromSource) -> String {
    let name = match source.name_transform {
        Some(NameTransform::UpperSnake) => upper_snake(key),
        None => key.to_owned(),
    };
    format!("{}{name}", source.prefix.as_deref().unwrap_or_default())
}

fn upper_snake(key: &str) -> String {
    let mut name = String::with_capacity(key.len() + 4);
    let mut last = None;
    for letter in key.chars() {
        let is_joint = |last: char| last.is_ascii_lowercase() || last.is_ascii_digit();
        if letter.is_ascii_uppercase() && last.is_some_and(is_joint) {
            name.push('_');
        }
        name.push(if matches!(letter, '-' | '.') {
            '_'
        } else {
            letter.to_ascii_uppercase()
        });
        last = Some(letter);
    }
    name
}

/// The value as it goes over the wire, if the provider takes it under this name.
fn wire_value(
    name: &str,
    bytes: &[u8],
    options: &Options,
    rules: &Rules,
) -> Result<SecretString, Trouble> {
    let provider = rules.kind;
    (rules.check_name)(name).map_err(|reason| {
        Trouble::config(
            reason,
            format!("{provider} does not take the name {name}. Choose another name."),
        )
    })?;
    if bytes.is_empty() {
        let message =
            format!("The value of entry {name} is empty, which {provider} does not take.");
        return Err(Trouble::config(Reason::EmptyValue, message));
    }
    if options.is_file() {
        let encoded = base64::engine::general_purpose::STANDARD.encode(bytes);
        if encoded.len() > MAX_FILE {
            let message = format!(
                "The file of entry {name} is larger than 64 KB in base64, which is the most {provider} takes."
            );
            return Err(Trouble::config(Reason::ValueTooLarge, message));
        }
        return Ok(SecretString::from(encoded));
    }
    let text = std::str::from_utf8(bytes).map_err(|_| {
        let message =
            format!("The value of entry {name} is not UTF-8 text, and {provider} takes text only.");
        Trouble::config(Reason::InvalidEncoding, message)
    })?;
    Ok(SecretString::from(text))
}

fn refuse_collisions(entries: &[Desired], rules: &Rules) -> Result<(), Trouble> {
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
            return Err(Trouble::config(Reason::Conflict, message));
        }
    }
    Ok(())
}

/// A Secret that does not exist.
pub(super) fn missing(secret: &str) -> Trouble {
    Trouble::waiting(
        Reason::SecretNotFound,
        format!("Secret {secret} does not exist. It is used as soon as it does."),
    )
}

#[cfg(test)]
mod tests;
