//! How a reconcile ends: what is reported, and when the next try is due.

use std::{sync::Arc, time::Duration};

use kube::{ResourceExt, runtime::controller::Action};
use tokio::time::Instant;

use super::{Ended, Reconcile, Stop};
use crate::{
    api::{DeletionPolicy, EntryStatus, ProviderSecret, Reason},
    clock::jittered,
    controller::{
        cache::{Acted, OtherEntries, Progress},
        error::Failure,
        gate::{is_compared, is_recorded_in_status},
        kubernetes::KubernetesError,
        object::{
            Versions, is_acted_on, object_name, raw_records, ready_condition, recorded_sources,
        },
        plan::{self, confirm_in},
        report::{
            self, Asks,
            conditions::{Readiness, ReadyState, readiness, stalled_by_protocol},
            messages, notes,
            outcome::Outcome,
            status,
        },
        session::{Session, claims_anything},
    },
    http::ErrorClass,
    provider::{self, Choice, Settled, Unit},
    telemetry::ReconcileResult,
};

/// How long after a refusal that only a change can heal it is tried again all the same.
const REFUSAL_PROBE_INTERVAL: Duration = Duration::from_hours(6);
/// How long a provider is given at least and at most before it is asked again whether it has finished, and the part of
/// the time since the write that this is in between: what took 20 s is seen within a second.
const SETTLE_RETRY: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(30));
const SETTLE_PART: u32 = 20;

/// How long what has vanished before it was ready waits until it is written again.
const VANISHED_RETRY: Duration = Duration::from_secs(1);
/// After which a Secret that has gone is back, or the watch has said that it is gone. Where neither comes, the waits grow.
const PASSING_ABSENCE_RETRY: Duration = Duration::from_secs(3);
/// After which a request for a sync that could not be answered is looked at again.
const UNANSWERED_SYNC_RETRY: Duration = Duration::from_secs(10);
/// How long a large object waits for others.
const LARGE_READ_RETRY: Duration = Duration::from_millis(500);

impl Reconcile<'_> {
    /// Reports what the reconcile came to, and decides on the next try.
    pub(super) async fn report(&self, mut outcome: Outcome) -> Result<Ended, KubernetesError> {
        let is_suspended = self.object.spec.is_suspended();
        let readiness = if is_suspended {
            messages::suspended(outcome.failures.is_empty() && !self.may_be_unsettled())
        } else {
            let choice = self.object.spec.provider.choice();
            let done = messages::all_done(outcome.settled, &outcome.entries, choice);
            readiness(&outcome.failures, done)
        };
        let (mut readiness, mut wait) = self.schedule(readiness, &outcome);
        // Also beside a failure: what status does not say is told anew with each try.
        if let Some(remark) = outcome.remark.as_ref().filter(|_| !is_suspended) {
            readiness.message = format!("{} {remark}", readiness.message);
        }
        self.warn_of_rate_limit(&mut readiness, &mut outcome);
        if !is_suspended {
            let now = crate::clock::now();
            let entries = outcome.entries.iter();
            let confirms = entries.filter_map(|entry| confirm_in(entry, now));
            wait = wait.into_iter().chain(confirms).chain(outcome.try_in).min();
        }
        let requested = self.requested.clone().filter(|_| !is_suspended);
        self.record_what_is_said(&mut outcome, readiness.reason);
        let asks = self.asks(&outcome, readiness.reason);
        let is_answered = outcome.answers_request || asks == Asks::ForConfirmation;
        let (handled, unanswered) = if is_answered {
            (requested, None)
        } else {
            (None, requested)
        };
        // A request is answered also where nothing else is left to do.
        if unanswered.is_some() && wait.is_none() {
            wait = Some(UNANSWERED_SYNC_RETRY);
        }
        if asks == Asks::ForConfirmation && self.is_asked_anew() {
            return Err(KubernetesError::Conflict);
        }
        let forgotten = self.forgotten(&outcome);
        let kind = self.object.spec.provider.choice().map(Choice::kind);
        let told = kind.map(|kind| notes::orphaned(kind, &forgotten));
        let told = told.into_iter().flatten().map(|told| told.note);
        outcome.event_notes.extend(told);
        let (context, newest) = (self.context, self.newest());
        let reported =
            report::report(context, &newest, &readiness, &outcome, handled, asks).await?;
        self.note_rotation(outcome.written > 0, readiness.state == ReadyState::Ready);
        // A source that changes all the time is acted on once in the interval, whatever came of it.
        let is_later = is_acted_on(&self.object) && outcome.read != recorded_sources(&self.object);
        let mut acted = self.acted(outcome.read);
        acted.request = unanswered;
        // At rest nothing is kept in memory that status tells as well.
        let is_told = wait.is_none() && is_recorded_in_status(&reported, &acted);
        let next_try = wait.map(|wait| Instant::now() + wait);
        let others = if outcome.is_carried_out && readiness.state != ReadyState::Ready {
            OtherEntries::GoOn
        } else {
            OtherEntries::Wait
        };
        self.tracked(|tracked| {
            tracked.reported((!is_told).then_some(acted), next_try);
            tracked.seen_status.note(&reported);
            tracked.others = others;
            if !is_compared(&reported, others) {
                tracked.forget_verifications();
            }
            if let Some(made_with) = &outcome.key_fingerprint {
                tracked.followed(made_with);
            }
            let usual = || jittered(self.verify_interval());
            let due = Instant::now() + outcome.verify_in.unwrap_or_else(usual);
            // What is tried or written meanwhile puts off no comparison of the rest.
            let before = tracked.verify_at.filter(|_| is_compared(&reported, others));
            let due = before.map_or(due, |before| before.min(due));
            tracked.verify_at = Some(due);
            if is_later {
                tracked.written_at = Some(Instant::now());
            }
        });
        let result = match readiness.state {
            _ if is_suspended => ReconcileResult::Suspended,
            ReadyState::Ready => ReconcileResult::Synced,
            ReadyState::Reconciling { .. } | ReadyState::Suspended => ReconcileResult::Reconciling,
            ReadyState::Stalled => ReconcileResult::Stalled,
        };
        // What follows a write is due before the next look for what is due.
        let verify_in = outcome.verify_in.filter(|_| outcome.written > 0);
        let next = wait.into_iter().chain(verify_in).min();
        let action = next.map_or_else(Action::await_change, Action::requeue);
        Ok((result, action))
    }

    /// Whether the provider may still be at work on what it accepted before the object was suspended: the operator
    /// does not ask it meanwhile, and it is not known to have finished before status says so.
    fn may_be_unsettled(&self) -> bool {
        let choice = self.object.spec.provider.choice();
        let settles = choice.is_some_and(|choice| provider::rules(choice.kind()).unit == Unit::Set);
        let is_ready = ready_condition(&self.object).is_some_and(|ready| ready.status == "True");
        settles && !is_ready
    }

    /// Measures a rotation that this reconcile completes.
    fn note_rotation(&self, has_written: bool, is_ready: bool) {
        let context = self.context;
        let mut versions = self.secret_versions.iter();
        let progress = if self.object.spec.is_suspended() {
            Progress::GivenUp
        } else if is_ready
            && versions.all(|(name, version)| {
                context.secrets.get(&self.namespace, name).as_ref() == Some(version)
            })
        {
            Progress::Acknowledged
        } else {
            Progress::Behind
        };
        let name = object_name(&*self.object);
        let took = context.rotations.reported(&name, has_written, progress);
        if let (Some(took), Some(choice)) = (took, self.object.spec.provider.choice()) {
            context.metrics.rotated(choice.kind(), took);
        }
    }

    /// How a reconcile ends that stops before its last step.
    pub(super) async fn stop(&self, stop: Stop) -> Result<Ended, KubernetesError> {
        match stop {
            Stop::Report(outcome) => self.report(*outcome).await,
            // The grant of its permit requeues it.
            Stop::Parked => Ok((ReconcileResult::Abandoned, Action::await_change())),
            Stop::Unchanged => Ok((ReconcileResult::Unchanged, self.until_next_try())),
            Stop::Crowded => {
                let wait = jittered(LARGE_READ_RETRY);
                Ok((ReconcileResult::Abandoned, Action::requeue(wait)))
            }
            Stop::Unread(wait) => Ok((ReconcileResult::Abandoned, Action::requeue(wait))),
            Stop::Passing => {
                let wait = self.tracked(|tracked| tracked.backoff.briefly());
                let wait = wait.unwrap_or_default().max(PASSING_ABSENCE_RETRY);
                Ok((ReconcileResult::Abandoned, Action::requeue(wait)))
            }
            Stop::Kubernetes(error) => Err(error),
        }
    }

    /// When an object of which nothing has changed is tried again, if it waits for a time.
    fn until_next_try(&self) -> Action {
        let (name, now) = (object_name(&*self.object), Instant::now());
        let next_try = self.tracked(|tracked| tracked.next_try(&name, now));
        let wait = |due: Instant| Action::requeue(due.saturating_duration_since(now));
        next_try.flatten().map_or_else(Action::await_change, wait)
    }

    /// Nothing has changed since status was written.
    pub(super) fn as_recorded(&self, session: &Session<'_>) -> Outcome {
        let sources = recorded_sources(&self.object);
        Outcome::of(session.records.verified.clone(), sources)
    }

    /// The reconcile ends before there is a plan: what was recorded stays, and what is desired and
    /// was never written is named. Status keeps the versions that the records were made from.
    pub(super) fn nothing_done(
        &self,
        records: &[EntryStatus],
        failure: Failure,
        read: Versions,
    ) -> Outcome {
        let (spec, name) = (&self.object.spec, self.object.name_any());
        let mut entries = status::untouched(records, spec, &name, &failure);
        if !is_acted_on(&self.object) {
            status::outdate(&mut entries, failure.reason);
        }
        let mut outcome = Outcome::of(entries, recorded_sources(&self.object)).with(failure);
        outcome.read = read;
        outcome
    }

    /// The object as it is after the write-ahead, under the spec that was acted on.
    pub(crate) fn newest(&self) -> Arc<ProviderSecret> {
        let newest = self.tracked(|tracked| tracked.newer_than(&self.object));
        let newest = newest.flatten();
        let newest = newest.unwrap_or_else(|| Arc::clone(&self.object));
        if newest.metadata.generation == self.object.metadata.generation {
            return newest;
        }
        let mut newest = ProviderSecret::clone(&newest);
        newest.metadata.generation = self.object.metadata.generation;
        newest.spec.clone_from(&self.object.spec);
        Arc::new(newest)
    }

    /// What this reconcile acted on: the versions that were read, and those that the watch had shown
    /// of Secrets that were not read.
    pub(crate) fn acted(&self, read: Versions) -> Acted {
        let unread = self
            .secret_versions
            .iter()
            .filter(|(name, _)| read.iter().all(|(of, _)| of != name));
        let mut sources: Versions = unread.cloned().collect();
        sources.extend(read);
        sources.sort();
        Acted {
            generation: self.object.metadata.generation.unwrap_or_default(),
            sources,
            request: None,
        }
    }

    /// Names of what may be at a provider and that status is not to tell any more, because another key opens
    /// another account, or nothing verifies the record. Nothing would delete it later.
    fn forgotten(&self, outcome: &Outcome) -> Vec<String> {
        if self.object.spec.deletion_policy() != DeletionPolicy::Delete {
            return Vec::new();
        }
        let is_forgotten = |record: &&EntryStatus| {
            let mut entries = outcome.entries.iter();
            plan::may_be_there(record)
                && entries.any(|entry| entry.name == record.name && !claims_anything(entry))
        };
        let forgotten = raw_records(&self.object).iter().filter(is_forgotten);
        forgotten.map(|record| record.name.clone()).collect()
    }

    /// When the next try is due if there is no news; the readiness grows worse when the provider's
    /// answers stay strange.
    fn schedule(&self, readiness: Readiness, outcome: &Outcome) -> (Readiness, Option<Duration>) {
        const RETRIED: [ErrorClass; 4] = [
            ErrorClass::Transient,
            ErrorClass::Throttled,
            ErrorClass::UnknownOutcome,
            ErrorClass::Protocol,
        ];
        // What the account's open circuit may have caused waits for the account.
        const OF_ACCOUNT: [ErrorClass; 4] = [
            ErrorClass::Transient,
            ErrorClass::Throttled,
            ErrorClass::UnknownOutcome,
            ErrorClass::Auth,
        ];
        let failures = &outcome.failures;
        let causes = || failures.iter().chain(unchecked(outcome));
        let is_protocol = |failure: &Failure| failure.class == ErrorClass::Protocol;
        let led_for = self.context.leadership.led_for();
        let since_write = outcome.since_write(crate::clock::now(), led_for);
        let mut is_strange = false;
        let scheduled = self.tracked(|tracked| {
            let has = |kinds: &[ErrorClass]| causes().any(|failure| kinds.contains(&failure.class));
            is_strange = tracked
                .backoff
                .protocol_failed(failures.iter().any(is_protocol));
            let is_suspended = self.object.spec.is_suspended();
            let makes_headway =
                outcome.written > 0 || outcome.entries.len() < raw_records(&self.object).len();
            let is_throttled = has(&[ErrorClass::Throttled]);
            let has_own_wait = tracked.backoff.throttled(is_throttled, makes_headway);
            let until = tracked.account().and_then(|account| {
                let name = object_name(&*self.object);
                let is_of_account = |failure: &Failure| {
                    OF_ACCOUNT.contains(&failure.class) && !failure.is_of_kubernetes()
                };
                if causes().any(is_of_account) && !is_suspended && !has_own_wait {
                    return account.limiter.park_failed(&name);
                }
                account.limiter.forget(&name);
                None
            });
            if is_suspended {
                tracked.reset_backoff();
                return None;
            }
            if let Some(until) = until {
                Some(until.saturating_duration_since(Instant::now()))
            } else if has(&RETRIED) {
                let asked = causes().filter_map(|failure| failure.retry_after).max();
                let asked = asked.map(|asked| asked + asked.mul_f64(fastrand::f64() * 0.2));
                let is_short = has_own_wait || failures.iter().any(Failure::is_of_kubernetes);
                let own = if is_short {
                    tracked.backoff.briefly()
                } else {
                    tracked.backoff.next()
                };
                Some(match asked {
                    Some(asked) if has_own_wait => own.max(asked),
                    asked => asked.unwrap_or(own),
                })
            } else if has(&[ErrorClass::Auth]) {
                Some(tracked.backoff.credential())
            } else if is_refused_after_success(outcome) {
                Some(tracked.backoff.refused())
            } else if outcome.settled != Settled::Ready && !failures.iter().any(keeps_set_waiting) {
                Some(match outcome.settled {
                    Settled::Absent => VANISHED_RETRY,
                    // What fails each time is written as seldom as what fails otherwise.
                    Settled::Failed => tracked.backoff.next(),
                    Settled::Pending | Settled::Ready => {
                        let since = since_write.and_then(|since| since.try_into().ok());
                        let part = since.unwrap_or(Duration::ZERO) / SETTLE_PART;
                        part.clamp(SETTLE_RETRY.0, SETTLE_RETRY.1)
                    }
                })
            } else if has(&[ErrorClass::Config]) {
                tracked.reset_backoff();
                Some(jittered(REFUSAL_PROBE_INTERVAL))
            } else {
                tracked.reset_backoff();
                None
            }
        });
        let readiness = if is_strange {
            stalled_by_protocol(failures, readiness)
        } else {
            readiness
        };
        (readiness, scheduled.flatten())
    }
}

/// Whether a set that has not settled is not looked at sooner than this failure is tried again.
fn keeps_set_waiting(failure: &Failure) -> bool {
    failure.is_answer || failure.reason == Reason::Contended
}

/// What could not be looked at is tried again as what could not be written, once the provider has finished.
fn unchecked(outcome: &Outcome) -> Option<&Failure> {
    let unchecked = outcome.unchecked.as_ref();
    unchecked.filter(|_| outcome.settled == Settled::Ready)
}

/// Whether the provider refuses what it took before: a fault of its own, perhaps, that ends by itself.
fn is_refused_after_success(outcome: &Outcome) -> bool {
    let is_refusal = |failure: &Failure| failure.class == ErrorClass::Config && failure.is_answer;
    let mut failures = outcome.failures.iter().chain(unchecked(outcome));
    failures.any(is_refusal) && outcome.entries.iter().any(plan::was_written)
}
