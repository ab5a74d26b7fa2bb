//! The gate: whether a wake-up brings news. Pure. Without news, and before the next try is due, a
//! pass calls nothing and nobody.

use std::time::Duration;

use tokio::time::Instant;

use super::version;
use crate::api::{EntryState, ProviderSecret, READY, Reason};

/// What a pass acted on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Acted {
    /// The generation of the spec.
    pub(super) generation: i64,
    /// The Secrets that were read and their versions, sorted by name.
    pub(super) sources: Vec<(String, String)>,
}

/// What to do with a wake-up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    /// Nothing to do and nothing to wait for.
    Rest,
    /// Nothing to do before this has passed.
    Later(Duration),
    /// Ask the provider whether it has finished what it accepted.
    Settle,
    /// A whole pass.
    Go,
}

/// Decides. `remembered` and `next_try` come from the memo and are absent after a restart;
/// `current` gives the version of a Secret, none if it does not exist.
pub(super) fn decide(
    object: &ProviderSecret,
    remembered: Option<&Acted>,
    next_try: Option<Instant>,
    now: Instant,
    current: impl Fn(&str) -> Option<String>,
) -> Decision {
    let recorded = recorded(object);
    let Some(acted) = remembered.or(recorded.as_ref()) else {
        return Decision::Go;
    };
    if has_news(object, acted, current) {
        return Decision::Go;
    }
    let is_settling = is_settling(object);
    let again = if is_settling {
        Decision::Settle
    } else {
        Decision::Go
    };
    match (remembered, next_try) {
        (Some(_), Some(due)) if due > now => Decision::Later(due - now),
        // A predecessor's word that it writes may arrive after ours that there is nothing to do.
        (Some(_), None) if is_writing(object) => Decision::Go,
        (Some(_), None) => Decision::Rest,
        (None, _) if is_at_rest(object) => Decision::Rest,
        _ => again,
    }
}

/// Whether status alone tells all that was acted on, and the object is at rest: then nothing need be
/// remembered of it.
pub(super) fn is_told_by_status(object: &ProviderSecret, acted: &Acted) -> bool {
    is_at_rest(object) && recorded(object).as_ref() == Some(acted)
}

/// What status says was acted on.
fn recorded(object: &ProviderSecret) -> Option<Acted> {
    let status = object.status.as_ref()?;
    let sources = status
        .sources
        .iter()
        .map(|source| (source.name.clone(), source.resource_version.clone()));
    Some(Acted {
        generation: status.observed_generation?,
        sources: sources.collect(),
    })
}

fn has_news(
    object: &ProviderSecret,
    acted: &Acted,
    current: impl Fn(&str) -> Option<String>,
) -> bool {
    if object.metadata.generation != Some(acted.generation) {
        return true;
    }
    object.spec.secret_names().into_iter().any(|name| {
        let known = acted
            .sources
            .iter()
            .find(|(of, _)| of == name)
            .map(|(_, version)| version.as_str());
        match (known, current(name)) {
            (Some(known), Some(seen)) => version::is_newer(&seen, known),
            (None, None) => false,
            (Some(_), None) | (None, Some(_)) => true,
        }
    })
}

fn ready_reason(object: &ProviderSecret) -> Option<(&str, &str)> {
    let conditions = &object.status.as_ref()?.conditions;
    let ready = conditions
        .iter()
        .find(|condition| condition.r#type == READY)?;
    Some((ready.status.as_str(), ready.reason.as_str()))
}

fn is_at_rest(object: &ProviderSecret) -> bool {
    let suspended = Reason::Suspended.as_str();
    match ready_reason(object) {
        Some((_, reason)) if object.spec.is_suspended() => reason == suspended,
        Some((status, reason)) => status == "True" && reason != suspended,
        None => false,
    }
}

/// Whether everything was accepted and the provider had not finished. While entries are written the
/// reason is the same, and they are Pending.
fn is_settling(object: &ProviderSecret) -> bool {
    is_progressing(object) && all_synced(object)
}

/// Whether entries are being written, and nobody has said yet what came of it.
fn is_writing(object: &ProviderSecret) -> bool {
    is_progressing(object) && !all_synced(object)
}

fn is_progressing(object: &ProviderSecret) -> bool {
    !object.spec.is_suspended()
        && ready_reason(object) == Some(("False", Reason::Progressing.as_str()))
}

fn all_synced(object: &ProviderSecret) -> bool {
    let mut entries = object.status.iter().flat_map(|status| &status.entries);
    entries.all(|entry| entry.state == EntryState::Synced)
}

#[cfg(test)]
mod tests;
