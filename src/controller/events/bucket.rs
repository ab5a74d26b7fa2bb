//! How many Normal events are sent in a time.

use std::time::Duration;

use tokio::time::Instant;

/// Normal events that may be sent at once, and how many a second after that. Warnings are not
/// counted: there is one for each transition. Nor is what a reconcile waits for.
const BURST: f64 = 100.0;
const PER_SECOND: f64 = 10.0;

/// A token bucket.
pub(super) struct Bucket {
    tokens: f64,
    filled: Instant,
}

impl Bucket {
    pub(super) fn new() -> Self {
        Self {
            tokens: BURST,
            filled: Instant::now(),
        }
    }

    /// Whether one more event may be sent now.
    pub(super) fn take(&mut self) -> bool {
        let now = Instant::now();
        let elapsed: Duration = now - self.filled;
        self.tokens = (self.tokens + elapsed.as_secs_f64() * PER_SECOND).min(BURST);
        self.filled = now;
        if self.tokens < 1.0 {
            return false;
        }
        self.tokens -= 1.0;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_bucket_gives_its_burst_and_then_its_rate() {
        let mut bucket = Bucket::new();
        assert_eq!((0..150).filter(|_| bucket.take()).count(), 100);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!((0..150).filter(|_| bucket.take()).count(), 10);
    }
}
