//! What a pass came to, and how it ends: what is told, and when the next try is due.

use std::{sync::Arc, time::Duration};

use kube::runtime::controller::Action;
use tokio::time::Instant;

use super::Reconcile;
use crate::{
    api::{EntryState, EntryStatus, ProviderSecret, Reason},
    controller::{
        cache::Acted,
        context::jittered,
        error::Failure,
        gate::is_recorded_in_status,
        kubernetes::KubernetesError,
        object::object_name,
        plan::confirm_in,
        report::{
            self, EventNote, Findings,
            conditions::{Readiness, ReadyState, readiness},
            messages,
        },
        resolve::dereference::Versions,
    },
    http::ErrorClass,
    provider::{Choice, Provider, Settled},
    telemetry::ReconcileResult,
};

/// How long after a refusal that only a change can heal it is tried again all the same.
const PROBE: Duration = Duration::from_hours(6);
/// How long a provider is given at least and at most before it is asked again whether it has finished.
const SETTLE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// What a pass came to.
pub(crate) struct Outcome {
    /// Everything that is not as wanted.
    pub(crate) failures: Vec<Failure>,
    /// The records of all entries.
    pub(crate) entries: Vec<EntryStatus>,
    /// The Secrets that were read.
    pub(crate) sources: Versions,
    /// Whose secrets these are, where this pass learned it.
    pub(crate) scope: Option<String>,
    /// Entries that the provider acknowledged.
    pub(crate) written: usize,
    /// Whether the provider has finished what it accepted.
    pub(crate) settled: Settled,
    /// What the digests were made with.
    pub(crate) key_fingerprint: Option<String>,
    /// What else is to be told.
    pub(crate) event_notes: Vec<EventNote>,
    /// When the listing is looked at again, where it is not the usual time.
    pub(crate) verify_in: Option<Duration>,
}

impl Outcome {
    /// Nothing was done and nothing is wrong.
    pub(crate) fn of(entries: Vec<EntryStatus>, sources: Versions) -> Self {
        Self {
            failures: Vec::new(),
            entries,
            sources,
            scope: None,
            written: 0,
            settled: Settled::Ready,
            key_fingerprint: None,
            event_notes: Vec::new(),
            verify_in: None,
        }
    }

    /// The same with failure.
    pub(crate) fn with(mut self, failure: Failure) -> Self {
        self.failures.push(failure);
        self
    }

    /// The same after the provider was asked whether it has finished.
    pub(crate) async fn settle(mut self, provider: &dyn Provider, choice: Choice<'_>) -> Self {
        match provider.settled().await {
            Ok(settled) => self.settled = settled,
            Err(error) => self.failures.push(Failure::provider(&error, choice, None)),
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

impl Reconcile<'_> {
    /// Tells what the pass came to and decides on the next try.
    pub(crate) async fn report(
        &self,
        choice: Option<Choice<'_>>,
        outcome: Outcome,
    ) -> Result<(ReconcileResult, Action), KubernetesError> {
        let Outcome {
            failures,
            entries,
            sources,
            scope,
            written,
            settled,
            key_fingerprint,
            event_notes,
            verify_in,
        } = outcome;
        let is_suspended = self.object.spec.is_suspended();
        let readiness = if is_suspended {
            messages::suspended(failures.is_empty())
        } else {
            readiness(&failures, messages::all_done(settled, &entries, choice))
        };
        let (readiness, mut wait) = self.schedule(readiness, &failures, settled);
        if !is_suspended {
            let now = crate::clock::now();
            let confirms = entries.iter().filter_map(|entry| confirm_in(entry, now));
            wait = wait.into_iter().chain(confirms).min();
        }
        let provider = choice.map(|choice| choice.kind().as_str());
        let state = readiness.state;
        let findings = Findings {
            readiness,
            provider,
            scope,
            entries,
            sources,
            written,
            // While it is suspended nothing is synced, so a request waits.
            handled: self.requested.clone().filter(|_| !is_suspended),
            key_fingerprint,
            event_notes,
        };
        let reported = report::report(self.context, &self.newest(), &findings).await?;
        let acted = self.acted(findings.sources);
        self.context.states.with(&self.uid, |state| {
            // At rest nothing is kept in memory that status tells as well.
            state.acted =
                (wait.is_some() || !is_recorded_in_status(&reported, &acted)).then_some(acted);
            state.next_try = wait.map(|wait| Instant::now() + wait);
            state.status_seen(&reported);
            state.recorded();
            if findings.key_fingerprint.is_some() {
                state.forget_former_key();
            }
            let verify_in = verify_in.unwrap_or_else(|| jittered(self.verify_interval()));
            state.verify_at = Some(Instant::now() + verify_in);
        });
        let result = match state {
            _ if is_suspended => ReconcileResult::Suspended,
            ReadyState::Ready => ReconcileResult::Synced,
            ReadyState::Reconciling { .. } | ReadyState::Suspended => ReconcileResult::Reconciling,
            ReadyState::Stalled => ReconcileResult::Stalled,
        };
        Ok((
            result,
            wait.map_or_else(Action::await_change, Action::requeue),
        ))
    }

    /// The object as it is after the write-ahead, under the generation that was acted on.
    pub(crate) fn newest(&self) -> Arc<ProviderSecret> {
        let newest = self
            .context
            .states
            .with(&self.uid, |state| state.newer_than(&self.object))
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
    pub(crate) fn acted(&self, read: Versions) -> Acted {
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

    /// When the next try is due if there is no news; the readiness grows worse when the provider's
    /// answers stay strange.
    fn schedule(
        &self,
        mut readiness: Readiness,
        failures: &[Failure],
        settled: Settled,
    ) -> (Readiness, Option<Duration>) {
        const RETRIED: [ErrorClass; 4] = [
            ErrorClass::Transient,
            ErrorClass::Throttled,
            ErrorClass::UnknownOutcome,
            ErrorClass::Protocol,
        ];
        // What the account's closure may have caused waits for the account.
        const OF_ACCOUNT: [ErrorClass; 4] = [
            ErrorClass::Transient,
            ErrorClass::Throttled,
            ErrorClass::UnknownOutcome,
            ErrorClass::Auth,
        ];
        self.context.states.with(&self.uid, |state| {
            let has = |kinds: &[ErrorClass]| {
                failures
                    .iter()
                    .any(|failure| kinds.contains(&failure.class))
            };
            if state.protocol_failed(has(&[ErrorClass::Protocol])) {
                readiness.state = ReadyState::Stalled;
            }
            let is_suspended = self.object.spec.is_suspended();
            let until = state.account().and_then(|account| {
                let name = object_name(&*self.object);
                let is_of_account = |failure: &Failure| {
                    OF_ACCOUNT.contains(&failure.class) && !failure.is_of_kubernetes()
                };
                if failures.iter().any(is_of_account) && !is_suspended {
                    return account.limiter.park_failed(&name);
                }
                account.limiter.forget(&name);
                None
            });
            if is_suspended {
                return (readiness, None);
            }
            let wait = if let Some(until) = until {
                Some(until.saturating_duration_since(Instant::now()))
            } else if has(&RETRIED) {
                let asked = failures
                    .iter()
                    .filter_map(|failure| failure.retry_after)
                    .max();
                let own = if failures.iter().any(Failure::is_of_kubernetes) {
                    state.back_off_briefly()
                } else {
                    state.back_off()
                };
                Some(asked.map_or(own, |asked| asked + asked.mul_f64(fastrand::f64() * 0.2)))
            } else if has(&[ErrorClass::Auth]) {
                Some(state.back_off_credential())
            } else if has(&[ErrorClass::Config]) {
                state.reset_backoff();
                Some(jittered(PROBE))
            } else if failures.is_empty() && settled != Settled::Ready {
                Some(state.back_off().clamp(SETTLE.0, SETTLE.1))
            } else {
                state.reset_backoff();
                None
            };
            (readiness, wait)
        })
    }
}
