//! The apply step: what is recorded before anything is sent, the writes, then the deletes. Their
//! order is load-bearing: a crash between any two of them leaves no orphan and no stale value.

use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;
use tokio::time::Instant;

use super::{
    Reconcile, Stop,
    approval::awaited_scope,
    inputs::{Inputs, Planned},
    verify::BASELINE_AFTER,
};
use crate::{
    account::Snapshot,
    api::{EntryState, EntryStatus, Reason},
    controller::{
        apply::{Halt, RemovalOutcome, Writer, lacks_new_names},
        error::Failure,
        events::{EventNote, Importance},
        kubernetes::{KubernetesError, bounded},
        object::{is_acted_on, ready_condition},
        plan::{
            self, ABSENCE_COUNTS_AFTER, Brake, Cause, Drift, EntryOutcome, PlannedEntry,
            PlannedRemoval, RemovalAction,
        },
        report::{
            messages::{self, Remark},
            notes,
            outcome::Outcome,
            status, warnings,
        },
        session::Session,
    },
    http::ErrorClass,
    provider::{Rules, Settled},
};

/// How long a provider may apply what it accepted before a user is told.
const PENDING_WARNING_AFTER: SignedDuration = SignedDuration::from_mins(5);

/// Whether a write of the entry was sent, whatever came of it.
fn was_tried(entry: &PlannedEntry<'_>) -> bool {
    let is_sent = matches!(
        entry.outcome,
        EntryOutcome::Written(_) | EntryOutcome::Failed(_)
    );
    is_sent && entry.change.is_write()
}

/// A plan that was carried out.
pub(super) struct Applied<'a> {
    entries: Vec<PlannedEntry<'a>>,
    retained: Vec<EntryStatus>,
    brake: Brake,
    removal: RemovalOutcome,
    /// Why not everything was tried.
    halt: Option<Halt>,
}

impl Reconcile<'_> {
    /// Carries a plan out.
    pub(super) async fn apply<'i>(
        &self,
        session: &Session<'_>,
        inputs: &Inputs,
        mut planned: Planned<'i>,
    ) -> Result<Applied<'i>, Stop> {
        let claims = self.claims(session);
        let is_wanted = || self.is_wanted();
        let writer = Writer {
            session,
            names: &self.context.accounts.name_locks,
            claimed: &claims,
            conflict: self.object.spec.conflict_policy(),
            is_wanted: &is_wanted,
            began: Instant::now(),
        };
        self.request_owner_rewrite(session, inputs, &planned.entries);
        self.ensure_finalizer(session, &planned).await?;
        self.write_ahead(session, &planned).await?;
        let (entries, snapshot) = (&mut planned.entries, planned.snapshot.as_deref());
        let mut halt = writer.write_entries(entries, snapshot).await;
        self.recreate_refused(&writer, entries, snapshot, &mut halt)
            .await?;
        self.note_written(session, entries);
        let is_refused = |entry: &PlannedEntry<'_>| matches!(&entry.outcome, EntryOutcome::Failed(failure) if failure.class == ErrorClass::Auth);
        // Names at which the provider fails are no reason to keep others.
        let goes_on = matches!(halt, None | Some(Halt::Provider(_)));
        let lacks_new_names = lacks_new_names(entries);
        // What a key may not write it need not delete.
        let removal = if goes_on && !entries.iter().any(is_refused) {
            if planned.deletes() && !lacks_new_names && self.is_wanted() {
                self.still_wants().await?;
            }
            let stays = |removal: &PlannedRemoval| {
                lacks_new_names && removal.action == RemovalAction::Delete
            };
            let (kept, going): (Vec<_>, Vec<_>) = planned.removals.into_iter().partition(stays);
            let mut removal = writer.remove(going).await;
            removal.kept.extend(RemovalOutcome::not_tried(&kept).kept);
            if !kept.is_empty() {
                let waiting = messages::removals_wait_for_names(kept.len(), session.choice.kind());
                removal.failures.push(waiting);
            }
            self.count_removal(session, &removal);
            removal
        } else {
            RemovalOutcome::not_tried(&planned.removals)
        };
        if removal.is_withdrawn {
            halt = Some(Halt::Withdrawn);
        }
        Ok(Applied {
            entries: planned.entries,
            retained: planned.retained,
            brake: planned.brake,
            removal,
            halt,
        })
    }

    /// Asks whether the provider has finished, and sums up what a plan that was carried out came to.
    pub(super) async fn summarize(
        &self,
        session: &Session<'_>,
        inputs: &Inputs,
        applied: Applied<'_>,
    ) -> Outcome {
        let Applied {
            entries,
            retained,
            brake,
            removal,
            halt,
        } = applied;
        let kind = session.choice.kind();
        let removal_look_again = removal.look_again;
        let halted_by = halt.as_ref().and_then(Halt::failure);
        let mut records = status::entries(&entries, halted_by, crate::clock::now());
        let held = retained.iter().filter(|record| plan::is_held_back(record));
        let held = held.count();
        let ambiguous = mark_doubled(&mut records, inputs, session.rules());
        let of_removal = notes::of_removal(kind, &self.namespace, &removal);
        records.extend(retained);
        records.extend(removal.kept);
        let sealed = records.into_iter().map(|record| session.sealed(record));
        let mut outcome = Outcome::of(sealed.collect(), inputs.sources.clone());
        let seal = session.sources_seal(self.object.metadata.generation, &outcome.sources);
        outcome.sources_seal = Some(seal);
        outcome.approval_scope = awaited_scope(&self.object, session, &entries);
        outcome.event_notes = self.drift_notes(session, &entries);
        outcome.event_notes.extend(of_removal);
        let recorded = self.object.status.as_ref();
        let of_values = warnings::of_values(&entries, recorded, &inputs.sources);
        outcome.event_notes.extend(of_values);
        let written = || entries.iter().filter_map(PlannedEntry::written);
        let reported_scope = written()
            .filter_map(|written| written.scope.clone())
            .next_back();
        outcome.scope = session.scope(reported_scope);
        outcome.written = written().count();
        let lacks_version = written().any(|written| written.version.is_none());
        if session.rules().shows_versions() && lacks_version {
            outcome.verify_in = Some(BASELINE_AFTER);
        }
        outcome.key_fingerprint = Some(session.account.digests.key_id());
        outcome.failures = inputs.desired.unread.values().cloned().collect();
        let failed = entries.into_iter().filter_map(|entry| match entry.outcome {
            EntryOutcome::Failed(failure) => Some(failure),
            // What was not tried counts as well.
            EntryOutcome::NotTried => match &halt {
                Some(Halt::Provider(failure)) => Some(failure.clone()),
                Some(Halt::Account(_) | Halt::Withdrawn) | None => None,
            },
            EntryOutcome::Kept | EntryOutcome::Written(_) => None,
        });
        outcome.failures.extend(failed);
        outcome.failures.extend(ambiguous);
        outcome.failures.extend(removal.failures);
        let grace = match brake {
            Brake::Waiting(wait) => Some(wait),
            Brake::Open | Brake::Held => None,
        };
        let waits = grace.map(|_| self.removals_wait(session));
        outcome.failures.extend(waits);
        if held > 0 {
            // First, so that the object says it: the next edit, of another entry that failed perhaps, confirms it.
            let failure = self.removals_held(session, inputs, held);
            outcome.failures.insert(0, failure);
        }
        // No change here tells that a user has settled it at the provider.
        let is_ambiguous = |failure: &Failure| failure.reason == Reason::Ambiguous;
        let is_unsettled = outcome.failures.iter().any(is_ambiguous);
        let again = is_unsettled.then(|| self.verify_interval());
        let looks = inputs.look_again.into_iter().chain(removal_look_again);
        let times = grace.into_iter().chain(looks).chain(again);
        outcome.try_in = times.min();
        let is_tried = |failure: &Failure| {
            use ErrorClass::{Config, Waiting};
            matches!(failure.class, Config | Waiting)
        };
        // What is held beside a source that cannot be read was not up to this request yet.
        let is_out_of_reach = held > 0 && !inputs.desired.unread.is_empty();
        outcome.answers_request = !is_out_of_reach
            && inputs.look_again.is_none()
            && removal_look_again.is_none()
            && outcome.failures.iter().all(is_tried);
        // A set into which nothing was written is not asked for: it may not exist.
        let was_written = outcome.entries.iter().any(plan::was_written);
        if outcome.written > 0 || (was_written && !self.was_synced()) {
            self.settle(session, &mut outcome).await;
        }
        if halt == Some(Halt::Withdrawn) {
            outcome.failures.push(messages::withdrawn());
            outcome.answers_request = false;
        }
        outcome.is_carried_out = outcome.settled == Settled::Ready;
        self.note_unchecked(inputs, &mut outcome);
        outcome
    }

    /// Deletes and creates what refused an update and is ours by its record, where the spec allows
    /// it.
    async fn recreate_refused(
        &self,
        writer: &Writer<'_>,
        entries: &mut [PlannedEntry<'_>],
        snapshot: Option<&Snapshot>,
        halt: &mut Option<Halt>,
    ) -> Result<(), KubernetesError> {
        for entry in entries {
            if writer.is_to_be_recreated(entry) {
                self.still_wants().await?;
                entry.outcome = writer.recreate(entry, snapshot, halt).await;
            }
        }
        Ok(())
    }

    /// Before anything is deleted, or tried again, the object is read live once: a store that lags
    /// must not delete.
    pub(super) async fn still_wants(&self) -> Result<(), KubernetesError> {
        let objects = self.context.objects(&self.namespace);
        let live = bounded(objects.get(&self.object.name_any())).await?;
        if live.uid() != self.object.uid() {
            return Err(KubernetesError::NotFound);
        }
        let is_same = live.metadata.generation == self.object.metadata.generation
            && live.metadata.deletion_timestamp == self.object.metadata.deletion_timestamp;
        if is_same {
            Ok(())
        } else {
            Err(KubernetesError::Conflict)
        }
    }

    /// Notes which entries the provider acknowledged: they are not dirty any more.
    fn note_written(&self, session: &Session<'_>, entries: &[PlannedEntry<'_>]) {
        let written = || entries.iter().filter(|entry| entry.written().is_some());
        let is_change = |entry: &&PlannedEntry<'_>| entry.record.is_some_and(plan::was_written);
        self.tracked(|tracked| {
            written().for_each(|entry| tracked.written(&entry.desired.folded));
            // The interval begins with a change, and not with the first write of a spec.
            let is_later = is_acted_on(&self.object) && entries.iter().any(was_tried);
            if is_later || written().any(|entry| is_change(&entry)) {
                tracked.written_at = Some(Instant::now());
            }
        });
        // The answers may have said which scope the key opens.
        self.note_claims(session, std::iter::empty());
        let (metrics, kind) = (&self.context.metrics, session.choice.kind());
        let updated = written().filter(is_change).count();
        metrics.keys_written(kind, "create", written().count() - updated);
        metrics.keys_written(kind, "update", updated);
    }

    pub(super) fn count_removal(&self, session: &Session<'_>, removal: &RemovalOutcome) {
        let (metrics, kind) = (&self.context.metrics, session.choice.kind());
        metrics.keys_deleted(kind, removal.deleted.len());
        let left = removal.orphaned.len() + removal.replaced.len();
        metrics.keys_left_behind(kind, left);
    }

    /// One note for each kind of drift, and the counts.
    fn drift_notes(&self, session: &Session<'_>, entries: &[PlannedEntry<'_>]) -> Vec<EventNote> {
        let kind = session.choice.kind();
        let notes = [Drift::Missing, Drift::Changed].into_iter().map(|drift| {
            let is_repaired = |entry: &&PlannedEntry<'_>| {
                entry.change.is_write() && entry.cause == Some(Cause::Drift(drift))
            };
            let repaired = entries.iter().filter(is_repaired);
            let names: Vec<String> = repaired.map(|entry| entry.name().to_owned()).collect();
            let metrics = &self.context.metrics;
            metrics.drift_detected(kind, drift.as_str(), names.len());
            notes::drifted(kind, drift, &names)
        });
        notes.flatten().collect()
    }

    /// Asks the provider whether it has finished what it accepted.
    pub(super) async fn settle(&self, session: &Session<'_>, outcome: &mut Outcome) {
        match session.provider.settled().await {
            Ok(settled) => outcome.settled = settled,
            Err(error) => outcome.failures.push(session.failure(&error)),
        }
        let kind = session.choice.kind();
        let led_for = self.context.leadership.led_for();
        let since = outcome.since_write(crate::clock::now(), led_for);
        let is_since = |least: SignedDuration| since.is_some_and(|since| since >= least);
        if outcome.settled == Settled::Absent && !is_since(ABSENCE_COUNTS_AFTER) {
            outcome.settled = Settled::Pending;
        }
        if outcome.settled == Settled::Pending && is_since(PENDING_WARNING_AFTER) {
            self.remark(outcome, messages::late(kind));
        }
        if outcome.settled == Settled::Absent {
            self.note_vanished(session, outcome, crate::clock::now());
        }
        if matches!(outcome.settled, Settled::Failed | Settled::Absent) {
            // What was accepted is not there: everything is sent again.
            for entry in outcome.entries.iter_mut().filter(is_accepted) {
                entry.state = EntryState::Pending;
                entry.digest = None;
                entry.reason = Some(Reason::ProviderFailed.as_str().to_owned());
            }
        }
    }

    /// What was accepted is gone before it was ready: another writer deleted it, or the provider lost
    /// it. It is drift like any other, with its brake.
    fn note_vanished(&self, session: &Session<'_>, outcome: &mut Outcome, now: Timestamp) {
        let kind = session.choice.kind();
        let mut entries = outcome.entries.iter();
        if entries.any(|entry| plan::is_contended(entry.drift.as_ref(), now)) {
            outcome.failures.push(messages::vanishes(kind));
            return;
        }
        let mut names = Vec::new();
        for entry in outcome.entries.iter_mut().filter(is_accepted) {
            entry.drift = Some(plan::counted(entry.drift.as_ref(), now));
            names.push(entry.name.clone());
        }
        let metrics = &self.context.metrics;
        metrics.drift_detected(kind, Drift::Missing.as_str(), names.len());
        let note = notes::drifted(kind, Drift::Missing, &names);
        outcome.event_notes.extend(note);
    }

    /// Adds to the message of an object what a user should know, and warns of it once: status says whether that was
    /// done.
    pub(super) fn remark(&self, outcome: &mut Outcome, remark: Remark) {
        if !self.has_remark(&remark.text) {
            outcome.event_notes.push(EventNote {
                importance: Importance::Warning,
                reason: remark.reason,
                action: "Verify",
                note: remark.text.clone(),
            });
        }
        outcome.remark = Some(remark.text);
    }

    /// Whether status says this.
    pub(super) fn has_remark(&self, text: &str) -> bool {
        let ready = ready_condition(&self.object);
        ready.is_some_and(|ready| ready.message.contains(text))
    }

    /// Whether everything had settled before this reconcile. Without that an answer that failed to
    /// arrive would be forgotten.
    pub(super) fn was_synced(&self) -> bool {
        let ready = ready_condition(&self.object);
        ready.is_some_and(|ready| ready.reason == Reason::Synced.as_str())
    }
}

/// Whether the provider has accepted the wanted value of an entry.
fn is_accepted(entry: &&mut EntryStatus) -> bool {
    entry.state == EntryState::Synced
}

/// Marks the records of entries of which the provider shows several secrets, and gives the failures. What was written
/// is ours by its id; which of them is used there is not known.
fn mark_doubled(records: &mut [EntryStatus], inputs: &Inputs, rules: &Rules) -> Vec<Failure> {
    let is_doubled = |record: &EntryStatus| inputs.doubled.contains(&(rules.fold)(&record.name));
    let synced = records
        .iter_mut()
        .filter(|record| record.state == EntryState::Synced && is_doubled(record));
    let failures = synced.map(|record| {
        let failure = plan::ambiguous(&record.name, rules);
        record.state = EntryState::Failed;
        record.reason = Some(failure.reason.as_str().to_owned());
        failure
    });
    failures.collect()
}
