//! The middle of a pass: plan, write ahead, apply.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use super::{Pass, conclusion::Conclusion, words};
use crate::{
    account::{Account, Digested, Snapshot, scope_field},
    api::{Choice, EntryState, EntryStatus, READY, Reason},
    controller::{
        apply::{Applied, Outcome, Writer},
        dereference::Versions,
        desired::{Desired, Wanted},
        kubernetes::Failure,
        plan::{self, Change, Inputs, Planned, plan},
        report, status,
        trouble::Trouble,
    },
    http::ProviderError,
    provider::{Provider, Rules},
};

/// The oldest listing that a first write may rest on.
const FRESH: Duration = Duration::from_mins(1);

/// The way to the provider, and what decides where values go.
pub(super) struct Route<'a> {
    pub(super) account: &'a Account,
    pub(super) provider: &'a dyn Provider,
    pub(super) choice: Choice<'a>,
    /// What every call comes to, because the account is closed.
    pub(super) closed: Option<ProviderError>,
}

impl Route<'_> {
    fn rules(&self) -> &'static Rules {
        self.provider.rules()
    }

    /// The set that all entries belong to, and its region if the spec names one.
    fn set(&self) -> Option<(&str, Option<&str>)> {
        match self.choice {
            Choice::Pipecat(spec) => Some((self.provider.listed_name(""), spec.region.as_deref())),
            Choice::Baseten(_) | Choice::PrimeIntellect(_) | Choice::Braintrust(_) => None,
        }
    }

    /// The digest of an entry, where it has a value.
    fn digest(&self, uid: &str, entry: &Desired) -> Option<String> {
        let value = entry.value.as_ref().ok()?;
        let scope = scope_field(self.choice).unwrap_or_default();
        let target = format!("{}/{}/{scope}", self.choice.kind(), self.choice.endpoint());
        Some(self.account.digests.digest(&Digested {
            uid,
            target: &target,
            name: &entry.folded,
            value,
            options: &entry.options,
        }))
    }

    /// Whose secrets these are: as the provider said, else as the spec says, else (Pipecat names
    /// no account) a fingerprint of the key.
    fn scope(&self, said: Option<String>) -> Option<String> {
        let own =
            || matches!(self.choice, Choice::Pipecat(_)).then(|| self.account.digests.scope());
        said.or_else(|| scope_field(self.choice).map(str::to_owned))
            .or_else(own)
    }
}

impl Pass<'_> {
    /// Plans, and carries the plan out.
    pub(super) async fn sync(
        &self,
        route: &Route<'_>,
        wanted: Wanted,
        sources: Versions,
    ) -> Result<Conclusion, Failure> {
        let retained = self.retained(&wanted, route.rules());
        let Wanted {
            entries: desired,
            unread,
        } = wanted;
        let planned = self.plan(route, &desired, None);
        let names = || desired.iter().map(|entry| entry.name.as_str());
        let unfinished = |planned: &[Planned], reason| {
            let entries = status::not_carried_out(names(), planned, reason);
            Conclusion::of(join(entries, retained.clone()), sources.clone())
        };
        if self.object.spec.is_suspended() {
            let conclusion = unfinished(&planned, Reason::Suspended);
            let is_held = |planned: &Planned| planned.change == Change::Keep;
            let all_held = unread.is_empty() && planned.iter().all(is_held);
            return Ok(if all_held {
                conclusion
            } else {
                conclusion.with(words::not_held())
            });
        }
        let writer = Writer {
            account: route.account,
            provider: route.provider,
            choice: route.choice,
            names: &self.context.accounts.names,
        };
        let (planned, listed) = match self.look(route, &writer, &desired, planned).await {
            Ok(looked) => looked,
            Err((planned, trouble)) => {
                let mut conclusion = unfinished(&planned, trouble.reason).with(trouble);
                conclusion.troubles.extend(unread);
                return Ok(conclusion);
            }
        };
        self.write_ahead(route.rules(), &desired, &planned).await?;
        let applied = writer.apply(&desired, &planned, listed.as_deref()).await;
        let entries = status::entries(names(), &planned, &applied, jiff::Timestamp::now());
        let (written, said) = tally(&applied);
        self.context
            .metrics
            .keys_written(route.choice.kind(), written);
        let mut conclusion = Conclusion::of(join(entries, retained), sources);
        conclusion.troubles = unread;
        conclusion
            .troubles
            .extend(applied.outcomes.into_iter().filter_map(Outcome::trouble));
        conclusion.scope = route.scope(said);
        conclusion.written = written;
        // A set into which nothing was written is not asked for: it may not exist.
        let is_held = conclusion.troubles.is_empty() && !conclusion.entries.is_empty();
        if written > 0 || (is_held && !self.was_synced()) {
            conclusion = conclusion.settle(route.provider, route.choice).await;
        }
        Ok(conclusion)
    }

    fn plan(
        &self,
        route: &Route<'_>,
        desired: &[Desired],
        listed: Option<&Snapshot>,
    ) -> Vec<Planned> {
        let inputs = Inputs {
            recorded: self.recorded(),
            observed: listed.map(|listed| listed.remotes.as_slice()),
            rules: route.rules(),
            set: route.set(),
        };
        plan(desired, &inputs, |entry| route.digest(&self.uid, entry))
    }

    /// Gets the account's listing where the plan needs it, and plans again with it. A plan that
    /// cannot be carried out now ends here, before anything is recorded as being written.
    async fn look(
        &self,
        route: &Route<'_>,
        writer: &Writer<'_>,
        desired: &[Desired],
        planned: Vec<Planned>,
    ) -> Result<(Vec<Planned>, Option<Arc<Snapshot>>), (Vec<Planned>, Trouble)> {
        if planned.iter().any(|planned| planned.change.is_write())
            && let Some(error) = route
                .closed
                .clone()
                .or_else(|| route.account.access.refusal())
        {
            let trouble = Trouble::provider(&error, route.choice, None);
            return Err((planned, trouble));
        }
        if !plan::needs_listing(&planned, route.rules()) {
            return Ok((planned, None));
        }
        let generation = self.object.metadata.generation.unwrap_or_default();
        let since = self
            .context
            .memos
            .with(&self.uid, |memo| memo.wanted_since(generation));
        // However long the object waited for its turn.
        let newest = Instant::now().checked_sub(FRESH).unwrap_or(since);
        match writer.listing(since.max(newest)).await {
            Ok(listed) => Ok((self.plan(route, desired, Some(&listed)), Some(listed))),
            Err(error) => Err((planned, Trouble::provider(&error, route.choice, None))),
        }
    }

    /// Before a recorded entry is written again it is recorded as Pending: else a crash after the
    /// write and a source that goes back would leave the new value behind an entry that looks synced.
    async fn write_ahead(
        &self,
        rules: &Rules,
        desired: &[Desired],
        planned: &[Planned],
    ) -> Result<(), Failure> {
        let pending: Vec<EntryStatus> = desired
            .iter()
            .zip(planned)
            .filter_map(|(entry, planned)| status::pending(planned, &entry.name))
            .collect();
        if pending.is_empty() {
            return Ok(());
        }
        let mut next = self.object.status.clone().unwrap_or_default();
        for entry in &mut next.entries {
            let is_same =
                |pending: &&EntryStatus| (rules.fold)(&pending.name) == (rules.fold)(&entry.name);
            if let Some(pending) = pending.iter().find(is_same) {
                *entry = pending.clone();
            }
        }
        next.summary = Some(status::summary(&next.entries));
        next.conditions = status::conditions(
            &next.conditions,
            &words::writing(pending.len()),
            // That this generation was acted on is not known before the provider has answered.
            next.observed_generation,
            jiff::Timestamp::now(),
        );
        report::write(self.context, &self.object, &next)
            .await
            .map(|_| ())
    }

    /// What was recorded and is not wanted now. It is forgotten, unless a source that could not be
    /// read may still want it.
    fn retained(&self, wanted: &Wanted, rules: &Rules) -> Vec<EntryStatus> {
        let Some(trouble) = wanted.unread.first() else {
            return Vec::new();
        };
        plan::unwanted(&wanted.entries, self.recorded(), rules)
            .into_iter()
            .map(|entry| EntryStatus {
                state: EntryState::Failed,
                reason: Some(trouble.reason.as_str().to_owned()),
                ..entry.clone()
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
