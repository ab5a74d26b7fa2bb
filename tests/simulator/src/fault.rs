//! Scripted failures of one account: which requests, how many of them, and what happens instead of a plain answer.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};

/// Makes some requests of one account go wrong.
///
/// Faults are tried in the order in which they were added; the first that acts wins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Fault {
    /// Only this method.
    pub method: Option<String>,
    /// Only paths (as sent, still percent-encoded) that contain this text.
    pub path_contains: Option<String>,
    /// Handles so many matching requests first.
    pub skip: u32,
    /// Acts on so many matching requests; `None` is without end.
    pub times: Option<u32>,
    /// Waits so long first, whatever the action.
    #[serde(rename = "delay_milliseconds", with = "crate::fault::milliseconds")]
    pub delay: Duration,
    /// What happens.
    pub action: Action,
}

/// What a fault does.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Action {
    /// Handles the request as usual, so that only the delay is felt.
    #[default]
    Handle,
    /// Answers this without any effect.
    Answer(Answer),
    /// Does what was asked, then answers this.
    AnswerAfterEffect(Answer),
    /// Drops the connection without any effect.
    CutBeforeEffect,
    /// Does what was asked, then drops the connection without an answer.
    CutAfterEffect,
    /// Never answers and has no effect.
    Hang,
    /// Does what was asked and never answers.
    HangAfterEffect,
    /// Does what was asked, then drops the connection in the middle of the answer's body.
    TruncateBody,
}

/// A scripted answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// Further headers; a body that parses as JSON gets its content type unless one is given here.
    pub headers: BTreeMap<String, String>,
    /// The body, sent as it is.
    pub body: String,
}

/// The simulator dropped the connection, as a fault asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the connection was cut by a scripted fault")]
pub struct ConnectionCut;

impl Default for Fault {
    fn default() -> Self {
        Self {
            method: None,
            path_contains: None,
            skip: 0,
            times: Some(1),
            delay: Duration::ZERO,
            action: Action::Handle,
        }
    }
}

impl Fault {
    /// Acts once, on the next request.
    pub fn new(action: Action) -> Self {
        Self {
            action,
            ..Self::default()
        }
    }

    /// Answers the next request with a status and an empty body.
    pub fn status(status: u16) -> Self {
        Self::new(Action::Answer(Answer {
            status,
            ..Answer::default()
        }))
    }

    /// Only this method.
    pub fn method(mut self, method: &str) -> Self {
        self.method = Some(method.to_owned());
        self
    }

    /// Only paths that contain this text.
    pub fn path_contains(mut self, text: &str) -> Self {
        self.path_contains = Some(text.to_owned());
        self
    }

    /// Handles so many matching requests first.
    pub fn skip(mut self, count: u32) -> Self {
        self.skip = count;
        self
    }

    /// Acts on so many matching requests.
    pub fn times(mut self, count: u32) -> Self {
        self.times = Some(count);
        self
    }

    /// Acts without end.
    pub fn forever(mut self) -> Self {
        self.times = None;
        self
    }

    /// Waits so long first.
    pub fn delay(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// Adds a header to a scripted answer; without effect on other actions.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        if let Action::Answer(answer) | Action::AnswerAfterEffect(answer) = &mut self.action {
            answer.headers.insert(name.to_owned(), value.to_owned());
        }
        self
    }

    /// Sets the body of a scripted answer; without effect on other actions.
    pub fn body(mut self, body: &str) -> Self {
        if let Action::Answer(answer) | Action::AnswerAfterEffect(answer) = &mut self.action {
            body.clone_into(&mut answer.body);
        }
        self
    }

    fn matches(&self, method: &str, path: &str) -> bool {
        self.method
            .as_deref()
            .is_none_or(|asked| asked.eq_ignore_ascii_case(method))
            && self
                .path_contains
                .as_deref()
                .is_none_or(|text| path.contains(text))
    }
}

/// Picks what happens to a request and counts it; spent faults are removed.
pub(crate) fn take(
    faults: &mut Vec<Fault>,
    method: &str,
    path: &str,
) -> Option<(Duration, Action)> {
    for index in 0..faults.len() {
        let fault = &mut faults[index];
        if !fault.matches(method, path) {
            continue;
        }
        if fault.skip > 0 {
            fault.skip -= 1;
            continue;
        }
        if let Some(times) = &mut fault.times {
            *times = times.saturating_sub(1);
        }
        let taken = (fault.delay, fault.action.clone());
        if fault.times == Some(0) {
            faults.remove(index);
        }
        return Some(taken);
    }
    None
}

/// Durations as whole milliseconds in JSON.
pub(crate) mod milliseconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(
        duration: &Duration,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Duration, D::Error> {
        u64::deserialize(deserializer).map(Duration::from_millis)
    }
}
