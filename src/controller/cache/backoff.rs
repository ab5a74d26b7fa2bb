//! The waits of one object after failures.

use tokio::time::{Duration, Instant};

/// How many answers in a row may be not understood before a person is asked to look.
const PROTOCOL_FAILURES: u32 = 3;
/// An object waits for its account alone after so many throttled reconciles in a row, and after more has its own waits.
const MAX_PARKED_IN_ROW: u32 = 3;
/// How long failures are tried again soon, and how long the waits are from then on.
const LONG_BACKOFF: Duration = Duration::from_hours(1);
/// The first wait, and the longest within the first hour.
const WAITS: (Duration, Duration) = (Duration::from_secs(1), Duration::from_mins(5));
/// The same for what was taken before and is refused now.
const REFUSED_WAITS: (Duration, Duration) = (Duration::from_mins(1), Duration::from_hours(6));

/// The waits of one object after failures, each twice the last. Boxed, because most objects have
/// none.
#[derive(Default)]
pub(crate) struct Backoff(Option<Box<Failing>>);

struct Failing {
    /// Failures in a row.
    count: u32,
    began: Instant,
    /// Reconciles in a row that ended in an answer that was not understood.
    protocol_failures: u32,
    /// Reconciles in a row that did nothing because the provider asked to slow down.
    throttled: u32,
}

impl Backoff {
    /// The wait after one more failure at the provider: 1 s doubling to 5 min, with full jitter;
    /// after an hour of failures an hour. So what is broken for good costs 24 tries a day.
    pub(crate) fn next(&mut self) -> Duration {
        let next = self.briefly();
        if self.failing().began.elapsed() < LONG_BACKOFF {
            next
        } else {
            LONG_BACKOFF.mul_f64(1.0 + fastrand::f64() * 0.2)
        }
    }

    /// The wait after one more failure that is not the provider's: 1 s doubling to 5 min, with full
    /// jitter.
    pub(crate) fn briefly(&mut self) -> Duration {
        self.next_wait(WAITS).max(Duration::from_millis(100))
    }

    /// The wait before a refused credential is tried again: 1 min doubling to 1 h.
    pub(crate) fn credential(&mut self) -> Duration {
        (self.briefly() * 60).clamp(Duration::from_mins(1), Duration::from_hours(1))
    }

    /// The wait before something that the provider took before and refuses now is tried again: 1 min
    /// doubling to 6 h, with full jitter.
    pub(crate) fn refused(&mut self) -> Duration {
        self.next_wait(REFUSED_WAITS).max(REFUSED_WAITS.0)
    }

    /// The next failure is the first.
    pub(crate) fn reset(&mut self) {
        match &mut self.0 {
            Some(failing) if failing.protocol_failures > 0 => failing.begin(),
            failing => *failing = None,
        }
    }

    /// One more answer that was not understood, or one that was; whether there were too many in a
    /// row.
    pub(crate) fn protocol_failed(&mut self, has_failed: bool) -> bool {
        if !has_failed {
            if let Some(failing) = &mut self.0 {
                failing.protocol_failures = 0;
            }
            return false;
        }
        let failing = self.failing();
        failing.protocol_failures += 1;
        failing.protocol_failures >= PROTOCOL_FAILURES
    }

    /// One more reconcile that ended because the provider asked to slow down, or one that did not; whether the object has
    /// its own waits besides those of its account. Where the provider throttles one kind of request for good and takes all
    /// others, each success of another kind ends the account's wait. One that made headway counts for nothing.
    pub(crate) fn throttled(&mut self, is_throttled: bool, makes_headway: bool) -> bool {
        if !is_throttled {
            if let Some(failing) = &mut self.0 {
                failing.throttled = 0;
            }
            return false;
        }
        if makes_headway {
            return false;
        }
        let failing = self.failing();
        failing.throttled = failing.throttled.saturating_add(1);
        failing.throttled > MAX_PARKED_IN_ROW
    }

    fn failing(&mut self) -> &mut Failing {
        self.0.get_or_insert_with(|| Box::new(Failing::new()))
    }

    /// A random part of `first`, doubled for each failure before this one, or of `longest` if that is less.
    fn next_wait(&mut self, (first, longest): (Duration, Duration)) -> Duration {
        let failing = self.failing();
        let doubled = first.saturating_mul(2_u32.saturating_pow(failing.count));
        failing.count = failing.count.saturating_add(1);
        doubled.min(longest).mul_f64(fastrand::f64())
    }
}

impl Failing {
    fn new() -> Self {
        Self {
            count: 0,
            began: Instant::now(),
            protocol_failures: 0,
            throttled: 0,
        }
    }

    fn begin(&mut self) {
        *self = Self {
            protocol_failures: self.protocol_failures,
            ..Self::new()
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Cases: P-14
    #[tokio::test(start_paused = true)]
    async fn what_fails_for_a_day_is_tried_24_times_after_the_first_hour() {
        let hour = Duration::from_hours(1);
        for _ in 0..20 {
            let (mut backoff, began) = (Backoff::default(), Instant::now());
            let mut tries = Vec::new();
            while began.elapsed() < 24 * hour {
                tries.push(began.elapsed());
                tokio::time::advance(backoff.next()).await;
            }
            let later = tries.iter().filter(|tried| **tried > hour).count();
            assert!((18..=24).contains(&later), "{later}");
            assert!(
                (12..=120).contains(&(tries.len() - later)),
                "{}",
                tries.len()
            );
            backoff.reset();
            assert!(backoff.next() <= Duration::from_secs(1));
        }
    }

    /// docs/architecture.md#error-classes
    #[test]
    fn what_was_taken_before_is_tried_again_after_a_minute_doubling_to_six_hours() {
        let (minute, mut longest) = (Duration::from_mins(1), Duration::ZERO);
        for _ in 0..200 {
            let mut backoff = Backoff::default();
            for failures in 0..12 {
                let most = (minute * 2_u32.pow(failures)).min(6 * 60 * minute);
                let wait = backoff.refused();
                assert!((minute..=most).contains(&wait), "{failures}: {wait:?}");
                longest = longest.max(wait);
            }
        }
        assert!(longest > Duration::from_hours(5), "{longest:?}");
    }

    #[test]
    fn three_answers_in_a_row_that_are_not_understood_are_too_many() {
        let mut backoff = Backoff::default();
        let mut failed = |has_failed| backoff.protocol_failed(has_failed);
        assert_eq!([true, true, false].map(&mut failed), [false; 3]);
        assert_eq!([true, true, true].map(&mut failed), [false, false, true]);
    }

    #[test]
    fn an_object_that_is_throttled_four_times_in_a_row_has_its_own_waits() {
        let mut backoff = Backoff::default();
        let mut throttled = |is_throttled| backoff.throttled(is_throttled, false);
        assert_eq!([true, true, true].map(&mut throttled), [false; 3]);
        assert_eq!([true, true].map(&mut throttled), [true; 2]);
        assert!(!throttled(false));
        assert_eq!([true, true, true].map(&mut throttled), [false; 3]);
        assert!(!backoff.throttled(true, true));
        assert!(backoff.throttled(true, false));
        backoff.reset();
        assert!(!backoff.throttled(true, false));
    }
}
