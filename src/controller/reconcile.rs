//! One pass over one object: dereference → plan → apply → report.

mod claims;
mod cleanup;
mod inputs;
mod key_rotation;
mod outcome;
mod records;
mod recreate;
mod remove;
mod sync;
mod verify;
mod write_ahead;

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use kube::{ResourceExt, runtime::controller::Action};
use tokio::time::Instant;

use self::{outcome::Outcome, records::Records, verify::Verified};
use super::{
    cache::ObjectState,
    context::Context,
    error::Failure,
    gate::{Decision, Remembered, decide, decide_deletion, requested},
    kubernetes::KubernetesError,
    object::object_name,
    plan,
    report::{finalizer, messages, status},
    resolve::{
        dereference::{self, Versions},
        desired::{Sources, desired},
    },
    session::Session,
};
use crate::{
    account::{Account, Admission, Permit},
    api::{DeletionPolicy, ProviderSecret},
    provider::Choice,
    telemetry::ReconcileResult,
};

/// Runs a pass.
pub(crate) async fn reconcile(
    context: &Context,
    seen: &Arc<ProviderSecret>,
) -> (ReconcileResult, Action) {
    let uid = seen.uid().unwrap_or_default();
    let namespace = seen.namespace().unwrap_or_default();
    // Nothing else is listed. This is the second lock, for whatever way there may be around it.
    if !context.namespaces.contains(&namespace) {
        return skip(context, seen, "its namespace is not watched");
    }
    context.secrets.wait_until_complete().await;
    // It is woken when they are.
    if !context.secrets.is_whole(&namespace) {
        return skip(context, seen, "the Secrets of its namespace are not listed");
    }
    let current = |name: &str| context.secrets.get(&namespace, name);
    let (object, decision, was_requeued) = context.states.with(&uid, |state| {
        let was_requeued = state.is_requeued;
        let (object, decision) = decision(context, state, seen, current);
        (object, decision, was_requeued)
    });
    let resting = match decision {
        Decision::Rest => Some(Action::await_change()),
        Decision::Later(wait) => Some(Action::requeue(wait)),
        Decision::Settle | Decision::Verify | Decision::Retry | Decision::Go => None,
    };
    if let Some(action) = resting {
        // Whoever is to come back later may wait for its account meanwhile.
        if decision == Decision::Rest {
            context.release_permit(&uid, &object_name(&*object));
        }
        return (ReconcileResult::Unchanged, action);
    }
    let versions = object.spec.secret_names().into_iter();
    let seen = versions
        .filter_map(|name| Some((name.to_owned(), current(name)?)))
        .collect();
    let pass = Reconcile {
        context,
        uid,
        namespace,
        requested: requested(&object),
        object,
        seen,
        records: OnceLock::new(),
    };
    let ran = if pass.object.metadata.deletion_timestamp.is_some() {
        pass.clean_up().await
    } else {
        pass.run(&decision).await
    };
    // Nothing came of it yet, so it is still asked for.
    if was_requeued && !matches!(&ran, Ok((result, _)) if *result != ReconcileResult::Abandoned) {
        let states = &context.states;
        states.with(&pass.uid, |state| state.is_requeued = true);
    }
    match ran {
        Ok((result, action)) => (result, action),
        // The object is gone, perhaps before its watch event forgot it.
        Err(KubernetesError::NotFound) => {
            context.release_permit(&pass.uid, &object_name(&*pass.object));
            context.states.forget(&pass.uid);
            (ReconcileResult::Abandoned, Action::await_change())
        }
        // The next wake-up starts from what status says.
        Err(_) => {
            let wait = context
                .states
                .with(&pass.uid, ObjectState::could_not_record);
            tracing::warn!(
                namespace = pass.namespace,
                name = pass.object.name_any(),
                "the object could not be written; it is tried again"
            );
            (ReconcileResult::Abandoned, Action::requeue(wait))
        }
    }
}

/// Nothing is done about an object, and nothing said of it but to who debugs.
fn skip(context: &Context, seen: &ProviderSecret, why: &str) -> (ReconcileResult, Action) {
    let (namespace, name) = &object_name(seen);
    tracing::debug!(namespace, name, "the object is left alone: {why}");
    context.release_permit(&seen.uid().unwrap_or_default(), &object_name(seen));
    (ReconcileResult::Unchanged, Action::await_change())
}

/// The newest form of the object, and what to do about it.
fn decision(
    context: &Context,
    state: &mut ObjectState,
    seen: &Arc<ProviderSecret>,
    current: impl Fn(&str) -> Option<String>,
) -> (Arc<ProviderSecret>, Decision) {
    let object = state.newest(seen);
    let now = Instant::now();
    let next_try = state.due(&object_name(&*object), now);
    let is_edited = state.is_edited(&object);
    let remembered = Remembered {
        acted: state.acted.as_ref(),
        next_try,
        is_dirty: state.dirty().next().is_some(),
        is_unverified: state.verify_at.is_some_and(|due| due <= now),
        is_requeued: state.is_requeued || is_edited,
    };
    let decision = if object.metadata.deletion_timestamp.is_none() {
        decide(&object, remembered, (now, crate::clock::now()), current)
    } else if finalizer::is_present(&object) {
        decide_deletion(&object, remembered, now, current)
    } else {
        Decision::Rest
    };
    state.is_requeued = false;
    if decision == Decision::Rest && state.verify_at.is_none() {
        state.verify_at = verify::first(context, &object);
    }
    (object, decision)
}

struct Reconcile<'a> {
    context: &'a Context,
    uid: String,
    namespace: String,
    object: Arc<ProviderSecret>,
    /// A request for a sync that was not acted on yet.
    requested: Option<String>,
    /// The versions that the watch showed when the pass began.
    seen: Versions,
    /// The records that this pass believes, once the account is known.
    records: OnceLock<Records>,
}

impl Reconcile<'_> {
    async fn run(&self, decision: &Decision) -> Result<(ReconcileResult, Action), KubernetesError> {
        let Some(choice) = self.object.spec.provider.choice() else {
            let outcome = self.nothing_done(messages::no_provider(), Versions::new());
            return self.report(None, outcome).await;
        };
        let (account, mut sources) = match self.account(choice).await {
            Ok(found) => found,
            Err((failure, sources)) => {
                self.context
                    .release_permit(&self.uid, &object_name(&*self.object));
                return self
                    .report(Some(choice), self.nothing_done(failure, sources))
                    .await;
            }
        };
        let name = self.object.name_any();
        let (_permit, closed) = match self.admitted(&account) {
            Admission::Granted(permit) => (Some(permit), None),
            Admission::CircuitOpen(circuit) if *decision == Decision::Go => {
                (None, Some(circuit.error))
            }
            // Its turn wakes it.
            Admission::Parked | Admission::CircuitOpen(_) => {
                return Ok((ReconcileResult::Abandoned, Action::await_change()));
            }
        };
        let provider = match &closed {
            None => account.provider(choice, &name),
            Some(error) => account.refusing_provider(choice, &name, error),
        };
        let session = Session {
            account: &account,
            provider: &*provider,
            choice,
            closed,
        };
        self.verify_records(&session);
        let drift_check = match decision {
            Decision::Settle => {
                let outcome = self.as_recorded().settle(&*provider, choice).await;
                return self.report(Some(choice), outcome).await;
            }
            Decision::Verify => match self.verify(&session).await {
                Verified::Done => return Ok((ReconcileResult::Unchanged, Action::await_change())),
                Verified::Learned(outcome) => {
                    return self.report(Some(choice), *outcome).await;
                }
                Verified::Drifted(drift_check) => Some(drift_check),
            },
            Decision::Rest | Decision::Later(_) | Decision::Retry | Decision::Go => None,
        };
        let (read, versions) =
            dereference::sources(self.context, &self.namespace, &self.object.spec).await;
        sources.extend(versions);
        sources.sort();
        sources.dedup_by(|a, b| a.0 == b.0);
        let outcome = match desired(&self.object.spec, &name, &read, provider.rules()) {
            Ok(mut wanted) => {
                wanted.unread.extend(self.emptied(&read));
                self.sync(&session, wanted, sources, drift_check).await?
            }
            Err(failure) => self.nothing_done(failure, sources),
        };
        self.report(Some(choice), outcome).await
    }

    /// A bulk source without keys deletes nothing: who empties a Secret seldom means to lose what was
    /// made from it. Under Retain nothing is deleted anyway.
    fn emptied(&self, read: &Sources) -> Option<Failure> {
        let spec = &self.object.spec;
        let is_empty = |name: &&str| matches!(read.get(*name), Some(Ok(data)) if data.is_empty());
        let bulk = spec.bulk_sources().iter();
        let emptied = bulk.map(|source| &*source.secret_ref.name).find(is_empty);
        let has_written = self.recorded().iter().any(plan::may_be_there);
        let is_deleting = spec.deletion_policy() == DeletionPolicy::Delete;
        emptied
            .filter(|_| is_deleting && has_written)
            .map(messages::emptied)
    }

    /// The account that the credential opens, and the version of the credential's Secret.
    async fn account(
        &self,
        choice: Choice<'_>,
    ) -> Result<(Arc<Account>, Versions), (Failure, Versions)> {
        let reference = choice.api_key_secret_ref();
        let (credential, version) =
            dereference::credential(self.context, &self.namespace, reference).await;
        let versions: Versions = version
            .map(|version| (reference.name.clone(), version))
            .into_iter()
            .collect();
        let account = credential.and_then(|credential| {
            let account = self.context.accounts.get(choice, &credential);
            account.map_err(|reason| messages::no_account(reason, choice))
        });
        match account {
            Ok(account) => Ok((account, versions)),
            Err(failure) => Err((failure, versions)),
        }
    }

    /// A place among the account's calls in flight. Without one the object is parked: its turn
    /// wakes it.
    fn admitted(&self, account: &Arc<Account>) -> Admission<Permit> {
        let name = object_name(&*self.object);
        let generation = self.object.metadata.generation.unwrap_or_default();
        let before = self.context.states.with(&self.uid, |state| {
            // Now and not when its turn has come, so that all who wait share one listing.
            state.wanted_since(generation);
            state.use_account(account)
        });
        if let Some(before) = before {
            before.limiter.forget(&name);
        }
        let admission = account.limiter.admit(&name);
        if let Admission::CircuitOpen(circuit) = &admission {
            self.context
                .states
                .with(&self.uid, |state| state.next_try = Some(circuit.until));
        }
        admission
    }

    /// How old a listing may be.
    fn verify_interval(&self) -> Duration {
        let own = self.object.spec.verify_interval();
        own.unwrap_or(self.context.verify_interval)
    }

    /// Nothing has changed since status was written.
    fn as_recorded(&self) -> Outcome {
        let status = self.object.status.clone().unwrap_or_default();
        let sources = status.sources.into_iter();
        let sources = sources
            .map(|source| (source.name, source.resource_version))
            .collect();
        Outcome::of(self.recorded().to_vec(), sources)
    }

    /// The pass ends before there is a plan: what was recorded stays, and what is wanted and was
    /// never written is named.
    fn nothing_done(&self, failure: Failure, sources: Versions) -> Outcome {
        let (spec, name) = (&self.object.spec, self.object.name_any());
        let entries = status::untouched(self.recorded(), spec, &name, &failure);
        Outcome::of(entries, sources).with(failure)
    }
}

#[cfg(test)]
mod tests;
