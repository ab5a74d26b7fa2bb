//! The gate: whether a wake-up brings news. Pure. Without news, and before the next try is due, a
//! pass calls nothing and nobody.

use std::time::Duration;

use jiff::Timestamp;
use kube::ResourceExt;
use tokio::time::Instant;

use super::{plan::due, version};
use crate::api::{
    DELETION_OVERRIDE, EntryState, FLUX_REQUESTED_AT, ProviderSecret, READY, Reason,
    SYNC_REQUESTED_AT,
};

/// Of a longer request only so many characters count; status holds no more.
const LONGEST_REQUEST: usize = 1024;

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
    /// Compare what was written with the account's listing.
    Verify,
    /// A whole pass again, although nothing is new: what failed is tried once more.
    Retry,
    /// A whole pass, because there is news.
    Go,
}

/// What the memo holds for the decision; nothing of it survives a restart.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Remembered<'a> {
    /// What the last pass acted on.
    pub(super) acted: Option<&'a Acted>,
    /// When the next try is due.
    pub(super) next_try: Option<Instant>,
    /// Whether entries must be written because another object wrote them.
    pub(super) has_spoiled: bool,
    /// Whether it is time to look at the listing.
    pub(super) is_unverified: bool,
    /// Whether somebody asked for a pass.
    pub(super) is_requeued: bool,
}

/// Decides. `current` gives the version of a Secret, none if it does not exist.
pub(super) fn decide(
    object: &ProviderSecret,
    memo: Remembered<'_>,
    (now, clock): (Instant, Timestamp),
    current: impl Fn(&str) -> Option<String>,
) -> Decision {
    let Remembered {
        acted: remembered,
        next_try,
        ..
    } = memo;
    let recorded = recorded(object);
    let Some(acted) = remembered.or(recorded.as_ref()) else {
        return Decision::Go;
    };
    let must_write = !object.spec.is_suspended()
        && (memo.has_spoiled || (is_at_rest(object) && has_due(object, clock)));
    if has_news(object, acted, current) || memo.is_requeued || must_write {
        return Decision::Go;
    }
    let rest = if memo.is_unverified && is_at_rest(object) && !object.spec.is_suspended() {
        Decision::Verify
    } else {
        Decision::Rest
    };
    let is_settling = is_settling(object);
    let again = if is_settling {
        Decision::Settle
    } else {
        Decision::Retry
    };
    match (remembered, next_try) {
        (Some(_), Some(due)) if due > now => Decision::Later(due - now),
        // A predecessor's word that it writes may arrive after ours that there is nothing to do.
        (Some(_), None) if is_writing(object) => Decision::Go,
        (Some(_), None) => rest,
        (None, _) if is_at_rest(object) => rest,
        _ => again,
    }
}

/// Decides about an object that is deleted and waits for its cleanup.
pub(super) fn decide_deletion(
    object: &ProviderSecret,
    memo: Remembered<'_>,
    now: Instant,
    current: impl Fn(&str) -> Option<String>,
) -> Decision {
    let Some((acted, due)) = memo.acted.zip(memo.next_try) else {
        return Decision::Go;
    };
    let is_override = object.annotations().contains_key(DELETION_OVERRIDE);
    if is_override || memo.is_requeued || due <= now || has_news(object, acted, current) {
        Decision::Go
    } else {
        Decision::Later(due - now)
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
    let is_asked = !object.spec.is_suspended() && requested(object).is_some();
    if object.metadata.generation != Some(acted.generation) || is_asked {
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

/// The request for a sync that was not acted on yet. Of two annotations the later one in the order
/// of their texts counts, which for times is the later time.
pub(super) fn requested(object: &ProviderSecret) -> Option<String> {
    let annotations = object.annotations();
    let asked = [SYNC_REQUESTED_AT, FLUX_REQUESTED_AT]
        .into_iter()
        .filter_map(|key| annotations.get(key))
        .max()?;
    let asked: String = asked.chars().take(LONGEST_REQUEST).collect();
    let handled = object.status.as_ref();
    let handled = handled.and_then(|status| status.last_handled_sync_request.as_ref());
    (handled != Some(&asked)).then_some(asked)
}

/// Whether an entry is due to be written again.
pub(super) fn has_due(object: &ProviderSecret, clock: Timestamp) -> bool {
    let interval = object.spec.rewrite_interval();
    let entries = object.status.iter().flat_map(|status| &status.entries);
    entries
        .into_iter()
        .any(|entry| due(entry, interval, clock).is_some())
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
