//! What a plan is made from: the records, what must be written again, and what the provider shows
//! where that matters.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use tokio::time::Instant;

use super::{
    Pass,
    verify::{Examined, Freshness},
};
use crate::{
    account::{Snapshot, scope_field},
    api::EntryStatus,
    controller::{
        claims::Dispute,
        dereference::Versions,
        desired::Desired,
        plan::{self, Cause, Inputs, Planned, Removed, Riddance, due, plan},
        route::Route,
        trouble::Trouble,
    },
};

/// The oldest listing that a first write may rest on.
const FRESH: Duration = Duration::from_mins(1);

/// What a plan is made from and what it is.
pub(super) struct Work {
    /// What was recorded, under the digests of the present key.
    pub(super) recorded: Vec<EntryStatus>,
    suspects: BTreeMap<String, Cause>,
    pub(super) listed: Option<Arc<Snapshot>>,
    #[expect(
        clippy::option_option,
        reason = "not asked, a set that is not there, and its keys are three things"
    )]
    members: Option<Option<Vec<String>>>,
    pub(super) planned: Vec<Planned>,
}

impl Pass<'_> {
    /// What the plan is made from: the records under the present key, and what must be written again.
    pub(super) async fn work(
        &self,
        route: &Route<'_>,
        desired: &[Desired],
        sources: &Versions,
        examined: Option<Examined>,
    ) -> Result<Work, Trouble> {
        let recorded = self.follow_key(route, desired, sources).await?;
        let is_asked = self.requested.is_some() && !self.object.spec.is_suspended();
        let examined = match examined {
            None if is_asked && recorded.iter().any(plan::was_written) => {
                let examined = self.examine(route, Freshness::Now).await;
                Some(examined.map_err(|error| Trouble::provider(&error, route.choice, None))?)
            }
            examined => examined,
        };
        let (clock, interval) = (crate::clock::now(), self.object.spec.rewrite_interval());
        let due = recorded.iter().filter_map(|entry| {
            let folded = (route.rules().fold)(&entry.name);
            Some((folded, due(entry, interval, clock)?))
        });
        let mut suspects: BTreeMap<String, Cause> = due.collect();
        self.context.memos.with(&self.uid, |memo| {
            suspects.extend(memo.spoiled().map(|name| (name.to_owned(), Cause::Spoiled)));
        });
        let (listed, members) = match examined {
            Some(examined) => {
                let drifts = examined.drifts.into_iter();
                suspects.extend(drifts.map(|(name, drift)| (name, Cause::Drift(drift))));
                (Some(examined.snapshot), examined.members)
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

    pub(super) fn plan(&self, route: &Route<'_>, desired: &[Desired], work: &Work) -> Vec<Planned> {
        let inputs = self.inputs(route, work);
        plan(desired, &inputs, &self.claims(route), |entry| {
            route.digest(&self.uid, entry)
        })
    }

    pub(super) fn inputs<'a>(&'a self, route: &'a Route<'_>, work: &'a Work) -> Inputs<'a> {
        Inputs {
            recorded: &work.recorded,
            observed: work.listed.as_ref().map(|listed| listed.remotes.as_slice()),
            members: work.members.as_ref(),
            rules: route.rules(),
            set: route.set(),
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
        route: &Route<'_>,
        desired: &[Desired],
        work: &mut Work,
    ) -> Result<(), Trouble> {
        let told = |error| Trouble::provider(&error, route.choice, None);
        let claims = &self.context.claims;
        // Where nothing is written and nothing was, nobody is disturbed.
        let matters = work.planned.iter().any(|planned| planned.change.is_write())
            || work.recorded.iter().any(plan::was_written);
        if !matters {
            return Ok(());
        }
        let is_known = scope_field(route.choice).is_some() || route.account.known_scope().is_some();
        if !is_known && claims.has_stranger(&self.uid) {
            route.account.scope(route.provider).await.map_err(told)?;
            self.claim(route, desired);
        }
        let disputes = claims.disputes(&self.uid);
        if disputes.is_empty() {
            return Ok(());
        }
        let listed = route.listing(Instant::now(), Duration::ZERO).await;
        let listed = listed.map_err(told)?;
        for Dispute { uid, folded, mark } in disputes {
            let is_shown = plan::is_marked(&mark, &folded, &listed.remotes, route.rules());
            claims.settle(&self.uid, uid, is_shown);
        }
        work.listed = Some(listed);
        work.planned = self.plan(route, desired, work);
        Ok(())
    }

    /// Gets the account's listing, and the keys of the set, where the plan needs them, and plans
    /// again with them. A plan that cannot be carried out now ends here, before anything is recorded
    /// as being written.
    pub(super) async fn look(
        &self,
        route: &Route<'_>,
        desired: &[Desired],
        work: &mut Work,
        going: &[Removed],
    ) -> Result<(), Trouble> {
        let told = |error| Trouble::provider(&error, route.choice, None);
        let must_call = work.planned.iter().any(|planned| planned.change.is_write())
            || going
                .iter()
                .any(|removed| removed.riddance == Riddance::Delete);
        let closed = || {
            route
                .closed
                .clone()
                .or_else(|| route.account.limiter.refusal())
        };
        if must_call && let Some(error) = closed() {
            return Err(told(error));
        }
        self.place(route, desired, work).await?;
        let generation = self.object.metadata.generation.unwrap_or_default();
        if plan::needs_listing(&work.planned, &self.inputs(route, work)) {
            let since = self
                .context
                .memos
                .with(&self.uid, |memo| memo.wanted_since(generation));
            // However long the object waited for its turn; what was foreign when it was first wanted
            // may be gone; and a request is not answered by a listing from before it.
            let now = Instant::now();
            let newest = now
                .checked_sub(FRESH.min(self.verify_interval()))
                .unwrap_or(since);
            let listed = match &work.listed {
                Some(examined) => Arc::clone(examined),
                None if self.requested.is_some() => {
                    route.listing(now, Duration::ZERO).await.map_err(told)?
                }
                None => {
                    let since = since.max(newest);
                    route.listing(since, Duration::ZERO).await.map_err(told)?
                }
            };
            // Where the listing says whose the names are, so is known who else claims them.
            let is_told = listed.scope.is_some();
            work.listed = Some(listed);
            if is_told {
                self.claim(route, desired);
                self.place(route, desired, work).await?;
            }
            work.planned = self.plan(route, desired, work);
        }
        if plan::needs_members(&work.planned, &self.inputs(route, work)) {
            work.members = Some(route.provider.members().await.map_err(told)?);
            work.planned = self.plan(route, desired, work);
        }
        Ok(())
    }
}
