//! The middle of a pass: plan, write ahead, apply.

use super::{Pass, conclusion::Conclusion, removal::Rid, verify::Examined, words};
use crate::{
    api::{EntryStatus, READY, Reason},
    controller::{
        apply::{Applied, Outcome, Writer},
        dereference::Versions,
        desired::{Desired, Wanted},
        kubernetes::Failure,
        plan::{self, Cause, Change, Drift, Planned, Removed, Riddance, removals},
        report::Notice,
        route::Route,
        status,
        warnings::trailing_newlines,
    },
};

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
            names: &self.context.accounts.name_locks,
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
