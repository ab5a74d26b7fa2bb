//! What a command comes to: a text and an exit code, or one line that says why there is none.

/// Everything is as it should be.
pub(super) const DONE: u8 = 0;
/// Something is not as it should be, or could not be done.
pub(super) const FAILED: u8 = 1;
/// What was waited for did not come in time, as with timeout(1).
pub(super) const TIMEOUT: u8 = 124;

/// What a command shows, and the exit code with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    /// The text for standard output; it ends with a newline unless it is empty.
    pub(super) text: String,
    /// The exit code.
    pub(super) code: u8,
}

impl Answer {
    /// The text with the exit code of "everything is so", or of "not everything is".
    pub(super) fn new(text: String, is_so: bool) -> Self {
        let code = if is_so { DONE } else { FAILED };
        Self { text, code }
    }

    /// A text with nothing to complain of.
    pub(super) fn done(text: String) -> Self {
        Self::new(text, true)
    }
}

/// Why there is no answer: one line in the program's own words, for standard error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    /// The line, without a newline.
    pub(super) text: String,
    /// The exit code.
    pub(super) code: u8,
}

impl Refusal {
    /// Something could not be done.
    pub(super) fn failed(text: impl Into<String>) -> Self {
        let text = text.into();
        Self { text, code: FAILED }
    }

    /// The command line asks for what there is not, or contradicts itself.
    pub(super) fn usage(text: impl Into<String>) -> Self {
        let code = super::USAGE;
        let text = text.into();
        Self { text, code }
    }

    /// What was waited for did not come in time.
    pub(super) fn timeout(text: impl Into<String>) -> Self {
        let code = TIMEOUT;
        let text = text.into();
        Self { text, code }
    }
}

/// What a command comes to.
pub(super) type Answered = Result<Answer, Refusal>;
