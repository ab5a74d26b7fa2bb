//! The cleanup of a deleted object. It always ends: when everything is gone, when somebody says so,
//! or when the time is over; and it tells what it leaves behind.

use std::{sync::Arc, time::Duration};

use kube::{ResourceExt, runtime::controller::Action};
use tokio::time::Instant;

use super::{Pass, conclusion::Conclusion, words};
use crate::{
    account::{Account, Admission},
    api::{Choice, DELETION_OVERRIDE, DeletionPolicy, EntryStatus},
    controller::{
        finalizer,
        gate::Acted,
        kubernetes::{Failure, is_terminating},
        memo::Memo,
        plan::{self, Riddance, removals},
        report::{self, Findings, Notice},
        route::Route,
        trouble::{Kind, Trouble},
    },
    telemetry::PassResult,
};

/// How long it may take once the namespace is being deleted too and the API key is gone.
const HOPELESS: Duration = Duration::from_secs(30);
/// How long at least until a deletion that the provider refuses is tried again.
const REFUSED: Duration = Duration::from_secs(30);
/// How long a process has known of a deletion, at least, before it believes the clock that it took
/// too long: the clock may be wrong.
const DOUBT: Duration = Duration::from_mins(1);

type Ran = Result<(PassResult, Action), Failure>;

impl Pass<'_> {
    /// Gets rid of what a deleted object wrote, and lets it go.
    pub(super) async fn clean_up(&self) -> Ran {
        let known_since = self.context.memos.with(&self.uid, Memo::deleted_since);
        let left = self.believed_left();
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
        let (entries, trouble) = match self.way(choice).await {
            Ok(account) => match self.get_rid(&account, choice, &left).await? {
                // Its turn will come, or the end of its time.
                None => {
                    let wait = self
                        .remaining(known_since, false)
                        .max(Duration::from_secs(1));
                    return Ok((PassResult::Abandoned, Action::requeue(wait)));
                }
                Some((entries, None)) if entries.is_empty() => return self.release(&[]).await,
                Some((entries, trouble)) => (entries, trouble),
            },
            Err(trouble) => (left, Some(trouble)),
        };
        // Also where the key is remembered: nobody will put a better one there.
        let is_hopeless =
            self.is_key_gone(choice) && is_terminating(&self.context.client, &self.namespace).await;
        let remaining = self.remaining(known_since, is_hopeless);
        if remaining.is_zero() {
            let left: Vec<EntryStatus> = entries.into_iter().filter(plan::may_be_there).collect();
            return self.release(&left).await;
        }
        self.blocked(choice, entries, trouble, remaining).await
    }

    /// The account, also where its key is gone from the cluster and was used before.
    async fn way(&self, choice: Choice<'_>) -> Result<Arc<Account>, Trouble> {
        match self.account(choice).await {
            Ok((account, _)) => Ok(account),
            Err((trouble, _)) => {
                let used = self.context.memos.account(&self.uid);
                used.filter(|_| self.is_key_gone(choice)).ok_or(trouble)
            }
        }
    }

    fn is_key_gone(&self, choice: Choice<'_>) -> bool {
        let reference = choice.api_key_secret_ref();
        let seen = self.context.secrets.get(&self.namespace, &reference.name);
        seen.is_none()
    }

    /// Gets rid of what can be got rid of: what is left, and why; none while there is no free place
    /// among the calls.
    async fn get_rid(
        &self,
        account: &Arc<Account>,
        choice: Choice<'_>,
        left: &[EntryStatus],
    ) -> Result<Option<(Vec<EntryStatus>, Option<Trouble>)>, Failure> {
        let _permit = match self.admitted(account) {
            Admission::Granted(permit) => permit,
            Admission::Parked => return Ok(None),
            Admission::CircuitOpen(circuit) => {
                let wait = circuit.until.saturating_duration_since(Instant::now());
                let trouble = Trouble::provider(&circuit.error, choice, None);
                let trouble = Trouble {
                    retry_after: Some(wait),
                    ..trouble
                };
                return Ok(Some((left.to_vec(), Some(trouble))));
            }
        };
        let provider = account.provider(choice, &self.object.name_any());
        let route = Route {
            account,
            provider: &*provider,
            choice,
            closed: None,
        };
        self.believe(&route);
        let left: Vec<EntryStatus> = self.believed_left();
        let left = left.as_slice();
        self.claim(&route, &[]);
        match self.is_written_account(&route).await {
            Ok(true) => {}
            Ok(false) => return Ok(Some((left.to_vec(), Some(words::account_changed(choice))))),
            Err(trouble) => return Ok(Some((left.to_vec(), Some(trouble)))),
        }
        let going = removals(
            left,
            DeletionPolicy::Delete,
            route.rules(),
            &self.claims(&route),
        );
        let is_handed_over = going
            .iter()
            .all(|removed| removed.riddance == Riddance::HandOver);
        let rid = self.rid(&route, going).await?;
        let doubted = words::left_behind(choice.kind(), self.doubted());
        let notices: Vec<Notice> = rid.notices.into_iter().chain(doubted).collect();
        report::tell(self.context, &self.object, &notices);
        if rid.kept.is_empty() && !is_handed_over {
            let told = |error| Trouble::provider(&error, choice, None);
            if let Err(trouble) = self.rid_of_set(&route, left).await.map_err(told) {
                return Ok(Some((left.to_vec(), Some(trouble))));
            }
        }
        Ok(Some((rid.kept, rid.troubles.into_iter().next())))
    }

    /// What may be left at the provider.
    fn believed_left(&self) -> Vec<EntryStatus> {
        let recorded = self.recorded().iter();
        recorded
            .filter(|entry| plan::may_be_there(entry))
            .cloned()
            .collect()
    }

    /// How long the cleanup may still go on.
    fn remaining(&self, known_since: Instant, is_hopeless: bool) -> Duration {
        let whole = self.context.deletion_timeout;
        let whole = if is_hopeless {
            whole.min(HOPELESS)
        } else {
            whole
        };
        let own = known_since.elapsed();
        let deleted = self.object.metadata.deletion_timestamp.as_ref();
        let by_clock = deleted
            .and_then(|time| Duration::try_from(crate::clock::now().duration_since(time.0)).ok());
        let elapsed = match by_clock {
            Some(by_clock) if own >= whole.min(DOUBT) => by_clock.max(own),
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
            let notices: Vec<Notice> = words::left_behind(kind, &names).into_iter().collect();
            report::tell(self.context, &self.object, &notices);
        }
        finalizer::set(self.context, &self.newest(), false).await?;
        Ok((PassResult::Deleted, Action::await_change()))
    }

    /// Tells why the object is still there, and tries again.
    async fn blocked(
        &self,
        choice: Choice<'_>,
        entries: Vec<EntryStatus>,
        trouble: Option<Trouble>,
        remaining: Duration,
    ) -> Ran {
        let wait = self.context.memos.with(&self.uid, Memo::back_off);
        // What a provider refuses, because it is in use perhaps, it will refuse in a second as well.
        let is_refused = |trouble: &Trouble| trouble.kind == Kind::Config;
        let wait = if trouble.as_ref().is_some_and(is_refused) {
            wait.max(REFUSED)
        } else {
            wait
        };
        let asked = trouble.as_ref().and_then(|trouble| trouble.retry_after);
        let wait = asked.unwrap_or(wait).min(remaining);
        let mut conclusion = Conclusion::of(entries, self.as_recorded().sources);
        conclusion.entries.sort_by(|a, b| a.name.cmp(&b.name));
        let verdict = words::deletion_blocked(trouble.as_ref());
        let findings = Findings {
            verdict,
            provider: Some(choice.kind().as_str()),
            scope: None,
            entries: conclusion.entries,
            sources: conclusion.sources,
            written: 0,
            handled: None,
            key_fingerprint: None,
            notices: Vec::new(),
        };
        match report::report(self.context, &self.newest(), &findings).await {
            Ok(_) | Err(Failure::Forbidden | Failure::Invalid) => {}
            Err(failure) => return Err(failure),
        }
        let acted: Acted = self.acted(self.seen.clone());
        self.context.memos.with(&self.uid, |memo| {
            memo.acted = Some(acted);
            memo.next_try = Some(Instant::now() + wait);
        });
        Ok((PassResult::Reconciling, Action::requeue(wait)))
    }
}
