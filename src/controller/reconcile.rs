//! One reconcile of one object: gate → dereference → plan → apply → report.

mod claims;
mod cleanup;
mod inputs;
mod key_rotation;
mod outcome;
mod sync;
mod verify;
mod write_ahead;

use std::{sync::Arc, time::Duration};

use kube::{ResourceExt, runtime::controller::Action};
use tokio::time::Instant;

use self::{inputs::Inputs, verify::DriftCheck};
use super::{
    cache::ObjectState,
    context::Context,
    error::Failure,
    gate::{Decision, Remembered, decide, decide_deletion, requested},
    kubernetes::KubernetesError,
    object::{Versions, object_name},
    plan,
    report::{finalizer, messages, outcome::Outcome},
    resolve::{
        dereference,
        desired::{Sources, desired_state},
    },
    session::{Session, raw_records},
};
use crate::{
    account::{Account, Admission, Permit},
    api::{Choice, DeletionPolicy, ProviderSecret},
    http::ProviderError,
    telemetry::ReconcileResult,
};

/// How a reconcile ended, and when the object is reconciled again.
type Ended = (ReconcileResult, Action);

/// How a reconcile ends before its last step.
enum Stop {
    /// With an outcome that is reported.
    Report(Box<Outcome>),
    /// Without a report: the object waits for a permit.
    Parked,
    /// Without a report: nothing has changed.
    Unchanged,
    /// The object could not be read or written.
    Kubernetes(KubernetesError),
}

impl From<Outcome> for Stop {
    fn from(outcome: Outcome) -> Self {
        Self::Report(Box::new(outcome))
    }
}

impl From<KubernetesError> for Stop {
    fn from(error: KubernetesError) -> Self {
        Self::Kubernetes(error)
    }
}

/// Reconciles one object, if there is news of it.
pub(crate) async fn reconcile(context: &Context, seen: &Arc<ProviderSecret>) -> Ended {
    let uid = seen.uid().unwrap_or_default();
    let namespace = seen.namespace().unwrap_or_default();
    // Nothing else is listed. This is the second lock, for whatever way there may be around it.
    if !context.namespaces.contains(&namespace) {
        return skip(context, seen, "its namespace is not watched");
    }
    context.secrets.wait_until_complete().await;
    // It is requeued when they are.
    if !context.secrets.is_whole(&namespace) {
        return skip(context, seen, "the Secrets of its namespace are not listed");
    }
    let current = |name: &str| context.secrets.get(&namespace, name);
    let (object, decision, was_requeued) = context.states.with(&uid, |state| {
        let was_requeued = state.is_requeued;
        let (object, decision) = decision(context, state, seen, current);
        (object, decision, was_requeued)
    });
    match decision {
        Decision::Rest => {
            context.release_permit(&uid, &object_name(&*object));
            return (ReconcileResult::Unchanged, Action::await_change());
        }
        // Until then it may wait for its account.
        Decision::Later(wait) => return (ReconcileResult::Unchanged, Action::requeue(wait)),
        Decision::Settle | Decision::Verify | Decision::Retry | Decision::Go => {}
    }
    let versions = object.spec.secret_names().into_iter();
    let seen = versions
        .filter_map(|name| Some((name.to_owned(), current(name)?)))
        .collect();
    let reconcile = Reconcile {
        context,
        uid,
        namespace,
        requested: requested(&object),
        object,
        seen,
    };
    let ended = if reconcile.object.metadata.deletion_timestamp.is_some() {
        reconcile.clean_up().await
    } else {
        reconcile.run(&decision).await
    };
    // Nothing came of it yet, so it is still asked for.
    if was_requeued && !matches!(&ended, Ok((result, _)) if *result != ReconcileResult::Abandoned) {
        let states = &context.states;
        states.with(&reconcile.uid, |state| state.is_requeued = true);
    }
    match ended {
        Ok(ended) => ended,
        Err(error) => reconcile.not_written(error),
    }
}

/// Skips the object; logs at debug level.
fn skip(context: &Context, seen: &ProviderSecret, why: &str) -> Ended {
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
    /// The versions of its Secrets that the watch showed when the reconcile began.
    seen: Versions,
}

impl Reconcile<'_> {
    /// Brings the account to the state that the object asks for, and reports what came of it.
    async fn run(&self, decision: &Decision) -> Result<Ended, KubernetesError> {
        let session = match self.open_session(decision).await {
            Ok(session) => session,
            Err(stop) => return self.stop(stop).await,
        };
        // The session keeps its permit until status is written.
        match self.sync(&session, decision).await {
            Ok(outcome) => self.report(outcome).await,
            Err(stop) => self.stop(stop).await,
        }
    }

    /// The steps between gate and report. Each gives what the next one needs, or says how the
    /// reconcile ends instead.
    async fn sync(&self, session: &Session<'_>, decision: &Decision) -> Result<Outcome, Stop> {
        let drift = self.check(session, decision).await?;
        let inputs = self.dereference(session, drift).await?;
        let planned = self.plan(session, &inputs).await?;
        let applied = self.apply(session, &inputs, planned).await?;
        Ok(self.applied(session, &inputs, applied).await)
    }

    /// Reads the credential, finds the account that it opens and waits for no permit: without one
    /// the object is parked.
    async fn open_session(&self, decision: &Decision) -> Result<Session<'_>, Stop> {
        let nothing_done = |failure, sources| {
            let records = raw_records(&self.object);
            Stop::from(self.nothing_done(records, failure, sources))
        };
        let Some(choice) = self.object.spec.provider.choice() else {
            return Err(nothing_done(messages::no_provider(), Versions::new()));
        };
        let account = self.account(choice).await.map_err(|(failure, sources)| {
            let name = object_name(&*self.object);
            self.context.release_permit(&self.uid, &name);
            nothing_done(failure, sources)
        })?;
        let permit = match self.admit(&account.0) {
            Admission::Granted(permit) => Ok(permit),
            // There is news, and the user is told why it waits.
            Admission::CircuitOpen(circuit) if *decision == Decision::Go => Err(circuit.error),
            Admission::Parked | Admission::CircuitOpen(_) => return Err(Stop::Parked),
        };
        Ok(self.session(choice, account, permit))
    }

    /// A session of this object with an account.
    fn session<'s>(
        &'s self,
        choice: Choice<'s>,
        account: (Arc<Account>, Versions),
        permit: Result<Permit, ProviderError>,
    ) -> Session<'s> {
        let states = &self.context.states;
        let former_key = states.with(&self.uid, |state| state.former_digests());
        Session::open(&self.object, choice, account, former_key, permit)
    }

    /// Reads the Secrets, and makes of them and of the records what a plan is made from.
    async fn dereference(
        &self,
        session: &Session<'_>,
        drift: Option<DriftCheck>,
    ) -> Result<Inputs, Stop> {
        let (spec, name) = (&self.object.spec, self.object.name_any());
        let (read, versions) = dereference::sources(self.context, &self.namespace, spec).await;
        let mut sources = session.credential.clone();
        sources.extend(versions);
        sources.sort();
        sources.dedup_by(|a, b| a.0 == b.0);
        let records = &session.records.verified;
        let desired = desired_state(spec, &name, &read, session.rules());
        let inputs = match desired {
            Ok(mut desired) => {
                desired.unread.extend(self.emptied(session, &read));
                self.inputs(session, (desired, sources.clone()), drift)
                    .await
            }
            Err(failure) => Err(failure),
        };
        inputs.map_err(|failure| self.nothing_done(records, failure, sources).into())
    }

    /// A bulk source without keys deletes nothing: a user who empties a Secret seldom means to lose
    /// what was made from it. Under Retain nothing is deleted anyway.
    fn emptied(&self, session: &Session<'_>, read: &Sources) -> Option<Failure> {
        let spec = &self.object.spec;
        let is_empty = |name: &&str| matches!(read.get(*name), Some(Ok(data)) if data.is_empty());
        let bulk = spec.bulk_sources().iter();
        let emptied = bulk.map(|source| &*source.secret_ref.name).find(is_empty);
        let has_written = session.records.verified.iter().any(plan::may_be_there);
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

    /// Asks for a permit to call the account. Without one the object is parked: the grant requeues
    /// it.
    fn admit(&self, account: &Arc<Account>) -> Admission<Permit> {
        let name = object_name(&*self.object);
        let generation = self.object.metadata.generation.unwrap_or_default();
        let before = self.context.states.with(&self.uid, |state| {
            // Now and not when the permit is granted, so that all objects that wait share one
            // listing.
            state.wanted_since(generation);
            state.use_account(account)
        });
        if let Some(before) = before {
            before.limiter.forget(&name);
        }
        let admission = account.limiter.admit(&name);
        if let Admission::CircuitOpen(circuit) = &admission {
            let states = &self.context.states;
            states.with(&self.uid, |state| state.next_try = Some(circuit.until));
        }
        admission
    }

    /// How old a listing may be.
    fn verify_interval(&self) -> Duration {
        let own = self.object.spec.verify_interval();
        own.unwrap_or(self.context.verify_interval)
    }

    /// How a reconcile ends whose object could not be read or written.
    fn not_written(&self, error: KubernetesError) -> Ended {
        let context = self.context;
        // The object is gone, perhaps before its watch event dropped its state.
        if error == KubernetesError::NotFound {
            context.release_permit(&self.uid, &object_name(&*self.object));
            context.states.forget(&self.uid);
            return (ReconcileResult::Abandoned, Action::await_change());
        }
        // The next reconcile starts from what status says.
        let wait = context
            .states
            .with(&self.uid, ObjectState::could_not_record);
        tracing::warn!(
            namespace = self.namespace,
            name = self.object.name_any(),
            "the object could not be written; it is tried again"
        );
        (ReconcileResult::Abandoned, Action::requeue(wait))
    }
}

#[cfg(test)]
mod tests;
