//! One reconcile of one object: gate → dereference → plan → apply → report.

mod approval;
mod baselines;
mod begin;
mod bounds;
mod brake;
mod claims;
mod cleanup;
mod evidence;
mod inputs;
mod key_rotation;
mod left_behind;
mod not_applied;
mod rate_limit;
mod refused_key;
mod report;
mod stand_by;
mod sync;
pub(crate) mod undecodable;
mod verify;
mod write_ahead;

use std::{sync::Arc, time::Duration};

use kube::{ResourceExt, runtime::controller::Action};
use tokio::time::Instant;

pub(crate) use self::stand_by::stand_by;
use self::{begin::pass_gate, inputs::Inputs, verify::DriftCheck};
use super::{
    cache::{Deletion, Tracked},
    context::Context,
    error::Failure,
    gate::Decision,
    kubernetes::KubernetesError,
    object::{Versions, object_name, raw_records, requested},
    report::{messages, outcome::Outcome},
    resolve::{dereference, desired::desired_state_within},
    session::Session,
};
use crate::{
    account::{Account, Admission, Permit},
    api::ProviderSecret,
    http::ProviderError,
    provider::Choice,
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
    /// Without a report: other large objects take the room in memory for values.
    Crowded,
    /// Without a report: the API server did not say what the namespace allows, and is asked again after this.
    Unread(Duration),
    /// Without a report: a Secret has just gone, and may be back in a moment.
    Passing,
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
    // To wait for them would hold up the end of the process: they may never come.
    if !context.is_listed() {
        return skip(context, seen, "the first lists are not complete");
    }
    // It is requeued when they are.
    if !context
        .secrets
        .covers(&namespace, &seen.spec.secret_names())
    {
        return skip(context, seen, "its Secrets are not listed");
    }
    let current = |name: &str| context.secrets.get(&namespace, name);
    let gate = |tracked: &mut Tracked| pass_gate(context, tracked, seen, current);
    let Some(passed) = context.states.with(&uid, gate) else {
        return skip(context, seen, "the watch does not show it any more");
    };
    match passed.decision {
        Decision::Rest => {
            let name = object_name(&**seen);
            context.release_permit(&uid, &name);
            context.rotations.forget(&name);
            let verify_in = passed.verify_in;
            let action = verify_in.map_or_else(Action::await_change, Action::requeue);
            return (ReconcileResult::Unchanged, action);
        }
        // Until then it may wait for its account.
        Decision::Later(wait) => return (ReconcileResult::Unchanged, Action::requeue(wait)),
        Decision::Settle | Decision::Verify | Decision::Retry | Decision::Go => {}
    }
    let object = passed.newest.unwrap_or_else(|| Arc::clone(seen));
    let names = object.spec.secret_names();
    if let Some(questions) = context.secrets.questions() {
        questions.ask_for(&namespace, &names);
        if requested(&object).is_some() {
            questions.ask_again(&namespace, &names);
        }
    }
    // Our own write was answered with a spec that the watch has not shown.
    if !context.secrets.covers(&namespace, &names) {
        context
            .states
            .with(&uid, |tracked| tracked.is_requeued = true);
        return skip(context, seen, "its new Secrets are not listed");
    }
    let versions = names.into_iter();
    let versions = versions.filter_map(|name| Some((name.to_owned(), current(name)?)));
    let mut reconcile = Reconcile {
        context,
        secret_versions: versions.collect(),
        uid,
        requested: requested(&object),
        object,
        namespace: namespace.clone(),
    };
    let ended = reconcile.begin(&passed.decision, passed.before).await;
    // Nothing came of it yet, so it is still asked for.
    if passed.was_requeued
        && !matches!(&ended, Ok((result, _)) if *result != ReconcileResult::Abandoned)
    {
        reconcile.tracked(|tracked| tracked.is_requeued = true);
    }
    match ended {
        Ok(ended) => ended,
        Err(error) => reconcile.not_written(error),
    }
}

/// Skips the object; logs at debug level.
fn skip(context: &Context, seen: &ProviderSecret, why: &str) -> Ended {
    tracing::debug!("the object is left alone: {why}");
    context.release_permit(&seen.uid().unwrap_or_default(), &object_name(seen));
    (ReconcileResult::Unchanged, Action::await_change())
}

struct Reconcile<'a> {
    context: &'a Context,
    uid: String,
    namespace: String,
    object: Arc<ProviderSecret>,
    /// A request for a sync that was not acted on yet.
    requested: Option<String>,
    /// The versions of its Secrets that the watch showed when the reconcile began.
    secret_versions: Versions,
}

impl Reconcile<'_> {
    /// Brings the account to the state that the object asks for, and reports what came of it.
    async fn run(&self, decision: &Decision) -> Result<Ended, KubernetesError> {
        self.restore_finalizer().await?;
        let session = match self.open_session(decision).await {
            Ok(session) => session,
            Err(stop) => return self.stop(stop).await,
        };
        // Each step gives what the next one needs, or says how the reconcile ends instead.
        let steps = async {
            let drift = self.check(&session, decision).await?;
            let inputs = self.dereference(&session, drift).await?;
            let planned = self.plan(&session, &inputs).await?;
            let applied = self.apply(&session, &inputs, planned).await?;
            Ok(self.summarize(&session, &inputs, applied).await)
        };
        // The session keeps its permit until status is written.
        match steps.await {
            Ok(outcome) => self.report(outcome).await,
            Err(stop) => self.stop(stop).await,
        }
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
        self.ensure_allowed(choice, decision).await?;
        let account = self.account(choice).await.map_err(|(failure, sources)| {
            let name = object_name(&*self.object);
            self.context.release_permit(&self.uid, &name);
            if failure.is_passing {
                Stop::Passing
            } else {
                nothing_done(failure, sources)
            }
        })?;
        self.use_account(&account.0);
        // A suspended object makes no call, so it takes no permit.
        if self.object.spec.is_suspended() {
            account.0.limiter.forget(&object_name(&*self.object));
            return Ok(self.session(choice, account, Ok(None)));
        }
        let permit = match self.admit(&account.0, *decision == Decision::Verify) {
            Admission::Granted(permit) => Ok(Some(permit)),
            // There is news, and status says why the object waits.
            Admission::CircuitOpen(circuit)
                if *decision == Decision::Go && circuit.is_said(Instant::now()) =>
            {
                Err(circuit.error)
            }
            Admission::Parked | Admission::CircuitOpen(_) => return Err(Stop::Parked),
        };
        Ok(self.session(choice, account, permit))
    }

    /// A session of this object with an account.
    fn session<'s>(
        &'s self,
        choice: Choice<'s>,
        account: (Arc<Account>, Versions),
        permit: Result<Option<Permit>, ProviderError>,
    ) -> Session<'s> {
        let former_key = self.tracked(|tracked| tracked.former_key()).flatten();
        Session::open(&self.object, choice, account, former_key, permit)
    }

    /// Reads the Secrets, and makes of them and of the records what a plan is made from.
    async fn dereference(
        &self,
        session: &Session<'_>,
        drift: Option<DriftCheck>,
    ) -> Result<Inputs, Stop> {
        let (spec, name) = (&self.object.spec, self.object.name_any());
        let (read, versions) =
            dereference::sources(self.context, &object_name(&*self.object), spec).await;
        let is_passing =
            |data: &Result<_, Failure>| data.as_ref().is_err_and(|failure| failure.is_passing);
        if read.values().any(is_passing) {
            return Err(Stop::Passing);
        }
        let (bytes, mut room) = (
            dereference::bytes_read(&read),
            self.context.large_values.room(),
        );
        if !room.hold(bytes) {
            return Err(Stop::Crowded);
        }
        let mut sources = session.credential.clone();
        sources.extend(versions);
        sources.sort();
        sources.dedup_by(|a, b| a.0 == b.0);
        // Status as it stands: the key that verifies a record may come back.
        let records = raw_records(&self.object);
        // Several entries may name one key, and templates make values: these are taken room for before they are copied.
        let mut has_room = |made: usize| room.hold(made);
        let desired = desired_state_within(spec, &name, &read, session.rules(), &mut has_room);
        let inputs = match desired {
            Ok(desired) => {
                if let Some(rest) = self.rest_under_former_key(session, &desired, &sources) {
                    return Err(rest.into());
                }
                self.inputs(session, (desired, sources.clone()), drift)
                    .await
            }
            Err(failure) if failure.is_passing => return Err(Stop::Crowded),
            Err(failure) => Err(failure),
        };
        let inputs = inputs.map(|inputs| inputs.with_room(room));
        inputs.map_err(|failure| self.nothing_done(records, failure, sources).into())
    }

    /// The account that the credential opens, and the version of the credential's Secret.
    async fn account(
        &self,
        choice: Choice<'_>,
    ) -> Result<(Arc<Account>, Versions), (Failure, Versions)> {
        let reference = choice.api_key_secret_ref();
        let reader = object_name(&*self.object);
        let (credential, version) = dereference::credential(self.context, &reader, reference).await;
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

    /// Notes which account the object uses. The one before keeps no place for it.
    fn use_account(&self, account: &Arc<Account>) {
        let generation = self.object.metadata.generation.unwrap_or_default();
        let status = self.object.status.as_ref();
        let made_with = status.and_then(|status| status.key_fingerprint.as_deref());
        let before = self.tracked(|tracked| {
            // Now and not when the permit is granted, so that all objects that wait share one
            // listing.
            tracked.desired_since(generation);
            tracked.use_account(account, made_with)
        });
        if let Some(before) = before.flatten() {
            before.limiter.forget(&object_name(&*self.object));
        }
    }

    /// Asks for a permit to call the account, if only to verify the object. Without one the object is
    /// parked: the grant requeues it.
    fn admit(&self, account: &Arc<Account>, verifies: bool) -> Admission<Permit> {
        let admission = account.limiter.admit(&object_name(&*self.object));
        self.tracked(|tracked| match &admission {
            // Entries that are stopped wait for their own time.
            Admission::Parked | Admission::CircuitOpen(_) if verifies => tracked.await_permit(),
            Admission::CircuitOpen(circuit) => tracked.wait_until(circuit.until),
            Admission::Granted(_) | Admission::Parked => {}
        });
        admission
    }

    /// What is remembered of this object, unless it is gone.
    fn tracked<T>(&self, lend: impl FnOnce(&mut Tracked) -> T) -> Option<T> {
        self.context.states.with(&self.uid, lend)
    }

    /// What is remembered of the cleanup of this object, if it has begun.
    fn deletion<T>(&self, lend: impl FnOnce(&mut Deletion) -> T) -> Option<T> {
        self.context.states.deletion(&self.uid, lend)
    }

    /// Whether the object is there and neither suspended nor deleted, as far as the watch has shown it since this
    /// reconcile began.
    fn is_wanted(&self) -> bool {
        let generation = self.object.metadata.generation;
        let is_withdrawn = self.tracked(|tracked| tracked.is_withdrawn_since(generation));
        is_withdrawn == Some(false)
    }

    /// How old a listing may be.
    fn verify_interval(&self) -> Duration {
        let own = self.object.spec.verify_interval();
        own.unwrap_or(self.context.verify_interval)
    }

    /// How a reconcile ends whose object could not be read or written. Only the watch says that it is gone: where the
    /// watch still shows it, an answer that it is not there may be wrong.
    fn not_written(&self, error: KubernetesError) -> Ended {
        // The next reconcile starts from what status says.
        let Some(wait) = self.tracked(Tracked::could_not_record) else {
            return (ReconcileResult::Abandoned, Action::await_change());
        };
        tracing::warn!(
            error.kind = error.as_str(),
            "the object could not be written; it is tried again"
        );
        (ReconcileResult::Abandoned, Action::requeue(wait))
    }
}

#[cfg(test)]
mod tests;
