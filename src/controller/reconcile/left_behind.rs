//! What is left at a provider is told once, and before the object goes: nothing else tells it then.

use std::time::Duration;

use kube::ResourceExt;

use crate::{
    api::Reason,
    controller::{
        cache::Deletion,
        context::Context,
        events::Delivery,
        kubernetes::KubernetesError,
        report::{self, notes::Told},
    },
};

/// How long an object is kept because an event about it is not accepted.
const EVENT_DEADLINE: Duration = Duration::from_mins(2);

/// Tells of those of `names` that were not told yet, and says how many were told now. One event has no room for many.
///
/// # Errors
/// When the API server cannot be had: then the object is kept a little longer.
pub(super) async fn tell_once(
    context: &Context,
    object: &(impl ResourceExt + Sync),
    names: &[String],
    notes: impl FnOnce(&[String]) -> Vec<Told>,
) -> (usize, Result<(), KubernetesError>) {
    let (uid, reason) = (object.uid().unwrap_or_default(), Reason::DeletionSkipped);
    let states = &context.states;
    let untold = states.deletion(&uid, |deletion| deletion.untold(reason, names));
    let untold = untold.unwrap_or_default();
    if untold.is_empty() {
        return (0, Ok(()));
    }
    let (mut rest, mut is_late) = (untold.as_slice(), false);
    for Told { note, count } in notes(&untold) {
        if is_late {
            // To wait for each of them would keep the object for long.
            report::send_notes(context, object, std::slice::from_ref(&note));
        } else {
            let delivery = report::deliver_note(context, object, &note).await;
            let tried = states.deletion(&uid, Deletion::telling);
            is_late = tried.is_none_or(|tried| tried >= EVENT_DEADLINE);
            if delivery == Delivery::Unavailable && !is_late {
                let told = untold.len() - rest.len();
                return (told, Err(KubernetesError::Unavailable));
            }
        }
        let (told, others) = rest.split_at(count.min(rest.len()));
        states.deletion(&uid, |deletion| deletion.tell(reason, told));
        rest = others;
    }
    (untold.len(), Ok(()))
}
