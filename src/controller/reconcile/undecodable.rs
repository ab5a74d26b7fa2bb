//! An object that does not decode: the process that leads says so. What a deleted one wrote is not known, so nothing is
//! deleted; but its end needs no more than its metadata: it goes when its time is over, or when a user lets it go.

use std::time::Duration;

use kube::{Resource, ResourceExt, runtime::controller::Action};

use super::{
    cleanup::{is_overridden, remaining},
    left_behind::tell_once,
};
use crate::{
    api::Reason,
    clock::jittered,
    controller::{
        cache::{Stored, Tracked},
        context::Context,
        events::{EventNote, Importance},
        kubernetes::{KubernetesError, is_terminating, patch_params, written},
        object::has_finalizer,
        report::{finalizer, notes::Told},
    },
};

/// How long the operator waits before it tries again.
const RETRY_INTERVAL: Duration = Duration::from_secs(30);

/// Tells that an object does not decode: once of each version.
pub(crate) fn tell(context: &Context, object: &Stored) {
    let uid = object.uid().unwrap_or_default();
    let version = object.resource_version().unwrap_or_default();
    let is_news = |tracked: &mut Tracked| {
        let told = tracked.undecodable.replace(version.as_str().into());
        told.as_deref() != Some(version.as_str())
    };
    if context.states.with(&uid, is_news) != Some(true) {
        return;
    }
    let note = "The object does not fit the operator's schema and is left alone. Compare it with kubectl explain providersecret.spec.";
    let note = EventNote {
        importance: Importance::Warning,
        reason: Reason::InvalidSpec,
        action: "Decode",
        note: note.to_owned(),
    };
    context.events.send(object, &note);
}

/// Lets a deleted object go that does not decode, once its time is over.
pub(crate) async fn let_go(context: &Context, object: &Stored) -> Action {
    if object.meta().deletion_timestamp.is_none() || !has_finalizer(object) {
        return Action::await_change();
    }
    let uid = object.uid().unwrap_or_default();
    let namespace = object.namespace().unwrap_or_default();
    let Some(known) = context.states.with(&uid, Tracked::delete) else {
        return Action::await_change();
    };
    let is_namespace_terminating = is_terminating(&context.client, &namespace).await;
    let whole = context.deletion_timeout;
    let remaining = remaining(whole, object, known, is_namespace_terminating);
    if !remaining.is_zero() && !is_overridden(object) {
        return Action::requeue(remaining.min(RETRY_INTERVAL));
    }
    match release(context, object, &namespace).await {
        Ok(()) => Action::await_change(),
        Err(error) => {
            tracing::warn!(
                error.kind = error.as_str(),
                "the object could not be let go; it is tried again"
            );
            Action::requeue(jittered(RETRY_INTERVAL))
        }
    }
}

async fn release(
    context: &Context,
    object: &Stored,
    namespace: &str,
) -> Result<(), KubernetesError> {
    let name = object.name_any();
    let note = "The object does not fit the operator's schema, so what it wrote is not known. It may be left at the provider; delete by hand what is not needed.";
    let note = EventNote {
        importance: Importance::Warning,
        reason: Reason::DeletionSkipped,
        action: "Delete",
        note: note.to_owned(),
    };
    let notes = |_: &[String]| vec![Told { note, count: 1 }];
    let (_, told) = tell_once(context, object, std::slice::from_ref(&name), notes).await;
    told?;
    let patch = finalizer::patch(object, false).ok_or(KubernetesError::Unavailable)?;
    let parameters = patch_params();
    let objects = context.objects(namespace);
    let call = objects.patch_metadata(&name, &parameters, &patch);
    written(&context.leadership, call).await?;
    Ok(())
}
