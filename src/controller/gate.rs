//! The gate: whether there is news of an object. Pure. Without news, and before the next try is due,
//! a reconcile makes no call.

use std::time::Duration;

use jiff::Timestamp;
use kube::ResourceExt;
use tokio::time::Instant;

use super::{
    cache::{Acted, ObjectState, OtherEntries},
    object::{
        has_finalizer, is_newer, is_plan_approved, ready_condition, recorded_sources, requested,
    },
    plan::{may_be_there, next_due},
};
use crate::api::{
    DELETION_OVERRIDE, DeletionPolicy, EntryState, ProviderSecret, Reason, SUSPENDED,
};

/// What the gate decides to do with an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// It stays as it is: nothing to do and nothing to wait for.
    Rest,
    /// It stays as it is until this has passed.
    Later(Duration),
    /// The provider is asked whether it has finished what it accepted.
    Settle,
    /// What was written is compared with the account's listing.
    Verify,
    /// A whole reconcile again, although nothing is new: what failed is tried once more.
    Retry,
    /// A whole reconcile, because there is news.
    Go,
}

/// What is remembered of an object, as far as it decides.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Remembered<'a> {
    pub(crate) state: &'a ObjectState,
    /// When the next try is due.
    pub(crate) next_try: Option<Instant>,
    /// Whether entries must be written because another object overwrote them.
    pub(crate) must_rewrite: bool,
    /// Whether it is time to look at the listing.
    pub(crate) is_verification_due: bool,
    /// What becomes of the synced entries while something stops others.
    pub(crate) others: OtherEntries,
    /// Whether a reconcile was asked for.
    pub(crate) is_requeued: bool,
    /// Which version of a Secret is news.
    pub(crate) news: VersionNews,
    /// Until when another version of a source is not acted on, because the object has just been written.
    pub(crate) quiet_until: Option<Instant>,
}

/// Which version of a Secret is news.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum VersionNews {
    /// Any but the one that status names: resource versions may begin anew while status survives.
    Other,
    /// A later one: this process has written or verified what status says, and a watch may lag behind
    /// what it has read.
    Later,
}

/// Decides about an object that lives. `current` gives the version of a Secret, none if it does not
/// exist.
pub(crate) fn decide(
    object: &ProviderSecret,
    remembered: Remembered<'_>,
    (now, clock): (Instant, Timestamp),
    current: impl Fn(&str) -> Option<String>,
) -> Decision {
    let recorded = recorded(object);
    let waiting = match remembered.state {
        ObjectState::Waiting { acted, .. } => Some(&**acted),
        ObjectState::Resting | ObjectState::Unrecorded | ObjectState::Deleting(_) => None,
    };
    let Some(acted) = waiting.or(recorded.as_ref()) else {
        return Decision::Go;
    };
    let is_at_rest = is_at_rest(object);
    let is_compared = is_compared(object, remembered.others);
    let is_due = next_due(object, clock).is_some_and(|due| due <= clock);
    let must_write = !object.spec.is_suspended()
        && !is_awaiting_approval(object)
        && (remembered.must_rewrite || (is_compared && is_due));
    let is_approved = !object.spec.is_suspended() && is_plan_approved(object);
    let is_news = remembered.is_requeued || lacks_finalizer(object) || is_approved;
    if is_news || must_write || is_edited_or_asked(object, acted) {
        return Decision::Go;
    }
    if has_other_versions(object, acted, remembered.news, current) {
        let quiet = remembered.quiet_until.filter(|until| *until > now);
        return quiet.map_or(Decision::Go, |until| Decision::Later(until - now));
    }
    let verifies = remembered.is_verification_due && is_compared;
    let rest = if verifies {
        Decision::Verify
    } else {
        Decision::Rest
    };
    let again = if is_settling(object) {
        Decision::Settle
    } else {
        Decision::Retry
    };
    match (waiting, remembered.next_try) {
        // The write-ahead of the previous process may arrive after this one found nothing to do.
        (Some(_), None) if is_writing(object) => Decision::Go,
        // Whatever the entries that are stopped wait for, and until when.
        _ if verifies && !is_at_rest => Decision::Verify,
        (Some(_), Some(due)) if due > now => Decision::Later(due - now),
        (Some(_), None) => rest,
        (None, _) if is_at_rest => rest,
        _ => again,
    }
}

/// Decides about an object that is deleted and waits for its cleanup.
pub(crate) fn decide_deletion(
    object: &ProviderSecret,
    remembered: Remembered<'_>,
    now: Instant,
    current: impl Fn(&str) -> Option<String>,
) -> Decision {
    let blocked = match remembered.state {
        ObjectState::Deleting(deletion) => deletion.blocked.as_ref(),
        ObjectState::Resting | ObjectState::Waiting { .. } | ObjectState::Unrecorded => None,
    };
    let Some((acted, _)) = blocked else {
        return Decision::Go;
    };
    let is_override = object.annotations().contains_key(DELETION_OVERRIDE);
    let is_news = is_override
        || remembered.is_requeued
        || is_plan_approved(object)
        || is_edited_or_asked(object, acted)
        || has_other_versions(object, acted, remembered.news, current);
    match remembered.next_try {
        Some(due) if due > now && !is_news => Decision::Later(due - now),
        _ => Decision::Go,
    }
}

/// Whether something may be at the provider that is to be deleted with the object, and the finalizer
/// is missing: another writer has replaced the metadata, or the policy has changed.
pub(crate) fn lacks_finalizer(object: &ProviderSecret) -> bool {
    let mut records = object.status.iter().flat_map(|status| &status.entries);
    object.spec.deletion_policy() == DeletionPolicy::Delete
        && object.metadata.deletion_timestamp.is_none()
        && !has_finalizer(object)
        && records.any(may_be_there)
}

/// Whether status alone tells all that was acted on, and the object is at rest: then nothing need be
/// remembered of it.
pub(crate) fn is_recorded_in_status(object: &ProviderSecret, acted: &Acted) -> bool {
    is_at_rest(object) && recorded(object).as_ref() == Some(acted)
}

/// Whether what is synced is compared with the account and written again when its time has come. Where something stops
/// entries, that is up to the `others`.
pub(crate) fn is_compared(object: &ProviderSecret, others: OtherEntries) -> bool {
    let are_others_compared = || {
        let mut entries = object.status.iter().flat_map(|status| &status.entries);
        others != OtherEntries::Wait
            && !is_awaiting_approval(object)
            && !is_settling(object)
            && entries.any(|entry| entry.state == EntryState::Synced)
    };
    !object.spec.is_suspended() && (is_at_rest(object) || are_others_compared())
}

/// What status says was acted on.
fn recorded(object: &ProviderSecret) -> Option<Acted> {
    Some(Acted {
        generation: object.status.as_ref()?.observed_generation?,
        sources: recorded_sources(object),
        request: None,
    })
}

/// Whether the spec is another, or a sync is requested.
fn is_edited_or_asked(object: &ProviderSecret, acted: &Acted) -> bool {
    let request = requested(object).filter(|_| !object.spec.is_suspended());
    let is_asked = request.is_some() && request != acted.request;
    object.metadata.generation != Some(acted.generation) || is_asked
}

/// Whether a Secret of the object has a version that is news.
fn has_other_versions(
    object: &ProviderSecret,
    acted: &Acted,
    news: VersionNews,
    current: impl Fn(&str) -> Option<String>,
) -> bool {
    object.spec.secret_names().into_iter().any(|name| {
        let known = acted
            .sources
            .iter()
            .find(|(of, _)| of == name)
            .map(|(_, version)| version.as_str());
        match (known, current(name)) {
            (Some(known), Some(seen)) => match news {
                VersionNews::Other => seen != known,
                VersionNews::Later => is_newer(&seen, known),
            },
            (None, None) => false,
            (Some(_), None) | (None, Some(_)) => true,
        }
    })
}

fn has_condition(object: &ProviderSecret, kind: &str) -> bool {
    let mut conditions = object.status.iter().flat_map(|status| &status.conditions);
    conditions.any(|condition| condition.r#type == kind)
}

fn ready_reason(object: &ProviderSecret) -> Option<(&str, &str)> {
    let ready = ready_condition(object)?;
    Some((ready.status.as_str(), ready.reason.as_str()))
}

fn is_at_rest(object: &ProviderSecret) -> bool {
    if object.spec.is_suspended() {
        return has_condition(object, SUSPENDED);
    }
    let suspended = Reason::Suspended.as_str();
    ready_reason(object).is_some_and(|(status, reason)| status == "True" && reason != suspended)
}

/// Whether a plan waits for approval: nothing of the object is written meanwhile.
fn is_awaiting_approval(object: &ProviderSecret) -> bool {
    let awaiting = Reason::AwaitingApproval.as_str();
    ready_reason(object).is_some_and(|(_, reason)| reason == awaiting)
}

/// Whether everything was accepted and the provider had not finished. While entries are written the
/// reason is the same, and they are Pending.
fn is_settling(object: &ProviderSecret) -> bool {
    is_progressing(object) && all_synced(object)
}

/// Whether entries are being written, and status does not say yet what came of it.
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
