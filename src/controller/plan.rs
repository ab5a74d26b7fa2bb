//! The plan: a pure function from what is wanted, recorded and observed to what is done.

mod absence;
mod again;
mod approval;
mod brake;
mod drift;
mod entry;
mod foreign;
mod lacks;
mod locate;
mod removal;

use std::collections::{BTreeMap, HashSet};

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use self::foreign::{foreign, found, shown_set, unfit};
pub(crate) use self::{
    absence::{
        ABSENCE_COUNTS_AFTER, EMPTY_LISTING_RETRY, absence_counts_in, listed_absence_counts_in,
    },
    again::{attempted_at, confirm_in, due, lies_ahead, next_due},
    approval::{
        Consent, ConsentInputs, RECREATE, approval_scope, approved_leaving, consent,
        is_approved_alike, plan_facts, shown, with_braked,
    },
    brake::{
        Brake, BrakeInputs, brake, is_held_back, is_much, is_removed_by_source, is_silent,
        was_held_back,
    },
    drift::{Cause, Drift, Evidence, counted, doubled, drifted, is_contended},
    entry::{BulkKey, Change, DesiredEntry, EntryOutcome, Marks, PlannedEntry},
    foreign::{name_conflict, referenced},
    lacks::{Lack, lacks},
    locate::{
        Shown, ambiguous, find_recorded, is_after_attempt, is_baseline, is_written_since, locate,
    },
    removal::{PlannedRemoval, RemovalAction, is_ours, may_be_there, plan_removals},
};
use super::error::Failure;
use crate::{
    account::{ObjectName, Snapshot},
    api::{ConflictPolicy, DeletionPolicy, EntryState, EntryStatus, Found, Reason},
    provider::{ListingNeed, Rules, SetKeys, Unit},
};

/// What the plan is made from, besides the desired entries. Records live as long as the plan; what
/// was asked of the provider does not.
#[derive(Clone, Copy)]
pub(crate) struct Inputs<'a, 'o> {
    /// `status.entries`.
    pub(crate) recorded: &'a [EntryStatus],
    /// The account's listing, where it was needed.
    pub(crate) snapshot: Option<&'o Snapshot>,
    /// What the provider shows of the set, where it was asked.
    pub(crate) set_keys: Option<&'o SetKeys>,
    /// Whether the provider was asked whose names these are.
    pub(crate) is_scope_asked: bool,
    /// The rules of the provider.
    pub(crate) rules: &'o Rules,
    /// The set that all entries belong to, and its region if the spec names one.
    pub(crate) set: Option<(&'o str, Option<&'o str>)>,
    /// `spec.deletionPolicy`.
    pub(crate) deletion: DeletionPolicy,
    /// `spec.conflictPolicy`.
    pub(crate) conflict: ConflictPolicy,
    /// Entries that are written although their digests are the same, by folded name.
    pub(crate) suspects: &'o BTreeMap<String, Cause>,
    /// Whether the process before this one may have sent writes that come in last, and that nothing would show.
    pub(crate) is_inherited: bool,
    /// Whether a user asked for a sync: what was given up is tried again.
    pub(crate) is_requested: bool,
    /// Now, to be compared with times in status.
    pub(crate) now: Timestamp,
}

/// What the objects of the cluster have to say about a folded name.
pub(crate) trait Claimed {
    /// Why the name is another object's; none if it is ours.
    fn lost(&self, folded: &str) -> Option<Failure>;
    /// Who has the name, or the set for the empty one, when this object gives it up.
    fn successor(&self, folded: &str) -> Successor;
}

/// Who has a name when an object gives it up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Successor {
    /// No other object.
    None,
    /// Only objects that nothing shows to write to the same place: they name it, and so may any user. Or one of whose
    /// keys it is not known whether this is one.
    Stranger,
    /// This object.
    Object(ObjectName),
}

/// Makes the plan. `digest` gives the digest of a desired entry, where it has a value.
pub(crate) fn plan<'a>(
    desired: &'a [DesiredEntry],
    inputs: &Inputs<'a, '_>,
    claimed: &dyn Claimed,
    digest: impl Fn(&DesiredEntry) -> Option<String>,
) -> Vec<PlannedEntry<'a>> {
    let recorded: BTreeMap<String, &EntryStatus> = inputs
        .recorded
        .iter()
        .map(|entry| ((inputs.rules.fold)(&entry.name), entry))
        .collect();
    desired
        .iter()
        .map(|entry| {
            let recorded = recorded.get(&entry.folded).copied();
            planned(entry, recorded, digest(entry), inputs, claimed)
        })
        .collect()
}

fn planned<'a>(
    entry: &'a DesiredEntry,
    recorded: Option<&'a EntryStatus>,
    digest: Option<String>,
    inputs: &Inputs<'_, '_>,
    claimed: &dyn Claimed,
) -> PlannedEntry<'a> {
    let nothing = PlannedEntry {
        desired: entry,
        change: Change::Keep,
        digest,
        record: recorded,
        outcome: EntryOutcome::NotTried,
        found: recorded.and_then(|recorded| recorded.found),
        cause: None,
        attempted_time: attempted_time(recorded, inputs),
        is_inherited: inputs.is_inherited,
        drift: recorded.and_then(|recorded| recorded.drift.clone()),
    };
    if let Some(failure) = claimed.lost(&entry.folded) {
        return PlannedEntry {
            change: Change::Refuse(failure),
            record: None,
            found: None,
            drift: None,
            ..nothing
        };
    }
    if let Err(failure) = &entry.value {
        return PlannedEntry {
            change: Change::Refuse(failure.clone()),
            ..nothing
        };
    }
    let cause = inputs.suspects.get(&entry.folded).copied();
    if cause.is_none()
        && recorded.is_some_and(|recorded| is_stored(recorded, nothing.digest.as_deref()))
    {
        return nothing;
    }
    let is_drift = matches!(cause, Some(Cause::Drift(_)));
    let repairs = nothing.drift.as_ref().filter(|_| !inputs.is_requested);
    if is_drift
        && !is_other_value(recorded, nothing.digest.as_deref())
        && is_contended(repairs, inputs.now)
    {
        return PlannedEntry {
            change: Change::Refuse(contended(entry, inputs.rules)),
            ..nothing
        };
    }
    let (change, found) = match inputs.rules.unit {
        Unit::Each => each(entry, recorded, inputs),
        Unit::Set => member(entry, recorded, inputs),
    };
    // What is refused is no repair.
    let drift = if is_drift && change.is_write() {
        Some(counted(repairs, inputs.now))
    } else {
        nothing.drift.clone()
    };
    PlannedEntry {
        change,
        found,
        cause,
        drift,
        ..nothing
    }
}

/// When an entry counts as sent. Where that may decide later about a deletion, the time of each try counts.
fn attempted_time(recorded: Option<&EntryStatus>, inputs: &Inputs<'_, '_>) -> Option<Time> {
    let attempted = recorded.filter(|recorded| recorded.attempted.is_some());
    let known = attempted.and_then(|recorded| recorded.attempted_time.as_ref());
    if attempted.is_some() && !inputs.must_know() {
        return known.cloned();
    }
    Some(attempted_at(known, inputs.now))
}

/// Pending means that it is not known what the provider holds: it is never kept. Nor is what was
/// refused because of what is there: that has to be looked at again.
pub(crate) fn is_stored(recorded: &EntryStatus, digest: Option<&str>) -> bool {
    recorded.state != EntryState::Pending
        && !was_unsupported(recorded)
        && recorded.digest.is_some()
        && recorded.digest.as_deref() == digest
}

/// Whether another value was acknowledged than is desired: to write this one is no repair.
fn is_other_value(recorded: Option<&EntryStatus>, digest: Option<&str>) -> bool {
    let acknowledged = recorded.and_then(|recorded| recorded.digest.as_deref());
    acknowledged.is_some_and(|acknowledged| Some(acknowledged) != digest)
}

fn contended(entry: &DesiredEntry, rules: &Rules) -> Failure {
    let message = format!(
        "Somebody else keeps changing or deleting {} at {}. It is left alone for a day, or until a sync is requested; find the other writer.",
        entry.name, rules.kind
    );
    Failure::config(Reason::Contended, message)
}

fn each(
    entry: &DesiredEntry,
    recorded: Option<&EntryStatus>,
    inputs: &Inputs<'_, '_>,
) -> (Change, Option<Found>) {
    let shown = inputs
        .snapshot
        .map(|snapshot| snapshot.named(&entry.folded).next().is_some());
    let found = found(recorded, shown, Found::Absent);
    if let Some(refused) = unfit(inputs) {
        return (Change::Refuse(refused), found);
    }
    if let Some(refused) = foreign(entry, recorded, found, inputs) {
        return (Change::Refuse(refused), found);
    }
    // An upsert by name needs no id.
    if inputs.rules.listing == ListingNeed::Never {
        let change = if recorded.is_some_and(was_written) {
            Change::Update(recorded.and_then(|recorded| recorded.remote_id.clone()))
        } else {
            Change::Create
        };
        return (change, found);
    }
    let known = recorded.and_then(|recorded| recorded.remote_id.as_deref());
    let located = inputs
        .snapshot
        .map(|snapshot| locate(entry, known, snapshot, inputs.rules));
    let located = match located.transpose() {
        Ok(located) => located.flatten(),
        Err(failure) => return (Change::Refuse(failure), found),
    };
    let id = match inputs.snapshot {
        // What is there now is better known than what was.
        Some(_) => located.and_then(|remote| remote.id.clone()),
        None => recorded.and_then(|recorded| recorded.remote_id.clone()),
    };
    let change = if id.is_some() || located.is_some() || recorded.is_some_and(was_written) {
        Change::Update(id)
    } else {
        Change::Create
    };
    (change, found)
}

fn member(
    entry: &DesiredEntry,
    recorded: Option<&EntryStatus>,
    inputs: &Inputs<'_, '_>,
) -> (Change, Option<Found>) {
    let absent = match inputs.snapshot {
        Some(_) if shown_set(inputs).is_none() => Some(Found::NoSet),
        _ => None,
    };
    let shown = match (absent, inputs.set_keys) {
        (Some(_), _) | (None, Some(SetKeys::NoSet)) => Some(false),
        (None, Some(SetKeys::Shown(keys))) => Some(keys.contains(&entry.name)),
        (None, None | Some(SetKeys::NotShown | SetKeys::Referenced)) => None,
    };
    let absent = match inputs.set_keys {
        Some(SetKeys::Shown(_) | SetKeys::NotShown | SetKeys::Referenced) => Found::Absent,
        None | Some(SetKeys::NoSet) => Found::NoSet,
    };
    let found = found(recorded, shown, absent);
    if let Some(refused) = unfit(inputs) {
        return (Change::Refuse(refused), found);
    }
    if let Some(refused) = foreign(entry, recorded, found, inputs) {
        return (Change::Refuse(refused), found);
    }
    let change = if recorded.is_some_and(was_written) {
        Change::Update(None)
    } else {
        Change::Create
    };
    (change, found)
}

/// Whether the provider has acknowledged a write of the entry.
pub(crate) fn was_written(recorded: &EntryStatus) -> bool {
    recorded.last_write_time.is_some()
}

/// Whether an entry was refused because of what the provider holds under its name.
pub(crate) fn was_unsupported(recorded: &EntryStatus) -> bool {
    recorded.state == EntryState::Failed
        && recorded.reason.as_deref() == Some(Reason::Unsupported.as_str())
}

/// Whether the provider showed several secrets of an entry's name when it was looked at last.
pub(crate) fn was_ambiguous(recorded: &EntryStatus) -> bool {
    was_written(recorded) && recorded.reason.as_deref() == Some(Reason::Ambiguous.as_str())
}

/// Whether an entry was left to another writer when it was looked at last.
pub(crate) fn was_contended(recorded: &EntryStatus) -> bool {
    was_written(recorded)
        && recorded.state == EntryState::Failed
        && recorded.reason.as_deref() == Some(Reason::Contended.as_str())
}

/// What is recorded and not wanted.
pub(crate) fn unwanted<'a>(
    desired: &[DesiredEntry],
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
pub(crate) mod tests;
