//! What is said of an object as a whole, and the conditions that say it.

use jiff::Timestamp;

use crate::{
    api::{Condition, READY, RECONCILING, Reason, STALLED, SUSPENDED},
    controller::{error::Failure, object::time},
    http::ErrorClass,
};

/// In which of its states an object is, with the words for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Readiness {
    pub(crate) state: ReadyState,
    pub(crate) reason: Reason,
    pub(crate) message: String,
}

/// The states of an object. Exactly one of the conditions `Ready`, `Reconciling` and `Stalled` is
/// True, but for a suspended object: it has `Suspended`, and `Ready` if it was synced before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReadyState {
    /// `Ready=True`.
    Ready,
    /// `Ready=False`, `Reconciling=True`, after a failure or not.
    Reconciling { after_failure: bool },
    /// `Ready=False`, `Stalled=True`.
    Stalled,
    /// No `Ready`: the operator does not work on it, and it was not synced before.
    Suspended,
}

/// Folds all failure into one readiness: a person who must act comes first, then what heals by
/// itself. `all_done` is what is said when there is none.
pub(crate) fn readiness(failures: &[Failure], all_done: Readiness) -> Readiness {
    let worst = failures
        .iter()
        .find(|failure| failure.is_stalling())
        .or_else(|| {
            failures
                .iter()
                .find(|failure| failure.class != ErrorClass::Waiting)
        })
        .or_else(|| failures.first());
    let Some(worst) = worst else { return all_done };
    let state = if worst.is_stalling() {
        ReadyState::Stalled
    } else {
        ReadyState::Reconciling {
            after_failure: worst.class != ErrorClass::Waiting,
        }
    };
    let others = failures.len() - 1;
    let message = match others {
        0 => worst.message.clone(),
        1 => format!(
            "{} One more is not synced; status.entries says why.",
            worst.message
        ),
        _ => format!(
            "{} {others} more are not synced; status.entries says why.",
            worst.message
        ),
    };
    Readiness {
        state,
        reason: worst.reason,
        message,
    }
}

/// The readiness when the provider's answers stay strange: a person must act, and hears of a strange answer, whatever
/// else failed.
pub(crate) fn stalled_by_protocol(failures: &[Failure], found: Readiness) -> Readiness {
    if found.state == ReadyState::Stalled {
        return found;
    }
    let mut failures = failures.to_vec();
    failures.sort_by_key(|failure| failure.class != ErrorClass::Protocol);
    Readiness {
        state: ReadyState::Stalled,
        ..readiness(&failures, found)
    }
}

/// The conditions for a readiness. A transition time moves only when its status does.
pub(crate) fn conditions(
    previous: &[Condition],
    readiness: &Readiness,
    generation: Option<i64>,
    now: Timestamp,
) -> Vec<Condition> {
    let ready = |status| (READY, status, readiness.reason);
    // What was suspended before it was synced is not Ready, and not on its way either: to tools that wait
    // it is as it shall be (kstatus: Current), which it is only without the condition.
    let mut wanted = match readiness.state {
        ReadyState::Ready => vec![ready("True")],
        ReadyState::Suspended => Vec::new(),
        ReadyState::Reconciling { .. } | ReadyState::Stalled => vec![ready("False")],
    };
    if readiness.reason == Reason::Suspended {
        wanted.push((SUSPENDED, "True", Reason::Suspended));
    }
    match readiness.state {
        ReadyState::Ready | ReadyState::Suspended => {}
        ReadyState::Reconciling {
            after_failure: false,
        } => wanted.push((RECONCILING, "True", Reason::Progressing)),
        ReadyState::Reconciling {
            after_failure: true,
        } => {
            wanted.push((RECONCILING, "True", Reason::ProgressingWithRetry));
        }
        ReadyState::Stalled => wanted.push((STALLED, "True", readiness.reason)),
    }
    wanted
        .into_iter()
        .map(|(kind, status, reason)| {
            let since = previous
                .iter()
                .find(|condition| condition.r#type == kind && condition.status == status)
                .map_or_else(
                    || time(now),
                    |condition| condition.last_transition_time.clone(),
                );
            Condition {
                r#type: kind.to_owned(),
                status: status.to_owned(),
                reason: reason.as_str().to_owned(),
                message: readiness.message.clone(),
                last_transition_time: since,
                observed_generation: generation,
            }
        })
        .collect()
}
