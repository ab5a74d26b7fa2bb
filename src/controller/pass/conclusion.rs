//! What a pass came to, and how it ends: what is told, and when the next try is due.

use std::{sync::Arc, time::Duration};

use kube::runtime::controller::Action;
use tokio::time::Instant;

use super::{Pass, words};
use crate::{
    api::{Choice, EntryState, EntryStatus, ProviderSecret, Reason},
    controller::{
        context::{jittered, object_name},
        dereference::Versions,
        gate::{Acted, is_told_by_status},
        kubernetes::Failure,
        plan::confirm_in,
        report::{self, Findings, Notice},
        status::{State, Verdict, verdict},
        trouble::{Kind, Trouble},
    },
    provider::{Provider, Settled},
    telemetry::PassResult,
};

/// How long after a refusal that only a change can heal it is tried again all the same.
const PROBE: Duration = Duration::from_hours(6);
/// How long a provider is given at least and at most before it is asked again whether it has finished.
const SETTLE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// What a pass came to.
pub(super) struct Conclusion {
    /// Everything that is not as wanted.
    pub(super) troubles: Vec<Trouble>,
    /// The records of all entries.
    pub(super) entries: Vec<EntryStatus>,
    /// The Secrets that were read.
    pub(super) sources: Versions,
    /// Whose secrets these are, where this pass learned it.
    pub(super) scope: Option<String>,
    /// Entries that the provider acknowledged.
    pub(super) written: usize,
    /// Whether the provider has finished what it accepted.
    pub(super) settled: Settled,
    /// What the digests were made with.
    pub(super) key_fingerprint: Option<String>,
    /// What else is to be told.
    pub(super) notices: Vec<Notice>,
    /// When the listing is looked at again, where it is not the usual time.
    pub(super) verify_in: Option<Duration>,
}

impl Conclusion {
    /// Nothing was done and nothing is wrong.
    pub(super) fn of(entries: Vec<EntryStatus>, sources: Versions) -> Self {
        Self {
            troubles: Vec::new(),
            entries,
            sources,
            scope: None,
            written: 0,
            settled: Settled::Ready,
            key_fingerprint: None,
            notices: Vec::new(),
            verify_in: None,
        }
    }

    /// The same with trouble.
    pub(super) fn with(mut self, trouble: Trouble) -> Self {
        self.troubles.push(trouble);
        self
    }

    /// The same after the provider was asked whether it has finished.
    pub(super) async fn settle(mut self, provider: &dyn Provider, choice: Choice<'_>) -> Self {
        match provider.settled().await {
            Ok(settled) => self.settled = settled,
            Err(error) => self.troubles.push(Trouble::provider(&error, choice, None)),
        }
        if self.settled == Settled::Failed {
            // What was accepted is not there: everything is sent again.
            for entry in &mut self.entries {
                entry.state = EntryState::Pending;
                entry.digest = None;
                entry.reason = Some(Reason::ProviderFailed.as_str().to_owned());
            }
        }
        self
    }
}

impl Pass<'_> {
    /// Tells what the pass came to and decides on the next try.
    pub(super) async fn conclude(
        &self,
        choice: Option<Choice<'_>>,
        conclusion: Conclusion,
    ) -> Result<(PassResult, Action), Failure> {
        let Conclusion {
            troubles,
            entries,
            sources,
            scope,
            written,
            settled,
            key_fingerprint,
            notices,
            verify_in,
        } = conclusion;
        let is_suspended = self.object.spec.is_suspended();
        let verdict = if is_suspended {
            words::suspended(troubles.is_empty())
        } else {
            verdict(&troubles, words::all_done(settled, &entries, choice))
        };
        let (verdict, mut wait) = self.schedule(verdict, &troubles, settled);
        if !is_suspended {
            let now = crate::clock::now();
            let confirms = entries.iter().filter_map(|entry| confirm_in(entry, now));
            wait = wait.into_iter().chain(confirms).min();
        }
        let provider = choice.map(|choice| choice.kind().as_str());
        let state = verdict.state;
        let findings = Findings {
            verdict,
            provider,
            scope,
            entries,
            sources,
            written,
            // While it is suspended nothing is synced, so a request waits.
            handled: self.requested.clone().filter(|_| !is_suspended),
            key_fingerprint,
            notices,
        };
        let told = report::report(self.context, &self.newest(), &findings).await?;
        let acted = self.acted(findings.sources);
        self.context.memos.with(&self.uid, |memo| {
            // At rest nothing is kept in memory that status tells as well.
            memo.acted = (wait.is_some() || !is_told_by_status(&told, &acted)).then_some(acted);
            memo.next_try = wait.map(|wait| Instant::now() + wait);
            memo.told(&told);
            memo.recorded();
            if findings.key_fingerprint.is_some() {
                memo.forget_former_key();
            }
            let verify_in = verify_in.unwrap_or_else(|| jittered(self.verify_interval()));
            memo.verify_at = Some(Instant::now() + verify_in);
        });
        let result = match state {
            _ if is_suspended => PassResult::Suspended,
            State::Ready => PassResult::Synced,
            State::Reconciling { .. } | State::Suspended => PassResult::Reconciling,
            State::Stalled => PassResult::Stalled,
        };
        Ok((
            result,
            wait.map_or_else(Action::await_change, Action::requeue),
        ))
    }

    /// The object as it is after the write-ahead, under the generation that was acted on.
    pub(super) fn newest(&self) -> Arc<ProviderSecret> {
        let newest = self
            .context
            .memos
            .with(&self.uid, |memo| memo.newer_than(&self.object))
            .unwrap_or_else(|| Arc::clone(&self.object));
        if newest.metadata.generation == self.object.metadata.generation {
            return newest;
        }
        let mut newest = ProviderSecret::clone(&newest);
        newest.metadata.generation = self.object.metadata.generation;
        Arc::new(newest)
    }

    /// What this pass acted on: the versions that were read, and of Secrets that were not read
    /// those that the watch had shown.
    pub(super) fn acted(&self, read: Versions) -> Acted {
        let unread = self
            .seen
            .iter()
            .filter(|(name, _)| read.iter().all(|(of, _)| of != name));
        let mut sources: Versions = unread.cloned().collect();
        sources.extend(read);
        sources.sort();
        Acted {
            generation: self.object.metadata.generation.unwrap_or_default(),
            sources,
        }
    }

    /// When the next try is due if there is no news; the verdict grows worse when the provider's
    /// answers stay strange.
    fn schedule(
        &self,
        mut verdict: Verdict,
        troubles: &[Trouble],
        settled: Settled,
    ) -> (Verdict, Option<Duration>) {
        const RETRIED: [Kind; 4] = [
            Kind::Transient,
            Kind::Throttled,
            Kind::UnknownOutcome,
            Kind::Protocol,
        ];
        // What the account's closure may have caused waits for the account.
        const OF_ACCOUNT: [Kind; 4] = [
            Kind::Transient,
            Kind::Throttled,
            Kind::UnknownOutcome,
            Kind::Auth,
        ];
        self.context.memos.with(&self.uid, |memo| {
            let has = |kinds: &[Kind]| troubles.iter().any(|trouble| kinds.contains(&trouble.kind));
            if memo.protocol_failed(has(&[Kind::Protocol])) {
                verdict.state = State::Stalled;
            }
            let is_suspended = self.object.spec.is_suspended();
            let until = memo.account().and_then(|account| {
                let name = object_name(&*self.object);
                let is_of_account = |trouble: &Trouble| {
                    OF_ACCOUNT.contains(&trouble.kind) && !trouble.is_of_kubernetes()
                };
                if troubles.iter().any(is_of_account) && !is_suspended {
                    return account.limiter.park_failed(&name);
                }
                account.limiter.forget(&name);
                None
            });
            if is_suspended {
                return (verdict, None);
            }
            let wait = if let Some(until) = until {
                Some(until.saturating_duration_since(Instant::now()))
            } else if has(&RETRIED) {
                let asked = troubles
                    .iter()
                    .filter_map(|trouble| trouble.retry_after)
                    .max();
                let own = if troubles.iter().any(Trouble::is_of_kubernetes) {
                    memo.back_off_briefly()
                } else {
                    memo.back_off()
                };
                Some(asked.map_or(own, |asked| asked + asked.mul_f64(fastrand::f64() * 0.2)))
            } else if has(&[Kind::Auth]) {
                Some(memo.back_off_credential())
            } else if has(&[Kind::Config]) {
                memo.reset_backoff();
                Some(jittered(PROBE))
            } else if troubles.is_empty() && settled != Settled::Ready {
                Some(memo.back_off().clamp(SETTLE.0, SETTLE.1))
            } else {
                memo.reset_backoff();
                None
            };
            (verdict, wait)
        })
    }
}
