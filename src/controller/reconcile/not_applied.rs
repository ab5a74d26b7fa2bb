//! Plans of which nothing is carried out.

use super::inputs::{Inputs, Planned};
use crate::{
    api::Reason,
    controller::{
        error::Failure,
        plan::Change,
        report::{messages, outcome::Outcome, status},
        session::Session,
    },
};

/// The outcome of a plan that is not carried out because the object is suspended.
pub(super) fn suspended(session: &Session<'_>, inputs: &Inputs, planned: &Planned<'_>) -> Outcome {
    let outcome = without_changes(session, inputs, planned, Reason::Suspended);
    let mut changes = planned.entries.iter().map(|entry| &entry.change);
    let is_synced = changes.all(|change| *change == Change::Keep);
    if inputs.desired.unread.is_empty() && is_synced {
        outcome
    } else {
        outcome.with(messages::not_held())
    }
}

/// The outcome of a plan that cannot be carried out now.
pub(super) fn not_carried_out(
    session: &Session<'_>,
    inputs: &Inputs,
    planned: &Planned<'_>,
    failure: Failure,
) -> Outcome {
    let outcome = without_changes(session, inputs, planned, failure.reason);
    let mut outcome = outcome.with(failure);
    outcome
        .failures
        .extend(inputs.desired.unread.iter().cloned());
    outcome
}

/// The outcome of a plan of which nothing is carried out.
fn without_changes(
    session: &Session<'_>,
    inputs: &Inputs,
    planned: &Planned<'_>,
    reason: Reason,
) -> Outcome {
    let mut entries = status::not_carried_out(&planned.entries, reason);
    entries.extend(planned.retained.iter().cloned());
    let removals = planned.removals.iter();
    entries.extend(removals.map(|removal| removal.record.clone()));
    let sealed = entries.into_iter().map(|entry| session.sealed(entry));
    let mut outcome = Outcome::of(sealed.collect(), inputs.sources.clone());
    // The digests and seals are this key's.
    outcome.key_fingerprint = Some(session.account.digests.key_id());
    outcome
}
