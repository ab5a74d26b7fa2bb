//! The plan: a pure function from what is wanted, recorded and observed to what is done.

use std::collections::{BTreeMap, HashSet};

use super::{desired::Desired, trouble::Trouble};
use crate::{
    api::{EntryState, EntryStatus, Reason},
    provider::{Form, ListingNeed, Remote, Rules, Unit},
};

/// What is done about one wanted entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// The provider holds it.
    Keep,
    /// It is written for the first time: the provider is not known to have it.
    Create,
    /// It is written again, to the secret with this id where ids are known.
    Update(Option<String>),
    /// It cannot be written.
    Refuse(Trouble),
}

/// One entry of the plan, in the order of the wanted entries.
#[derive(Debug)]
pub(super) struct Planned {
    pub(super) change: Change,
    /// The digest of the wanted value, where there is a value.
    pub(super) digest: Option<String>,
    /// What was recorded of the entry.
    pub(super) recorded: Option<EntryStatus>,
}

/// What the plan is made from, besides the wanted entries.
pub(super) struct Inputs<'a> {
    /// `status.entries`.
    pub(super) recorded: &'a [EntryStatus],
    /// The account's listing, where it was needed.
    pub(super) observed: Option<&'a [Remote]>,
    /// The rules of the provider.
    pub(super) rules: &'a Rules,
    /// The set that all entries belong to, and its region if the spec names one.
    pub(super) set: Option<(&'a str, Option<&'a str>)>,
}

/// Makes the plan. `digest` gives the digest of a wanted entry, where it has a value.
pub(super) fn plan(
    desired: &[Desired],
    inputs: &Inputs<'_>,
    digest: impl Fn(&Desired) -> Option<String>,
) -> Vec<Planned> {
    let rules = inputs.rules;
    let recorded: BTreeMap<String, &EntryStatus> = inputs
        .recorded
        .iter()
        .map(|entry| ((rules.fold)(&entry.name), entry))
        .collect();
    desired
        .iter()
        .map(|entry| {
            let recorded = recorded.get(&entry.folded).copied();
            let digest = digest(entry);
            let change = change(entry, digest.as_deref(), recorded, inputs);
            Planned {
                change,
                digest,
                recorded: recorded.cloned(),
            }
        })
        .collect()
}

fn change(
    entry: &Desired,
    digest: Option<&str>,
    recorded: Option<&EntryStatus>,
    inputs: &Inputs<'_>,
) -> Change {
    if let Err(trouble) = &entry.value {
        return Change::Refuse(trouble.clone());
    }
    // Pending means that nobody knows what the provider holds: it is never kept.
    let is_held = recorded.is_some_and(|recorded| {
        recorded.state != EntryState::Pending
            && recorded.digest.is_some()
            && recorded.digest.as_deref() == digest
    });
    if is_held {
        return Change::Keep;
    }
    match inputs.rules.unit {
        Unit::Each => each(entry, recorded, inputs),
        Unit::Set => member(recorded, inputs),
    }
}

fn each(entry: &Desired, recorded: Option<&EntryStatus>, inputs: &Inputs<'_>) -> Change {
    let found = match locate(entry, inputs.observed.unwrap_or_default(), inputs.rules) {
        Ok(found) => found,
        Err(trouble) => return Change::Refuse(trouble),
    };
    let id = match inputs.observed {
        // What is there now is better known than what was.
        Some(_) => found.and_then(|remote| remote.id.clone()),
        None => recorded.and_then(|recorded| recorded.remote_id.clone()),
    };
    if id.is_some() || found.is_some() || recorded.is_some_and(was_written) {
        Change::Update(id)
    } else {
        Change::Create
    }
}

/// Finds an entry in a listing; none if it is not there.
///
/// # Errors
/// When the provider shows several of the name, or one that cannot become what is wanted.
pub(super) fn locate<'a>(
    entry: &Desired,
    remotes: &'a [Remote],
    rules: &Rules,
) -> Result<Option<&'a Remote>, Trouble> {
    let provider = rules.kind;
    let mut same_name = remotes
        .iter()
        .filter(|remote| (rules.fold)(&remote.name) == entry.folded);
    let Some(found) = same_name.next() else {
        return Ok(None);
    };
    if same_name.next().is_some() {
        let message = format!(
            "{provider} shows several secrets named {}. Delete all but one there.",
            entry.name
        );
        return Err(Trouble::config(Reason::Ambiguous, message));
    }
    if found.form.is_some_and(|form| form != entry.options.form()) {
        let is = if entry.options.is_file() {
            "not a file"
        } else {
            "a file"
        };
        let message = format!(
            "The secret {} exists at {provider} and is {is}, which cannot change. Use another name or delete it there.",
            entry.name
        );
        return Err(Trouble::config(Reason::Unsupported, message));
    }
    Ok(Some(found))
}

fn member(recorded: Option<&EntryStatus>, inputs: &Inputs<'_>) -> Change {
    let Some((name, region)) = inputs.set else {
        return Change::Create;
    };
    let provider = inputs.rules.kind;
    let found = inputs
        .observed
        .unwrap_or_default()
        .iter()
        .find(|remote| remote.name == name);
    if found.is_some_and(|set| set.form == Some(Form::ImagePull)) {
        let message = format!(
            "The set {name} exists at {provider} as an image pull secret. Give another setName."
        );
        return Change::Refuse(Trouble::config(Reason::Conflict, message));
    }
    let is_elsewhere = |set: &Remote| {
        region.is_some_and(|wanted| set.region.as_deref().is_some_and(|is| is != wanted))
    };
    if found.is_some_and(is_elsewhere) {
        let message = format!(
            "The set {name} exists at {provider} in another region, and a region cannot change. Give another setName, or make the object anew with that region."
        );
        return Change::Refuse(Trouble::config(Reason::Conflict, message));
    }
    if recorded.is_some_and(was_written) {
        Change::Update(None)
    } else {
        Change::Create
    }
}

fn was_written(recorded: &EntryStatus) -> bool {
    recorded.last_write_time.is_some()
}

impl Change {
    /// Whether something is sent.
    pub(super) fn is_write(&self) -> bool {
        matches!(self, Self::Create | Self::Update(_))
    }
}

/// Whether the account's listing must be had before the plan is carried out.
pub(super) fn needs_listing(planned: &[Planned], rules: &Rules) -> bool {
    let is_first = |planned: &Planned| match rules.unit {
        Unit::Each => matches!(planned.change, Change::Create | Change::Update(None)),
        Unit::Set => planned.change == Change::Create,
    };
    match (rules.listing, rules.unit) {
        (ListingNeed::Never, _) => false,
        (_, Unit::Each) => planned.iter().any(is_first),
        // A set of which anything was written before is ours.
        (_, Unit::Set) => {
            planned.iter().any(is_first)
                && !planned
                    .iter()
                    .any(|planned| planned.recorded.as_ref().is_some_and(was_written))
        }
    }
}

/// What is recorded and not wanted.
pub(super) fn unwanted<'a>(
    desired: &[Desired],
    recorded: &'a [EntryStatus],
    rules: &Rules,
) -> Vec<&'a EntryStatus> {
    let wanted: HashSet<&str> = desired.iter().map(|entry| entry.folded.as_str()).collect();
    recorded
        .iter()
        .filter(|entry| !wanted.contains((rules.fold)(&entry.name).as_str()))
        .collect()
}

#[cfg(test)]
mod tests;
