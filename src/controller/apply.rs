//! Apply: carries the plan out at the provider. One failing entry does not stop the others; failure
//! of the account does.

mod recreate;

use std::time::Duration;

use http::StatusCode;
use tokio::time::Instant;

use super::{
    error::Failure,
    plan::{Change, Claimed, DesiredEntry, Planned, locate, may_be_there, taken},
    session::Session,
};
use crate::{
    account::{NameLock, NameLocks, Snapshot},
    api::{ConflictPolicy, Reason},
    http::{ErrorClass, ProviderError},
    provider::{ListingNeed, Unit, Write, Written},
};

/// What became of one entry.
#[derive(Debug)]
pub(crate) enum EntryOutcome {
    /// Nothing was to be done.
    Kept,
    /// The provider acknowledged it.
    Written(Written),
    /// It could not be written.
    Failed(Failure),
    /// Its turn did not come, because the account is in failure.
    NotTried,
}

impl EntryOutcome {
    /// Why it could not be written.
    pub(crate) fn failure(self) -> Option<Failure> {
        match self {
            Self::Failed(failure) => Some(failure),
            Self::Kept | Self::Written(_) | Self::NotTried => None,
        }
    }
}

/// What became of the plan.
pub(crate) struct Applied {
    /// One for each entry, in the order of the plan.
    pub(crate) outcomes: Vec<EntryOutcome>,
    /// What ended the pass early.
    pub(crate) failure: Option<Failure>,
}

/// Carries plans out.
pub(crate) struct Writer<'a> {
    pub(crate) session: &'a Session<'a>,
    pub(crate) names: &'a NameLocks,
    pub(crate) claimed: &'a (dyn Claimed + Sync),
    /// What becomes of a name that turns out to be somebody else's.
    pub(crate) conflict: ConflictPolicy,
}

impl Writer<'_> {
    /// Carries out the plan. `listed` is the listing the plan was made from.
    pub(crate) async fn apply(
        &self,
        desired: &[DesiredEntry],
        planned: &[Planned],
        listed: Option<&Snapshot>,
    ) -> Applied {
        match self.session.provider.rules().unit {
            Unit::Each => self.apply_each(desired, planned, listed).await,
            Unit::Set => self.apply_set(desired, planned).await,
        }
    }

    async fn apply_each(
        &self,
        desired: &[DesiredEntry],
        planned: &[Planned],
        listed: Option<&Snapshot>,
    ) -> Applied {
        let mut applied = Applied {
            outcomes: Vec::with_capacity(desired.len()),
            failure: None,
        };
        for (entry, planned) in desired.iter().zip(planned) {
            let outcome = match &planned.change {
                Change::Keep => EntryOutcome::Kept,
                Change::Refuse(failure) => EntryOutcome::Failed(failure.clone()),
                Change::Create | Change::Update(_) if applied.failure.is_some() => {
                    EntryOutcome::NotTried
                }
                Change::Create | Change::Update(_) => {
                    self.write_entry(entry, planned, listed, &mut applied.failure)
                        .await
                }
            };
            applied.outcomes.push(outcome);
        }
        applied
    }

    /// All wanted entries go into each write of a set: that is right whether the provider merges
    /// or replaces.
    async fn apply_set(&self, desired: &[DesiredEntry], planned: &[Planned]) -> Applied {
        let is_refused = |planned: &Planned| matches!(planned.change, Change::Refuse(_));
        let writes: Vec<Write<'_>> = desired
            .iter()
            .zip(planned)
            .filter(|(_, planned)| !is_refused(planned))
            .filter_map(|(entry, _)| write(entry, None))
            .collect();
        let written = if planned.iter().any(|planned| planned.change.is_write()) {
            let mut lock = self.session.lock(self.names, "").await;
            if let Some(lost) = self.claimed.lost("") {
                return refused(planned, &lost);
            }
            let written = self.session.provider.write(&writes).await;
            lock.wrote();
            written
        } else {
            Ok(Written::default())
        };
        let failure = written
            .as_ref()
            .err()
            .map(|error| Failure::provider(error, self.session.choice, None));
        let outcomes = planned
            .iter()
            .map(|planned| match (&planned.change, &written) {
                (Change::Keep, _) => EntryOutcome::Kept,
                (Change::Refuse(failure), _) => EntryOutcome::Failed(failure.clone()),
                (Change::Create | Change::Update(_), Ok(written)) => {
                    EntryOutcome::Written(written.clone())
                }
                (Change::Create | Change::Update(_), Err(error)) => {
                    EntryOutcome::Failed(Failure::provider(error, self.session.choice, None))
                }
            })
            .collect();
        Applied { outcomes, failure }
    }

    /// Writes one entry. Failure of the account is noted in `failure` as well.
    async fn write_entry(
        &self,
        entry: &DesiredEntry,
        planned: &Planned,
        listed: Option<&Snapshot>,
        failure: &mut Option<Failure>,
    ) -> EntryOutcome {
        let mut lock = self.session.lock(self.names, &entry.folded).await;
        if let Some(lost) = self.claimed.lost(&entry.folded) {
            return EntryOutcome::Failed(lost);
        }
        let mut id = match &planned.change {
            Change::Update(id) => id.clone(),
            _ => None,
        };
        // Of what nothing of ours can be, somebody else made what is there since the plan.
        let may_be_ours = id.is_some() || planned.recorded.as_ref().is_some_and(may_be_there);
        let is_left = self.conflict == ConflictPolicy::Fail && !may_be_ours;
        if id.is_none() && self.session.provider.rules().listing == ListingNeed::Create {
            // A listing that began before a write of this name ended says nothing of it.
            let is_current =
                |listed: &Snapshot| lock.last_write().is_none_or(|write| listed.began > write);
            if !listed.is_some_and(is_current) {
                match self.find_now(entry, is_left).await {
                    Ok(found) => id = found,
                    Err(outcome) => return outcome.noting(failure),
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
                    written = Err(error.clone().with(ErrorClass::Protocol, Reason::Rejected));
                }
                Ok(_) => {}
                Err(outcome) => return outcome.noting(failure),
            }
        }
        match written {
            Ok(written) => EntryOutcome::Written(written),
            Err(error) => self.failed(&error, entry).noting(failure),
        }
    }

    async fn send(
        &self,
        entry: &DesiredEntry,
        id: Option<&str>,
        lock: &mut NameLock,
    ) -> Result<Written, ProviderError> {
        let Some(write) = write(entry, id) else {
            return Err(ProviderError::config(Reason::InvalidSpec));
        };
        let written = self.session.provider.write(&[write]).await;
        lock.wrote();
        written
    }

    /// Whether the answer may mean that the secret has another id, or got one meanwhile: a secret
    /// that was deleted by hand answers 404, or 400 (docs/vendors.md#bt-13), and a
    /// name that was created by another writer is refused where a write is not an upsert
    /// (docs/vendors.md#pi-1).
    fn may_be_elsewhere(&self, error: &ProviderError, id: Option<&str>) -> bool {
        match id {
            Some(_) => error.reason == Reason::TargetNotFound || error.is(StatusCode::BAD_REQUEST),
            None => {
                self.session.provider.rules().listing == ListingNeed::Create
                    && error.class == ErrorClass::Config
                    && error.reason == Reason::Rejected
            }
        }
    }

    /// The id of the entry in a listing that begins now, unless what is there is left alone.
    async fn find_now(
        &self,
        entry: &DesiredEntry,
        is_left: bool,
    ) -> Result<Option<String>, Failed> {
        let listed = self
            .session
            .listing(Instant::now(), Duration::ZERO)
            .await
            .map_err(|error| self.failed(&error, entry))?;
        let rules = self.session.provider.rules();
        let located = match locate(entry, &listed, rules) {
            Ok(Some(_)) if is_left => Err(taken(&entry.name, rules)),
            located => located,
        };
        match located {
            Ok(found) => Ok(found.and_then(|remote| remote.id.clone())),
            Err(failure) => Err(Failed {
                failure,
                is_of_account: false,
            }),
        }
    }

    fn failed(&self, error: &ProviderError, entry: &DesiredEntry) -> Failed {
        let failure = Failure::provider(error, self.session.choice, Some(&entry.name));
        Failed {
            failure,
            is_of_account: error.is_of_account(),
        }
    }
}

/// Another object turned out to own the set.
fn refused(planned: &[Planned], lost: &Failure) -> Applied {
    let outcomes = planned.iter().map(|planned| match &planned.change {
        Change::Keep => EntryOutcome::Kept,
        Change::Refuse(failure) => EntryOutcome::Failed(failure.clone()),
        Change::Create | Change::Update(_) => EntryOutcome::Failed(lost.clone()),
    });
    Applied {
        outcomes: outcomes.collect(),
        failure: None,
    }
}

/// A failed write of one entry.
struct Failed {
    failure: Failure,
    is_of_account: bool,
}

impl Failed {
    fn noting(self, failure: &mut Option<Failure>) -> EntryOutcome {
        if self.is_of_account {
            *failure = Some(self.failure.clone());
        }
        EntryOutcome::Failed(self.failure)
    }
}

fn write<'a>(entry: &'a DesiredEntry, id: Option<&'a str>) -> Option<Write<'a>> {
    let value = entry.value.as_ref().ok()?;
    Some(Write {
        name: &entry.name,
        value,
        options: &entry.options,
        id,
    })
}
