//! Verification: what was written is compared with the account's listing.

use std::{
    collections::BTreeMap,
    hash::{BuildHasher, RandomState},
    sync::{Arc, LazyLock},
    time::Duration,
};

use jiff::SignedDuration;
use tokio::time::Instant;

use super::{Reconcile, outcome::Outcome};
use crate::{
    account::{LastWrite, Snapshot},
    api::{EntryStatus, ProviderSecret},
    controller::{
        context::Context,
        error::Failure,
        plan::{self, Drift, Evidence, Shown, drifted},
        session::Session,
    },
    http::{ErrorClass, ProviderError},
    provider::Unit,
};

/// How long after our last write of a name its absence is believed: some providers show what they
/// took a little later.
const SETTLED: SignedDuration = SignedDuration::from_secs(30);
/// After how long an empty listing is asked for again, and a failed one at the latest.
const SOON: Duration = Duration::from_secs(5);
const LATER: Duration = Duration::from_mins(1);

/// What came of a verification.
pub(crate) enum Verified {
    /// All is as it was, or nothing could be learned; nothing is to be told.
    Done,
    /// Something is to be told.
    Learned(Box<Outcome>),
    /// Somebody else touched entries.
    Drifted(DriftCheck),
}

/// What a listing showed.
pub(crate) struct DriftCheck {
    pub(crate) snapshot: Arc<Snapshot>,
    /// The keys of the set, where there are sets.
    #[expect(
        clippy::option_option,
        reason = "not asked, a set that is not there, and its keys are three things"
    )]
    pub(crate) members: Option<Option<Vec<String>>>,
    /// What somebody else did, by folded name.
    pub(crate) drifts: BTreeMap<String, Drift>,
    /// When to look again, because something seems to be missing and it is too early to tell.
    pub(crate) look_again: Option<Duration>,
}

/// How new a listing must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Freshness {
    /// Not older than the object's interval.
    Interval,
    /// Begun now, because somebody asked for it.
    Now,
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
    /// Compares what was written with the account's listing.
    pub(crate) async fn verify(&self, session: &Session<'_>) -> Verified {
        let drift_check = match self.check_drift(session, Freshness::Interval).await {
            Ok(drift_check) => drift_check,
            Err(error) => {
                self.verify_again(LATER.min(self.verify_interval()));
                let failure = Failure::provider(&error, session.choice, None);
                // What was synced stays so, whatever the listing suffers from; but for a bad key a
                // person must act.
                return if failure.class == ErrorClass::Auth {
                    Verified::Learned(Box::new(self.as_recorded().with(failure)))
                } else {
                    Verified::Done
                };
            }
        };
        if !drift_check.drifts.is_empty() {
            return Verified::Drifted(drift_check);
        }
        let age = drift_check.snapshot.began.elapsed();
        let next = self
            .verify_interval()
            .saturating_sub(age)
            .max(SOON.min(self.verify_interval()));
        let next = drift_check.look_again.unwrap_or(next);
        if let Some(entries) = self.with_baselines(&drift_check, session) {
            let mut outcome = self.as_recorded();
            outcome.entries = entries;
            outcome.verify_in = Some(next);
            return Verified::Learned(Box::new(outcome));
        }
        self.verify_again(next);
        Verified::Done
    }

    fn verify_again(&self, wait: Duration) {
        self.context.states.with(&self.uid, |state| {
            state.verify_at = Some(Instant::now() + wait);
        });
    }

    /// Gets the listing and finds what somebody else touched.
    pub(crate) async fn check_drift(
        &self,
        session: &Session<'_>,
        freshness: Freshness,
    ) -> Result<DriftCheck, ProviderError> {
        let now = Instant::now();
        let (since, patience) = match freshness {
            Freshness::Interval => {
                let since = now.checked_sub(self.verify_interval());
                let patience = LATER.min(self.verify_interval());
                (since.unwrap_or(self.context.epoch), patience)
            }
            Freshness::Now => (now, Duration::ZERO),
        };
        let drift_check = self.look_at(session, since, patience).await?;
        // An empty listing is believed when a second one says so too.
        let needs_second_listing =
            drift_check.look_again.is_some() && !drift_check.snapshot.proves_absence;
        if freshness == Freshness::Now && needs_second_listing {
            return self.look_at(session, Instant::now(), patience).await;
        }
        Ok(drift_check)
    }

    async fn look_at(
        &self,
        session: &Session<'_>,
        since: Instant,
        patience: Duration,
    ) -> Result<DriftCheck, ProviderError> {
        let rules = session.rules();
        let snapshot = session.listing(since, patience).await?;
        let members = match rules.unit {
            Unit::Each => None,
            Unit::Set if is_shown(session, &snapshot) => Some(session.provider.members().await?),
            Unit::Set => Some(None),
        };
        let find = |evidence: &dyn Fn(&str, &EntryStatus) -> Evidence| {
            let recorded = self.recorded();
            drifted(recorded, &snapshot, members.as_ref(), rules, evidence)
        };
        let drifts = find(&|folded, entry| self.evidence(session, folded, entry, &snapshot));
        let suspected = find(&|_, _| Evidence::Full).len();
        let look_again = (suspected > drifts.len()).then(|| {
            let wait = if snapshot.proves_absence {
                Duration::try_from(SETTLED).unwrap_or(LATER)
            } else {
                SOON
            };
            wait.min(self.verify_interval())
        });
        Ok(DriftCheck {
            snapshot,
            members,
            drifts,
            look_again,
        })
    }

    /// What a listing may prove about a name: nothing if it began before our last write of it ended.
    fn evidence(
        &self,
        session: &Session<'_>,
        folded: &str,
        entry: &EntryStatus,
        snapshot: &Snapshot,
    ) -> Evidence {
        let began = snapshot.began;
        let name = session.lock_name(session.claimed_name(folded));
        let since = match self.context.accounts.name_locks.last_write(&name) {
            LastWrite::UnderWay => return Evidence::None,
            LastWrite::At(ended) if began <= ended => return Evidence::None,
            LastWrite::At(ended) => SignedDuration::try_from(began - ended).ok(),
            LastWrite::LongAgo => {
                let written = entry.last_write_time.as_ref();
                written.map(|written| snapshot.began_at.duration_since(written.0))
            }
        };
        let is_settled = since.is_none_or(|since| since >= SETTLED);
        if is_settled && snapshot.proves_absence {
            Evidence::Full
        } else {
            Evidence::Presence
        }
    }

    /// The records with the versions that the listing shows, where the answer to our write had none.
    fn with_baselines(
        &self,
        drift_check: &DriftCheck,
        session: &Session<'_>,
    ) -> Option<Vec<EntryStatus>> {
        let snapshot = &drift_check.snapshot;
        let mut is_changed = false;
        let entries = self
            .recorded()
            .iter()
            .map(|entry| {
                let mut entry = entry.clone();
                let folded = (session.rules().fold)(&entry.name);
                let is_blank = plan::was_written(&entry) && entry.remote_version.is_none();
                if !is_blank || self.evidence(session, &folded, &entry, snapshot) == Evidence::None
                {
                    return entry;
                }
                let shown = plan::is_shown_as_ours(&entry, &snapshot, session.rules());
                if let Shown::Ours(remote) = shown
                    && remote.version.is_some()
                {
                    entry.remote_id = entry.remote_id.or_else(|| remote.id.clone());
                    entry.remote_version.clone_from(&remote.version);
                    is_changed = true;
                    entry = session.sealed(&self.uid, entry);
                }
                entry
            })
            .collect();
        (is_changed && session.rules().unit == Unit::Each).then_some(entries)
    }
}

fn is_shown(session: &Session<'_>, snapshot: &Snapshot) -> bool {
    let set = session.provider.listed_name("");
    snapshot.named(set).next().is_some()
}
