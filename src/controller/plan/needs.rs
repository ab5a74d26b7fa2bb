//! What must be known of the account before a plan is carried out.

use super::{Change, Inputs, Planned, was_written};
use crate::{
    api::{ConflictPolicy, DeletionPolicy},
    provider::{Form, ListingNeed, Unit},
};

impl Inputs<'_> {
    /// Whether it must be known, before the first write of a name, whether the name is there: to
    /// leave alone what is foreign, or to delete later only what is ours.
    ///
    /// Of an image pull secret always: it may refuse updates, and is then replaced only if it is ours.
    pub(crate) fn must_know(&self) -> bool {
        self.conflict == ConflictPolicy::Fail
            || self.deletion == DeletionPolicy::Delete
            || self.rules.form == Some(Form::ImagePull)
    }
}

/// Whether the account's listing must be had before the plan is carried out.
pub(crate) fn needs_listing(planned: &[Planned], inputs: &Inputs<'_>) -> bool {
    let is_first = |planned: &Planned| planned.is_first_write();
    if inputs.must_know() && planned.iter().any(is_first) {
        return true;
    }
    match (inputs.rules.listing, inputs.rules.unit) {
        (ListingNeed::Never, _) => false,
        (_, Unit::Each) => planned
            .iter()
            .any(|planned| matches!(planned.change, Change::Create | Change::Update(None))),
        // A set of which anything was written before is ours.
        (_, Unit::Set) => {
            planned
                .iter()
                .any(|planned| planned.change == Change::Create)
                && !planned
                    .iter()
                    .any(|planned| planned.recorded.as_ref().is_some_and(was_written))
        }
    }
}

/// Whether the keys of the set must be known before the plan is carried out.
pub(crate) fn needs_members(planned: &[Planned], inputs: &Inputs<'_>) -> bool {
    inputs.rules.unit == Unit::Set
        && inputs.must_know()
        && planned.iter().any(Planned::is_first_write)
}
