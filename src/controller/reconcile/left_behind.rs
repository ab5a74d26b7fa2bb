//! What is left at a provider is told once, and before the object goes: nothing else tells it then.

use std::time::Duration;

use kube::ResourceExt;

use crate::{
    api::Reason,
    controller::{
        cache::Deletion,
        context::Context,
        events::{Delivery, EventNote},
        kubernetes::KubernetesError,
        report,
    },
};

/// How long an object is kept because an event about it is not accepted.
const EVENT_DEADLINE: Duration = Duration::from_mins(2);

/// Tells of those of `names` that were not told yet, and says how many these are.
///
/// # Errors
/// When the API server cannot be had: then the object is kept a little longer.
pub(super) async fn tell_once(
    context: &Context,
    object: &(impl ResourceExt + Sync),
    names: &[String],
    note: impl FnOnce(&[String]) -> Option<EventNote>,
) -> Result<usize, KubernetesError> {
    let (uid, reason) = (object.uid().unwrap_or_default(), Reason::DeletionSkipped);
    let states = &context.states;
    let untold = states.deletion(&uid, |deletion| deletion.untold(reason, names));
    let untold = untold.unwrap_or_default();
    let Some(note) = note(&untold).filter(|_| !untold.is_empty()) else {
        return Ok(0);
    };
    let delivery = report::deliver_note(context, object, &note).await;
    let tried = states.deletion(&uid, Deletion::telling);
    let is_overdue = tried.is_none_or(|tried| tried >= EVENT_DEADLINE);
    if delivery == Delivery::Unavailable && !is_overdue {
        return Err(KubernetesError::Unavailable);
    }
    states.deletion(&uid, |deletion| deletion.tell(reason, &untold));
    Ok(untold.len())
}
