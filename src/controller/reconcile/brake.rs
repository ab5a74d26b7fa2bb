//! What sources remove: it waits, and much of it is held until a user confirms it
//! (docs/architecture.md#brakes).

use std::collections::BTreeSet;

use tokio::time::Instant;

use super::{Reconcile, inputs::Inputs};
use crate::{
    api::{Approval, EntryState, EntryStatus, Reason},
    controller::{
        cache::ObjectState,
        error::Failure,
        object::{
            Versions, is_acted_on, is_asked_alike, is_next_edit, raw_records, ready_condition,
            recorded_sources, says_held,
        },
        plan::{
            Brake, BrakeInputs, PlannedRemoval, brake, is_held_back, is_silent, was_held_back,
            was_written,
        },
        report::{Asks, messages, outcome::Outcome, status},
        resolve::desired::{may_await, may_come_from_a_source, may_give},
        session::Session,
    },
};

impl Reconcile<'_> {
    /// Whether `said` says something that a user confirms with a request or an edit, for the first time, or again after
    /// the object said something else. A request or an edit of before is answered with it, and is no confirmation.
    pub(super) fn asks(&self, outcome: &Outcome, said: Reason) -> Asks {
        let mut failures = outcome.failures.iter();
        let is_changed = failures.any(|failure| failure.reason == Reason::AccountChanged)
            && !self.says_account_changed();
        let was_held = self.held_before();
        let mut held = outcome.entries.iter().filter(|entry| is_held_back(entry));
        let mut is_more = || held.any(|entry| !was_held.contains(entry.name.as_str()));
        let is_held = said == Reason::RemovalHeld && (!says_held(&self.object) || is_more());
        if is_changed || is_held {
            Asks::ForConfirmation
        } else {
            Asks::Nothing
        }
    }

    /// The names that are held, also where the object says something else now.
    fn held_before(&self) -> BTreeSet<&str> {
        let records = raw_records(&self.object).iter();
        let held = records.filter(|record| is_held_back(record) || was_held_back(record));
        held.map(|record| record.name.as_str()).collect()
    }

    /// Records as held only what the object says that it holds, or said before. An object that is suspended, or waits
    /// for approval, says nothing of it meanwhile.
    pub(super) fn record_what_is_said(&self, outcome: &mut Outcome, said: Reason) {
        if said == Reason::RemovalHeld {
            return;
        }
        let was_held = self.held_before();
        for entry in &mut outcome.entries {
            let was_said = was_held.contains(entry.name.as_str()) && !is_silent(said);
            if is_held_back(entry) && !was_said {
                entry.state = EntryState::Failed;
                entry.reason = Some(said.as_str().to_owned());
                if is_silent(said) {
                    // The mark of what was held: what is desired keeps its digest.
                    entry.digest = None;
                }
            }
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

    /// Parts what is not desired into the records that stay, because a source that cannot be read may ask for the entry
    /// or may have given it, and those that may go.
    pub(super) fn part_unwanted<'r>(
        &self,
        inputs: &Inputs,
        unwanted: Vec<&'r EntryStatus>,
    ) -> (Vec<EntryStatus>, Vec<&'r EntryStatus>) {
        let (recorded, unread) = (recorded_sources(&self.object), &inputs.desired.unread);
        let sources = self.object.spec.bulk_sources();
        let (mut stays, mut goes) = (Vec::new(), Vec::new());
        for record in unwanted {
            let mut unread = unread.iter();
            let awaited = unread.find(|(index, _)| {
                let source = sources.get(**index);
                source.is_none_or(|source| may_await(record, **index, source, &recorded))
            });
            match awaited {
                Some((_, failure)) => stays.push(status::retained(record, failure)),
                None => goes.push(record),
            }
        }
        (stays, goes)
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
        let known = self.known_versions();
        // What went back is not what a user asks for now.
        let is_edited_alone = !went_back && self.is_edited_alone(inputs, &known);
        let is_by_spec_alone = |record: &EntryStatus| {
            is_edited_alone && self.is_given_as_before(inputs, &known, &record.name)
        };
        // A request that could not be looked at stays open, and confirms nothing yet.
        let is_requested = self.requested.is_some() && inputs.unchecked.is_none();
        let names = removals.iter().map(|removal| &removal.record);
        let names = names.filter(|record| {
            let needs_confirmation = went_back
                || is_held_back(record)
                || was_held_back(record)
                || may_come_from_a_source(&self.object.spec, &record.name);
            needs_confirmation && !self.is_confirmed(record, is_by_spec_alone, is_requested)
        });
        let names: BTreeSet<String> = names.map(|record| fold(&record.name)).collect();
        let removed = self.tracked(|tracked| {
            let removed = tracked.removed_by_sources(names);
            // Whether an old state lacks what a source gives is not known before the source is read.
            tracked.went_back |= went_back && !inputs.desired.unread.is_empty();
            removed
        });
        let removed = removed.unwrap_or_default();
        // What was recorded and never written, as the names that come in the place of these, is nothing that stays.
        let recorded = inputs.records.iter().filter(|record| {
            was_written(record) || removed.contains_key(fold(&record.name).as_str())
        });
        let brake_inputs = BrakeInputs {
            removed: &removed,
            recorded: recorded.count(),
            went_back,
            grace: self.context.removal_grace,
            now: Instant::now(),
        };
        brake(removals, brake_inputs, fold)
    }

    /// The versions of Secrets that the records were made from.
    fn known_versions(&self) -> Versions {
        let mut known = recorded_sources(&self.object);
        known.extend(self.acted_without_a_trace());
        known
    }

    /// Whether the spec is a newer one than the records were made from, and no Secret that it still names has
    /// changed.
    fn is_edited_alone(&self, inputs: &Inputs, known: &Versions) -> bool {
        let recorded = recorded_sources(&self.object);
        let is_new = |name: &str| recorded.iter().all(|(of, _)| of != name);
        let mut read = inputs.sources.iter();
        !is_acted_on(&self.object) && read.all(|read| is_new(&read.0) || known.contains(read))
    }

    /// Whether the records were made from what each source that may give a name holds now. One that the spec names anew
    /// may have taken the place of a longer one, as where a Secret is named by a hash of what it holds.
    fn is_given_as_before(&self, inputs: &Inputs, known: &Versions, name: &str) -> bool {
        let sources = self.object.spec.bulk_sources().iter().enumerate();
        let mut giving = sources.filter(|(index, source)| may_give(name, *index, source));
        giving.all(|(_, source)| {
            let mut read = inputs.sources.iter();
            read.any(|read| read.0 == source.secret_ref.name && known.contains(read))
        })
    }

    /// The versions of Secrets that the last reconcile read and found everything synced with, where status does not
    /// name them: nothing but metadata of the Secrets had changed.
    fn acted_without_a_trace(&self) -> Versions {
        let status = self.object.status.as_ref();
        let observed = status.and_then(|status| status.observed_generation);
        // After any other end it may have read versions that it did not act on.
        let was_synced = self.was_synced();
        let acted = self.tracked(|tracked| match &tracked.state {
            ObjectState::Waiting { acted, .. } if was_synced => {
                (Some(acted.generation) == observed).then(|| acted.sources.clone())
            }
            _ => None,
        });
        acted.flatten().unwrap_or_default()
    }

    /// Whether an entry may go at once, whatever took it away.
    fn is_confirmed(
        &self,
        record: &EntryStatus,
        is_by_spec_alone: impl Fn(&EntryStatus) -> bool,
        is_requested: bool,
    ) -> bool {
        let spec = &self.object.spec;
        // The one who approves sees each name that goes.
        let is_approved = spec.approval() != Approval::Automatic;
        let is_edited = is_next_edit(&self.object, self.object.metadata.generation);
        let is_asked = says_held(&self.object) && (is_requested || is_edited);
        record.leaving
            || is_approved
            // What a source took away, or may give once it can be read, is Failed: an edit of something else ends
            // neither wait.
            || (record.state != EntryState::Failed && is_by_spec_alone(record))
            // What was asked before it was said, or while the object said something else, is not about it. To suspend an
            // object confirms nothing.
            || (is_held_back(record) && is_asked && !spec.is_suspended())
    }

    /// What is said of removals that wait.
    pub(super) fn removals_wait(&self, session: &Session<'_>) -> Failure {
        messages::removals_wait(&self.bulk_secrets(), session.choice.kind())
    }

    /// What is said of so many removals that are held.
    pub(super) fn removals_held(
        &self,
        session: &Session<'_>,
        inputs: &Inputs,
        count: usize,
    ) -> Failure {
        let written = inputs.records.iter().filter(|record| was_written(record));
        let (entries, rules) = (written.count().max(count), session.rules());
        let secrets = self.bulk_secrets();
        let went_back = self.tracked(|tracked| tracked.went_back) == Some(true);
        if went_back || secrets.is_empty() {
            messages::held_since_it_went_back(count, entries, rules)
        } else {
            messages::removals_held(count, entries, &secrets, rules)
        }
    }

    /// The Secrets of `dataFrom`, each once.
    fn bulk_secrets(&self) -> BTreeSet<&str> {
        let sources = self.object.spec.bulk_sources().iter();
        sources.map(|source| &*source.secret_ref.name).collect()
    }
}
