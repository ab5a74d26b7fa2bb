//! A deleted object that does not decode. What it wrote is not known, so nothing is deleted; but its end
//! needs no more than its metadata: it goes when its time is over, or when a user lets it go.

use std::time::Duration;

use kube::{Api, Resource, ResourceExt, api::PatchParams, runtime::controller::Action};

use super::cleanup::{OVERDUE, is_overridden, remaining};
use crate::{
    api::{GROUP, ProviderSecret, Reason},
    controller::{
        cache::Tracked,
        context::Context,
        events::{Delivery, Importance},
        kubernetes::{KubernetesError, bounded, is_terminating},
        object::{Guarded, has_finalizer},
        report::finalizer,
    },
};

/// How long the operator waits before it tries again.
const AGAIN: Duration = Duration::from_secs(30);

/// Lets a deleted object go that does not decode, once its time is over.
pub(crate) async fn let_go(context: &Context, object: &Guarded) -> Action {
    if object.meta().deletion_timestamp.is_none() || !has_finalizer(object) {
        return Action::await_change();
    }
    let uid = object.uid().unwrap_or_default();
    let namespace = object.namespace().unwrap_or_default();
    let Some(known_since) = context.states.with(&uid, Tracked::delete) else {
        return Action::await_change();
    };
    let is_namespace_terminating = is_terminating(&context.client, &namespace).await;
    let whole = context.deletion_timeout;
    let remaining = remaining(whole, object, known_since, is_namespace_terminating);
    if !remaining.is_zero() && !is_overridden(object) {
        return Action::requeue(remaining.min(AGAIN));
    }
    match release(context, object, &namespace).await {
        Ok(()) | Err(KubernetesError::NotFound) => Action::await_change(),
        Err(_) => Action::requeue(crate::clock::jittered(AGAIN)),
    }
}

async fn release(
    context: &Context,
    object: &Guarded,
    namespace: &str,
) -> Result<(), KubernetesError> {
    let name = object.name_any();
    let note = "The object does not fit the operator's schema, so what it wrote is not known. It may be left at the provider; delete by hand what is not needed.";
    tracing::warn!(
        namespace,
        name,
        reason = Reason::DeletionSkipped.as_str(),
        "{note}"
    );
    let (importance, reason) = (Importance::Warning, Reason::DeletionSkipped);
    let (uid, all) = (object.uid().unwrap_or_default(), [name.clone()]);
    let untold = context
        .states
        .with(&uid, |tracked| tracked.untold(reason, &all));
    if untold.is_some_and(|untold| !untold.is_empty()) {
        let delivery = context
            .events
            .deliver(object, importance, reason, "Delete", note)
            .await;
        let tried = context.states.with(&uid, Tracked::telling);
        let is_overdue = tried.is_none_or(|tried| tried >= OVERDUE);
        if delivery == Delivery::Unavailable && !is_overdue {
            return Err(KubernetesError::Unavailable);
        }
        context
            .states
            .with(&uid, |tracked| tracked.tell(reason, &all));
    }
    let patch = finalizer::patch(object, false).ok_or(KubernetesError::Unavailable)?;
    let api: Api<ProviderSecret> = Api::namespaced(context.client.clone(), namespace);
    let parameters = PatchParams {
        field_manager: Some(GROUP.to_owned()),
        ..PatchParams::default()
    };
    bounded(api.patch_metadata(&name, &parameters, &patch)).await?;
    Ok(())
}
