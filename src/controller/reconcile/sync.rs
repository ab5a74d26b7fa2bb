//! The middle of a pass: plan, write ahead, apply.

use super::{Reconcile, outcome::Outcome, remove::RemovalOutcome, verify::DriftCheck};
use crate::{
    api::{EntryStatus, READY, Reason},
    controller::{
        apply::{Applied, EntryOutcome, Writer},
        kubernetes::KubernetesError,
        plan::{
            self, Cause, Change, DesiredEntry, Drift, Planned, PlannedRemoval, RemovalAction,
            plan_removals,
        },
        report::{EventNote, messages, status, warnings::trailing_newlines},
        resolve::{dereference::Versions, desired::DesiredState},
        session::Session,
    },
};

impl Reconcile<'_> {
    /// Plans, and carries the plan out.
    pub(crate) async fn sync(
        &self,
        session: &Session<'_>,
        wanted: DesiredState,
        sources: Versions,
        drift_check: Option<DriftCheck>,
    ) -> Result<Outcome, KubernetesError> {
        let DesiredState {
            entries: desired,
            unread,
        } = wanted;
        let names = || desired.iter().map(|entry| entry.name.as_str());
        self.note_claims(session, &desired);
        let mut work = match self.work(session, &desired, &sources, drift_check).await {
            Ok(work) => work,
            Err(failure) => return Ok(self.nothing_done(failure, sources)),
        };
        work.planned = self.plan(session, &desired, &work);
        let removed = self.removed(session, &desired, &work.recorded, unread.is_empty());
        let retained = status::retained(&removed.kept, unread.first());
        let unfinished = |planned: &[Planned], reason| {
            let entries = status::not_carried_out(names(), planned, reason);
            let kept = [retained.clone(), removed.entries()].concat();
            let entries = join(entries, kept).into_iter();
            let sealed = entries.map(|entry| session.sealed(&self.uid, entry));
            let mut outcome = Outcome::of(sealed.collect(), sources.clone());
            // The digests and seals are this key's.
            outcome.key_fingerprint = Some(session.account.digests.scope());
            outcome
        };
        if self.object.spec.is_suspended() {
            let outcome = unfinished(&work.planned, Reason::Suspended);
            let mut changes = work.planned.iter().map(|planned| &planned.change);
            let all_held = unread.is_empty() && changes.all(|change| *change == Change::Keep);
            return Ok(if all_held {
                outcome
            } else {
                outcome.with(messages::not_held())
            });
        }
        let writer = Writer {
            session,
            names: &self.context.accounts.name_locks,
            claimed: &self.claims(session),
            conflict: self.object.spec.conflict_policy(),
        };
        let looked = self.look(session, &desired, &mut work, &removed.going);
        if let Err(failure) = looked.await {
            let mut outcome = unfinished(&work.planned, failure.reason).with(failure);
            outcome.failures.extend(unread);
            return Ok(outcome);
        }
        self.request_owner_rewrite(session, &desired, &work.planned);
        self.guard(&work.planned, &removed.going).await?;
        self.write_ahead(session, &desired, &work, &removed.going)
            .await?;
        let mut applied = writer
            .apply(&desired, &work.planned, work.listed.as_deref())
            .await;
        self.recreate(&writer, &desired, &work.planned, &mut applied)
            .await?;
        self.context.states.with(&self.uid, |state| {
            let outcomes = desired.iter().zip(&applied.outcomes);
            let written =
                outcomes.filter(|(_, outcome)| matches!(outcome, EntryOutcome::Written(_)));
            written.for_each(|(entry, _)| state.written(&entry.folded));
        });
        let entries = status::entries(names(), &work.planned, &applied, crate::clock::now());
        let (written, said) = tally(&applied);
        session.account.learn_scope(said.as_deref());
        let recorded = self.object.status.as_ref();
        let warnings = trailing_newlines(&desired, &work.planned, &applied, recorded, &sources);
        self.context
            .metrics
            .keys_written(session.choice.kind(), written);
        let mut outcome = Outcome::of(join(entries, retained), sources);
        outcome.failures = unread;
        outcome.event_notes = self.drift_notices(session, &desired, &work.planned);
        let removal = if applied.failure.is_none() {
            self.remove(session, removed.going).await?
        } else {
            RemovalOutcome::untouched(removed.going)
        };
        outcome.failures.extend(
            applied
                .outcomes
                .into_iter()
                .filter_map(EntryOutcome::failure),
        );
        outcome.entries.extend(removal.kept);
        let sealed = outcome.entries.into_iter();
        outcome.entries = sealed
            .map(|entry| session.sealed(&self.uid, entry))
            .collect();
        outcome.failures.extend(removal.failures);
        outcome.event_notes.extend(removal.event_notes);
        outcome.event_notes.extend(warnings);
        outcome.scope = session.scope(said);
        outcome.key_fingerprint = Some(session.account.digests.scope());
        outcome.written = written;
        // A set into which nothing was written is not asked for: it may not exist.
        let is_held = outcome.failures.is_empty() && !outcome.entries.is_empty();
        if written > 0 || (is_held && !self.was_synced()) {
            outcome = outcome.settle(session.provider, session.choice).await;
        }
        Ok(outcome)
    }

    /// What is recorded and not wanted. While a source cannot be read nothing goes away: it may still
    /// want it.
    fn removed(
        &self,
        session: &Session<'_>,
        desired: &[DesiredEntry],
        recorded: &[EntryStatus],
        is_complete: bool,
    ) -> Leaving {
        let unwanted = plan::unwanted(desired, recorded, session.rules());
        if !is_complete {
            return Leaving {
                kept: unwanted.into_iter().cloned().collect(),
                going: Vec::new(),
            };
        }
        let policy = self.object.spec.deletion_policy();
        let mut going = plan_removals(unwanted, policy, session.rules(), &self.claims(session));
        going.retain(|removed| removed.action != RemovalAction::DropRecord);
        Leaving {
            kept: Vec::new(),
            going,
        }
    }

    /// One event_note for each kind of drift, and the counts.
    fn drift_notices(
        &self,
        session: &Session<'_>,
        desired: &[DesiredEntry],
        planned: &[Planned],
    ) -> Vec<EventNote> {
        let kind = session.choice.kind();
        let of = |drift: Drift| -> Vec<String> {
            desired
                .iter()
                .zip(planned)
                .filter(|(_, planned)| planned.change.is_write())
                .filter(|(_, planned)| planned.cause == Some(Cause::Drift(drift)))
                .map(|(entry, _)| entry.name.clone())
                .collect()
        };
        [Drift::Missing, Drift::Changed]
            .into_iter()
            .filter_map(|drift| {
                let names = of(drift);
                let count = names.len();
                self.context
                    .metrics
                    .drift_detected(kind, drift.as_str(), count);
                messages::drifted(kind, drift, &names)
            })
            .collect()
    }

    /// Whether everything had settled before this pass. Without that an answer that failed to tell
    /// would be forgotten.
    fn was_synced(&self) -> bool {
        let conditions = self
            .object
            .status
            .iter()
            .flat_map(|status| &status.conditions);
        conditions.into_iter().any(|condition| {
            condition.r#type == READY && condition.reason == Reason::Synced.as_str()
        })
    }
}

/// What is recorded and not wanted.
struct Leaving {
    /// A source that cannot be read may still want these.
    kept: Vec<EntryStatus>,
    /// These go away.
    going: Vec<PlannedRemoval>,
}

impl Leaving {
    fn entries(&self) -> Vec<EntryStatus> {
        self.going.iter().map(|going| going.entry.clone()).collect()
    }
}

fn tally(applied: &Applied) -> (usize, Option<String>) {
    let written = applied.outcomes.iter().filter_map(|outcome| match outcome {
        EntryOutcome::Written(written) => Some(written),
        EntryOutcome::Kept | EntryOutcome::Failed(_) | EntryOutcome::NotTried => None,
    });
    let count = written.clone().count();
    (
        count,
        written
            .filter_map(|written| written.scope.clone())
            .next_back(),
    )
}

fn join(mut entries: Vec<EntryStatus>, others: Vec<EntryStatus>) -> Vec<EntryStatus> {
    entries.extend(others);
    entries
}
