//! Report: writes status if it changed, and sends an event on a transition.

pub(crate) mod conditions;
pub(crate) mod finalizer;
pub(crate) mod messages;
pub(crate) mod outcome;
pub(crate) mod status;
pub(crate) mod warnings;

use std::sync::Arc;

use jiff::Timestamp;
use kube::{ResourceExt, api::Patch, core::DeserializeGuard};
use serde_json::{Value, json};

use self::{
    conditions::{Readiness, ReadyState, conditions},
    outcome::Outcome,
};
use super::{
    context::Context,
    events::{Delivery, EventNote, Importance},
    kubernetes::{KubernetesError, bounded, patch_params},
    object::{Guarded, object_name, recorded_sources, slim, time},
};
use crate::api::{ProviderSecret, ProviderSecretStatus, Reason, SourceStatus};

/// How often a status write is tried when others write the object at the same time. Giving up costs
/// one more write at the provider.
const TRIES: u32 = 5;

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
) -> Result<Arc<ProviderSecret>, KubernetesError> {
    let next = next_status(object, readiness, outcome, handled, crate::clock::now());
    let written = write(context, object, &next).await?;
    announce(context, object, readiness, outcome.written);
    send_notes(context, object, &outcome.event_notes);
    Ok(written)
}

/// Writes a status if it says something new, and gives the object as it is then.
///
/// # Errors
/// As [`report`].
pub(crate) async fn write(
    context: &Context,
    object: &Arc<ProviderSecret>,
    next: &ProviderSecretStatus,
) -> Result<Arc<ProviderSecret>, KubernetesError> {
    if object
        .status
        .as_ref()
        .is_some_and(|current| status::is_same(current, next))
    {
        return Ok(Arc::clone(object));
    }
    let uid = object.uid().unwrap_or_default();
    context
        .states
        .with(&uid, |tracked| tracked.seen_status.send(next));
    let mut patch = fenced_by_version(object, next);
    for _ in 0..TRIES {
        match patch_status(context, object, &patch).await {
            Err(KubernetesError::Conflict) => {}
            done => return done,
        }
        let objects = context.objects(&object.namespace().unwrap_or_default());
        let live = bounded(objects.get(&object.name_any())).await?;
        if live.uid() != object.uid() {
            return Err(KubernetesError::NotFound);
        }
        patch = fenced_by_uid(object, next).ok_or(KubernetesError::Conflict)?;
    }
    Err(KubernetesError::Conflict)
}

/// Writes a status over the one that the object shows, and over no newer one.
///
/// # Errors
/// [`KubernetesError::Conflict`] when the object was written meanwhile, else as [`report`].
pub(crate) async fn write_over(
    context: &Context,
    object: &Arc<ProviderSecret>,
    next: &ProviderSecretStatus,
) -> Result<Arc<ProviderSecret>, KubernetesError> {
    patch_status(context, object, &fenced_by_version(object, next)).await
}

async fn patch_status(
    context: &Context,
    object: &ProviderSecret,
    patch: &Patch<Value>,
) -> Result<Arc<ProviderSecret>, KubernetesError> {
    let objects = context.objects(&object.namespace().unwrap_or_default());
    let name = object.name_any();
    let answer = bounded(objects.patch_status(&name, &patch_params(), patch)).await?;
    Ok(remember(context, answer))
}

/// Of the fields of a merge patch only the resourceVersion fences: one with the uid of a deleted
/// object is accepted on its namesake (docs/decisions/0003-status-merge-patch.md#fences).
fn fenced_by_version(object: &ProviderSecret, next: &ProviderSecretStatus) -> Patch<Value> {
    let version = object.resource_version();
    Patch::Merge(json!({"metadata": {"resourceVersion": version}, "status": merge_patch(next)}))
}

/// A JSON patch whose test fails on a namesake, and which others who write the same object all the
/// time cannot hold up. Only the operator writes status.
fn fenced_by_uid(object: &ProviderSecret, next: &ProviderSecretStatus) -> Option<Patch<Value>> {
    let operations = json!([
        {"op": "test", "path": "/metadata/uid", "value": object.uid()?},
        {"op": "add", "path": "/status", "value": next},
    ]);
    serde_json::from_value(operations).ok().map(Patch::Json)
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

/// The status as a merge patch: what is absent is said to be absent.
fn merge_patch(next: &ProviderSecretStatus) -> Value {
    let mut patch = json!({
        "conditions": [],
        "observedGeneration": null,
        "provider": null,
        "scope": null,
        "summary": null,
        "lastSyncTime": null,
        "lastHandledSyncRequest": null,
        "keyFingerprint": null,
        "sources": [],
        "sourcesSeal": null,
        "entries": [],
    });
    if let (Some(patch), Ok(Value::Object(next))) =
        (patch.as_object_mut(), serde_json::to_value(next))
    {
        patch.extend(next);
    }
    patch
}

/// An object that decodes, as events know it.
pub(crate) fn guarded(object: &ProviderSecret) -> Guarded {
    DeserializeGuard(Ok(object.clone()))
}

/// Logs a note, and waits until its event is accepted, or cannot be.
pub(crate) async fn deliver_note(
    context: &Context,
    object: &Guarded,
    event_note: &EventNote,
) -> Delivery {
    log_note(object, event_note);
    context.events.deliver(object, event_note).await
}

/// Logs notes, and sends them as events.
pub(crate) fn send_notes(context: &Context, object: &ProviderSecret, event_notes: &[EventNote]) {
    for event_note in event_notes {
        let object = guarded(object);
        log_note(&object, event_note);
        context.events.send(&object, event_note);
    }
}

fn log_note(object: &Guarded, event_note: &EventNote) {
    let (namespace, name) = object_name(object);
    let (reason, note) = (event_note.reason.as_str(), &event_note.note);
    match event_note.importance {
        Importance::Normal => tracing::info!(namespace, name, reason, "{note}"),
        Importance::Warning => tracing::warn!(namespace, name, reason, "{note}"),
    }
}

/// Sends one event for a transition, and one each time that entries were written.
fn announce(
    context: &Context,
    object: &Arc<ProviderSecret>,
    readiness: &Readiness,
    written: usize,
) {
    // Ready, or Suspended where there is no Ready.
    let before = object.status.iter();
    let before = before.flat_map(|status| &status.conditions).next();
    let is_transition = before.is_none_or(|before| before.reason != readiness.reason.as_str());
    // What was accepted before is applied now.
    let was_progressing =
        before.is_some_and(|before| before.reason == Reason::Progressing.as_str());
    // The provider is at work, or asked for patience: no person need look.
    let is_patience = matches!(readiness.reason, Reason::Progressing | Reason::RateLimited);
    let (importance, action) = match readiness.state {
        ReadyState::Ready if written > 0 || (is_transition && was_progressing) => {
            (Importance::Normal, "Push")
        }
        ReadyState::Ready | ReadyState::Suspended
            if readiness.reason == Reason::Suspended && is_transition =>
        {
            (Importance::Normal, "Suspend")
        }
        ReadyState::Stalled if is_transition => (Importance::Warning, "Push"),
        ReadyState::Reconciling { .. } if is_transition && !is_patience => {
            (Importance::Warning, "Push")
        }
        ReadyState::Ready
        | ReadyState::Suspended
        | ReadyState::Reconciling { .. }
        | ReadyState::Stalled => return,
    };
    tracing::info!(
        namespace = object.namespace().unwrap_or_default(),
        name = object.name_any(),
        generation = object.metadata.generation.unwrap_or_default(),
        reason = readiness.reason.as_str(),
        entries_written = written,
        "{}",
        readiness.message
    );
    let note = EventNote {
        importance,
        reason: readiness.reason,
        action,
        note: readiness.message.clone(),
    };
    context.events.send(&guarded(object), &note);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patch_can_be_fenced_by_uid() {
        let object = json!({
            "apiVersion": "providersecrets.dev/v1alpha1",
            "kind": "ProviderSecret",
            "metadata": {"name": "o", "uid": "u"},
            "spec": {"provider": {}},
        });
        let object = serde_json::from_value(object).unwrap();
        let patch = fenced_by_uid(&object, &ProviderSecretStatus::default());
        let Some(Patch::Json(patch)) = patch else {
            panic!("a JSON patch")
        };
        let patch = serde_json::to_value(patch).unwrap();
        assert_eq!(
            patch[0],
            json!({"op": "test", "path": "/metadata/uid", "value": "u"})
        );
        assert_eq!(
            patch[1],
            json!({"op": "add", "path": "/status", "value": {}})
        );
    }

    #[test]
    fn a_patch_names_every_field_of_status() {
        let full = ProviderSecretStatus {
            conditions: Vec::new(),
            observed_generation: Some(1),
            provider: Some(String::new()),
            scope: Some(String::new()),
            summary: Some(String::new()),
            last_sync_time: Some(time(Timestamp::now())),
            last_handled_sync_request: Some(String::new()),
            key_fingerprint: Some(String::new()),
            sources: Vec::new(),
            sources_seal: Some(String::new()),
            entries: Vec::new(),
        };
        let fields = |status| merge_patch(&status).as_object().unwrap().len();
        assert_eq!(fields(full), fields(ProviderSecretStatus::default()));
    }
}
