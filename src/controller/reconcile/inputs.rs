//! What a plan is made from: the records, what must be written again, and what the provider shows
//! where that matters.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use tokio::time::Instant;

use super::{
    Reconcile,
    verify::{DriftCheck, Freshness},
};
use crate::{
    account::Snapshot,
    api::EntryStatus,
    controller::{
        error::Failure,
        ownership::Dispute,
        plan::{
            self, Cause, DesiredEntry, Inputs, Planned, PlannedRemoval, RemovalAction, due, plan,
        },
        resolve::dereference::Versions,
        session::Session,
    },
};

/// The oldest listing that a first write may rest on.
const FRESH: Duration = Duration::from_mins(1);

/// What a plan is made from and what it is.
pub(crate) struct Work {
    /// What was recorded, under the digests of the present key.
    pub(crate) recorded: Vec<EntryStatus>,
    suspects: BTreeMap<String, Cause>,
    pub(crate) listed: Option<Arc<Snapshot>>,
    #[expect(
        clippy::option_option,
        reason = "not asked, a set that is not there, and its keys are three things"
    )]
    members: Option<Option<Vec<String>>>,
    pub(crate) planned: Vec<Planned>,
}

impl Reconcile<'_> {
    /// What the plan is made from: the records under the present key, and what must be written again.
    pub(crate) async fn work(
        &self,
        session: &Session<'_>,
        desired: &[DesiredEntry],
        sources: &Versions,
        drift_check: Option<DriftCheck>,
    ) -> Result<Work, Failure> {
        let recorded = self.follow_key(session, desired, sources).await?;
        let is_asked = self.requested.is_some() && !self.object.spec.is_suspended();
        let drift_check = match drift_check {
            None if is_asked && recorded.iter().any(plan::was_written) => {
                let drift_check = self.check_drift(session, Freshness::Now).await;
                Some(drift_check.map_err(|error| Failure::provider(&error, session.choice, None))?)
            }
            drift_check => drift_check,
        };
        let (clock, interval) = (crate::clock::now(), self.object.spec.rewrite_interval());
        let due = recorded.iter().filter_map(|entry| {
            let folded = (session.rules().fold)(&entry.name);
            Some((folded, due(entry, interval, clock)?))
        });
        let mut suspects: BTreeMap<String, Cause> = due.collect();
        self.context.states.with(&self.uid, |state| {
            suspects.extend(
                state
                    .dirty()
                    .map(|name| (name.to_owned(), Cause::OverwrittenByPeer)),
            );
        });
        let (listed, members) = match drift_check {
            Some(drift_check) => {
                let drifts = drift_check.drifts.into_iter();
                suspects.extend(drifts.map(|(name, drift)| (name, Cause::Drift(drift))));
                (Some(drift_check.snapshot), drift_check.members)
            }
            None => (None, None),
        };
        Ok(Work {
            recorded,
            suspects,
            listed,
            members,
            planned: Vec::new(),
        })
    }

    pub(crate) fn plan(
        &self,
        session: &Session<'_>,
        desired: &[DesiredEntry],
        work: &Work,
    ) -> Vec<Planned> {
        let inputs = self.inputs(session, work);
        plan(desired, &inputs, &self.claims(session), |entry| {
            session.digest(&self.uid, entry)
        })
    }

    pub(crate) fn inputs<'a>(&'a self, session: &'a Session<'_>, work: &'a Work) -> Inputs<'a> {
        Inputs {
            recorded: &work.recorded,
            snapshot: work.listed.as_deref(),
            members: work.members.as_ref(),
            rules: session.rules(),
            set: session.set(),
            deletion: self.object.spec.deletion_policy(),
            conflict: self.object.spec.conflict_policy(),
            suspects: &work.suspects,
            // A request for a sync begins the count of repairs anew.
            is_requested: self.requested.is_some(),
            now: crate::clock::now(),
        }
    }

    /// Where another object claims the same names with another key, it matters whose names they are:
    /// the scope must be known, and what the other wrote must be shown under our key.
    async fn place(
        &self,
        session: &Session<'_>,
        desired: &[DesiredEntry],
        work: &mut Work,
    ) -> Result<(), Failure> {
        let to_failure = |error| Failure::provider(&error, session.choice, None);
        let claims = &self.context.claims;
        // Where nothing is written and nothing was, nobody is disturbed.
        let matters = work.planned.iter().any(|planned| planned.change.is_write())
            || work.recorded.iter().any(plan::was_written);
        if !matters {
            return Ok(());
        }
        let is_known =
            session.choice.scope_field().is_some() || session.account.known_scope().is_some();
        if !is_known && claims.has_stranger(&self.uid) {
            session
                .account
                .scope(session.provider)
                .await
                .map_err(to_failure)?;
            self.note_claims(session, desired);
        }
        let disputes = claims.disputes(&self.uid);
        if disputes.is_empty() {
            return Ok(());
        }
        let listed = session.listing(Instant::now(), Duration::ZERO).await;
        let listed = listed.map_err(to_failure)?;
        for Dispute { uid, folded, mark } in disputes {
            let is_shown = plan::is_marked(&mark, &folded, &listed);
            claims.settle(&self.uid, uid, is_shown);
        }
        work.listed = Some(listed);
        work.planned = self.plan(session, desired, work);
        Ok(())
    }

    /// Gets the account's listing, and the keys of the set, where the plan needs them, and plans
    /// again with them. A plan that cannot be carried out now ends here, before anything is recorded
    /// as being written.
    pub(crate) async fn look(
        &self,
        session: &Session<'_>,
        desired: &[DesiredEntry],
        work: &mut Work,
        going: &[PlannedRemoval],
    ) -> Result<(), Failure> {
        let to_failure = |error| Failure::provider(&error, session.choice, None);
        let must_call = work.planned.iter().any(|planned| planned.change.is_write())
            || going
                .iter()
                .any(|removed| removed.action == RemovalAction::Delete);
        let closed = || {
            session
                .closed
                .clone()
                .or_else(|| session.account.limiter.refusal())
        };
        if must_call && let Some(error) = closed() {
            return Err(to_failure(error));
        }
        self.place(session, desired, work).await?;
        let generation = self.object.metadata.generation.unwrap_or_default();
        if plan::needs_listing(&work.planned, &self.inputs(session, work)) {
            let since = self
                .context
                .states
                .with(&self.uid, |state| state.wanted_since(generation));
            // However long the object waited for its turn; what was foreign when it was first wanted
            // may be gone; and a request is not answered by a listing from before it.
            let now = Instant::now();
            let newest = now
                .checked_sub(FRESH.min(self.verify_interval()))
                .unwrap_or(since);
            let listed = match &work.listed {
                Some(drift_check) => Arc::clone(drift_check),
                None if self.requested.is_some() => session
                    .listing(now, Duration::ZERO)
                    .await
                    .map_err(to_failure)?,
                None => {
                    let since = since.max(newest);
                    session
                        .listing(since, Duration::ZERO)
                        .await
                        .map_err(to_failure)?
                }
            };
            // Where the listing says whose the names are, so is known who else claims them.
            let is_told = listed.scope.is_some();
            work.listed = Some(listed);
            if is_told {
                self.note_claims(session, desired);
                self.place(session, desired, work).await?;
            }
            work.planned = self.plan(session, desired, work);
        }
        if plan::needs_members(&work.planned, &self.inputs(session, work)) {
            work.members = Some(session.provider.members().await.map_err(to_failure)?);
            work.planned = self.plan(session, desired, work);
        }
        Ok(())
    }
}
