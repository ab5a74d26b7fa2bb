//! Report: writes status, only when it changed, and tells of transitions.

use std::sync::Arc;

use jiff::Timestamp;
use kube::{
    Api, ResourceExt,
    api::{Patch, PatchParams},
    core::DeserializeGuard,
};
use serde_json::{Value, json};

use super::{
    context::{Context, object_name},
    dereference::Versions,
    events::Importance,
    kubernetes::{Failure, bounded},
    status::{self, State, Verdict},
};
use crate::api::{
    DELETION_OVERRIDE, EntryStatus, FLUX_REQUESTED_AT, GROUP, ProviderSecret, ProviderSecretStatus,
    READY, Reason, SYNC_REQUESTED_AT, SourceStatus,
};

/// How often a status write is tried when others write the object at the same time. Giving up costs
/// one more write at the provider.
const TRIES: u32 = 5;

/// What a pass found out.
pub(super) struct Findings {
    pub(super) verdict: Verdict,
    pub(super) provider: Option<&'static str>,
    pub(super) scope: Option<String>,
    pub(super) entries: Vec<EntryStatus>,
    pub(super) sources: Versions,
    /// Entries that the provider acknowledged in this pass.
    pub(super) written: usize,
    /// The request for a sync that was acted on.
    pub(super) handled: Option<String>,
    /// What the digests were made with, where it is known.
    pub(super) key_fingerprint: Option<String>,
    /// What else is to be told.
    pub(super) notices: Vec<Notice>,
}

/// Something that a person is told once.
#[derive(Clone, Debug)]
pub(super) struct Notice {
    pub(super) importance: Importance,
    pub(super) reason: Reason,
    pub(super) action: &'static str,
    pub(super) note: String,
}

/// The status that says what was found.
pub(super) fn next_status(
    object: &ProviderSecret,
    findings: &Findings,
    now: Timestamp,
) -> ProviderSecretStatus {
    let previous = object.status.clone().unwrap_or_default();
    let generation = object.metadata.generation;
    let mut entries = findings.entries.clone();
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    let sources = findings.sources.iter().map(|(name, version)| SourceStatus {
        name: name.clone(),
        resource_version: version.clone(),
    });
    ProviderSecretStatus {
        conditions: status::conditions(&previous.conditions, &findings.verdict, generation, now),
        observed_generation: generation,
        provider: findings.provider.map(str::to_owned),
        scope: findings.scope.clone().or(previous.scope),
        summary: Some(status::summary(&entries)),
        last_sync_time: if findings.written > 0 {
            Some(status::time(now))
        } else {
            previous.last_sync_time
        },
        last_handled_sync_request: findings
            .handled
            .clone()
            .or(previous.last_handled_sync_request),
        key_fingerprint: findings
            .key_fingerprint
            .clone()
            .or(previous.key_fingerprint),
        sources: sources.collect(),
        entries,
    }
}

/// Writes what was found, tells of the transition, and gives the object as it is then.
///
/// # Errors
/// [`Failure::NotFound`] when the object is gone, else why status could not be written.
pub(super) async fn report(
    context: &Context,
    object: &Arc<ProviderSecret>,
    findings: &Findings,
) -> Result<Arc<ProviderSecret>, Failure> {
    let next = next_status(object, findings, crate::clock::now());
    let previous = object.status.clone().unwrap_or_default();
    let told = write(context, object, &next).await?;
    announce(context, object, &previous, findings);
    tell(context, object, &findings.notices);
    Ok(told)
}

/// Writes a status if it says something new, and gives the object as it is then.
///
/// # Errors
/// As [`report`].
pub(super) async fn write(
    context: &Context,
    object: &Arc<ProviderSecret>,
    next: &ProviderSecretStatus,
) -> Result<Arc<ProviderSecret>, Failure> {
    if object
        .status
        .as_ref()
        .is_some_and(|current| status::is_same(current, next))
    {
        return Ok(Arc::clone(object));
    }
    let api: Api<ProviderSecret> = Api::namespaced(
        context.client.clone(),
        &object.namespace().unwrap_or_default(),
    );
    let name = object.name_any();
    let parameters = PatchParams {
        field_manager: Some(GROUP.to_owned()),
        ..PatchParams::default()
    };
    let mut patch = fenced_by_version(object, next);
    for _ in 0..TRIES {
        match bounded(api.patch_status(&name, &parameters, &patch)).await {
            Ok(answer) => return Ok(remember(context, answer)),
            Err(Failure::Conflict) => {
                let live = bounded(api.get(&name)).await?;
                if live.uid() != object.uid() {
                    return Err(Failure::NotFound);
                }
                patch = fenced_by_uid(object, next).ok_or(Failure::Conflict)?;
            }
            Err(failure) => return Err(failure),
        }
    }
    Err(Failure::Conflict)
}

/// Of the fields of a merge patch only the resourceVersion fences: one with the uid of a deleted
/// object is accepted on its namesake (reliability.md 0.1, finding 2).
fn fenced_by_version(object: &ProviderSecret, next: &ProviderSecretStatus) -> Patch<Value> {
    let version = object.resource_version();
    Patch::Merge(json!({"metadata": {"resourceVersion": version}, "status": merge_patch(next)}))
}

/// A JSON patch whose test fails on a namesake, and which others who write the same object all the
/// time cannot hold up. Nobody else writes status.
fn fenced_by_uid(object: &ProviderSecret, next: &ProviderSecretStatus) -> Option<Patch<Value>> {
    let operations = json!([
        {"op": "test", "path": "/metadata/uid", "value": object.uid()?},
        {"op": "add", "path": "/status", "value": next},
    ]);
    serde_json::from_value(operations).ok().map(Patch::Json)
}

/// Keeps the answer to a write of ours until the watch has caught up with it.
pub(super) fn remember(context: &Context, mut answer: ProviderSecret) -> Arc<ProviderSecret> {
    slim(&mut answer);
    let answer = Arc::new(answer);
    if answer.metadata.deletion_timestamp.is_some() && answer.finalizers().is_empty() {
        // It is gone, and the watch may have said so before this answer came: a claim that is noted
        // now would never be forgotten.
        context.forget_uid(&answer.uid().unwrap_or_default(), &object_name(&*answer));
        return answer;
    }
    if let Some(uid) = answer.uid() {
        context.memos.with(&uid, |memo| memo.wrote(&answer));
    }
    context.requeue_all(context.claims.note(&answer));
    answer
}

/// Drops what no pass reads and what takes most of the memory of an object.
pub(super) fn slim(object: &mut impl ResourceExt) {
    object.managed_fields_mut().clear();
    object.annotations_mut().retain(|key, _| {
        [SYNC_REQUESTED_AT, FLUX_REQUESTED_AT, DELETION_OVERRIDE].contains(&key.as_str())
    });
    object.labels_mut().clear();
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
        "entries": [],
    });
    if let (Some(patch), Ok(Value::Object(next))) =
        (patch.as_object_mut(), serde_json::to_value(next))
    {
        patch.extend(next);
    }
    patch
}

/// Tells what is to be told, in the log and as events.
pub(super) fn tell(context: &Context, object: &Arc<ProviderSecret>, notices: &[Notice]) {
    for notice in notices {
        let (namespace, name) = object_name(&**object);
        let (reason, note) = (notice.reason.as_str(), &notice.note);
        match notice.importance {
            Importance::Normal => tracing::info!(namespace, name, reason, "{note}"),
            Importance::Warning => tracing::warn!(namespace, name, reason, "{note}"),
        }
        let guarded = DeserializeGuard(Ok(ProviderSecret::clone(object)));
        let Notice {
            importance,
            reason,
            action,
            ..
        } = *notice;
        context
            .events
            .tell(&guarded, importance, reason, action, note);
    }
}

/// One event for a transition, and one for each time something was written.
fn announce(
    context: &Context,
    object: &Arc<ProviderSecret>,
    previous: &ProviderSecretStatus,
    findings: &Findings,
) {
    let verdict = &findings.verdict;
    let before = previous
        .conditions
        .iter()
        .find(|condition| condition.r#type == READY);
    let is_transition = before.is_none_or(|before| before.reason != verdict.reason.as_str());
    // The provider is at work, or asked for patience: nobody need look.
    let is_patience = matches!(verdict.reason, Reason::Progressing | Reason::RateLimited);
    let (importance, action) = match verdict.state {
        State::Ready if findings.written > 0 => (Importance::Normal, "Push"),
        State::Ready | State::Suspended if verdict.reason == Reason::Suspended && is_transition => {
            (Importance::Normal, "Suspend")
        }
        State::Stalled if is_transition => (Importance::Warning, "Push"),
        State::Reconciling { .. } if is_transition && !is_patience => (Importance::Warning, "Push"),
        State::Ready | State::Suspended | State::Reconciling { .. } | State::Stalled => return,
    };
    tracing::info!(
        namespace = object.namespace().unwrap_or_default(),
        name = object.name_any(),
        generation = object.metadata.generation.unwrap_or_default(),
        reason = verdict.reason.as_str(),
        entries_written = findings.written,
        "{}",
        verdict.message
    );
    let guarded = DeserializeGuard(Ok(ProviderSecret::clone(object)));
    context.events.tell(
        &guarded,
        importance,
        verdict.reason,
        action,
        &verdict.message,
    );
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
            last_sync_time: Some(status::time(Timestamp::now())),
            last_handled_sync_request: Some(String::new()),
            key_fingerprint: Some(String::new()),
            sources: Vec::new(),
            entries: Vec::new(),
        };
        let fields = |status| merge_patch(&status).as_object().unwrap().len();
        assert_eq!(fields(full), fields(ProviderSecretStatus::default()));
    }
}
