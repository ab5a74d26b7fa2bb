//! What is said of an object as a whole, and the conditions that say it.

use jiff::Timestamp;

use crate::{
    api::{Condition, READY, RECONCILING, Reason, STALLED},
    controller::{
        error::{Kind, Trouble},
        object::time,
    },
};

/// In which of its states an object is, with the words for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) state: State,
    pub(crate) reason: Reason,
    pub(crate) message: String,
}

/// The states of an object. Exactly one of the conditions `Ready`, `Reconciling` and `Stalled` is
/// True, but for a suspended object that was not synced when it was suspended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// `Ready=True`.
    Ready,
    /// `Ready=False`, `Reconciling=True`, after a failure or not.
    Reconciling { after_failure: bool },
    /// `Ready=False`, `Stalled=True`.
    Stalled,
    /// `Ready=False` and nobody works on it.
    Suspended,
}

/// Folds all trouble into one verdict: a person who must act comes first, then what heals by
/// itself. `all_done` is what is said when there is none.
pub(crate) fn verdict(troubles: &[Trouble], all_done: Verdict) -> Verdict {
    let worst = troubles
        .iter()
        .find(|trouble| trouble.is_stalling())
        .or_else(|| {
            troubles
                .iter()
                .find(|trouble| trouble.kind != Kind::Waiting)
        })
        .or_else(|| troubles.first());
    let Some(worst) = worst else { return all_done };
    let state = if worst.is_stalling() {
        State::Stalled
    } else {
        State::Reconciling {
            after_failure: worst.kind != Kind::Waiting,
        }
    };
    let others = troubles.len() - 1;
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
    Verdict {
        state,
        reason: worst.reason,
        message,
    }
}

/// The conditions for a verdict. A transition time moves only when its status does.
pub(crate) fn conditions(
    previous: &[Condition],
    verdict: &Verdict,
    generation: Option<i64>,
    now: Timestamp,
) -> Vec<Condition> {
    let is_ready = verdict.state == State::Ready;
    let mut wanted = vec![(
        READY,
        if is_ready { "True" } else { "False" },
        verdict.reason,
    )];
    match verdict.state {
        State::Ready | State::Suspended => {}
        State::Reconciling {
            after_failure: false,
        } => wanted.push((RECONCILING, "True", Reason::Progressing)),
        State::Reconciling {
            after_failure: true,
        } => {
            wanted.push((RECONCILING, "True", Reason::ProgressingWithRetry));
        }
        State::Stalled => wanted.push((STALLED, "True", verdict.reason)),
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
                message: verdict.message.clone(),
                last_transition_time: since,
                observed_generation: generation,
            }
        })
        .collect()
}
