//! What a plan lacks before it can be carried out.

use super::{Change, Inputs, PlannedEntry, foreign::shown_set, was_unsupported, was_written};
use crate::{
    api::{ConflictPolicy, DeletionPolicy},
    provider::{Form, ListingNeed, Unit},
};

/// Something that must be asked of the provider before a plan is carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lack {
    /// Whose names these are. No name is written for the first time before that is known: another
    /// object may claim it under another key.
    Scope,
    /// The account's listing.
    Snapshot,
    /// What the provider shows of the set.
    SetKeys,
}

impl Inputs<'_, '_> {
    /// Whether it must be known, before the first write of a name, whether the name is there: to
    /// leave alone what is foreign, or to delete later only what is ours.
    ///
    /// Always for an image pull secret: it may refuse updates, and is then replaced only if it is ours.
    pub(crate) fn must_know(&self) -> bool {
        self.conflict == ConflictPolicy::Fail
            || self.deletion == DeletionPolicy::Delete
            || self.rules.form == Some(Form::ImagePull)
    }
}

/// The first thing that a plan lacks; none if it can be carried out. With an answer to it a new plan
/// is made, which may lack something else.
pub(crate) fn lacks(planned: &[PlannedEntry<'_>], inputs: &Inputs<'_, '_>) -> Option<Lack> {
    let is_first_write = planned.iter().any(PlannedEntry::is_first_write);
    if !inputs.is_scope_asked && is_first_write {
        Some(Lack::Scope)
    } else if inputs.snapshot.is_none() && needs_listing(planned, inputs) {
        Some(Lack::Snapshot)
    } else if inputs.set_keys.is_none()
        && inputs.rules.unit == Unit::Set
        && ((is_first_write && must_ask_set(inputs)) || is_in_doubt(planned))
    {
        Some(Lack::SetKeys)
    } else {
        None
    }
}

/// Whether the set itself is asked before the first write of a key. Where it is there it may be a reference, which no client
/// writes and which the listing need not tell (docs/vendors.md#pc-14).
fn must_ask_set(inputs: &Inputs<'_, '_>) -> bool {
    inputs.must_know() || shown_set(inputs).is_some()
}

/// Whether something is written that was refused because of what is there.
fn is_in_doubt(planned: &[PlannedEntry<'_>]) -> bool {
    let mut writes = planned.iter().filter(|entry| entry.change.is_write());
    writes.any(|entry| entry.record.is_some_and(was_unsupported))
}

fn needs_listing(planned: &[PlannedEntry<'_>], inputs: &Inputs<'_, '_>) -> bool {
    if is_in_doubt(planned) {
        return true;
    }
    if inputs.must_know() && planned.iter().any(PlannedEntry::is_first_write) {
        return true;
    }
    let mut entries = planned.iter();
    match (inputs.rules.listing, inputs.rules.unit) {
        (ListingNeed::Never, _) => false,
        (_, Unit::Each) => {
            entries.any(|entry| matches!(entry.change, Change::Create | Change::Update(None)))
        }
        // A set of which anything was written before is ours.
        (_, Unit::Set) => {
            entries.any(|entry| entry.change == Change::Create)
                && !planned
                    .iter()
                    .any(|entry| entry.record.is_some_and(was_written))
        }
    }
}
