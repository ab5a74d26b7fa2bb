//! Plans of which nothing is carried out.

use super::{
    approval::awaited_scope,
    inputs::{Inputs, Planned},
};
use crate::{
    api::{Approval, EntryStatus, PlanStatus, ProviderSecret, Reason},
    controller::{
        error::Failure,
        object::{Versions, recorded_sources},
        plan::{Change, PlannedRemoval, with_braked},
        report::{messages, outcome::Outcome, status},
        session::Session,
    },
};

/// The outcome of a plan that is not carried out because the object is suspended.
pub(super) fn suspended(
    object: &ProviderSecret,
    session: &Session<'_>,
    inputs: &Inputs,
    planned: &Planned<'_>,
    plan: PlanStatus,
) -> Outcome {
    let removals = as_recorded(planned);
    let mut outcome = without_changes(
        object,
        session,
        inputs,
        planned,
        removals,
        Reason::Suspended,
    );
    let mut changes = planned.entries.iter().map(|entry| &entry.change);
    let is_synced = changes.all(|change| *change == Change::Keep);
    let plan = with_braked(plan, &planned.retained);
    let is_shown = !is_synced || plan.delete + plan.refuse > 0;
    outcome.plan = is_shown.then_some(plan);
    // What sources took away meanwhile is not as it was synced.
    let is_as_desired = is_synced && planned.retained.is_empty() && inputs.doubled.is_empty();
    if inputs.desired.unread.is_empty() && is_as_desired {
        outcome
    } else {
        outcome.with(messages::not_held())
    }
}

/// The outcome of a plan that waits for approval.
pub(super) fn awaiting_approval(
    object: &ProviderSecret,
    session: &Session<'_>,
    inputs: &Inputs,
    planned: &Planned<'_>,
    plan: PlanStatus,
) -> Outcome {
    let failure = messages::awaiting_approval(&plan, object, session.choice.kind());
    let removals = as_recorded(planned);
    let outcome = without_changes(object, session, inputs, planned, removals, failure.reason);
    let mut outcome = outcome.with(failure);
    let unread = inputs.desired.unread.values();
    outcome.failures.extend(unread.cloned());
    outcome.plan = Some(plan);
    // What is tried is up to the one who approves.
    outcome.answers_request = inputs.unchecked.is_none();
    outcome
}

/// The records of what would be removed, as they are.
fn as_recorded(planned: &Planned<'_>) -> Vec<EntryStatus> {
    let removals = planned.removals.iter();
    removals.map(|removal| removal.record.clone()).collect()
}

/// The outcome of a plan that cannot be carried out now.
pub(super) fn not_carried_out(
    object: &ProviderSecret,
    session: &Session<'_>,
    inputs: &Inputs,
    planned: &Planned<'_>,
    failure: Failure,
) -> Outcome {
    let removals = if object.spec.approval() == Approval::Automatic {
        // What goes was confirmed, whatever keeps it from being carried out now.
        let removals = planned.removals.iter();
        removals.map(PlannedRemoval::leaving).collect()
    } else {
        // What leaves needs no approval any more, and this plan has none yet.
        as_recorded(planned)
    };
    let outcome = without_changes(object, session, inputs, planned, removals, failure.reason);
    let mut outcome = outcome.with(failure);
    outcome
        .failures
        .extend(inputs.desired.unread.values().cloned());
    outcome
}

/// The outcome of a plan of which nothing is carried out.
fn without_changes(
    object: &ProviderSecret,
    session: &Session<'_>,
    inputs: &Inputs,
    planned: &Planned<'_>,
    removals: Vec<EntryStatus>,
    reason: Reason,
) -> Outcome {
    let mut entries = status::not_carried_out(&planned.entries, reason);
    entries.extend(planned.retained.iter().cloned());
    entries.extend(removals);
    let sealed = entries.into_iter().map(|entry| session.sealed(entry));
    let sources = unwritten_sources(object, inputs);
    let mut outcome = Outcome::of(sealed.collect(), sources);
    outcome.read.clone_from(&inputs.sources);
    outcome.approval_scope = awaited_scope(object, session, &planned.entries);
    outcome.unchecked.clone_from(&inputs.unchecked);
    outcome.sources_seal = Some(session.sources_seal(object.metadata.generation, &outcome.sources));
    // The digests and seals are this key's.
    outcome.key_fingerprint = Some(session.account.digests.key_id());
    outcome
}

/// The Secrets that status names when nothing was written: as recorded, so that a later operator that
/// finds another key sees which values were not written; and those that are new.
fn unwritten_sources(object: &ProviderSecret, inputs: &Inputs) -> Versions {
    let recorded = recorded_sources(object);
    let version = |(name, read): &(String, String)| {
        let known = recorded.iter().find(|(known, _)| known == name);
        let version = known.map_or(read, |(_, version)| version);
        (name.clone(), version.clone())
    };
    inputs.sources.iter().map(version).collect()
}
