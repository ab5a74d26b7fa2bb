//! What a plan is made from, and the loop that plans, asks for what the plan lacks and plans again.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use tokio::time::Instant;

use super::{
    Reconcile, Stop,
    not_applied::{not_carried_out, suspended},
    verify::DriftCheck,
};
use crate::{
    account::{LastWrite, Snapshot},
    api::{Approval, EntryStatus, Found},
    clock::Moment,
    controller::{
        cache::Room,
        error::Failure,
        object::{Versions, approved_plan, raw_records},
        plan::{
            self, Brake, Cause, Change, Drift, Lack, PlannedEntry, PlannedRemoval, RemovalAction,
            due, lacks, plan, plan_removals,
        },
        report::status,
        resolve::desired::{DesiredState, ensure_recordable},
        session::Session,
    },
    http::{CALL_TIMEOUT, ErrorClass, ProviderError},
    provider::{ListingNeed, Rules, SetKeys, Unit},
};

/// The oldest listing that a first write may rest on.
const MAX_LISTING_AGE: Duration = Duration::from_mins(1);

/// What a plan is made from, besides what the provider is asked for it.
pub(super) struct Inputs {
    pub(super) desired: DesiredState,
    /// The Secrets that were read.
    pub(super) sources: Versions,
    /// What was recorded, under the digests of the present key.
    pub(super) records: Vec<EntryStatus>,
    /// Entries that are written although their digests are the same, by folded name.
    suspects: BTreeMap<String, Cause>,
    /// What the provider showed when drift was looked for.
    observed: Observed,
    /// When to look again, because something seems to be missing and it is too early to tell.
    pub(super) look_again: Option<Duration>,
    /// Entries, by folded name, of which the provider shows several secrets.
    pub(super) doubled: BTreeSet<String>,
    /// Why the provider did not show what it holds, where a request or a record asks to look at it.
    pub(super) unchecked: Option<Failure>,
    /// Room in memory for large values.
    _room: Option<Room>,
}

/// What the provider was asked for a plan.
#[derive(Clone, Default)]
struct Observed {
    snapshot: Option<Arc<Snapshot>>,
    set_keys: Option<SetKeys>,
}

/// A plan that lacks nothing.
pub(super) struct Planned<'a> {
    pub(super) entries: Vec<PlannedEntry<'a>>,
    /// What is recorded and no longer desired.
    pub(super) removals: Vec<PlannedRemoval>,
    /// Records of what a source that cannot be read may still ask for, and of what the brake holds up.
    pub(super) retained: Vec<EntryStatus>,
    /// Whether anything that sources took away waits or is held.
    pub(super) brake: Brake,
    /// The listing that the plan was made from, if it needed one.
    pub(super) snapshot: Option<Arc<Snapshot>>,
    /// Whether it must be known later what was at the provider before the first write of a name.
    pub(super) must_know: bool,
    /// The approval of it, if status does not hold that yet.
    pub(super) approved: Option<ApprovedPlan>,
}

/// An approval as status holds it from the write-ahead on.
pub(super) struct ApprovedPlan {
    /// What it is for, as seals.
    pub(super) scope: String,
    /// The hash of the plan.
    pub(super) hash: String,
}

impl Planned<'_> {
    /// Whether anything is sent to the provider.
    pub(super) fn calls_provider(&self) -> bool {
        self.writes() > 0 || self.deletes()
    }

    /// How many names are written.
    pub(super) fn writes(&self) -> usize {
        let writes = self.entries.iter();
        writes.filter(|entry| entry.change.is_write()).count()
    }

    /// Whether anything is deleted at the provider.
    pub(super) fn deletes(&self) -> bool {
        let mut removals = self.removals.iter();
        removals.any(|removal| removal.action == RemovalAction::Delete)
    }
}

impl Inputs {
    /// The same, with the room in memory that its values take.
    pub(super) fn with_room(self, room: Room) -> Self {
        Self {
            _room: Some(room),
            ..self
        }
    }

    /// The record of a folded name.
    pub(super) fn record(&self, folded: &str, rules: &Rules) -> Option<&EntryStatus> {
        let mut records = self.records.iter();
        records.find(|record| (rules.fold)(&record.name) == folded)
    }
}

impl Reconcile<'_> {
    /// What the plan is made from: what is desired, the records under the present key, and what must
    /// be written again.
    pub(super) async fn inputs(
        &self,
        session: &Session<'_>,
        (desired, sources): (DesiredState, Versions),
        drift: Option<DriftCheck>,
    ) -> Result<Inputs, Failure> {
        let records = self.follow_key(session, &desired.entries, &sources).await?;
        let records = records.into_iter();
        let records: Vec<EntryStatus> = records
            .map(|record| self.approved_leaving(record))
            .collect();
        let (drift, unchecked) = match drift {
            Some(drift) => (Some(drift), None),
            None => self.check_again(session, &records).await?,
        };
        let (clock, interval) = (crate::clock::now(), self.object.spec.rewrite_interval());
        let due = records.iter().filter_map(|record| {
            let folded = (session.rules().fold)(&record.name);
            Some((folded, due(record, interval, clock)?))
        });
        let mut suspects: BTreeMap<String, Cause> = due.collect();
        self.tracked(|tracked| {
            let dirty = tracked.dirty().map(str::to_owned);
            suspects.extend(dirty.map(|name| (name, Cause::OverwrittenByPeer)));
        });
        let (observed, look_again, doubled) = if let Some(drift) = drift {
            self.verify_again(drift.look_again.unwrap_or_else(|| self.verify_interval()));
            let drifts = drift.drifts.into_iter();
            suspects.extend(drifts.map(|(name, drift)| (name, Cause::Drift(drift))));
            let observed = Observed {
                snapshot: Some(drift.snapshot),
                set_keys: drift.set_keys,
            };
            (observed, drift.look_again, drift.doubled)
        } else {
            // What could not be looked at is as it was.
            let contended = records.iter().filter(|record| plan::was_contended(record));
            suspects.extend(contended.map(|record| {
                let folded = (session.rules().fold)(&record.name);
                (folded, Cause::Drift(Drift::Changed))
            }));
            let ambiguous = records.iter().filter(|record| plan::was_ambiguous(record));
            let names = ambiguous.map(|record| (session.rules().fold)(&record.name));
            (Observed::default(), None, names.collect())
        };
        Ok(Inputs {
            desired,
            sources,
            records,
            suspects,
            observed,
            look_again,
            doubled,
            unchecked,
            _room: None,
        })
    }

    /// Looks at what the provider holds, where a user asked for a sync, or where it showed several secrets of a name
    /// or the work of another writer.
    /// Gives why it could not be looked at: what has changed is written all the same, as far as that needs no listing.
    ///
    /// # Errors
    /// The provider refuses the key.
    async fn check_again(
        &self,
        session: &Session<'_>,
        records: &[EntryStatus],
    ) -> Result<(Option<DriftCheck>, Option<Failure>), Failure> {
        let is_unsettled =
            |record: &EntryStatus| plan::was_ambiguous(record) || plan::was_contended(record);
        let checked = if self.object.spec.is_suspended() {
            return Ok((None, None));
        } else if self.requested.is_some() && records.iter().any(plan::was_written) {
            self.check_drift_now(session).await
        } else if records.iter().any(is_unsettled) {
            // What a plan is made from rests on it as well.
            let since = self.snapshot_since();
            self.check_drift(session, since, Duration::ZERO).await
        } else {
            return Ok((None, None));
        };
        match checked.map_err(|error| session.failure(&error)) {
            Ok(drift) => Ok((Some(drift), None)),
            Err(failure) if failure.class == ErrorClass::Auth => Err(failure),
            Err(failure) => Ok((None, Some(failure))),
        }
    }

    /// Whether the process before this one may have sent writes of the object that are still on their way, where the
    /// provider shows no change, so that nothing would tell that they came in last. What the records say does not
    /// count: a first write under Retain and Overwrite has none, and a value that is sent again has one for both.
    fn is_inherited(&self, rules: &Rules) -> bool {
        let is_blind = rules.unit == Unit::Set || rules.listing == ListingNeed::Never;
        let term = self.context.leadership.term();
        let is_inherited = term.is_some_and(|term| {
            let is_early = Moment::now().since(term.began) < CALL_TIMEOUT;
            // Where this process has made the Lease, a user may have deleted that of another, or there was none yet.
            let is_first =
                term.epoch == Some(0) && !self.context.was_operated.load(Ordering::Relaxed);
            term.is_inherited && is_early && !is_first
        });
        is_blind && is_inherited
    }

    /// Plans; asks the provider for what the plan lacks; plans again, until nothing is missing. A
    /// plan that cannot be carried out now ends here, before anything is recorded as being written.
    pub(super) async fn plan<'i>(
        &self,
        session: &Session<'_>,
        inputs: &'i Inputs,
    ) -> Result<Planned<'i>, Stop> {
        self.ensure_recordable(session, inputs)?;
        let mut observed = inputs.observed.clone();
        loop {
            let names = inputs.desired.entries.iter();
            self.note_claims(session, names.map(|entry| entry.folded.as_str()));
            let (planned, lack) = self.planned(session, inputs, &observed);
            if self.object.spec.is_suspended() {
                let (_, plan) = self.shown_plan(session, &planned);
                return Err(suspended(&self.object, session, inputs, &planned, plan).into());
            }
            // The answer may show that the name is no other object's.
            if self.prove_scope(session, &planned.entries).await {
                continue;
            }
            if planned.calls_provider()
                && let Some(error) = session.refusal()
            {
                let failure = session.failure(&error);
                return Err(
                    not_carried_out(&self.object, session, inputs, &planned, failure).into(),
                );
            }
            let is_outdated = is_outdated(&planned, |folded| self.last_write(session, folded));
            let Some(lack) = lack.or_else(|| is_outdated.then_some(Lack::Snapshot)) else {
                self.ensure_key_is_taken(session, inputs, &planned).await?;
                return self.ensure_approved(session, inputs, planned);
            };
            if let Err(error) = self.observe(session, lack, &mut observed).await {
                let failure = session.failure(&error);
                return Err(
                    not_carried_out(&self.object, session, inputs, &planned, failure).into(),
                );
            }
        }
    }

    /// Ends the reconcile where status would have to hold more than it may, before anything is done.
    fn ensure_recordable(&self, session: &Session<'_>, inputs: &Inputs) -> Result<(), Stop> {
        let records = raw_records(&self.object);
        let desired = &inputs.desired.entries;
        let others = plan::unwanted(desired, records, session.rules());
        ensure_recordable(&self.object.spec, desired, &others).map_err(|failure| {
            let read = inputs.sources.clone();
            self.nothing_done(records, failure, read).into()
        })
    }

    /// The plan from what is known now, and the first thing that it lacks.
    fn planned<'i>(
        &self,
        session: &Session<'_>,
        inputs: &'i Inputs,
        observed: &Observed,
    ) -> (Planned<'i>, Option<Lack>) {
        let (spec, rules) = (&self.object.spec, session.rules());
        let claims = self.claims(session);
        let plan_inputs = plan::Inputs {
            recorded: &inputs.records,
            snapshot: observed.snapshot.as_deref(),
            set_keys: observed.set_keys.as_ref(),
            is_scope_asked: session.account.is_scope_asked(),
            rules,
            set: session.set(),
            deletion: spec.deletion_policy(),
            conflict: spec.conflict_policy(),
            suspects: &inputs.suspects,
            is_inherited: self.is_inherited(rules),
            // A request for a sync begins the count of repairs anew.
            is_requested: self.requested.is_some() && inputs.unchecked.is_none(),
            now: crate::clock::now(),
        };
        let desired = &inputs.desired.entries;
        let digest = |entry: &_| session.digest(entry);
        let entries = plan(desired, &plan_inputs, &claims, digest);
        let unwanted = plan::unwanted(desired, &inputs.records, rules);
        let (mut retained, unwanted) = self.part_unwanted(inputs, unwanted);
        let (unverified, policy) = (&session.records.unverified, spec.deletion_policy());
        let mut removals = plan_removals(unwanted, unverified, policy, rules, &claims);
        removals.retain(|removal| removal.action != RemovalAction::DropRecord);
        let (removals, held_back, brake) = self.brake(session, inputs, removals);
        retained.extend(status::held_back(held_back, &brake));
        let lack = lacks(&entries, &plan_inputs);
        let planned = Planned {
            entries,
            removals,
            retained,
            brake,
            snapshot: observed.snapshot.clone(),
            must_know: plan_inputs.must_know(),
            approved: None,
        };
        (planned, lack)
    }

    /// Asks the provider for what a plan lacks.
    async fn observe(
        &self,
        session: &Session<'_>,
        lack: Lack,
        observed: &mut Observed,
    ) -> Result<(), ProviderError> {
        match lack {
            Lack::Scope => {
                // A question that is not sent is not asked.
                if let Some(refusal) = session.refusal() {
                    return Err(refusal);
                }
                // Without an answer the key stands for the scope.
                let _ = session.account.scope(&*session.provider).await;
            }
            Lack::Snapshot => {
                // Where there is one already, it is outdated.
                let since = match observed.snapshot {
                    None => self.snapshot_since(),
                    Some(_) => Instant::now(),
                };
                observed.snapshot = Some(session.listing_of_one_scope(since).await?);
            }
            Lack::SetKeys => {
                observed.set_keys = Some(session.provider.set_keys().await?);
            }
        }
        Ok(())
    }

    /// After which instant a listing that a plan rests on must have begun.
    pub(super) fn snapshot_since(&self) -> Instant {
        let now = Instant::now();
        let waits = self.object.spec.approval() != Approval::Automatic;
        if self.requested.is_some() || (waits && approved_plan(&self.object).is_some()) {
            // A request is not answered by a listing from before it, and what was approved is carried out if it
            // is still what would be done.
            return now;
        }
        let generation = self.object.metadata.generation.unwrap_or_default();
        let desired = self.tracked(|tracked| tracked.desired_since(generation));
        let desired = desired.unwrap_or(now);
        // However long the object waited for its permit: what was foreign when it was first wanted
        // may be gone.
        let oldest = now.checked_sub(MAX_LISTING_AGE.min(self.verify_interval()));
        oldest.map_or(desired, |oldest| desired.max(oldest))
    }
}

/// Whether a name is refused because of what a listing shows that began before the last write of the name ended: an
/// object that gave it up has deleted it since, perhaps.
fn is_outdated(planned: &Planned<'_>, last_write: impl Fn(&str) -> LastWrite) -> bool {
    let Some(snapshot) = &planned.snapshot else {
        return false;
    };
    let is_refused = |entry: &&PlannedEntry<'_>| {
        entry.found == Some(Found::Foreign) && matches!(entry.change, Change::Refuse(_))
    };
    let mut refused = planned.entries.iter().filter(is_refused);
    refused.any(|entry| match last_write(&entry.desired.folded) {
        LastWrite::At(ended) => snapshot.began <= ended,
        LastWrite::UnderWay | LastWrite::LongAgo => false,
    })
}
