//! Verification: what was written is compared with the account's listing.

use std::{
    collections::BTreeMap,
    hash::{BuildHasher, RandomState},
    sync::{Arc, LazyLock},
    time::Duration,
};

use jiff::SignedDuration;
use tokio::time::Instant;

use super::{Pass, conclusion::Conclusion};
use crate::{
    account::{LastWrite, Snapshot},
    api::{EntryStatus, ProviderSecret},
    controller::{
        context::Context,
        plan::{self, Drift, Evidence, Shown, drifted},
        route::Route,
        trouble::{Kind, Trouble},
    },
    http::ProviderError,
    provider::Unit,
};

/// How long after our last write of a name its absence is believed: some providers show what they
/// took a little later.
const SETTLED: SignedDuration = SignedDuration::from_secs(30);
/// After how long an empty listing is asked for again, and a failed one at the latest.
const SOON: Duration = Duration::from_secs(5);
const LATER: Duration = Duration::from_mins(1);

/// What came of a verification.
pub(super) enum Verified {
    /// All is as it was, or nothing could be learned; nothing is to be told.
    Done,
    /// Something is to be told.
    Learned(Box<Conclusion>),
    /// Somebody else touched entries.
    Drifted(Examined),
}

/// What a listing showed.
pub(super) struct Examined {
    pub(super) snapshot: Arc<Snapshot>,
    /// The keys of the set, where there are sets.
    #[expect(
        clippy::option_option,
        reason = "not asked, a set that is not there, and its keys are three things"
    )]
    pub(super) members: Option<Option<Vec<String>>>,
    /// What somebody else did, by folded name.
    pub(super) drifts: BTreeMap<String, Drift>,
    /// When to look again, because something seems to be missing and it is too early to tell.
    pub(super) look_again: Option<Duration>,
}

/// How new a listing must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Freshness {
    /// Not older than the object's interval.
    Interval,
    /// Begun now, because somebody asked for it.
    Now,
}

/// When an object that is at rest since before this process is first verified: spread over the
/// interval, and at one time for all that share a credential.
pub(super) fn first(context: &Context, object: &ProviderSecret) -> Option<Instant> {
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

impl Pass<'_> {
    /// Compares what was written with the account's listing.
    pub(super) async fn verify(&self, route: &Route<'_>) -> Verified {
        let examined = match self.examine(route, Freshness::Interval).await {
            Ok(examined) => examined,
            Err(error) => {
                self.verify_again(LATER.min(self.verify_interval()));
                let trouble = Trouble::provider(&error, route.choice, None);
                // What was synced stays so, whatever the listing suffers from; but for a bad key a
                // person must act.
                return if trouble.kind == Kind::Auth {
                    Verified::Learned(Box::new(self.as_recorded().with(trouble)))
                } else {
                    Verified::Done
                };
            }
        };
        if !examined.drifts.is_empty() {
            return Verified::Drifted(examined);
        }
        let age = examined.snapshot.began.elapsed();
        let next = self
            .verify_interval()
            .saturating_sub(age)
            .max(SOON.min(self.verify_interval()));
        let next = examined.look_again.unwrap_or(next);
        if let Some(entries) = self.with_baselines(&examined, route) {
            let mut conclusion = self.as_recorded();
            conclusion.entries = entries;
            conclusion.verify_in = Some(next);
            return Verified::Learned(Box::new(conclusion));
        }
        self.verify_again(next);
        Verified::Done
    }

    fn verify_again(&self, wait: Duration) {
        self.context.memos.with(&self.uid, |memo| {
            memo.verify_at = Some(Instant::now() + wait);
        });
    }

    /// Gets the listing and finds what somebody else touched.
    pub(super) async fn examine(
        &self,
        route: &Route<'_>,
        freshness: Freshness,
    ) -> Result<Examined, ProviderError> {
        let now = Instant::now();
        let (since, patience) = match freshness {
            Freshness::Interval => {
                let since = now.checked_sub(self.verify_interval());
                let patience = LATER.min(self.verify_interval());
                (since.unwrap_or(self.context.epoch), patience)
            }
            Freshness::Now => (now, Duration::ZERO),
        };
        let examined = self.look_at(route, since, patience).await?;
        // An empty listing is believed when a second one says so too.
        let is_doubtful = examined.look_again.is_some() && !examined.snapshot.proves_absence;
        if freshness == Freshness::Now && is_doubtful {
            return self.look_at(route, Instant::now(), patience).await;
        }
        Ok(examined)
    }

    async fn look_at(
        &self,
        route: &Route<'_>,
        since: Instant,
        patience: Duration,
    ) -> Result<Examined, ProviderError> {
        let rules = route.rules();
        let snapshot = route.listing(since, patience).await?;
        let members = match rules.unit {
            Unit::Each => None,
            Unit::Set if is_shown(route, &snapshot) => Some(route.provider.members().await?),
            Unit::Set => Some(None),
        };
        let find = |evidence: &dyn Fn(&str, &EntryStatus) -> Evidence| {
            let recorded = self.recorded();
            drifted(
                recorded,
                &snapshot.remotes,
                members.as_ref(),
                rules,
                evidence,
            )
        };
        let drifts = find(&|folded, entry| self.evidence(route, folded, entry, &snapshot));
        let suspected = find(&|_, _| Evidence::Full).len();
        let look_again = (suspected > drifts.len()).then(|| {
            let wait = if snapshot.proves_absence {
                Duration::try_from(SETTLED).unwrap_or(LATER)
            } else {
                SOON
            };
            wait.min(self.verify_interval())
        });
        Ok(Examined {
            snapshot,
            members,
            drifts,
            look_again,
        })
    }

    /// What a listing may prove about a name: nothing if it began before our last write of it ended.
    fn evidence(
        &self,
        route: &Route<'_>,
        folded: &str,
        entry: &EntryStatus,
        snapshot: &Snapshot,
    ) -> Evidence {
        let began = snapshot.began;
        let name = route.lock_name(route.claimed_name(folded));
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
    fn with_baselines(&self, examined: &Examined, route: &Route<'_>) -> Option<Vec<EntryStatus>> {
        let snapshot = &examined.snapshot;
        let mut is_changed = false;
        let entries = self
            .recorded()
            .iter()
            .map(|entry| {
                let mut entry = entry.clone();
                let folded = (route.rules().fold)(&entry.name);
                let is_blank = plan::was_written(&entry) && entry.remote_version.is_none();
                if !is_blank || self.evidence(route, &folded, &entry, snapshot) == Evidence::None {
                    return entry;
                }
                let shown = plan::is_shown_as_ours(&entry, &snapshot.remotes, route.rules());
                if let Shown::Ours(remote) = shown
                    && remote.version.is_some()
                {
                    entry.remote_id = entry.remote_id.or_else(|| remote.id.clone());
                    entry.remote_version.clone_from(&remote.version);
                    is_changed = true;
                    entry = route.sealed(&self.uid, entry);
                }
                entry
            })
            .collect();
        (is_changed && route.rules().unit == Unit::Each).then_some(entries)
    }
}

fn is_shown(route: &Route<'_>, snapshot: &Snapshot) -> bool {
    let set = route.provider.listed_name("");
    snapshot.remotes.iter().any(|remote| remote.name == set)
}
