//! The cleanup of a deleted object. It always ends: when everything is gone, when the user says so,
//! or when the time is over; and it says what it leaves behind.

use std::{sync::Arc, time::Duration};

use kube::{ResourceExt, runtime::controller::Action};
use tokio::time::Instant;

use super::{Ended, Reconcile, left_behind::tell_once};
use crate::{
    account::{Account, Admission, ObjectName},
    api::{DELETION_OVERRIDE, DeletionPolicy, EntryStatus, PlanStatus, ProviderKind, Reason},
    controller::{
        apply::Writer,
        cache::{KnownDeletion, Tracked},
        error::Failure,
        kubernetes::{KubernetesError, is_terminating},
        object::{Versions, raw_records, recorded_sources},
        plan::{self, RemovalAction, plan_removals},
        report::{
            self, Asks, finalizer, messages,
            notes::{self, Told},
            outcome::Outcome,
        },
    },
    http::ErrorClass,
    provider::Choice,
    telemetry::ReconcileResult,
};

/// How long it may take once the namespace is being deleted too and the API key is gone.
const TERMINATING_NAMESPACE_TIMEOUT: Duration = Duration::from_secs(30);
/// How long at least until a deletion that the provider refuses is tried again.
const REFUSED_DELETION_RETRY: Duration = Duration::from_secs(30);
/// The longest wait of a throttled deletion, whose time runs out, where the provider asks for less.
const MAX_THROTTLED_RETRY: Duration = Duration::from_secs(10);
/// How long a process has known of a deletion from before its start, at least, before it trusts the clock
/// that it took too long: the clock may be wrong.
const MIN_CLOCK_TRUST: Duration = Duration::from_mins(1);

/// Makes the notes about names at a provider.
type Notes = fn(ProviderKind, &[String]) -> Vec<Told>;

/// What a try of a cleanup came to.
enum Cleanup {
    /// Nothing is left at the provider.
    Done,
    /// The object waits for a permit, or for the end of its time.
    Parked,
    /// What is still there, and why.
    Blocked(Vec<EntryStatus>, Failure),
    /// What is still there, and the plan to delete it, which is not approved.
    Unapproved(Vec<EntryStatus>, Failure, PlanStatus),
}

impl Reconcile<'_> {
    /// Deletes what a deleted object wrote, and lets the object go.
    pub(super) async fn clean_up(&self) -> Result<Ended, KubernetesError> {
        let known = self.tracked(Tracked::delete);
        let known = known.unwrap_or_else(|| KnownDeletion::now(true));
        let left = left_at_provider(raw_records(&self.object));
        if self.object.spec.deletion_policy() == DeletionPolicy::Retain || left.is_empty() {
            return self.release(&[]).await;
        }
        let is_overridden = is_overridden(&*self.object);
        let choice = self.object.spec.provider.choice();
        let Some(choice) = choice.filter(|_| !is_overridden) else {
            return self.release(&self.not_deleted(left)).await;
        };
        let cleanup = match self.account_to_clean(choice).await {
            Ok(account) => self.delete_all(account, choice, &left).await?,
            Err(failure) => Cleanup::Blocked(left, failure),
        };
        // Also where the key is remembered: no user will put a better one there.
        let is_namespace_terminating =
            self.is_key_gone(choice) && is_terminating(&self.context.client, &self.namespace).await;
        let remaining = self.remaining(known, is_namespace_terminating);
        match cleanup {
            Cleanup::Done => self.release(&[]).await,
            Cleanup::Parked => {
                let wait = self.remaining(known, false);
                let wait = wait.max(Duration::from_secs(1));
                Ok((ReconcileResult::Abandoned, Action::requeue(wait)))
            }
            Cleanup::Blocked(records, _) | Cleanup::Unapproved(records, ..)
                if remaining.is_zero() =>
            {
                let left = self.not_deleted(left_at_provider(&records));
                self.release(&left).await
            }
            Cleanup::Blocked(records, failure) => {
                self.blocked(records, &failure, None, remaining).await
            }
            Cleanup::Unapproved(records, failure, plan) => {
                self.blocked(records, &failure, Some(plan), remaining).await
            }
        }
    }

    /// The account, also where its key is gone from the cluster and was used before.
    async fn account_to_clean(
        &self,
        choice: Choice<'_>,
    ) -> Result<(Arc<Account>, Versions), Failure> {
        let found = match self.account(choice).await {
            Ok(found) => found,
            Err((failure, sources)) => {
                let used = self.context.states.account(&self.uid);
                let used = used.filter(|_| self.is_key_gone(choice));
                let account = used.ok_or(failure)?;
                (account, sources)
            }
        };
        self.ensure_key_allowed(choice, &found.0).await?;
        Ok(found)
    }

    fn is_key_gone(&self, choice: Choice<'_>) -> bool {
        let reference = choice.api_key_secret_ref();
        let seen = self.context.secrets.get(&self.namespace, &reference.name);
        seen.is_none()
    }

    /// Deletes what can be deleted now.
    async fn delete_all(
        &self,
        account: (Arc<Account>, Versions),
        choice: Choice<'_>,
        recorded: &[EntryStatus],
    ) -> Result<Cleanup, KubernetesError> {
        self.use_account(&account.0);
        let permit = match self.admit(&account.0, false) {
            Admission::Granted(permit) => permit,
            Admission::Parked => return Ok(Cleanup::Parked),
            Admission::CircuitOpen(circuit) => {
                let wait = circuit.until.saturating_duration_since(Instant::now());
                let failure = Failure {
                    retry_after: Some(wait),
                    ..Failure::provider(&circuit.error, choice, None)
                };
                return Ok(Cleanup::Blocked(recorded.to_vec(), failure));
            }
        };
        // Under this key some may prove nothing. Another one may come that verifies them.
        let as_recorded = || self.not_deleted(recorded.to_vec());
        let session = self.session(choice, account, Ok(Some(permit)));
        let unverified = &session.records.unverified;
        let records = session.records.verified.iter();
        let left = records
            .filter(|record| plan::may_be_there(record) || unverified.contains(&record.name));
        let left = left.cloned().map(|record| self.approved_leaving(record));
        let all: Vec<EntryStatus> = left.collect();
        let left = self.not_deleted(all.clone());
        self.note_claims(&session, std::iter::empty());
        match self.is_written_account(&session).await {
            Ok(true) => {}
            Ok(false) => {
                let failure = messages::account_changed(choice);
                return Ok(Cleanup::Blocked(as_recorded(), failure));
            }
            Err(failure) => return Ok(Cleanup::Blocked(as_recorded(), failure)),
        }
        let claims = self.claims(&session);
        let policy = DeletionPolicy::Delete;
        let removals = plan_removals(&left, unverified, policy, session.rules(), &claims);
        if let Some((failure, plan)) = self.approve_cleanup(&session, &removals).await? {
            return Ok(Cleanup::Unapproved(as_recorded(), failure, plan));
        }
        let mut actions = removals.iter().map(|removal| removal.action);
        let is_all_another =
            !removals.is_empty() && actions.all(|action| action == RemovalAction::TransferOwner);
        if removals
            .iter()
            .any(|removal| removal.action == RemovalAction::Delete)
        {
            self.still_wants().await?;
        }
        let writer = Writer {
            session: &session,
            names: &self.context.accounts.name_locks,
            claimed: &claims,
            conflict: self.object.spec.conflict_policy(),
            // Nothing brings a deleted object back.
            is_wanted: &|| true,
            began: Instant::now(),
        };
        let mut removal = writer.remove(removals).await;
        writer.delete_with_last_key(&all, &mut removal).await;
        let kind = choice.kind();
        self.note_deleted(kind, &removal.deleted);
        for (names, notes) in [
            (&removal.orphaned, notes::orphaned as Notes),
            (&removal.replaced, notes::replaced as Notes),
        ] {
            self.tell(kind, names, notes).await?;
        }
        self.tell_successors(kind, &removal.handed_over).await?;
        if let Some(failure) = removal.failures.into_iter().next() {
            let kept = removal.kept.into_iter();
            let kept = kept.map(|record| session.sealed(record)).collect();
            return Ok(Cleanup::Blocked(kept, failure));
        }
        if !is_all_another && let Err(error) = writer.delete_empty_set(&all).await {
            // Their records stay with the set: without one it would not be tried again.
            return Ok(Cleanup::Blocked(recorded.to_vec(), session.failure(&error)));
        }
        Ok(Cleanup::Done)
    }

    /// How long the cleanup may still go on.
    fn remaining(&self, known: KnownDeletion, is_namespace_terminating: bool) -> Duration {
        let whole = self.context.deletion_timeout;
        remaining(whole, &*self.object, known, is_namespace_terminating)
    }

    /// Lets the object go, and says what is left behind.
    async fn release(&self, left: &[EntryStatus]) -> Result<Ended, KubernetesError> {
        let mut names: Vec<String> = left.iter().map(|entry| entry.name.clone()).collect();
        names.sort();
        if let Some(choice) = self.object.spec.provider.choice() {
            self.tell(choice.kind(), &names, notes::orphaned).await?;
        }
        finalizer::set(self.context, &self.newest(), false).await?;
        Ok((ReconcileResult::Deleted, Action::await_change()))
    }

    /// The records that no earlier try has deleted.
    fn not_deleted(&self, mut left: Vec<EntryStatus>) -> Vec<EntryStatus> {
        let names: Vec<String> = left.iter().map(|record| record.name.clone()).collect();
        let untold = self.deletion(|deletion| deletion.untold(Reason::RemoteDeleted, &names));
        let untold = untold.unwrap_or(names);
        left.retain(|record| untold.contains(&record.name));
        left
    }

    /// Notes what the provider has deleted: a retry asks for it no more.
    fn note_deleted(&self, kind: ProviderKind, names: &[String]) {
        let reason = Reason::RemoteDeleted;
        let untold = self.deletion(|deletion| {
            let untold = deletion.untold(reason, names);
            deletion.tell(reason, &untold);
            untold
        });
        let untold = untold.unwrap_or_default();
        self.context.metrics.keys_deleted(kind, untold.len());
        let told = notes::deleted(kind, &untold).into_iter();
        let notes: Vec<_> = told.map(|told| told.note).collect();
        report::send_notes(self.context, &*self.object, &notes);
    }

    /// Counts and tells what is left at the provider, once, before the object goes: nothing else tells it
    /// then.
    ///
    /// # Errors
    /// When the API server cannot be had: then the object is kept a little longer.
    async fn tell(
        &self,
        kind: ProviderKind,
        names: &[String],
        notes: Notes,
    ) -> Result<(), KubernetesError> {
        let notes = |untold: &[String]| notes(kind, untold);
        let (told, result) = tell_once(self.context, &*self.object, names, notes).await;
        self.context.metrics.keys_left_behind(kind, told);
        result
    }

    /// Tells what other objects have now, once. They write it, so it does not count as left behind.
    ///
    /// # Errors
    /// As [`Self::tell`].
    async fn tell_successors(
        &self,
        kind: ProviderKind,
        successors: &[(String, ObjectName)],
    ) -> Result<(), KubernetesError> {
        let names: Vec<String> = successors.iter().map(|(name, _)| name.clone()).collect();
        let notes = |untold: &[String]| {
            let successors = successors.iter().filter(|(name, _)| untold.contains(name));
            let successors: Vec<_> = successors.cloned().collect();
            notes::handed_over(kind, &self.namespace, &successors)
        };
        let (_, result) = tell_once(self.context, &*self.object, &names, notes).await;
        result
    }

    /// Says why the object is still there, and when it is tried again.
    async fn blocked(
        &self,
        records: Vec<EntryStatus>,
        failure: &Failure,
        plan: Option<PlanStatus>,
        remaining: Duration,
    ) -> Result<Ended, KubernetesError> {
        let wait = self.tracked(|tracked| tracked.backoff.next());
        let wait = wait.unwrap_or_default();
        // What a provider refuses, because it is in use perhaps, it will refuse in a second as well.
        let wait = if failure.class == ErrorClass::Config {
            wait.max(REFUSED_DELETION_RETRY)
        } else {
            wait
        };
        let wait = match failure.retry_after {
            // A provider that asks for a second each time is asked each ten.
            Some(asked) if failure.class == ErrorClass::Throttled => {
                asked.max(wait.min(MAX_THROTTLED_RETRY))
            }
            asked => asked.unwrap_or(wait),
        };
        let wait = wait.min(remaining);
        let mut outcome = Outcome::of(records, recorded_sources(&self.object));
        outcome.plan = plan;
        let readiness = messages::deletion_blocked(failure);
        let newest = self.newest();
        let (context, asks) = (self.context, Asks::Nothing);
        match report::report(context, &newest, &readiness, &outcome, None, asks).await {
            Ok(_) | Err(KubernetesError::Forbidden | KubernetesError::Invalid) => {}
            Err(error) => return Err(error),
        }
        let acted = self.acted(self.secret_versions.clone());
        self.deletion(|deletion| deletion.block(acted, Instant::now() + wait));
        Ok((ReconcileResult::Reconciling, Action::requeue(wait)))
    }
}

/// How long a deleted object may still be kept, of `whole`. Where this process has seen the deletion begin, its
/// monotonic clock alone says how long ago that was (docs/architecture.md#deletion).
pub(super) fn remaining(
    whole: Duration,
    object: &impl ResourceExt,
    known: KnownDeletion,
    is_namespace_terminating: bool,
) -> Duration {
    let whole = if is_namespace_terminating {
        whole.min(TERMINATING_NAMESPACE_TIMEOUT)
    } else {
        whole
    };
    let own = known.since.elapsed();
    let deleted = object.meta().deletion_timestamp.as_ref();
    let by_clock = deleted
        .and_then(|time| Duration::try_from(crate::clock::now().duration_since(time.0)).ok());
    let elapsed = match by_clock {
        Some(by_clock) if !known.is_witnessed && own >= whole.min(MIN_CLOCK_TRUST) => {
            by_clock.max(own)
        }
        _ => own,
    };
    whole.saturating_sub(elapsed)
}

/// Whether a user lets a deleted object go without what it wrote.
pub(super) fn is_overridden(object: &impl ResourceExt) -> bool {
    let word = object.annotations().get(DELETION_OVERRIDE);
    word.is_some_and(|word| word == "orphan")
}

/// The records of what may be left at the provider.
fn left_at_provider(records: &[EntryStatus]) -> Vec<EntryStatus> {
    let records = records.iter().filter(|record| plan::may_be_there(record));
    records.cloned().collect()
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use kube::core::ObjectMeta;
    use rstest::rstest;

    use super::*;
    use crate::controller::object::{Guarded, time};

    /// The minutes that are left of 15: so many after the process has come to know of the deletion, where the clock
    /// makes it so many old.
    /// Cases: A-23
    #[rstest]
    #[case::as_the_clock(true, 10, 10, 5)]
    #[case::of_a_clock_that_is_ahead(true, 2, 62, 13)]
    #[case::of_a_clock_that_is_behind(true, 10, -60, 5)]
    #[case::over(true, 15, 15, 0)]
    #[case::from_before_the_start(false, 2, 10, 5)]
    #[case::from_long_before_the_start(false, 1, 60, 0)]
    #[case::in_the_first_minute(false, 0, 60, 15)]
    #[case::from_before_the_start_and_of_a_clock_that_is_behind(false, 10, -60, 5)]
    fn only_a_deletion_from_before_the_start_is_timed_by_the_clock(
        #[case] is_witnessed: bool,
        #[case] own: u64,
        #[case] by_clock: i64,
        #[case] left: u64,
    ) {
        let deleted = crate::clock::now() - SignedDuration::from_mins(by_clock);
        let meta = ObjectMeta {
            deletion_timestamp: Some(time(deleted)),
            ..ObjectMeta::default()
        };
        let known = KnownDeletion {
            since: Instant::now() - Duration::from_mins(own),
            is_witnessed,
        };
        let whole = Duration::from_mins(15);
        let remaining = remaining(whole, &Guarded(Err(Box::new(meta))), known, false);
        assert_eq!((remaining.as_secs() + 30) / 60, left, "{remaining:?}");
    }
}
