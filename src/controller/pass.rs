//! One pass over one object: dereference → plan → apply → report.

use std::{sync::Arc, time::Duration};

use kube::{ResourceExt, runtime::controller::Action};
use tokio::time::Instant;

use super::{
    apply::{Applied, Outcome, Writer},
    context::{Context, jittered, object_name},
    dereference::{self, Versions},
    desired::{Wanted, desired},
    gate::{Acted, Decision, decide},
    kubernetes::Failure,
    plan::{self, Inputs, Planned, plan},
    report::{self, Findings},
    status::{self, State, Verdict, verdict},
    trouble::{Kind, Trouble},
};
use crate::{
    account::{Account, Admission, Digested, scope_field},
    api::{Choice, EntryState, EntryStatus, ProviderSecret, ProviderSecretStatus, Reason},
    provider::{Provider, Settled, rules},
    telemetry::PassResult,
};

/// How often an object is looked at without a reason. It costs no call; watches promise nothing
/// (style.md 7.10).
const LOOK_AGAIN: Duration = Duration::from_secs(10 * 60);
/// How long after a refusal that only a change can heal it is tried again all the same.
const PROBE: Duration = Duration::from_secs(6 * 60 * 60);
/// How long a provider is given before it is asked again whether it has finished.
const SETTLE: Duration = Duration::from_secs(1);

/// Runs a pass.
pub(super) async fn pass(context: &Context, seen: &Arc<ProviderSecret>) -> (PassResult, Action) {
    context.secrets.wait_until_complete().await;
    let uid = seen.uid().unwrap_or_default();
    let namespace = seen.namespace().unwrap_or_default();
    let (object, decision) = context.memos.with(&uid, |memo| {
        let object = memo.newest(seen);
        let current = |name: &str| context.secrets.get(&namespace, name);
        let decision = decide(
            &object,
            memo.acted.as_ref(),
            memo.next_try,
            Instant::now(),
            current,
        );
        (object, decision)
    });
    match decision {
        Decision::Rest => return (PassResult::Unchanged, look_again()),
        Decision::Later(wait) => return (PassResult::Unchanged, Action::requeue(wait)),
        Decision::Settle | Decision::Go => {}
    }
    let pass = Pass {
        context,
        uid,
        namespace,
        object,
    };
    match pass.run(decision == Decision::Settle).await {
        Ok((result, action)) => (result, action),
        // The next wake-up starts from what status says.
        Err(Failure::NotFound) => (PassResult::Abandoned, look_again()),
        Err(_) => {
            let wait = context.memos.with(&pass.uid, |memo| {
                memo.acted = None;
                memo.back_off()
            });
            tracing::warn!(
                namespace = pass.namespace,
                name = pass.object.name_any(),
                "status could not be written; it is tried again"
            );
            (PassResult::Abandoned, Action::requeue(wait))
        }
    }
}

fn look_again() -> Action {
    Action::requeue(jittered(LOOK_AGAIN))
}

struct Pass<'a> {
    context: &'a Context,
    uid: String,
    namespace: String,
    object: Arc<ProviderSecret>,
}

/// What a pass came to, before it is told.
struct Conclusion {
    troubles: Vec<Trouble>,
    entries: Vec<EntryStatus>,
    sources: Versions,
    scope: Option<String>,
    written: usize,
    settled: Settled,
}

impl Pass<'_> {
    async fn run(&self, settle_only: bool) -> Result<(PassResult, Action), Failure> {
        let Some(choice) = self.object.spec.provider.choice() else {
            let trouble = Trouble::config(
                Reason::InvalidSpec,
                "Give exactly one of baseten, primeIntellect, pipecat and braintrust under spec.provider.",
            );
            return self
                .conclude(None, self.nothing_done(trouble, Versions::new()))
                .await;
        };
        let reference = choice.api_key_secret_ref();
        let (credential, version) =
            dereference::credential(self.context, &self.namespace, reference).await;
        let mut sources: Versions = version
            .map(|version| (reference.name.clone(), version))
            .into_iter()
            .collect();
        let credential = match credential {
            Ok(credential) => credential,
            Err(trouble) => {
                return self
                    .conclude(Some(choice), self.nothing_done(trouble, sources))
                    .await;
            }
        };
        let account = match self.context.accounts.get(choice, &credential) {
            Ok(account) => account,
            Err(reason) => {
                let trouble = no_account(reason, choice);
                return self
                    .conclude(Some(choice), self.nothing_done(trouble, sources))
                    .await;
            }
        };
        let name = object_name(&*self.object);
        if let Some(before) = self
            .context
            .memos
            .with(&self.uid, |memo| memo.use_account(&account))
        {
            before.limiter.forget(&name);
        }
        let Admission::Now(_permit) = account.limiter.admit(&name) else {
            return Ok((PassResult::Abandoned, Action::await_change()));
        };
        let provider = account.provider(choice, &name.1);
        if settle_only {
            let conclusion = self.settle(&*provider, choice).await;
            return self.conclude(Some(choice), conclusion).await;
        }
        let (read, versions) =
            dereference::sources(self.context, &self.namespace, &self.object.spec).await;
        sources.extend(versions);
        sources.sort();
        sources.dedup_by(|a, b| a.0 == b.0);
        let conclusion = match desired(&self.object.spec, &read, provider.rules()) {
            Ok(wanted) => {
                self.sync(&account, &*provider, choice, wanted, sources)
                    .await?
            }
            Err(trouble) => self.nothing_done(trouble, sources),
        };
        self.conclude(Some(choice), conclusion).await
    }

    /// Plans, and carries the plan out.
    async fn sync(
        &self,
        account: &Account,
        provider: &dyn Provider,
        choice: Choice<'_>,
        wanted: Wanted,
        sources: Versions,
    ) -> Result<Conclusion, Failure> {
        let desired = &wanted.entries;
        let recorded = self.recorded();
        let rules = provider.rules();
        let target = format!(
            "{}/{}/{}",
            rules.kind,
            choice.endpoint(),
            scope_field(choice).unwrap_or_default()
        );
        let digest = |entry: &super::desired::Desired| {
            let value = entry.value.as_ref().ok()?;
            let (uid, options) = (self.uid.as_str(), &entry.options);
            let digested = Digested {
                uid,
                target: &target,
                name: &entry.folded,
                value,
                options,
            };
            Some(account.digests.digest(&digested))
        };
        let set = match choice {
            Choice::Pipecat(spec) => Some((provider.listed_name(""), spec.region.as_deref())),
            _ => None,
        };
        let mut inputs = Inputs {
            recorded,
            observed: None,
            rules,
            set,
        };
        let mut planned = plan(desired, &inputs, digest);
        let retained = self.retained(&wanted, recorded, provider);
        let mut troubles = wanted.unread;
        if self.object.spec.is_suspended() {
            let is_held = |planned: &Planned| planned.change == plan::Change::Keep;
            let names = desired.iter().map(|entry| entry.name.as_str());
            let entries = status::not_carried_out(names, &planned, Reason::Suspended);
            let all_held = troubles.is_empty() && planned.iter().all(is_held);
            let troubles = if all_held {
                Vec::new()
            } else {
                vec![not_held()]
            };
            return Ok(Conclusion {
                entries: join(entries, retained),
                troubles,
                ..self.nothing(sources)
            });
        }
        let writer = Writer {
            account,
            provider,
            choice,
            names: &self.context.accounts.names,
        };
        let mut listed = None;
        if plan::needs_listing(&planned, rules) {
            let generation = self.object.metadata.generation.unwrap_or_default();
            let since = self
                .context
                .memos
                .with(&self.uid, |memo| memo.wanted_since(generation));
            match writer.listing(since).await {
                Ok(snapshot) => {
                    inputs.observed = Some(&snapshot.remotes);
                    planned = plan(desired, &inputs, digest);
                    listed = Some(Arc::clone(&snapshot));
                }
                Err(error) => {
                    let trouble = Trouble::provider(&error, choice, None);
                    let names = desired.iter().map(|entry| entry.name.as_str());
                    let entries = status::not_carried_out(names, &planned, trouble.reason);
                    troubles.push(trouble);
                    let entries = join(entries, retained);
                    return Ok(Conclusion {
                        troubles,
                        entries,
                        ..self.nothing(sources)
                    });
                }
            }
        }
        self.write_ahead(desired, &planned).await?;
        let applied = writer.apply(desired, &planned, listed.as_deref()).await;
        let now = jiff::Timestamp::now();
        let names = desired.iter().map(|entry| entry.name.as_str());
        let entries = status::entries(names, &planned, &applied, now);
        let (written, scope) = tally(&applied);
        self.context.metrics.keys_written(choice.kind(), written);
        troubles.extend(
            applied
                .outcomes
                .into_iter()
                .filter_map(|outcome| match outcome {
                    Outcome::Failed(trouble) => Some(trouble),
                    Outcome::Kept | Outcome::Written(_) | Outcome::NotTried => None,
                }),
        );
        let conclusion = Conclusion {
            troubles,
            entries: join(entries, retained),
            scope: scope
                .or_else(|| scope_field(choice).map(str::to_owned))
                .or_else(|| own_scope(account, choice)),
            written,
            ..self.nothing(sources)
        };
        // A set with nothing in it is not asked for: it may not exist.
        let is_asked = written > 0 || (conclusion.troubles.is_empty() && self.was_settling());
        if !is_asked {
            return Ok(conclusion);
        }
        Ok(settled(conclusion, provider, choice).await)
    }

    /// Before a recorded entry is written again it is recorded as Pending: else a crash after the
    /// write and a source that goes back would leave the new value behind an entry that looks synced.
    async fn write_ahead(
        &self,
        desired: &[super::desired::Desired],
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
        let fold = self
            .object
            .spec
            .provider
            .choice()
            .map(|choice| rules(choice.kind()).fold);
        let folded = |name: &str| fold.map_or_else(|| name.to_owned(), |fold| fold(name));
        let mut next = self.object.status.clone().unwrap_or_default();
        for entry in &mut next.entries {
            if let Some(pending) = pending
                .iter()
                .find(|pending| folded(&pending.name) == folded(&entry.name))
            {
                *entry = pending.clone();
            }
        }
        report::write(self.context, &self.object, &next)
            .await
            .map(|_| ())
    }

    /// Asks only whether the provider has finished; nothing else has changed.
    async fn settle(&self, provider: &dyn Provider, choice: Choice<'_>) -> Conclusion {
        let status = self.object.status.clone().unwrap_or_default();
        let sources = status
            .sources
            .into_iter()
            .map(|source| (source.name, source.resource_version))
            .collect();
        let conclusion = Conclusion {
            entries: status.entries,
            ..self.nothing(sources)
        };
        settled(conclusion, provider, choice).await
    }

    /// Tells what the pass came to and decides on the next try.
    async fn conclude(
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
        } = conclusion;
        let is_suspended = self.object.spec.is_suspended();
        let verdict = if is_suspended {
            suspended(troubles.is_empty())
        } else {
            verdict(&troubles, all_done(settled, &entries, choice))
        };
        let (verdict, next_try) = self.schedule(verdict, &troubles, settled);
        let provider = choice.map(|choice| choice.kind().as_str());
        let state = verdict.state;
        let findings = Findings {
            verdict,
            provider,
            scope,
            entries,
            sources,
            written,
        };
        // The object as it is after the write-ahead.
        let object = self
            .context
            .memos
            .with(&self.uid, |memo| memo.newest(&self.object));
        let object = if object.metadata.generation == self.object.metadata.generation {
            object
        } else {
            acted_on(&object, self.object.metadata.generation)
        };
        report::report(self.context, &object, &findings).await?;
        self.context.memos.with(&self.uid, |memo| {
            memo.acted = Some(Acted {
                generation: self.object.metadata.generation.unwrap_or_default(),
                sources: findings.sources,
            });
            memo.next_try = next_try.map(|wait| Instant::now() + wait);
        });
        let result = match state {
            _ if is_suspended => PassResult::Suspended,
            State::Ready => PassResult::Synced,
            State::Reconciling { .. } | State::Suspended => PassResult::Reconciling,
            State::Stalled => PassResult::Stalled,
        };
        Ok((result, next_try.map_or_else(look_again, Action::requeue)))
    }

    /// When the next try is due if there is no news; the verdict grows worse when the provider's
    /// answers stay strange.
    fn schedule(
        &self,
        mut verdict: Verdict,
        troubles: &[Trouble],
        settled: Settled,
    ) -> (Verdict, Option<Duration>) {
        self.context.memos.with(&self.uid, |memo| {
            let is_strange = troubles
                .iter()
                .any(|trouble| trouble.kind == Kind::Protocol);
            if memo.protocol_failed(is_strange) && is_strange {
                verdict.state = State::Stalled;
            }
            if self.object.spec.is_suspended() {
                return (verdict, None);
            }
            let has = |kinds: &[Kind]| troubles.iter().any(|trouble| kinds.contains(&trouble.kind));
            let wait = if has(&[
                Kind::Transient,
                Kind::Throttled,
                Kind::UnknownOutcome,
                Kind::Protocol,
            ]) {
                let asked = troubles
                    .iter()
                    .filter_map(|trouble| trouble.retry_after)
                    .max();
                let own = memo.back_off();
                Some(asked.map_or(own, |asked| asked + asked.mul_f64(fastrand::f64() * 0.2)))
            } else if has(&[Kind::Auth]) {
                Some(memo.back_off_credential())
            } else if has(&[Kind::Config]) {
                memo.reset_backoff();
                Some(jittered(PROBE))
            } else if troubles.is_empty() && settled == Settled::Pending {
                Some(SETTLE)
            } else if troubles.is_empty() && settled == Settled::Failed {
                Some(memo.back_off())
            } else {
                memo.reset_backoff();
                None
            };
            (verdict, wait)
        })
    }

    /// What was recorded and is not wanted now. It is forgotten, unless a source that could not be
    /// read may still want it.
    fn retained(
        &self,
        wanted: &Wanted,
        recorded: &[EntryStatus],
        provider: &dyn Provider,
    ) -> Vec<EntryStatus> {
        let Some(trouble) = wanted.unread.first() else {
            return Vec::new();
        };
        plan::unwanted(&wanted.entries, recorded, provider.rules())
            .into_iter()
            .map(|entry| EntryStatus {
                state: EntryState::Failed,
                reason: Some(trouble.reason.as_str().to_owned()),
                ..entry.clone()
            })
            .collect()
    }

    fn recorded(&self) -> &[EntryStatus] {
        self.object
            .status
            .as_ref()
            .map_or(&[], |status| status.entries.as_slice())
    }

    fn was_settling(&self) -> bool {
        let is_progressing = |status: &ProviderSecretStatus| {
            status.conditions.iter().any(|condition| {
                condition.r#type == crate::api::READY
                    && condition.reason == Reason::Progressing.as_str()
            })
        };
        self.object.status.as_ref().is_some_and(is_progressing)
    }

    fn nothing(&self, sources: Versions) -> Conclusion {
        Conclusion {
            troubles: Vec::new(),
            entries: Vec::new(),
            sources,
            scope: None,
            written: 0,
            settled: Settled::Ready,
        }
    }

    /// The pass ends before anything is written: what was recorded stays, and what is wanted and
    /// was never written is named.
    fn nothing_done(&self, trouble: Trouble, sources: Versions) -> Conclusion {
        let entries = status::untouched(self.recorded(), &self.object.spec, &trouble);
        Conclusion {
            troubles: vec![trouble],
            entries,
            ..self.nothing(sources)
        }
    }
}

async fn settled(
    mut conclusion: Conclusion,
    provider: &dyn Provider,
    choice: Choice<'_>,
) -> Conclusion {
    match provider.settled().await {
        Ok(settled) => conclusion.settled = settled,
        Err(error) => conclusion
            .troubles
            .push(Trouble::provider(&error, choice, None)),
    }
    if conclusion.settled == Settled::Failed {
        // What was accepted is not there: everything is sent again.
        for entry in &mut conclusion.entries {
            entry.state = EntryState::Pending;
            entry.digest = None;
            entry.reason = Some(Reason::ProviderFailed.as_str().to_owned());
        }
    }
    conclusion
}

fn tally(applied: &Applied) -> (usize, Option<String>) {
    let written = applied.outcomes.iter().filter_map(|outcome| match outcome {
        Outcome::Written(written) => Some(written),
        Outcome::Kept | Outcome::Failed(_) | Outcome::NotTried => None,
    });
    let count = written.clone().count();
    (
        count,
        written.filter_map(|written| written.scope.clone()).last(),
    )
}

fn join(mut entries: Vec<EntryStatus>, others: Vec<EntryStatus>) -> Vec<EntryStatus> {
    entries.extend(others);
    entries
}

/// Pipecat names no account, so the key stands for it.
fn own_scope(account: &Account, choice: Choice<'_>) -> Option<String> {
    matches!(choice, Choice::Pipecat(_)).then(|| account.digests.scope())
}

/// The object under the generation that was acted on, which is older than the one it has now.
fn acted_on(object: &ProviderSecret, generation: Option<i64>) -> Arc<ProviderSecret> {
    let mut object = object.clone();
    object.metadata.generation = generation;
    Arc::new(object)
}

fn all_done(settled: Settled, entries: &[EntryStatus], choice: Option<Choice<'_>>) -> Verdict {
    let provider = choice.map_or("The provider", |choice| choice.kind().as_str());
    let count = entries.len();
    let (state, reason, message) = match settled {
        Settled::Ready => (
            State::Ready,
            Reason::Synced,
            format!("{provider} has acknowledged all {count} entries."),
        ),
        Settled::Pending => (
            State::Reconciling {
                after_failure: false,
            },
            Reason::Progressing,
            format!("{provider} has accepted all {count} entries and is applying them."),
        ),
        Settled::Failed => (
            State::Reconciling {
                after_failure: true,
            },
            Reason::ProviderFailed,
            format!(
                "{provider} accepted the entries and failed to apply them. They are sent again."
            ),
        ),
    };
    Verdict {
        state,
        reason,
        message,
    }
}

fn suspended(all_held: bool) -> Verdict {
    let (state, message) = if all_held {
        (
            State::Ready,
            "The object is suspended. Everything was synced before.",
        )
    } else {
        (
            State::Suspended,
            "The object is suspended. Not everything is synced; set spec.suspend to false to go on.",
        )
    };
    Verdict {
        state,
        reason: Reason::Suspended,
        message: message.to_owned(),
    }
}

fn not_held() -> Trouble {
    Trouble::waiting(Reason::Suspended, "Not everything is synced.")
}

fn no_account(reason: Reason, choice: Choice<'_>) -> Trouble {
    let message = match reason {
        Reason::InvalidSpec => format!(
            "The operator knows no endpoint {} of {}. Name one that its --endpoint flags map to a URL.",
            choice.endpoint(),
            choice.kind()
        ),
        _ => {
            let reference = choice.api_key_secret_ref();
            format!(
                "The API key in Secret {} key {} cannot be put into a header. Store the key alone.",
                reference.name, reference.key
            )
        }
    };
    Trouble::config(reason, message)
}
