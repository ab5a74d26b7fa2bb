//! For how long an object could not be compared with what its provider holds.

use tokio::time::{Duration, Instant};

use super::Tracked;

/// For how long verifications fail at least before the object counts as unverified: a short outage is none.
const UNVERIFIED_AFTER: Duration = Duration::from_mins(5);

impl Tracked {
    /// What was written was compared with the account's listing, or could not be. The last success was an interval
    /// before the first failure.
    pub(crate) fn verified(&mut self, is_compared: bool, interval: Duration) {
        if is_compared {
            self.forget_verifications();
        } else {
            self.unverified_at
                .get_or_insert_with(|| Instant::now() + lasting(interval));
        }
    }

    /// For how long verifications have failed: until the object counts as unverified, and no longer.
    pub(crate) fn verifications_fail_for(&self, interval: Duration) -> Duration {
        let left = |at: Instant| at.saturating_duration_since(Instant::now());
        let failing_for = |at| lasting(interval).saturating_sub(left(at));
        self.unverified_at.map(failing_for).unwrap_or_default()
    }

    /// The object is not verified for now: it is suspended, deleted or not Ready, which is said elsewhere.
    pub(crate) fn forget_verifications(&mut self) {
        self.unverified_at = None;
    }

    /// Whether no verification has succeeded for three intervals.
    pub(crate) fn is_overdue(&self, now: Instant) -> bool {
        self.unverified_at.is_some_and(|at| at <= now)
    }
}

/// For how long verifications have failed when the object counts as unverified.
fn lasting(interval: Duration) -> Duration {
    UNVERIFIED_AFTER.max(2 * interval)
}
