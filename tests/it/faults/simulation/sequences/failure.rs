//! How a provider fails for a while.

use std::time::Duration;

use proptest::prelude::*;
use simulator::{Action, Answer, Fault};

/// What heals by itself when it is over. What only a person or hours heal is tested elsewhere.
#[derive(Clone, Copy, Debug)]
pub(super) enum Failure {
    ServerError,
    ServerErrorAfterEffect,
    RateLimited,
    CutBefore,
    CutAfter,
    HangAfter,
    Truncated,
    Slow,
}

/// Any failure.
pub(super) fn failure() -> impl Strategy<Value = Failure> {
    prop_oneof![
        Just(Failure::ServerError),
        Just(Failure::ServerErrorAfterEffect),
        Just(Failure::RateLimited),
        Just(Failure::CutBefore),
        Just(Failure::CutAfter),
        Just(Failure::HangAfter),
        Just(Failure::Truncated),
        Just(Failure::Slow),
    ]
}

impl Failure {
    /// The faults that make it so.
    pub(super) fn faults(self, of_writes: bool, times: u32) -> Vec<Fault> {
        let error = || Answer {
            status: 503,
            ..Answer::default()
        };
        let fault = match self {
            Self::ServerError => Fault::status(500),
            Self::ServerErrorAfterEffect => Fault::new(Action::AnswerAfterEffect(error())),
            Self::RateLimited => Fault::status(429).header("retry-after", "7"),
            Self::CutBefore => Fault::new(Action::CutBeforeEffect),
            Self::CutAfter => Fault::new(Action::CutAfterEffect),
            Self::HangAfter => Fault::new(Action::HangAfterEffect),
            Self::Truncated => Fault::new(Action::TruncateBody),
            Self::Slow => Fault::new(Action::Handle).delay(Duration::from_secs(20)),
        };
        let methods: &[&str] = if of_writes {
            &["POST", "PUT", "PATCH"]
        } else {
            &["GET"]
        };
        let of = |method: &&str| fault.clone().method(method).times(times);
        methods.iter().map(of).collect()
    }
}
