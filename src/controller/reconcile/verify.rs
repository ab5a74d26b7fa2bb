//! Verification: what was written is compared with the account's listing.

use std::{
    collections::{BTreeMap, BTreeSet},
    hash::{BuildHasher, RandomState},
    sync::{Arc, LazyLock},
    time::Duration,
};

use tokio::time::Instant;

use super::{Reconcile, Stop, inputs::Inputs};
use crate::{
    account::Snapshot,
    api::{EntryState, EntryStatus, ProviderSecret},
    controller::{
        context::Context,
        gate::Decision,
        object::recorded_sources,
        plan::{self, ABSENCE_COUNTS_AFTER, Drift, EMPTY_LISTING_RETRY, Evidence, drifted},
        report::{messages, outcome::Outcome},
        session::Session,
    },
    http::{ErrorClass, ProviderError},
    provider::{SetKeys, Settled, Unit},
};

/// After how long a listing is looked at for the versions that writes left whose answers had none. Until then another
/// writer's value cannot be told from ours.
pub(super) const BASELINE_AFTER: Duration = Duration::from_secs(2);
/// The least wait before absence is looked at again.
const MIN_ABSENCE_WAIT: Duration = Duration::from_secs(1);
/// After how long a listing that failed is asked for again, for the first time.
const FAILED_LISTING_RETRY: Duration = Duration::from_mins(1);

/// What a comparison of the records with a listing showed.
pub(super) struct DriftCheck {
    pub(super) snapshot: Arc<Snapshot>,
    /// What the provider shows of the set, where there are sets.
    pub(super) set_keys: Option<SetKeys>,
    /// What another writer did, by folded name.
    pub(super) drifts: BTreeMap<String, Drift>,
    /// Of what the provider shows several secrets, by folded name.
    pub(super) doubled: BTreeSet<String>,
    /// When to look again, because something seems to be missing and it is too early to tell.
    pub(super) look_again: Option<Duration>,
}

/// When an object that is at rest since before this process is first verified: spread over the
/// interval, and at one time for all that share a credential.
pub(crate) fn first(context: &Context, object: &ProviderSecret) -> Option<Instant> {
    static SPREAD: LazyLock<RandomState> = LazyLock::new(RandomState::new);
    let has_entries = object
        .status
        .as_ref()
        .is_some_and(|status| !status.entries.is_empty());
    let choice = object.spec.provider.choice().filter(|_| has_entries)?;
    let interval = object.spec.verify_interval();
    let interval = interval.unwrap_or(context.verify_interval);
    let place = (&object.metadata.namespace, choice.api_key_secret_ref());
    #[expect(
        clippy::cast_precision_loss,
        reason = "a share of an interval need not be exact"
    )]
    let share = SPREAD.hash_one(place) as f64 / u64::MAX as f64;
    Some(Instant::now() + interval.mul_f64(share))
}

impl Reconcile<'_> {
    /// What must be asked of the provider before anything else, as the gate decided: whether it has
    /// finished, or whether another writer touched something. Without drift the reconcile ends here.
    pub(super) async fn check(
        &self,
        session: &Session<'_>,
        decision: &Decision,
    ) -> Result<Option<DriftCheck>, Stop> {
        let verifies = *decision == Decision::Verify;
        // What status says and the operator did not write is never at rest. Another writer may also have said that a
        // newer version, or spec, was acted on.
        if !session.records.unverified.is_empty() || (verifies && !self.knows_status(session)) {
            if verifies {
                self.verify_again(self.verify_interval());
            }
            return Ok(None);
        }
        match decision {
            Decision::Settle => {
                let mut outcome = self.as_recorded(session);
                self.settle(session, &mut outcome).await;
                Err(outcome.into())
            }
            Decision::Verify => self.verify(session).await.map(Some),
            Decision::Rest | Decision::Later(_) | Decision::Retry | Decision::Go => Ok(None),
        }
    }

    /// Whether this process wrote what status says of the sources, or finds it sealed.
    fn knows_status(&self, session: &Session<'_>) -> bool {
        let status = self.object.status.as_ref();
        let generation = status.and_then(|status| status.observed_generation);
        let seal = session.sources_seal(generation, &recorded_sources(&self.object));
        let is_sealed = status.is_some_and(|status| status.sources_seal.as_ref() == Some(&seal));
        let knows_status = self.tracked(|tracked| {
            tracked.knows_status |= is_sealed;
            tracked.knows_status
        });
        knows_status == Some(true)
    }

    /// Compares what was written with the account's listing; ends the reconcile unless another
    /// writer touched something.
    async fn verify(&self, session: &Session<'_>) -> Result<DriftCheck, Stop> {
        let interval = self.verify_interval();
        let since = Instant::now().checked_sub(interval);
        let suspected_at = self.tracked(|tracked| tracked.suspected_at).flatten();
        let since = since.max(self.baseline_since(session)).max(suspected_at);
        // If something is written again, that answers a request, and no listing from before it does.
        let since = since.max(self.requested.as_ref().map(|_| Instant::now()));
        let since = since.unwrap_or(self.context.epoch);
        let failing_for = || {
            let failing_for = self.tracked(|tracked| tracked.verifications_fail_for(interval));
            failing_for.unwrap_or_default()
        };
        let shared_for = shared_for(failing_for(), interval);
        let drift = match self.check_drift(session, since, shared_for).await {
            Ok(drift) => drift,
            Err(error) => {
                let wait = if error.is_passing() {
                    backoff(failing_for(), interval)
                } else {
                    interval
                };
                self.verify_again(wait);
                // The object goes on saying what stops other entries.
                if !self.was_synced() {
                    return Err(Stop::Unchanged);
                }
                let failure = session.failure(&error);
                // For a bad key a person must act.
                if failure.class == ErrorClass::Auth {
                    return Err(self.as_recorded(session).with(failure).into());
                }
                // What was synced stays so, whatever the listing suffers from.
                if !self.is_blind(&error) {
                    return Err(Stop::Unchanged);
                }
                let mut outcome = self.as_recorded(session);
                self.remark(&mut outcome, messages::blind(&failure));
                outcome.verify_in = Some(wait);
                return Err(outcome.into());
            }
        };
        if is_of_synced(session, &drift) {
            return Ok(drift);
        }
        let age = drift.snapshot.began.elapsed();
        let next = interval
            .saturating_sub(age)
            .max(EMPTY_LISTING_RETRY.min(interval));
        let mut next = drift.look_again.unwrap_or(next);
        if self.lacks_baselines(session, &drift.snapshot) {
            // By then what is shown is believed.
            next = next.min(ABSENCE_COUNTS_AFTER.unsigned_abs());
        }
        self.verify_again(next);
        let entries = self.with_baselines(session, &drift.snapshot);
        if !self.was_synced() {
            if let Some(entries) = entries {
                self.record_baselines(session, entries).await?;
            }
            return Err(Stop::Unchanged);
        }
        if let Some(entries) = entries {
            let mut outcome = self.as_recorded(session);
            outcome.entries = entries;
            outcome.verify_in = Some(next);
            return Err(outcome.into());
        }
        if self.has_remark(messages::BLIND) {
            let mut outcome = self.as_recorded(session);
            outcome.verify_in = Some(next);
            return Err(outcome.into());
        }
        Err(Stop::Unchanged)
    }

    /// A listing that was to be looked at failed. What was synced stays so, whatever the listing suffers from; a
    /// request stays open, and is tried again no later than the object would be verified.
    pub(super) fn note_unchecked(&self, inputs: &Inputs, outcome: &mut Outcome) {
        let Some(failure) = &inputs.unchecked else {
            return;
        };
        outcome.answers_request = false;
        outcome.unchecked = Some(failure.clone());
        let is_ready = outcome.failures.is_empty() && outcome.settled == Settled::Ready;
        if is_ready && outcome.remark.is_none() {
            self.remark(outcome, messages::blind(failure));
            outcome.try_in = Some(self.verify_interval());
        }
    }

    /// Whether a user must know that deleted and changed secrets go unseen: a failed listing does not heal
    /// by itself, or listings have failed for long, which is said once.
    fn is_blind(&self, error: &ProviderError) -> bool {
        let is_long = self.tracked(|tracked| tracked.is_overdue(Instant::now()));
        !error.is_passing() || (is_long == Some(true) && !self.has_remark(messages::BLIND))
    }

    pub(super) fn verify_again(&self, wait: Duration) {
        self.tracked(|tracked| tracked.verify_at = Some(Instant::now() + wait));
    }

    /// Compares the records with a listing that begins now, because a user asked for a sync.
    pub(super) async fn check_drift_now(
        &self,
        session: &Session<'_>,
    ) -> Result<DriftCheck, ProviderError> {
        let check = || self.check_drift(session, Instant::now(), Duration::ZERO);
        let drift = check().await?;
        // An empty listing counts when a second one says so too.
        if drift.look_again.is_some() && !drift.snapshot.proves_absence {
            return check().await;
        }
        Ok(drift)
    }

    pub(super) async fn check_drift(
        &self,
        session: &Session<'_>,
        since: Instant,
        patience: Duration,
    ) -> Result<DriftCheck, ProviderError> {
        let checked = self.compare(session, since, patience).await;
        let interval = self.verify_interval();
        self.tracked(|tracked| {
            tracked.verified(checked.is_ok(), interval);
            if let Ok(drift) = &checked {
                tracked.suspected_at = drift.look_again.map(|_| Instant::now());
            }
        });
        checked
    }

    async fn compare(
        &self,
        session: &Session<'_>,
        since: Instant,
        patience: Duration,
    ) -> Result<DriftCheck, ProviderError> {
        let rules = session.rules();
        let snapshot = session.listing(since, patience).await?;
        let set_keys = match rules.unit {
            Unit::Each => None,
            Unit::Set if is_set_shown(session, &snapshot) => {
                Some(session.provider.set_keys().await?)
            }
            Unit::Set => Some(SetKeys::NoSet),
        };
        let records = &session.records.verified;
        let find = |evidence: &dyn Fn(&str, &EntryStatus) -> Evidence| {
            drifted(records, &snapshot, set_keys.as_ref(), rules, evidence)
        };
        let drifts = find(&|folded, record| self.evidence(session, folded, record, &snapshot));
        let suspected = find(&|_, _| Evidence::Full);
        let evidence =
            |folded: &str, record: &EntryStatus| self.evidence(session, folded, record, &snapshot);
        let doubled = plan::doubled(records, &snapshot, rules, evidence);
        let records = records.iter().filter(|_| suspected.len() > drifts.len());
        let look_again = records.filter_map(|record| {
            let folded = (rules.fold)(&record.name);
            if !suspected.contains_key(&folded) || drifts.contains_key(&folded) {
                return None;
            }
            if !snapshot.proves_absence {
                return Some(EMPTY_LISTING_RETRY);
            }
            let last = self.last_write(session, &folded);
            let since = self
                .since_write(last, record, &snapshot)
                .unwrap_or_default();
            let wait = Duration::try_from(ABSENCE_COUNTS_AFTER - since);
            Some(wait.unwrap_or(MIN_ABSENCE_WAIT).max(MIN_ABSENCE_WAIT))
        });
        let look_again = look_again
            .min()
            .map(|wait| wait.min(self.verify_interval()));
        Ok(DriftCheck {
            snapshot,
            set_keys,
            drifts,
            doubled,
            look_again,
        })
    }
}

/// How long after a verification that failed the next one comes: a minute, doubling up to the interval. So a listing
/// that fails is not asked for more often than one that succeeds.
fn backoff(failing_for: Duration, interval: Duration) -> Duration {
    (failing_for + FAILED_LISTING_RETRY).min(interval)
}

/// How old a listing that failed for another object may be to stand for one that this object asks for: as old as the
/// object has waited since the last one.
fn shared_for(failing_for: Duration, interval: Duration) -> Duration {
    ((failing_for + FAILED_LISTING_RETRY) / 2).clamp(FAILED_LISTING_RETRY.min(interval), interval)
}

/// Whether another writer touched what is synced. What is not, or is known to be several secrets of one name, is tried
/// again at its own time.
fn is_of_synced(session: &Session<'_>, drift: &DriftCheck) -> bool {
    let mut records = session.records.verified.iter();
    records.any(|record| {
        let folded = (session.rules().fold)(&record.name);
        let is_touched = drift.drifts.contains_key(&folded) || drift.doubled.contains(&folded);
        record.state == EntryState::Synced && is_touched
    })
}

fn is_set_shown(session: &Session<'_>, snapshot: &Snapshot) -> bool {
    let set = session.provider.listed_name("");
    snapshot.named(set).next().is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listing_that_fails_is_asked_for_no_more_often_than_one_that_succeeds() {
        let waits = |interval: Duration| -> Vec<Duration> {
            let mut failing_for = Duration::ZERO;
            let wait = |_| {
                let wait = backoff(failing_for, interval);
                // The object's own failure from before this wait stands for no other.
                assert!(shared_for(failing_for + wait, interval) <= wait);
                failing_for += wait;
                wait
            };
            (0..6).map(wait).collect()
        };
        let expected = [1, 2, 4, 8, 10, 10].map(Duration::from_mins);
        assert_eq!(waits(Duration::from_mins(10)), expected);
        let short = Duration::from_secs(20);
        assert_eq!(waits(short), [short; 6]);
    }
}
