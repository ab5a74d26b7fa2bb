//! What is asked before each call of an account, and hears how it ended.

use tokio::time::Instant;

use super::ProviderError;

/// What a call is about, as far as its refusal counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallKind {
    /// It reads what the account holds, or whose it is.
    Read,
    /// It reads what some entries alone need.
    ReadOfEntry,
    /// It asks a question that the account's own calls do without.
    Question,
    /// It writes or deletes.
    Write,
}

/// Is asked before a call is sent, and notified how it ended.
pub trait Monitor: Send + Sync {
    /// Whether a call may be sent now.
    ///
    /// # Errors
    /// What the call is to end in instead, with the time to wait as `retry_after`.
    fn may_send(&self) -> Result<(), ProviderError>;

    /// A call that was sent at `sent` has ended, well unless there is a `failure`. It is not notified of
    /// calls that were not sent, of those that were given up before they ended, nor of failed ones
    /// that concern nothing.
    fn answered(&self, sent: Instant, kind: CallKind, failure: Option<&ProviderError>);
}

/// Refuses every call with an error.
pub struct Refusing(pub ProviderError);

impl Monitor for Refusing {
    fn may_send(&self) -> Result<(), ProviderError> {
        Err(self.0.clone())
    }

    fn answered(&self, _sent: Instant, _kind: CallKind, _failure: Option<&ProviderError>) {}
}

/// Lets every call through: for a client outside of the operator, which has no account.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unmonitored;

impl Monitor for Unmonitored {
    fn may_send(&self) -> Result<(), ProviderError> {
        Ok(())
    }

    fn answered(&self, _sent: Instant, _kind: CallKind, _failure: Option<&ProviderError>) {}
}
