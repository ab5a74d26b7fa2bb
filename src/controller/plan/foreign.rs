//! What is at the provider under a name before its first write, and why it is left alone.

use super::{
    DesiredEntry, Inputs,
    locate::{other_form, other_kind},
    was_written,
};
use crate::{
    api::{ConflictPolicy, EntryStatus, Found, Reason},
    controller::error::Failure,
    provider::{Form, Remote, Rules, SetKeys, Unit},
};

/// What there was before the first write: what was recorded of it, else what is shown now. What was
/// absent when it was recorded, and is there now, is ours.
pub(crate) fn found(
    recorded: Option<&EntryStatus>,
    shown: Option<bool>,
    absent: Found,
) -> Option<Found> {
    let known = recorded.and_then(|recorded| recorded.found);
    if recorded.is_some_and(was_written) {
        return known;
    }
    match (known, shown) {
        (None | Some(Found::Foreign), Some(true)) => Some(Found::Foreign),
        (None | Some(Found::Foreign), Some(false)) => Some(absent),
        _ => known,
    }
}

/// Why a name that is there and was never ours is left alone.
pub(crate) fn foreign(
    entry: &DesiredEntry,
    recorded: Option<&EntryStatus>,
    found: Option<Found>,
    inputs: &Inputs<'_, '_>,
) -> Option<Failure> {
    let is_ours = recorded.is_some_and(was_written);
    if is_ours || inputs.conflict == ConflictPolicy::Overwrite {
        return None;
    }
    let provider = inputs.rules.kind;
    let is_foreign_set = match inputs.rules.unit {
        Unit::Each => found == Some(Found::Foreign),
        // A set of which nothing was written is another writer's as a whole.
        Unit::Set => {
            matches!(inputs.set_keys, Some(SetKeys::Shown(_) | SetKeys::NotShown))
                && !has_part(inputs)
        }
    };
    match inputs.set {
        Some((set, _)) if is_foreign_set => {
            let message = format!(
                "The set {set} exists at {provider} and was not written by this object. Give another setName, delete it there, or set conflictPolicy to Overwrite."
            );
            Some(Failure::config(Reason::Conflict, message))
        }
        _ => (found == Some(Found::Foreign)).then(|| name_conflict(&entry.name, inputs.rules)),
    }
}

/// A name that is another writer's.
pub(crate) fn name_conflict(name: &str, rules: &Rules) -> Failure {
    let message = format!(
        "{name} exists at {} and was not written by this object. Use another name, delete it there, or set conflictPolicy to Overwrite.",
        rules.kind
    );
    Failure::config(Reason::Conflict, message)
}

/// Whether anything of the set is ours.
fn has_part(inputs: &Inputs<'_, '_>) -> bool {
    inputs
        .recorded
        .iter()
        .any(|entry| was_written(entry) || entry.found == Some(Found::NoSet))
}

/// What the listing shows of the set.
pub(crate) fn shown_set<'o>(inputs: &Inputs<'_, 'o>) -> Option<&'o Remote> {
    let (name, _) = inputs.set?;
    inputs.snapshot?.named(name).next()
}

/// A set that is a reference, which no client of the provider writes.
pub(crate) fn referenced(set: &str, rules: &Rules) -> Failure {
    let provider = rules.kind;
    let message = format!(
        "The set {set} exists at {provider} as a reference to a store of your own (source: referenced). It is written there and not through {provider}, so this object neither writes nor deletes it. Give another setName, or remove this object."
    );
    Failure::config(Reason::Unsupported, message)
}

/// Why the set that is there cannot become what is wanted.
pub(crate) fn unfit(inputs: &Inputs<'_, '_>) -> Option<Failure> {
    let (name, region) = inputs.set?;
    let provider = inputs.rules.kind;
    let shown = shown_set(inputs);
    let is_reference = |set: &Remote| set.form == Some(Form::Reference);
    if inputs.set_keys == Some(&SetKeys::Referenced) || shown.is_some_and(is_reference) {
        return Some(referenced(name, inputs.rules));
    }
    let set = shown?;
    let message = if let Some(form) = other_form(set, inputs.rules) {
        return Some(other_kind(name, form, inputs.rules));
    } else if region.is_some_and(|wanted| set.region.as_deref().is_some_and(|is| is != wanted)) {
        format!(
            "The set {name} exists at {provider} in another region, and a region cannot change. Give another setName, or make the object anew with that region."
        )
    } else {
        return None;
    };
    Some(Failure::config(Reason::Conflict, message))
}
