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
    /// Whether it may heal by itself, so that a wait goes on.
    pub(super) is_transient: bool,
    /// Whether a right is missing.
    pub(super) is_forbidden: bool,
}

impl Refusal {
    fn new(text: impl Into<String>, code: u8) -> Self {
        Self {
            text: text.into(),
            code,
            is_transient: false,
            is_forbidden: false,
        }
    }

    /// Something could not be done.
    pub(super) fn failed(text: impl Into<String>) -> Self {
        Self::new(text, FAILED)
    }

    /// Something could not be done now.
    pub(super) fn transient(text: impl Into<String>) -> Self {
        Self {
            is_transient: true,
            ..Self::failed(text)
        }
    }

    /// The command line asks for what there is not, or contradicts itself.
    pub(super) fn usage(text: impl Into<String>) -> Self {
        Self::new(text, super::USAGE)
    }

    /// What was waited for did not come in time.
    pub(super) fn timeout(text: impl Into<String>) -> Self {
        Self::new(text, TIMEOUT)
    }

    /// What it comes to in a wait: nothing while it may still heal by itself.
    ///
    /// # Errors
    /// It does not, or the time is over.
    pub(super) fn in_wait(self, is_over: bool) -> Result<(), Self> {
        match (self.is_transient, is_over) {
            (true, false) => Ok(()),
            (true, true) => Err(Self::timeout(format!("timed out waiting: {}", self.text))),
            (false, _) => Err(self),
        }
    }
}

/// What a command comes to.
pub(super) type Answered = Result<Answer, Refusal>;

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::heals(Refusal::transient("why"), false, Ok(()))]
    #[case::does_not_heal_in_time(Refusal::transient("why"), true, Err((TIMEOUT, "timed out waiting: why")))]
    #[case::does_not_heal(Refusal::failed("why"), false, Err((FAILED, "why")))]
    #[case::does_not_heal_either(Refusal::failed("why"), true, Err((FAILED, "why")))]
    fn a_wait_goes_on_after_what_heals_by_itself(
        #[case] refusal: Refusal,
        #[case] is_over: bool,
        #[case] expected: Result<(), (u8, &str)>,
    ) {
        let found = refusal.in_wait(is_over);
        let expected = expected.map_err(|(code, text)| Refusal::new(text, code));
        assert_eq!(found, expected);
    }
}
