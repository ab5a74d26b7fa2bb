//! For how long an object could not be compared with what its provider holds.

use tokio::time::{Duration, Instant};

use super::Tracked;
use crate::account::ObjectName;

/// What becomes of the synced entries of an object while something stops others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum OtherEntries {
    /// They wait with what is stopped: nothing of the object can be written now. So it stands also where nothing is
    /// stopped.
    #[default]
    Wait,
    /// They are compared with the account and written again: the last plan was carried out.
    GoOn,
    /// They are compared as soon as the account grants a permit, which is none to try again what is stopped.
    AwaitPermit,
}

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

    /// Whether it is time to compare the object with its account. One of which something is stopped and that the account
    /// keeps is tried again as a whole before: a comparison would take its place there.
    pub(crate) fn is_verification_due(&self, name: &ObjectName, now: Instant) -> bool {
        let is_kept = || {
            let account = self.account.as_ref();
            account.is_some_and(|account| account.limiter.keeps(name))
        };
        let is_due = self.verify_at.is_some_and(|due| due <= now);
        is_due && (self.others != OtherEntries::GoOn || !is_kept())
    }

    /// The account has no permit for a comparison.
    pub(crate) fn await_permit(&mut self) {
        if self.others == OtherEntries::GoOn {
            self.others = OtherEntries::AwaitPermit;
        }
    }

    /// The object is looked at. If its account has no permit for a comparison then, it is parked for one again.
    pub(crate) fn await_no_permit(&mut self) {
        if self.others == OtherEntries::AwaitPermit {
            self.others = OtherEntries::GoOn;
        }
    }

    /// The object is not verified for now: it is suspended or deleted, or all of it is stopped, which is said elsewhere.
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
