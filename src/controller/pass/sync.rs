//! The middle of a pass: plan, write ahead, apply.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use tokio::time::Instant;

use super::{
    Pass,
    conclusion::Conclusion,
    removal::Rid,
    verify::{Examined, Freshness},
    words,
};
use crate::{
    account::{Snapshot, scope_field},
    api::{EntryStatus, READY, Reason},
    controller::{
        apply::{Applied, Outcome, Writer},
        claims::Dispute,
        dereference::Versions,
        desired::{Desired, Wanted},
        kubernetes::Failure,
        plan::{
            self, Cause, Change, Drift, Inputs, Planned, Removed, Riddance, due, plan, removals,
        },
        report::Notice,
        route::Route,
        status,
        trouble::Trouble,
        warnings::trailing_newlines,
    },
};

/// The oldest listing that a first write may rest on.
const FRESH: Duration = Duration::from_mins(1);

/// What a plan is made from and what it is.
pub(super) struct Work {
    /// What was recorded, under the digests of the present key.
    recorded: Vec<EntryStatus>,
    suspects: BTreeMap<String, Cause>,
    listed: Option<Arc<Snapshot>>,
    #[expect(
        clippy::option_option,
        reason = "not asked, a set that is not there, and its keys are three things"
    )]
    members: Option<Option<Vec<String>>>,
    pub(super) planned: Vec<Planned>,
}

impl Pass<'_> {
    /// Plans, and carries the plan out.
    pub(super) async fn sync(
        &self,
        route: &Route<'_>,
        wanted: Wanted,
        sources: Versions,
        examined: Option<Examined>,
    ) -> Result<Conclusion, Failure> {
        let Wanted {
            entries: desired,
            unread,
        } = wanted;
        let names = || desired.iter().map(|entry| entry.name.as_str());
        self.claim(route, &desired);
        let mut work = match self.work(route, &desired, &sources, examined).await {
            Ok(work) => work,
            Err(trouble) => return Ok(self.nothing_done(trouble, sources)),
        };
        work.planned = self.plan(route, &desired, &work);
        let removed = self.removed(route, &desired, &work.recorded, unread.is_empty());
        let retained = status::retained(&removed.kept, unread.first());
        let unfinished = |planned: &[Planned], reason| {
            let entries = status::not_carried_out(names(), planned, reason);
            let kept = [retained.clone(), removed.entries()].concat();
            let entries = join(entries, kept).into_iter();
            let sealed = entries.map(|entry| route.sealed(&self.uid, entry));
            let mut conclusion = Conclusion::of(sealed.collect(), sources.clone());
            // The digests and seals are this key's.
            conclusion.key_fingerprint = Some(route.account.digests.scope());
            conclusion
        };
        if self.object.spec.is_suspended() {
            let conclusion = unfinished(&work.planned, Reason::Suspended);
            let is_held = |planned: &Planned| planned.change == Change::Keep;
            let all_held = unread.is_empty() && work.planned.iter().all(is_held);
            return Ok(if all_held {
                conclusion
            } else {
                conclusion.with(words::not_held())
            });
        }
        let writer = Writer {
            route,
            names: &self.context.accounts.names,
            claimed: &self.claims(route),
            conflict: self.object.spec.conflict_policy(),
        };
        if let Err(trouble) = self.look(route, &desired, &mut work, &removed.going).await {
            let mut conclusion = unfinished(&work.planned, trouble.reason).with(trouble);
            conclusion.troubles.extend(unread);
            return Ok(conclusion);
        }
        self.hand_back(route, &desired, &work.planned);
        self.guard(&work.planned, &removed.going).await?;
        self.write_ahead(route, &desired, &work, &removed.going)
            .await?;
        let mut applied = writer
            .apply(&desired, &work.planned, work.listed.as_deref())
            .await;
        self.recreate(&writer, &desired, &work.planned, &mut applied)
            .await?;
        self.context.memos.with(&self.uid, |memo| {
            let outcomes = desired.iter().zip(&applied.outcomes);
            let written = outcomes.filter(|(_, outcome)| matches!(outcome, Outcome::Written(_)));
            written.for_each(|(entry, _)| memo.written(&entry.folded));
        });
        let entries = status::entries(names(), &work.planned, &applied, crate::clock::now());
        let (written, said) = tally(&applied);
        route.account.learn_scope(said.as_deref());
        let recorded = self.object.status.as_ref();
        let warnings = trailing_newlines(&desired, &work.planned, &applied, recorded, &sources);
        self.context
            .metrics
            .keys_written(route.choice.kind(), written);
        let mut conclusion = Conclusion::of(join(entries, retained), sources);
        conclusion.troubles = unread;
        conclusion.notices = self.drift_notices(route, &desired, &work.planned);
        let rid = if applied.trouble.is_none() {
            self.rid(route, removed.going).await?
        } else {
            Rid::untouched(removed.going)
        };
        conclusion
            .troubles
            .extend(applied.outcomes.into_iter().filter_map(Outcome::trouble));
        conclusion.entries.extend(rid.kept);
        let sealed = conclusion.entries.into_iter();
        conclusion.entries = sealed.map(|entry| route.sealed(&self.uid, entry)).collect();
        conclusion.troubles.extend(rid.troubles);
        conclusion.notices.extend(rid.notices);
        conclusion.notices.extend(warnings);
        conclusion.scope = route.scope(said);
        conclusion.key_fingerprint = Some(route.account.digests.scope());
        conclusion.written = written;
        // A set into which nothing was written is not asked for: it may not exist.
        let is_held = conclusion.troubles.is_empty() && !conclusion.entries.is_empty();
        if written > 0 || (is_held && !self.was_synced()) {
            conclusion = conclusion.settle(route.provider, route.choice).await;
        }
        Ok(conclusion)
    }

    /// What the plan is made from: the records under the present key, and what must be written again.
    async fn work(
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

    fn plan(&self, route: &Route<'_>, desired: &[Desired], work: &Work) -> Vec<Planned> {
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
    async fn look(
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
                .or_else(|| route.account.access.refusal())
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

    /// What is recorded and not wanted. While a source cannot be read nothing goes away: it may still
    /// want it.
    fn removed(
        &self,
        route: &Route<'_>,
        desired: &[Desired],
        recorded: &[EntryStatus],
        is_complete: bool,
    ) -> Leaving {
        let unwanted = plan::unwanted(desired, recorded, route.rules());
        if !is_complete {
            return Leaving {
                kept: unwanted.into_iter().cloned().collect(),
                going: Vec::new(),
            };
        }
        let policy = self.object.spec.deletion_policy();
        let mut going = removals(unwanted, policy, route.rules(), &self.claims(route));
        going.retain(|removed| removed.riddance != Riddance::Forget);
        Leaving {
            kept: Vec::new(),
            going,
        }
    }

    /// One notice for each kind of drift, and the counts.
    fn drift_notices(
        &self,
        route: &Route<'_>,
        desired: &[Desired],
        planned: &[Planned],
    ) -> Vec<Notice> {
        let kind = route.choice.kind();
        let of = |drift: Drift| -> Vec<String> {
            desired
                .iter()
                .zip(planned)
                .filter(|(_, planned)| planned.change.is_write())
                .filter(|(_, planned)| planned.cause == Some(Cause::Drift(drift)))
                .map(|(entry, _)| entry.name.clone())
                .collect()
        };
        [Drift::Missing, Drift::Changed]
            .into_iter()
            .filter_map(|drift| {
                let names = of(drift);
                let count = names.len();
                self.context
                    .metrics
                    .drift_detected(kind, drift.as_str(), count);
                words::drifted(kind, drift, &names)
            })
            .collect()
    }

    /// Whether everything had settled before this pass. Without that an answer that failed to tell
    /// would be forgotten.
    fn was_synced(&self) -> bool {
        let conditions = self
            .object
            .status
            .iter()
            .flat_map(|status| &status.conditions);
        conditions.into_iter().any(|condition| {
            condition.r#type == READY && condition.reason == Reason::Synced.as_str()
        })
    }
}

/// What is recorded and not wanted.
struct Leaving {
    /// A source that cannot be read may still want these.
    kept: Vec<EntryStatus>,
    /// These go away.
    going: Vec<Removed>,
}

impl Leaving {
    fn entries(&self) -> Vec<EntryStatus> {
        self.going.iter().map(|going| going.entry.clone()).collect()
    }
}

fn tally(applied: &Applied) -> (usize, Option<String>) {
    let written = applied.outcomes.iter().filter_map(|outcome| match outcome {
        Outcome::Written(written) => Some(written),
        Outcome::Kept | Outcome::Failed(_) | Outcome::NotTried => None,
    });
    let count = written.clone().count();
    (
        count,
        written
            .filter_map(|written| written.scope.clone())
            .next_back(),
    )
}

fn join(mut entries: Vec<EntryStatus>, others: Vec<EntryStatus>) -> Vec<EntryStatus> {
    entries.extend(others);
    entries
}
