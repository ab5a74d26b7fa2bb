//! What sources take away: it waits, and much of it is held until a user confirms it
//! (docs/architecture.md#brakes).

use std::collections::BTreeSet;

use tokio::time::Instant;

use super::{Reconcile, inputs::Inputs};
use crate::{
    api::{Approval, EntryStatus, Reason},
    controller::{
        error::Failure,
        object::{is_acted_on, ready_condition, recorded_sources},
        plan::{Brake, BrakeInputs, PlannedRemoval, brake},
        report::messages,
        resolve::desired::may_come_from_a_source,
        session::{Session, raw_records},
    },
};

/// Whether status says that the brake holds a record.
fn is_held(record: &EntryStatus) -> bool {
    record.reason.as_deref() == Some(Reason::RemovalHeld.as_str())
}

impl Reconcile<'_> {
    /// Whether something is said for the first time that a user confirms with a request. One that was made before is
    /// answered with it, and is no confirmation.
    pub(super) fn asks_for_confirmation(&self, failures: &[Failure]) -> bool {
        let says = |reason: Reason| failures.iter().any(|failure| failure.reason == reason);
        let mut records = raw_records(&self.object).iter();
        let was_held = records.any(is_held);
        (says(Reason::RemovalHeld) && !was_held)
            || (says(Reason::AccountChanged) && !self.says_account_changed())
    }

    /// Whether status says that the API key opens another account.
    pub(super) fn says_account_changed(&self) -> bool {
        let said = ready_condition(&self.object).map(|ready| ready.reason.as_str());
        said == Some(Reason::AccountChanged.as_str())
    }

    /// Splits removals into those that go now and those that the brake holds up.
    pub(super) fn brake(
        &self,
        session: &Session<'_>,
        inputs: &Inputs,
        removals: Vec<PlannedRemoval>,
    ) -> (Vec<PlannedRemoval>, Vec<PlannedRemoval>, Brake) {
        let fold = session.rules().fold;
        let is_by_spec_alone = self.is_edited_alone(inputs);
        let names = removals.iter().map(|removal| &removal.record);
        let names = names.filter(|record| self.is_taken_by_a_source(record, is_by_spec_alone));
        let names: BTreeSet<String> = names.map(|record| fold(&record.name)).collect();
        let noted = self.tracked(|tracked| (tracked.taken_away(names), tracked.went_back));
        let (taken, went_back) = noted.unwrap_or_default();
        let brake_inputs = BrakeInputs {
            taken: &taken,
            recorded: inputs.records.len(),
            went_back,
            grace: self.context.removal_grace,
            now: Instant::now(),
        };
        brake(removals, brake_inputs, fold)
    }

    /// Whether the spec is a newer one than the records were made from, and no Secret has changed.
    fn is_edited_alone(&self, inputs: &Inputs) -> bool {
        let recorded = recorded_sources(&self.object);
        let mut recorded = recorded.iter();
        !is_acted_on(&self.object) && recorded.all(|source| inputs.sources.contains(source))
    }

    /// Whether a source, and not the spec, took an entry away, and no user has confirmed that.
    fn is_taken_by_a_source(&self, record: &EntryStatus, is_by_spec_alone: bool) -> bool {
        let was_held = is_held(record);
        // The one who approves sees each name that goes.
        let is_approved = self.object.spec.approval() != Approval::Automatic;
        let is_confirmed = record.leaving
            || is_approved
            || is_by_spec_alone
            // A request that was made before it was said is not about it.
            || (was_held && (self.requested.is_some() || !is_acted_on(&self.object)));
        !is_confirmed && may_come_from_a_source(&self.object.spec, &record.name)
    }

    /// What is said of what sources took away.
    pub(super) fn braked(
        &self,
        session: &Session<'_>,
        inputs: &Inputs,
        brake: &Brake,
    ) -> Option<Failure> {
        let sources = self.object.spec.bulk_sources().iter();
        let secrets: BTreeSet<&str> = sources.map(|source| &*source.secret_ref.name).collect();
        let secrets: Vec<&str> = secrets.into_iter().collect();
        let kind = session.choice.kind();
        messages::braked(brake, inputs.records.len(), &secrets, kind)
    }
}
