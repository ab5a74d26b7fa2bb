//! The cleanup of a deleted object. It always ends: when everything is gone, when somebody says so,
//! or when the time is over; and it tells what it leaves behind.

use std::{sync::Arc, time::Duration};

use kube::{ResourceExt, runtime::controller::Action};
use tokio::time::Instant;

use super::{Reconcile, outcome::Outcome};
use crate::{
    account::{Account, Admission},
    api::{DELETION_OVERRIDE, DeletionPolicy, EntryStatus},
    controller::{
        cache::{Acted, ObjectState},
        error::Failure,
        kubernetes::{KubernetesError, is_terminating},
        plan::{self, RemovalAction, plan_removals},
        report::{self, EventNote, Findings, finalizer, messages},
        session::Session,
    },
    http::ErrorClass,
    provider::Choice,
    telemetry::ReconcileResult,
};

/// How long it may take once the namespace is being deleted too and the API key is gone.
const TERMINATING_NAMESPACE_TIMEOUT: Duration = Duration::from_secs(30);
/// How long at least until a deletion that the provider refuses is tried again.
const REFUSED: Duration = Duration::from_secs(30);
/// How long a process has known of a deletion, at least, before it believes the clock that it took
/// too long: the clock may be wrong.
const MIN_CLOCK_TRUST: Duration = Duration::from_mins(1);

type Ran = Result<(ReconcileResult, Action), KubernetesError>;

impl Reconcile<'_> {
    /// Gets removal of what a deleted object wrote, and lets it go.
    pub(crate) async fn clean_up(&self) -> Ran {
        let known_since = self
            .context
            .states
            .with(&self.uid, ObjectState::deleted_since);
        let left = self.left_at_provider();
        if self.object.spec.deletion_policy() == DeletionPolicy::Retain || left.is_empty() {
            return self.release(&[]).await;
        }
        let annotations = self.object.annotations();
        if annotations.get(DELETION_OVERRIDE).map(String::as_str) == Some("orphan") {
            return self.release(&left).await;
        }
        let Some(choice) = self.object.spec.provider.choice() else {
            return self.release(&left).await;
        };
        let (entries, failure) = match self.way(choice).await {
            Ok(account) => match self.get_rid(&account, choice, &left).await? {
                // Its turn will come, or the end of its time.
                None => {
                    let wait = self
                        .remaining(known_since, false)
                        .max(Duration::from_secs(1));
                    return Ok((ReconcileResult::Abandoned, Action::requeue(wait)));
                }
                Some((entries, None)) if entries.is_empty() => return self.release(&[]).await,
                Some((entries, failure)) => (entries, failure),
            },
            Err(failure) => (left, Some(failure)),
        };
        // Also where the key is remembered: nobody will put a better one there.
        let is_namespace_terminating =
            self.is_key_gone(choice) && is_terminating(&self.context.client, &self.namespace).await;
        let remaining = self.remaining(known_since, is_namespace_terminating);
        if remaining.is_zero() {
            let left: Vec<EntryStatus> = entries.into_iter().filter(plan::may_be_there).collect();
            return self.release(&left).await;
        }
        self.blocked(choice, entries, failure, remaining).await
    }

    /// The account, also where its key is gone from the cluster and was used before.
    async fn way(&self, choice: Choice<'_>) -> Result<Arc<Account>, Failure> {
        match self.account(choice).await {
            Ok((account, _)) => Ok(account),
            Err((failure, _)) => {
                let used = self.context.states.account(&self.uid);
                used.filter(|_| self.is_key_gone(choice)).ok_or(failure)
            }
        }
    }

    fn is_key_gone(&self, choice: Choice<'_>) -> bool {
        let reference = choice.api_key_secret_ref();
        let seen = self.context.secrets.get(&self.namespace, &reference.name);
        seen.is_none()
    }

    /// Gets removal of what can be got removal of: what is left, and why; none while there is no free place
    /// among the calls.
    async fn get_rid(
        &self,
        account: &Arc<Account>,
        choice: Choice<'_>,
        left: &[EntryStatus],
    ) -> Result<Option<(Vec<EntryStatus>, Option<Failure>)>, KubernetesError> {
        let _permit = match self.admitted(account) {
            Admission::Granted(permit) => permit,
            Admission::Parked => return Ok(None),
            Admission::CircuitOpen(circuit) => {
                let wait = circuit.until.saturating_duration_since(Instant::now());
                let failure = Failure::provider(&circuit.error, choice, None);
                let failure = Failure {
                    retry_after: Some(wait),
                    ..failure
                };
                return Ok(Some((left.to_vec(), Some(failure))));
            }
        };
        let provider = account.provider(choice, &self.object.name_any());
        let session = Session {
            account,
            provider: &*provider,
            choice,
            closed: None,
        };
        self.verify_records(&session);
        let left: Vec<EntryStatus> = self.left_at_provider();
        let left = left.as_slice();
        self.note_claims(&session, &[]);
        match self.is_written_account(&session).await {
            Ok(true) => {}
            Ok(false) => {
                return Ok(Some((
                    left.to_vec(),
                    Some(messages::account_changed(choice)),
                )));
            }
            Err(failure) => return Ok(Some((left.to_vec(), Some(failure)))),
        }
        let going = plan_removals(
            left,
            DeletionPolicy::Delete,
            session.rules(),
            &self.claims(&session),
        );
        let is_handed_over = going
            .iter()
            .all(|removed| removed.action == RemovalAction::TransferOwner);
        let removal = self.remove(&session, going).await?;
        let unverified = messages::left_behind(choice.kind(), self.unverified());
        let event_notes: Vec<EventNote> =
            removal.event_notes.into_iter().chain(unverified).collect();
        report::tell(self.context, &self.object, &event_notes);
        if removal.kept.is_empty() && !is_handed_over {
            let to_failure = |error| Failure::provider(&error, choice, None);
            if let Err(failure) = self
                .delete_empty_set(&session, left)
                .await
                .map_err(to_failure)
            {
                return Ok(Some((left.to_vec(), Some(failure))));
            }
        }
        Ok(Some((removal.kept, removal.failures.into_iter().next())))
    }

    /// What may be left at the provider.
    fn left_at_provider(&self) -> Vec<EntryStatus> {
        let recorded = self.recorded().iter();
        recorded
            .filter(|entry| plan::may_be_there(entry))
            .cloned()
            .collect()
    }

    /// How long the cleanup may still go on.
    fn remaining(&self, known_since: Instant, is_namespace_terminating: bool) -> Duration {
        let whole = self.context.deletion_timeout;
        let whole = if is_namespace_terminating {
            whole.min(TERMINATING_NAMESPACE_TIMEOUT)
        } else {
            whole
        };
        let own = known_since.elapsed();
        let deleted = self.object.metadata.deletion_timestamp.as_ref();
        let by_clock = deleted
            .and_then(|time| Duration::try_from(crate::clock::now().duration_since(time.0)).ok());
        let elapsed = match by_clock {
            Some(by_clock) if own >= whole.min(MIN_CLOCK_TRUST) => by_clock.max(own),
            _ => own,
        };
        whole.saturating_sub(elapsed)
    }

    /// Lets the object go, and tells what is left behind.
    async fn release(&self, left: &[EntryStatus]) -> Ran {
        let mut names: Vec<String> = left.iter().map(|entry| entry.name.clone()).collect();
        names.sort();
        if let Some(choice) = self.object.spec.provider.choice() {
            let kind = choice.kind();
            self.context.metrics.keys_left_behind(kind, names.len());
            let event_notes: Vec<EventNote> =
                messages::left_behind(kind, &names).into_iter().collect();
            report::tell(self.context, &self.object, &event_notes);
        }
        finalizer::set(self.context, &self.newest(), false).await?;
        Ok((ReconcileResult::Deleted, Action::await_change()))
    }

    /// Tells why the object is still there, and tries again.
    async fn blocked(
        &self,
        choice: Choice<'_>,
        entries: Vec<EntryStatus>,
        failure: Option<Failure>,
        remaining: Duration,
    ) -> Ran {
        let wait = self.context.states.with(&self.uid, ObjectState::back_off);
        // What a provider refuses, because it is in use perhaps, it will refuse in a second as well.
        let is_refused = |failure: &Failure| failure.class == ErrorClass::Config;
        let wait = if failure.as_ref().is_some_and(is_refused) {
            wait.max(REFUSED)
        } else {
            wait
        };
        let asked = failure.as_ref().and_then(|failure| failure.retry_after);
        let wait = asked.unwrap_or(wait).min(remaining);
        let mut outcome = Outcome::of(entries, self.as_recorded().sources);
        outcome.entries.sort_by(|a, b| a.name.cmp(&b.name));
        let readiness = messages::deletion_blocked(failure.as_ref());
        let findings = Findings {
            readiness,
            provider: Some(choice.kind().as_str()),
            scope: None,
            entries: outcome.entries,
            sources: outcome.sources,
            written: 0,
            handled: None,
            key_fingerprint: None,
            event_notes: Vec::new(),
        };
        match report::report(self.context, &self.newest(), &findings).await {
            Ok(_) | Err(KubernetesError::Forbidden | KubernetesError::Invalid) => {}
            Err(error) => return Err(error),
        }
        let acted: Acted = self.acted(self.seen.clone());
        self.context.states.with(&self.uid, |state| {
            state.acted = Some(acted);
            state.next_try = Some(Instant::now() + wait);
        });
        Ok((ReconcileResult::Reconciling, Action::requeue(wait)))
    }
}
