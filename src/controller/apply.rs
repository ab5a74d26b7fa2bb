//! Apply: carries the plan out at the provider. One failing entry does not stop the others; trouble
//! of the account does.

mod recreate;

use std::time::Duration;

use http::StatusCode;
use tokio::time::Instant;

use super::{
    desired::Desired,
    plan::{Change, Claimed, Planned, locate, may_be_there, taken},
    route::Route,
    trouble::Trouble,
};
use crate::{
    account::{NameLock, NameLocks, Snapshot},
    api::{ConflictPolicy, Reason},
    http::{Class, ProviderError},
    provider::{ListingNeed, Unit, Write, Written},
};

/// What became of one entry.
#[derive(Debug)]
pub(super) enum Outcome {
    /// Nothing was to be done.
    Kept,
    /// The provider acknowledged it.
    Written(Written),
    /// It could not be written.
    Failed(Trouble),
    /// Its turn did not come, because the account is in trouble.
    NotTried,
}

impl Outcome {
    /// Why it could not be written.
    pub(super) fn trouble(self) -> Option<Trouble> {
        match self {
            Self::Failed(trouble) => Some(trouble),
            Self::Kept | Self::Written(_) | Self::NotTried => None,
        }
    }
}

/// What became of the plan.
pub(super) struct Applied {
    /// One for each entry, in the order of the plan.
    pub(super) outcomes: Vec<Outcome>,
    /// What ended the pass early.
    pub(super) trouble: Option<Trouble>,
}

/// Carries plans out.
pub(super) struct Writer<'a> {
    pub(super) route: &'a Route<'a>,
    pub(super) names: &'a NameLocks,
    pub(super) claimed: &'a (dyn Claimed + Sync),
    /// What becomes of a name that turns out to be somebody else's.
    pub(super) conflict: ConflictPolicy,
}

impl Writer<'_> {
    /// Carries out the plan. `listed` is the listing the plan was made from.
    pub(super) async fn apply(
        &self,
        desired: &[Desired],
        planned: &[Planned],
        listed: Option<&Snapshot>,
    ) -> Applied {
        match self.route.provider.rules().unit {
            Unit::Each => self.apply_each(desired, planned, listed).await,
            Unit::Set => self.apply_set(desired, planned).await,
        }
    }

    async fn apply_each(
        &self,
        desired: &[Desired],
        planned: &[Planned],
        listed: Option<&Snapshot>,
    ) -> Applied {
        let mut applied = Applied {
            outcomes: Vec::with_capacity(desired.len()),
            trouble: None,
        };
        for (entry, planned) in desired.iter().zip(planned) {
            let outcome = match &planned.change {
                Change::Keep => Outcome::Kept,
                Change::Refuse(trouble) => Outcome::Failed(trouble.clone()),
                Change::Create | Change::Update(_) if applied.trouble.is_some() => {
                    Outcome::NotTried
                }
                Change::Create | Change::Update(_) => {
                    self.write_entry(entry, planned, listed, &mut applied.trouble)
                        .await
                }
            };
            applied.outcomes.push(outcome);
        }
        applied
    }

    /// All wanted entries go into each write of a set: that is right whether the provider merges
    /// or replaces.
    async fn apply_set(&self, desired: &[Desired], planned: &[Planned]) -> Applied {
        let is_refused = |planned: &Planned| matches!(planned.change, Change::Refuse(_));
        let writes: Vec<Write<'_>> = desired
            .iter()
            .zip(planned)
            .filter(|(_, planned)| !is_refused(planned))
            .filter_map(|(entry, _)| write(entry, None))
            .collect();
        let written = if planned.iter().any(|planned| planned.change.is_write()) {
            let mut lock = self.route.lock(self.names, "").await;
            if let Some(lost) = self.claimed.lost("") {
                return refused(planned, &lost);
            }
            let written = self.route.provider.write(&writes).await;
            lock.wrote();
            written
        } else {
            Ok(Written::default())
        };
        let trouble = written
            .as_ref()
            .err()
            .map(|error| Trouble::provider(error, self.route.choice, None));
        let outcomes = planned
            .iter()
            .map(|planned| match (&planned.change, &written) {
                (Change::Keep, _) => Outcome::Kept,
                (Change::Refuse(trouble), _) => Outcome::Failed(trouble.clone()),
                (Change::Create | Change::Update(_), Ok(written)) => {
                    Outcome::Written(written.clone())
                }
                (Change::Create | Change::Update(_), Err(error)) => {
                    Outcome::Failed(Trouble::provider(error, self.route.choice, None))
                }
            })
            .collect();
        Applied { outcomes, trouble }
    }

    /// Writes one entry. Trouble of the account is noted in `trouble` as well.
    async fn write_entry(
        &self,
        entry: &Desired,
        planned: &Planned,
        listed: Option<&Snapshot>,
        trouble: &mut Option<Trouble>,
    ) -> Outcome {
        let mut lock = self.route.lock(self.names, &entry.folded).await;
        if let Some(lost) = self.claimed.lost(&entry.folded) {
            return Outcome::Failed(lost);
        }
        let mut id = match &planned.change {
            Change::Update(id) => id.clone(),
            _ => None,
        };
        // Of what nothing of ours can be, somebody else made what is there since the plan.
        let may_be_ours = id.is_some() || planned.recorded.as_ref().is_some_and(may_be_there);
        let is_left = self.conflict == ConflictPolicy::Fail && !may_be_ours;
        if id.is_none() && self.route.provider.rules().listing == ListingNeed::Create {
            // A listing that began before a write of this name ended says nothing of it.
            let is_current =
                |listed: &Snapshot| lock.last_write().is_none_or(|write| listed.began > write);
            if !listed.is_some_and(is_current) {
                match self.find_now(entry, is_left).await {
                    Ok(found) => id = found,
                    Err(outcome) => return outcome.noting(trouble),
                }
            }
        }
        let mut written = self.send(entry, id.as_deref(), &mut lock).await;
        if let Err(error) = &written
            && self.may_be_elsewhere(error, id.as_deref())
        {
            match self.find_now(entry, is_left).await {
                // Found under another id, or gone and created again.
                Ok(found) if found != id => {
                    written = self.send(entry, found.as_deref(), &mut lock).await;
                }
                // The name is taken and the listing does not show by what: perhaps not yet.
                Ok(_) if error.is(StatusCode::CONFLICT) => {
                    written = Err(error.clone().with(Class::Protocol, Reason::Rejected));
                }
                Ok(_) => {}
                Err(outcome) => return outcome.noting(trouble),
            }
        }
        match written {
            Ok(written) => Outcome::Written(written),
            Err(error) => self.failed(&error, entry).noting(trouble),
        }
    }

    async fn send(
        &self,
        entry: &Desired,
        id: Option<&str>,
        lock: &mut NameLock,
    ) -> Result<Written, ProviderError> {
        let Some(write) = write(entry, id) else {
            return Err(ProviderError::config(Reason::InvalidSpec));
        };
        let written = self.route.provider.write(&[write]).await;
        lock.wrote();
        written
    }

    /// Whether the answer may mean that the secret has another id, or got one meanwhile: a secret
    /// that was deleted by hand answers 404, at Braintrust perhaps 400 (providers.md 4.1), and a
    /// name that was created by another writer is refused where a write is not an upsert
    /// (providers.md 2.2, trap 1).
    fn may_be_elsewhere(&self, error: &ProviderError, id: Option<&str>) -> bool {
        match id {
            Some(_) => error.reason == Reason::TargetNotFound || error.is(StatusCode::BAD_REQUEST),
            None => {
                self.route.provider.rules().listing == ListingNeed::Create
                    && error.class == Class::Config
                    && error.reason == Reason::Rejected
            }
        }
    }

    /// The id of the entry in a listing that begins now, unless what is there is left alone.
    async fn find_now(&self, entry: &Desired, is_left: bool) -> Result<Option<String>, Failed> {
        let listed = self
            .route
            .listing(Instant::now(), Duration::ZERO)
            .await
            .map_err(|error| self.failed(&error, entry))?;
        let rules = self.route.provider.rules();
        let located = match locate(entry, &listed.remotes, rules) {
            Ok(Some(_)) if is_left => Err(taken(&entry.name, rules)),
            located => located,
        };
        match located {
            Ok(found) => Ok(found.and_then(|remote| remote.id.clone())),
            Err(trouble) => Err(Failed {
                trouble,
                is_of_account: false,
            }),
        }
    }

    fn failed(&self, error: &ProviderError, entry: &Desired) -> Failed {
        let trouble = Trouble::provider(error, self.route.choice, Some(&entry.name));
        Failed {
            trouble,
            is_of_account: error.is_of_account(),
        }
    }
}

/// Another object turned out to own the set.
fn refused(planned: &[Planned], lost: &Trouble) -> Applied {
    let outcomes = planned.iter().map(|planned| match &planned.change {
        Change::Keep => Outcome::Kept,
        Change::Refuse(trouble) => Outcome::Failed(trouble.clone()),
        Change::Create | Change::Update(_) => Outcome::Failed(lost.clone()),
    });
    Applied {
        outcomes: outcomes.collect(),
        trouble: None,
    }
}

/// A failed write of one entry.
struct Failed {
    trouble: Trouble,
    is_of_account: bool,
}

impl Failed {
    fn noting(self, trouble: &mut Option<Trouble>) -> Outcome {
        if self.is_of_account {
            *trouble = Some(self.trouble.clone());
        }
        Outcome::Failed(self.trouble)
    }
}

fn write<'a>(entry: &'a Desired, id: Option<&'a str>) -> Option<Write<'a>> {
    let value = entry.value.as_ref().ok()?;
    Some(Write {
        name: &entry.name,
        value,
        options: &entry.options,
        id,
    })
}
