//! What sources take away: it waits, and much of it is held until a user confirms it
//! (docs/architecture.md#brakes).

use std::collections::BTreeSet;

use tokio::time::Instant;

use super::{Reconcile, inputs::Inputs};
use crate::{
    api::{EntryStatus, Reason},
    controller::{
        error::Failure,
        object::{is_acted_on, recorded_sources},
        plan::{Brake, BrakeInputs, PlannedRemoval, brake},
        report::messages,
        resolve::desired::may_come_from_a_source,
        session::Session,
    },
};

impl Reconcile<'_> {
    /// Splits removals into those that go now and those that the brake holds up.
    pub(super) fn brake(
        &self,
        session: &Session<'_>,
        inputs: &Inputs,
        removals: Vec<PlannedRemoval>,
    ) -> (Vec<PlannedRemoval>, Vec<PlannedRemoval>, Brake) {
        let fold = session.rules().fold;
        let names = removals.iter().map(|removal| &removal.record);
        let names = names.filter(|record| self.is_taken_by_a_source(inputs, record));
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

    /// Whether a source, and not the spec, took an entry away, and no user has confirmed that.
    fn is_taken_by_a_source(&self, inputs: &Inputs, record: &EntryStatus) -> bool {
        if record.leaving || self.requested.is_some() {
            return false;
        }
        if !is_acted_on(&self.object) {
            let was_held = record.reason.as_deref() == Some(Reason::RemovalHeld.as_str());
            let recorded = recorded_sources(&self.object);
            let is_by_spec_alone = recorded
                .iter()
                .all(|source| inputs.sources.contains(source));
            if was_held || is_by_spec_alone {
                return false;
            }
        }
        may_come_from_a_source(&self.object.spec, &record.name)
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
