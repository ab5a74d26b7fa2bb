//! Report: writes status if it changed, and sends an event on a transition.

mod announcement;
pub(crate) mod conditions;
mod fence;
pub(crate) mod finalizer;
pub(crate) mod messages;
pub(crate) mod notes;
pub(crate) mod outcome;
#[cfg(test)]
mod shapes;
pub(crate) mod status;
pub(crate) mod warnings;

use std::sync::Arc;

use jiff::Timestamp;
use kube::{ResourceExt, api::Patch};
use serde_json::Value;

use self::{
    announcement::{Announcement, announcement},
    conditions::{Readiness, conditions},
    outcome::Outcome,
};
use super::{
    cache::Tracked,
    context::Context,
    events::{Delivery, EventNote, Importance},
    kubernetes::{KubernetesError, bounded, patch_params, written},
    object::{is_asked_alike, object_name, recorded_sources, slim, time},
};
use crate::api::{Approval, ProviderSecret, ProviderSecretStatus, SourceStatus, WriterStatus};

/// How often a status write is tried when others write the object at the same time. Giving up costs
/// one more write at the provider.
const TRIES: u32 = 5;

/// Whether a status asks a user for something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asks {
    /// It does not.
    Nothing,
    /// For the first time it says what a request or an edit confirms. So it is written only while the object is
    /// the one that was looked at: a request from before it would be taken for the answer.
    ForConfirmation,
}

/// The status that says what a reconcile came to. `handled` is the request for a sync that was acted
/// on.
fn next_status(
    object: &ProviderSecret,
    readiness: &Readiness,
    outcome: &Outcome,
    handled: Option<String>,
    now: Timestamp,
) -> ProviderSecretStatus {
    let previous = object.status.clone().unwrap_or_default();
    let generation = object.metadata.generation;
    let mut entries = outcome.entries.clone();
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    let sources = outcome.sources.iter().map(|(name, version)| SourceStatus {
        name: name.clone(),
        resource_version: version.clone(),
    });
    let provider = object.spec.provider.choice();
    // Without approval the operator sends what no user has seen, and the next write of a name that it forgets is a
    // first one. Of a deleted object nothing is written any more.
    let approval_seal = previous.approval_seal.filter(|seal| {
        let is_deleted = object.metadata.deletion_timestamp.is_some();
        let is_present = outcome.approval_scope.as_ref() == Some(seal);
        let forgets = || status::forgets(&object.spec, &previous.entries, &entries);
        object.spec.approval() != Approval::Automatic && (is_deleted || is_present || !forgets())
    });
    ProviderSecretStatus {
        conditions: conditions(&previous.conditions, readiness, generation, now),
        observed_generation: generation,
        provider: provider.map(|choice| choice.kind().as_str().to_owned()),
        scope: outcome.scope.clone().or(previous.scope),
        summary: Some(status::summary(&entries)),
        last_sync_time: if outcome.written > 0 {
            Some(time(now))
        } else {
            previous.last_sync_time
        },
        last_handled_sync_request: handled.or(previous.last_handled_sync_request),
        key_fingerprint: outcome.key_fingerprint.clone().or(previous.key_fingerprint),
        sources_seal: match &outcome.sources_seal {
            Some(seal) => Some(seal.clone()),
            None if recorded_sources(object) == outcome.sources => previous.sources_seal,
            None => None,
        },
        sources: sources.collect(),
        plan: outcome.plan.clone(),
        approval_seal,
        last_approved_plan: previous.last_approved_plan,
        writer: previous.writer,
        entries,
    }
}

/// Writes what a reconcile came to, announces the transition, and gives the object as it is then.
///
/// # Errors
/// [`KubernetesError::NotFound`] when the object is gone, else why status could not be written.
pub(crate) async fn report(
    context: &Context,
    object: &Arc<ProviderSecret>,
    readiness: &Readiness,
    outcome: &Outcome,
    handled: Option<String>,
    asks: Asks,
) -> Result<Arc<ProviderSecret>, KubernetesError> {
    let next = next_status(object, readiness, outcome, handled, crate::clock::now());
    let written = write(context, object, next, asks).await?;
    announce(context, object, readiness, outcome.written);
    send_notes(context, &**object, &outcome.event_notes);
    Ok(written)
}

/// Writes a status if it says something new, and gives the object as it is then.
///
/// # Errors
/// As [`report`].
pub(crate) async fn write(
    context: &Context,
    object: &Arc<ProviderSecret>,
    next: ProviderSecretStatus,
    asks: Asks,
) -> Result<Arc<ProviderSecret>, KubernetesError> {
    let current = object.status.as_ref();
    if current.is_some_and(|current| status::is_same(current, &next)) {
        return Ok(Arc::clone(object));
    }
    let next = as_ours(context, object, next)?;
    let mut patch = fence::by_version(object, &next);
    let mut is_tested = false;
    for _ in 0..TRIES {
        match patch_status(context, object, &patch).await {
            Err(KubernetesError::Conflict) => {}
            // A failed test is answered with 422.
            Err(KubernetesError::Invalid) if is_tested => {}
            done => return done,
        }
        let objects = context.objects(&object.namespace().unwrap_or_default());
        let live = bounded(objects.get(&object.name_any())).await?;
        if live.uid() != object.uid() {
            return Err(KubernetesError::NotFound);
        }
        if asks == Asks::ForConfirmation && !is_asked_alike(object, &live) {
            return Err(KubernetesError::Conflict);
        }
        let next = fence::merged(current, next.clone(), live.status.as_ref())
            .ok_or(KubernetesError::Conflict)?;
        let next = as_ours(context, &live, next)?;
        patch = fence::by_writer(&live, &next, asks == Asks::ForConfirmation)
            .ok_or(KubernetesError::Conflict)?;
        is_tested = true;
    }
    Err(KubernetesError::Conflict)
}

/// A status with this process as its writer, to be sent over the one that the object shows.
///
/// # Errors
/// [`KubernetesError::Conflict`] when a later process has written that one. Whether it leads, the lease
/// says.
fn as_ours(
    context: &Context,
    object: &ProviderSecret,
    mut next: ProviderSecretStatus,
) -> Result<ProviderSecretStatus, KubernetesError> {
    let ours = context.leadership.epoch();
    if let Some(later) = fence::epoch(object.status.as_ref(), ours)
        && ours.is_some_and(|ours| ours < later)
    {
        context.leadership.outdone_by(later);
        return Err(KubernetesError::Conflict);
    }
    next.writer = ours.map(|epoch| WriterStatus { epoch });
    let uid = object.uid().unwrap_or_default();
    let send = |tracked: &mut Tracked| tracked.seen_status.send(&next);
    context.states.with(&uid, send);
    Ok(next)
}

/// Writes a status over the one that the object shows, and over no newer one.
///
/// # Errors
/// [`KubernetesError::Conflict`] when the object was written meanwhile, else as [`report`].
pub(crate) async fn write_over(
    context: &Context,
    object: &Arc<ProviderSecret>,
    next: ProviderSecretStatus,
) -> Result<Arc<ProviderSecret>, KubernetesError> {
    let next = as_ours(context, object, next)?;
    patch_status(context, object, &fence::by_version(object, &next)).await
}

async fn patch_status(
    context: &Context,
    object: &ProviderSecret,
    patch: &Patch<Value>,
) -> Result<Arc<ProviderSecret>, KubernetesError> {
    let objects = context.objects(&object.namespace().unwrap_or_default());
    let name = object.name_any();
    let answer = written(
        &context.leadership,
        objects.patch_status(&name, &patch_params(), patch),
    )
    .await?;
    Ok(remember(context, answer))
}

/// Keeps the answer to a write of ours until the watch has caught up with it.
pub(crate) fn remember(context: &Context, mut answer: ProviderSecret) -> Arc<ProviderSecret> {
    slim(&mut answer);
    let answer = Arc::new(answer);
    if answer.metadata.deletion_timestamp.is_some() && answer.finalizers().is_empty() {
        // It is gone, and the watch may have said so before this answer came: a claim that is noted
        // now would never be forgotten.
        context.forget_uid(&answer.uid().unwrap_or_default(), &object_name(&*answer));
        return answer;
    }
    if let Some(uid) = answer.uid() {
        context.states.with(&uid, |tracked| tracked.wrote(&answer));
    }
    context.requeue_all(context.claims.update(&answer));
    answer
}

/// Logs a note, and waits until its event is accepted, or cannot be.
pub(crate) async fn deliver_note(
    context: &Context,
    object: &(impl ResourceExt + Sync),
    event_note: &EventNote,
) -> Delivery {
    log_note(event_note);
    context.events.deliver(object, event_note).await
}

/// Logs notes, and sends them as events.
pub(crate) fn send_notes(context: &Context, object: &impl ResourceExt, event_notes: &[EventNote]) {
    for event_note in event_notes {
        log_note(event_note);
        context.events.send(object, event_note);
    }
}

fn log_note(event_note: &EventNote) {
    let (reason, note) = (event_note.reason.as_str(), &event_note.note);
    match event_note.importance {
        Importance::Normal => tracing::info!(reason, "{note}"),
        Importance::Warning => tracing::warn!(reason, "{note}"),
    }
}

/// Logs what has changed, and sends the event of it.
fn announce(
    context: &Context,
    object: &Arc<ProviderSecret>,
    readiness: &Readiness,
    written: usize,
) {
    // Ready, or Suspended where there is no Ready.
    let before = object.status.iter();
    let before = before.flat_map(|status| &status.conditions).next();
    let before = before.map(|condition| condition.reason.as_str());
    let announcement = announcement(before, readiness, written);
    if announcement == Announcement::None {
        return;
    }
    tracing::info!(
        generation = object.metadata.generation.unwrap_or_default(),
        reason = readiness.reason.as_str(),
        entries_written = written,
        "{}",
        readiness.message
    );
    if let Announcement::Event {
        importance,
        reason,
        action,
    } = announcement
    {
        let note = EventNote {
            importance,
            reason,
            action,
            note: readiness.message.clone(),
        };
        context.events.send(&**object, &note);
    }
}
