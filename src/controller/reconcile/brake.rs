//! What sources take away: it waits, and much of it is held until a user confirms it
//! (docs/architecture.md#brakes).

use std::collections::BTreeSet;

use tokio::time::Instant;

use super::{Reconcile, inputs::Inputs};
use crate::{
    api::{Approval, EntryState, EntryStatus, Reason},
    controller::{
        error::Failure,
        gate::is_asked_alike,
        object::{is_acted_on, ready_condition, recorded_sources},
        plan::{Brake, BrakeInputs, PlannedRemoval, brake},
        report::{Asks, messages, outcome::Outcome},
        resolve::desired::may_come_from_a_source,
        session::{Session, raw_records},
    },
};

/// Whether status says that the brake holds a record.
fn is_held(record: &EntryStatus) -> bool {
    record.reason.as_deref() == Some(Reason::RemovalHeld.as_str())
}

/// Whether status says that an entry waits because a source took it away.
fn is_waiting(record: &EntryStatus) -> bool {
    record.state == EntryState::Failed
        && record.reason.as_deref() == Some(Reason::Progressing.as_str())
}

impl Reconcile<'_> {
    /// Whether something is said for the first time that a user confirms with a request or an edit. One that was
    /// made before is answered with it, and is no confirmation.
    pub(super) fn asks(&self, outcome: &Outcome) -> Asks {
        let mut failures = outcome.failures.iter();
        let is_changed = failures.any(|failure| failure.reason == Reason::AccountChanged)
            && !self.says_account_changed();
        let recorded = raw_records(&self.object);
        let was_held = |name: &str| {
            recorded
                .iter()
                .any(|record| record.name == name && is_held(record))
        };
        let mut held = outcome.entries.iter().filter(|entry| is_held(entry));
        if is_changed || held.any(|entry| !was_held(&entry.name)) {
            Asks::ForConfirmation
        } else {
            Asks::Nothing
        }
    }

    /// Whether a user has edited the object, or requested a sync, since this reconcile looked at it.
    pub(super) fn is_asked_anew(&self) -> bool {
        let newer = self.tracked(|tracked| tracked.newer_than(&self.object));
        let newer = newer.flatten();
        newer.is_some_and(|newer| !is_asked_alike(&self.object, &newer))
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
        let went_back = self.tracked(|tracked| tracked.went_back) == Some(true);
        // What went back is not what a user asks for now.
        let is_by_spec_alone = !went_back && self.is_edited_alone(inputs);
        let names = removals.iter().map(|removal| &removal.record);
        let names = names.filter(|record| {
            let needs_confirmation = went_back
                || is_held(record)
                || may_come_from_a_source(&self.object.spec, &record.name);
            needs_confirmation && !self.is_confirmed(record, is_by_spec_alone)
        });
        let names: BTreeSet<String> = names.map(|record| fold(&record.name)).collect();
        let taken = self.tracked(|tracked| tracked.taken_away(names));
        let taken = taken.unwrap_or_default();
        let brake_inputs = BrakeInputs {
            taken: &taken,
            recorded: inputs.records.len(),
            went_back,
            grace: self.context.removal_grace,
            now: Instant::now(),
        };
        brake(removals, brake_inputs, fold)
    }

    /// Whether the spec is a newer one than the records were made from, and no Secret that it still names has
    /// changed.
    fn is_edited_alone(&self, inputs: &Inputs) -> bool {
        let recorded = recorded_sources(&self.object);
        let is_unchanged = |(name, version): &(String, String)| {
            let mut read = inputs.sources.iter();
            read.find(|(of, _)| of == name)
                .is_none_or(|(_, read)| read == version)
        };
        !is_acted_on(&self.object) && recorded.iter().all(is_unchanged)
    }

    /// Whether an entry may go at once, whatever took it away.
    fn is_confirmed(&self, record: &EntryStatus, is_by_spec_alone: bool) -> bool {
        // The one who approves sees each name that goes.
        let is_approved = self.object.spec.approval() != Approval::Automatic;
        record.leaving
            || is_approved
            // An edit of something else does not end the grace.
            || (is_by_spec_alone && !is_waiting(record))
            // A request that was made before it was said is not about it.
            || (is_held(record) && (self.requested.is_some() || !is_acted_on(&self.object)))
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
        let went_back = self.tracked(|tracked| tracked.went_back) == Some(true);
        if let Brake::Held(count) = brake
            && (went_back || secrets.is_empty())
        {
            return Some(messages::held_since_it_went_back(
                *count,
                inputs.records.len(),
                kind,
            ));
        }
        messages::braked(brake, inputs.records.len(), &secrets, kind)
    }
}
