//! How the log and the events tell what a reconcile came to. Pure.

use super::conditions::{Readiness, ReadyState};
use crate::{api::Reason, controller::events::Importance};

/// How a reconcile is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Announcement {
    /// Not at all: the object is as it was.
    None,
    /// By a line in the log: the operator or the provider is at work, and no person need look.
    Line,
    /// By a line in the log and an event.
    Event {
        importance: Importance,
        reason: Reason,
        action: &'static str,
    },
}

/// How a reconcile is told that wrote so many entries, where the object had the reason `before`; none where no
/// operator has said anything of the object.
pub(super) fn announcement(
    before: Option<&str>,
    readiness: &Readiness,
    written: usize,
) -> Announcement {
    let is_transition = before != Some(readiness.reason.as_str());
    if !is_transition && written == 0 {
        return Announcement::None;
    }
    let event = |importance, reason, action| Announcement::Event {
        importance,
        reason,
        action,
    };
    let was_suspended = before == Some(Reason::Suspended.as_str());
    match (readiness.state, readiness.reason) {
        (_, reason @ Reason::Suspended) => event(Importance::Normal, reason, "Suspend"),
        (ReadyState::Ready, _) if written == 0 && was_suspended => {
            event(Importance::Normal, Reason::Resumed, "Resume")
        }
        // What the events before said does not hold any more, also where nothing had to be written.
        (ReadyState::Ready, reason) if written > 0 || before.is_some() => {
            event(Importance::Normal, reason, "Push")
        }
        // The provider is at work, or asked for patience.
        (ReadyState::Ready | ReadyState::Suspended, _)
        | (ReadyState::Reconciling { .. }, Reason::Progressing | Reason::RateLimited) => {
            Announcement::Line
        }
        (_, _) if !is_transition => Announcement::Line,
        (ReadyState::Reconciling { .. }, reason @ Reason::AwaitingApproval) => {
            event(Importance::Normal, reason, "Plan")
        }
        (ReadyState::Reconciling { .. } | ReadyState::Stalled, reason) => {
            event(Importance::Warning, reason, "Push")
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const RETRIED: ReadyState = ReadyState::Reconciling {
        after_failure: true,
    };

    fn told(
        before: Option<Reason>,
        state: ReadyState,
        reason: Reason,
        written: usize,
    ) -> Announcement {
        let readiness = Readiness {
            state,
            reason,
            message: String::new(),
        };
        announcement(before.map(Reason::as_str), &readiness, written)
    }

    /// Cases: S-07
    #[rstest]
    #[case::a_first_sync(None, 1, Some(Reason::Synced))]
    #[case::a_first_sync_that_finds_everything_there(None, 0, None)]
    #[case::a_rotation(Some(Reason::Progressing), 1, Some(Reason::Synced))]
    #[case::what_was_accepted_is_applied(Some(Reason::Progressing), 0, Some(Reason::Synced))]
    #[case::a_secret_is_back(Some(Reason::SecretNotFound), 0, Some(Reason::Synced))]
    #[case::the_key_is_right_again(Some(Reason::AuthenticationFailed), 0, Some(Reason::Synced))]
    #[case::the_object_goes_on(Some(Reason::Suspended), 0, Some(Reason::Resumed))]
    #[case::it_goes_on_and_writes(Some(Reason::Suspended), 2, Some(Reason::Synced))]
    fn an_object_that_is_ready_again_is_told(
        #[case] before: Option<Reason>,
        #[case] written: usize,
        #[case] expected: Option<Reason>,
    ) {
        let shown = told(before, ReadyState::Ready, Reason::Synced, written);
        let reason = match shown {
            Announcement::Event {
                importance: Importance::Normal,
                reason,
                ..
            } => Some(reason),
            _ => None,
        };
        assert_eq!(reason, expected, "{shown:?}");
        assert_ne!(shown, Announcement::None);
    }

    /// Cases: S-07
    #[rstest]
    #[case::suspended(ReadyState::Suspended, Reason::Suspended, Some(Importance::Normal))]
    #[case::held_and_suspended(ReadyState::Ready, Reason::Suspended, Some(Importance::Normal))]
    #[case::a_plan_waits(RETRIED, Reason::AwaitingApproval, Some(Importance::Normal))]
    #[case::a_failure(RETRIED, Reason::Timeout, Some(Importance::Warning))]
    #[case::stalled(ReadyState::Stalled, Reason::Conflict, Some(Importance::Warning))]
    #[case::at_work(RETRIED, Reason::Progressing, None)]
    #[case::patience(RETRIED, Reason::RateLimited, None)]
    fn another_state_is_told_once(
        #[case] state: ReadyState,
        #[case] reason: Reason,
        #[case] expected: Option<Importance>,
    ) {
        let shown = told(Some(Reason::Synced), state, reason, 0);
        let importance = match shown {
            Announcement::Event { importance, .. } => Some(importance),
            _ => None,
        };
        assert_eq!(importance, expected, "{shown:?}");
        assert_ne!(shown, Announcement::None);
        assert_eq!(told(Some(reason), state, reason, 0), Announcement::None);
    }

    /// A failure that repeats is no event, also where a part of the entries was written.
    #[test]
    fn writes_of_an_object_that_stays_as_it_is_are_a_line() {
        let shown = told(Some(Reason::Timeout), RETRIED, Reason::Timeout, 1);
        assert_eq!(shown, Announcement::Line);
        let shown = told(Some(Reason::Progressing), RETRIED, Reason::Progressing, 3);
        assert_eq!(shown, Announcement::Line);
    }
}
