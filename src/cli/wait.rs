//! How long a command waits: `--timeout` bounds it also while the API server does not answer.

use std::{future::Future, time::Duration};

use tokio::time::{Instant, sleep, timeout};

use super::{answer::Refusal, read::ANSWER_TIMEOUT};

/// Between two looks at what is waited for.
const POLL: Duration = Duration::from_millis(250);

/// A wait that has begun.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wait {
    started: Instant,
    timeout: Duration,
}

impl Wait {
    /// A wait that begins now.
    pub(super) fn new(timeout: Duration) -> Self {
        let started = Instant::now();
        Self { started, timeout }
    }

    /// How long it has lasted.
    pub(super) fn elapsed(self) -> Duration {
        self.started.elapsed()
    }

    /// What a call gives in the time that is left; none if it takes longer. A wait without time looks once.
    pub(super) async fn bound<T>(self, call: impl Future<Output = T>) -> Option<T> {
        let whole = if self.timeout.is_zero() {
            ANSWER_TIMEOUT
        } else {
            self.timeout
        };
        let left = whole.saturating_sub(self.elapsed());
        if left.is_zero() {
            return None;
        }
        timeout(left, call).await.ok()
    }

    /// What a read gives in the time that is left.
    ///
    /// # Errors
    /// It failed, or takes longer.
    pub(super) async fn look<T>(
        self,
        read: impl Future<Output = Result<T, Refusal>>,
    ) -> Result<T, Refusal> {
        let late = || Err(Refusal::transient("the API server did not answer in time"));
        self.bound(read).await.unwrap_or_else(late)
    }

    /// Sleeps until the next look, and says whether there is one.
    pub(super) async fn pause(self) -> bool {
        let left = self.timeout.saturating_sub(self.elapsed());
        sleep(POLL.min(left)).await;
        self.elapsed() < self.timeout
    }

    /// Sleeps until the next look after one that failed.
    ///
    /// # Errors
    /// The failure does not heal by itself, or the time is over.
    pub(super) async fn after(self, refusal: Refusal) -> Result<(), Refusal> {
        let is_over = !refusal.is_transient || !self.pause().await;
        refusal.in_wait(is_over)
    }
}
