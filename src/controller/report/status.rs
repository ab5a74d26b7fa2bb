//! The next status: pure functions from what a reconcile saw and did.

use std::collections::BTreeSet;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use crate::{
    api::{
        DeletionPolicy, EntryState, EntryStatus, MAX_RECORDS, ProviderSecretSpec,
        ProviderSecretStatus, Reason,
    },
    controller::{
        error::Failure,
        object::{time, unwritten},
        plan::{
            Brake, Change, EntryOutcome, PlannedEntry, PlannedRemoval, is_held_back, is_ours,
            may_be_there, was_ambiguous, was_held_back, was_written,
        },
    },
    http::ErrorClass,
    provider::rules,
};

/// The record of an entry before it is written: it is not known what the provider holds until it has
/// answered. None if the entry needs no such record: it was never written, and need not be known
/// later (`must_know`) whether it was there before.
pub(crate) fn pending(planned: &PlannedEntry<'_>, must_know: bool) -> Option<EntryStatus> {
    let may_be_stored = |recorded: &EntryStatus| recorded.digest.is_some() || was_written(recorded);
    let is_needed = must_know || planned.record.is_some_and(may_be_stored);
    // What is tried again was recorded before: then the time of the attempt alone is news.
    let said = planned.record.filter(|_| planned.is_said());
    let is_news = said.is_none_or(|said| said.attempted_time != planned.attempted_time);
    if !planned.change.is_write() || !is_needed || !is_news {
        return None;
    }
    if let Some(said) = said {
        return Some(EntryStatus {
            attempted_time: planned.attempted_time.clone(),
            ..said.clone()
        });
    }
    Some(EntryStatus {
        name: planned.name().to_owned(),
        state: EntryState::Pending,
        reason: Some(Reason::Progressing.as_str().to_owned()),
        digest: None,
        attempted: planned.attempted(),
        attempted_time: planned.attempted_time.clone(),
        found: planned.found,
        drift: planned.drift.clone(),
        leaving: false,
        ..recorded_or_unwritten(planned)
    })
}

/// The records of entries whose removal the brake holds up.
pub(crate) fn held_back(removals: Vec<PlannedRemoval>, brake: &Brake) -> Vec<EntryStatus> {
    let reason = match brake {
        Brake::Held => Reason::RemovalHeld,
        Brake::Open | Brake::Waiting(_) => Reason::Progressing,
    };
    let removals = removals.into_iter();
    removals
        .map(|removal| EntryStatus {
            state: EntryState::Failed,
            reason: Some(reason.as_str().to_owned()),
            ..removal.record
        })
        .collect()
}

/// The record of an entry that is not desired now and that a source which could not be read may still
/// ask for.
pub(crate) fn retained(record: &EntryStatus, unread: &Failure) -> EntryStatus {
    // A hold ends with a confirmation, and not because another source is away for a while.
    let reason = if is_held_back(record) || was_held_back(record) {
        Reason::RemovalHeld
    } else {
        unread.reason
    };
    EntryStatus {
        state: EntryState::Failed,
        reason: Some(reason.as_str().to_owned()),
        ..record.clone()
    }
}

fn recorded_or_unwritten(planned: &PlannedEntry<'_>) -> EntryStatus {
    let record = planned.record.cloned();
    record.unwrap_or_else(|| unwritten(planned.name()))
}

/// The records of all entries after the plan was carried out, in the order of the plan.
/// `halted_by` is the failure that kept later entries from being tried.
pub(crate) fn entries(
    planned: &[PlannedEntry<'_>],
    halted_by: Option<&Failure>,
    now: Timestamp,
) -> Vec<EntryStatus> {
    let planned = planned.iter();
    planned
        .map(|planned| entry(planned, halted_by, now))
        .collect()
}

fn entry(planned: &PlannedEntry<'_>, halted_by: Option<&Failure>, now: Timestamp) -> EntryStatus {
    let recorded = EntryStatus {
        found: planned.found,
        drift: planned.drift.clone(),
        ..recorded_or_unwritten(planned)
    };
    let reason = |reason: Reason| Some(reason.as_str().to_owned());
    // What was sent may be there now, so the digest of what was there before is void.
    let after_write = |state| EntryStatus {
        state,
        digest: None,
        ..recorded.clone()
    };
    let entry = match &planned.outcome {
        EntryOutcome::Kept => EntryStatus {
            state: EntryState::Synced,
            reason: None,
            ..recorded
        },
        EntryOutcome::Written(written) => EntryStatus {
            state: EntryState::Synced,
            reason: None,
            digest: planned.digest.clone(),
            attempted: planned.unconfirmed(),
            attempted_time: planned.attempted_time.clone(),
            remote_id: written.id.clone(),
            remote_version: written.version.clone(),
            last_write_time: Some(time(now)),
            ..recorded
        },
        EntryOutcome::Failed(failure) if matches!(planned.change, Change::Refuse(_)) => {
            EntryStatus {
                state: EntryState::Failed,
                reason: reason(failure.reason),
                // What is foreign today may be gone tomorrow.
                found: planned.record.and_then(|record| record.found),
                ..recorded
            }
        }
        EntryOutcome::Failed(failure) if failure.class == ErrorClass::UnknownOutcome => {
            EntryStatus {
                reason: reason(failure.reason),
                attempted: planned.attempted(),
                attempted_time: sent_at(planned, now),
                ..after_write(EntryState::Pending)
            }
        }
        // A refused update changed nothing: if the old value comes back, the provider still holds it.
        EntryOutcome::Failed(failure) if failure.reason == Reason::Immutable => {
            let before = planned.record;
            // Ours, and its write was never acknowledged: it stays as it was.
            let is_unsure = planned.is_first_write() && before.is_some_and(is_ours);
            EntryStatus {
                state: if is_unsure {
                    EntryState::Pending
                } else {
                    EntryState::Failed
                },
                reason: reason(failure.reason),
                found: before.and_then(|before| before.found),
                ..recorded
            }
        }
        EntryOutcome::Failed(failure) => EntryStatus {
            reason: reason(failure.reason),
            // A first write that was refused left nothing there: what is there later is not ours.
            found: planned
                .found
                .filter(|_| !planned.is_first_write() || may_have_come(failure)),
            attempted: if may_have_come(failure) {
                planned.attempted()
            } else {
                planned.unconfirmed()
            },
            attempted_time: planned.attempted_time.clone(),
            ..after_write(EntryState::Failed)
        },
        EntryOutcome::NotTried => {
            // What failed before stays so, and comes last in the next try as well.
            let state = match planned.record.map(|record| record.state) {
                Some(EntryState::Failed) => EntryState::Failed,
                _ => EntryState::Pending,
            };
            EntryStatus {
                reason: reason(halted_by.map_or(Reason::Progressing, |failure| failure.reason)),
                // Nothing was sent: what is there later is not ours because this try found it absent.
                found: planned.record.and_then(|record| record.found),
                ..after_write(state)
            }
        }
    };
    let attempted_time = entry.attempted_time.clone();
    let attempted_time = attempted_time.filter(|_| entry.attempted.is_some());
    EntryStatus {
        name: planned.name().to_owned(),
        attempted_time,
        leaving: false,
        ..entry
    }
}

/// When a write without an answer counts as sent. The writes of a large plan take their time.
fn sent_at(planned: &PlannedEntry<'_>, now: Timestamp) -> Option<Time> {
    planned.attempted_time.as_ref().map(|_| time(now))
}

/// Whether the provider may have carried out what it answered with this failure.
fn may_have_come(failure: &Failure) -> bool {
    !matches!(
        failure.class,
        ErrorClass::Config | ErrorClass::Auth | ErrorClass::Throttled
    )
}

/// The records of all entries of a plan of which nothing is carried out, for `reason`.
pub(crate) fn not_carried_out(planned: &[PlannedEntry<'_>], reason: Reason) -> Vec<EntryStatus> {
    let record = |planned: &PlannedEntry<'_>| {
        let recorded = recorded_or_unwritten(planned);
        let (state, reason) = match &planned.change {
            // It was not looked at again.
            Change::Keep if was_ambiguous(&recorded) => {
                (EntryState::Failed, Some(Reason::Ambiguous))
            }
            Change::Keep => (EntryState::Synced, None),
            Change::Refuse(failure) => (EntryState::Failed, Some(failure.reason)),
            // Nothing was sent: if the old value comes back, the provider still holds it.
            Change::Create | Change::Update(_) if recorded.digest.is_some() => {
                (EntryState::Failed, Some(reason))
            }
            Change::Create | Change::Update(_) => (EntryState::Pending, Some(reason)),
        };
        EntryStatus {
            name: planned.name().to_owned(),
            state,
            reason: reason.map(|reason| reason.as_str().to_owned()),
            leaving: false,
            ..recorded
        }
    };
    planned.iter().map(record).collect()
}

/// The records after a reconcile that ended before there was a plan: what was recorded, as it was, and
/// every explicit entry that was not, with the reason. `object` is the name of the ProviderSecret.
pub(crate) fn untouched(
    recorded: &[EntryStatus],
    spec: &ProviderSecretSpec,
    object: &str,
    failure: &Failure,
) -> Vec<EntryStatus> {
    let reason = Some(failure.reason.as_str().to_owned());
    let fold = |name: &str| folded(spec, name);
    let explicit = spec.explicit_names(object);
    let is_desired = |name: &str| {
        !spec.bulk_sources().is_empty() || explicit.iter().any(|entry| fold(entry) == fold(name))
    };
    // Without its record what is to be deleted would be orphaned.
    let is_deleting = spec.deletion_policy() == DeletionPolicy::Delete;
    let is_kept =
        |record: &&EntryStatus| is_desired(&record.name) || (is_deleting && may_be_there(record));
    let mut entries: Vec<EntryStatus> = recorded.iter().filter(is_kept).cloned().collect();
    // Too many entries would not fit into status.
    let named = if failure.reason == Reason::TooManyEntries {
        Vec::new()
    } else {
        explicit
    };
    for name in named {
        // What is recorded has its place first.
        let has_room = entries.len() < MAX_RECORDS;
        if has_room && recorded.iter().all(|entry| fold(&entry.name) != fold(name)) {
            entries.push(EntryStatus {
                reason: reason.clone(),
                ..unwritten(name)
            });
        }
    }
    entries
}

/// The identity of a name at the provider.
fn folded(spec: &ProviderSecretSpec, name: &str) -> String {
    match spec.provider.choice() {
        Some(choice) => (rules(choice.kind()).fold)(name),
        None => name.to_owned(),
    }
}

/// Whether the next records lack a name for which something was sent. Nothing tells then whether what is there later is
/// the object's.
pub(crate) fn forgets(
    spec: &ProviderSecretSpec,
    recorded: &[EntryStatus],
    next: &[EntryStatus],
) -> bool {
    let was_sent = |record: &&EntryStatus| was_written(record) || record.attempted.is_some();
    let sent = |records: &[EntryStatus]| -> BTreeSet<String> {
        let records = records.iter().filter(was_sent);
        records.map(|record| folded(spec, &record.name)).collect()
    };
    !sent(recorded).is_subset(&sent(next))
}

/// The spec is a newer one than the records were made from: whether the provider holds what is
/// desired now is not known.
pub(crate) fn outdate(entries: &mut [EntryStatus], reason: Reason) {
    for entry in entries {
        if entry.state == EntryState::Synced {
            entry.state = EntryState::Failed;
            entry.reason = Some(reason.as_str().to_owned());
        }
    }
}

/// `3/3`: the wanted entries that are acknowledged.
pub(crate) fn summary(entries: &[EntryStatus]) -> String {
    let synced = entries
        .iter()
        .filter(|entry| entry.state == EntryState::Synced)
        .count();
    format!("{synced}/{}", entries.len())
}

/// Whether two statuses say the same, no matter which process wrote them. The versions of Secrets whose values did not change are
/// written, and sealed, with the next real change.
pub(crate) fn is_same(a: &ProviderSecretStatus, b: &ProviderSecretStatus) -> bool {
    let names = |status: &ProviderSecretStatus| -> Vec<String> {
        status
            .sources
            .iter()
            .map(|source| source.name.clone())
            .collect()
    };
    let unversioned = |status: &ProviderSecretStatus| ProviderSecretStatus {
        sources: Vec::new(),
        sources_seal: None,
        writer: None,
        ..status.clone()
    };
    names(a) == names(b)
        && a.sources_seal.is_some() == b.sources_seal.is_some()
        && unversioned(a) == unversioned(b)
}

#[cfg(test)]
mod tests;
