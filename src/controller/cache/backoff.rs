//! The waits of one object after failures.

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use tokio::time::{Duration, Instant};

/// How many answers in a row may be not understood before a person is asked to look.
const PROTOCOL_FAILURES: u32 = 3;
/// How long failures are tried again soon, and how long the waits are from then on.
const LONG_BACKOFF: Duration = Duration::from_hours(1);
/// The first wait, and the longest within the first hour.
const WAITS: (Duration, Duration) = (Duration::from_secs(1), Duration::from_mins(5));

/// The waits of one object after failures, each twice the last. Boxed, because most objects have
/// none.
#[derive(Default)]
pub(crate) struct Backoff(Option<Box<Failing>>);

struct Failing {
    waits: ExponentialBackoff,
    began: Instant,
    /// Reconciles in a row that ended in an answer that was not understood.
    protocol_failures: u32,
}

impl Backoff {
    /// The wait after one more failure at the provider: 1 s doubling to 5 min, with full jitter;
    /// after an hour of failures an hour. So what is broken for good costs 24 tries a day.
    pub(crate) fn next(&mut self) -> Duration {
        let (next, began) = self.next_wait();
        if began.elapsed() < LONG_BACKOFF {
            next
        } else {
            LONG_BACKOFF.mul_f64(1.0 + fastrand::f64() * 0.2)
        }
    }

    /// The wait after one more failure that is not the provider's: 1 s doubling to 5 min, with full
    /// jitter.
    pub(crate) fn briefly(&mut self) -> Duration {
        self.next_wait().0
    }

    /// The wait before a refused credential is tried again: 1 min doubling to 1 h.
    pub(crate) fn credential(&mut self) -> Duration {
        (self.briefly() * 60).clamp(Duration::from_mins(1), Duration::from_hours(1))
    }

    /// The wait before something that the provider took before and refuses now is tried again: 1 min
    /// doubling to 5 h.
    pub(crate) fn refused(&mut self) -> Duration {
        (self.briefly() * 60).max(Duration::from_mins(1))
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

    fn failing(&mut self) -> &mut Failing {
        self.0.get_or_insert_with(|| Box::new(Failing::new()))
    }

    fn next_wait(&mut self) -> (Duration, Instant) {
        let failing = self.failing();
        let most = failing.waits.next().unwrap_or(WAITS.1);
        let wait = most.mul_f64(fastrand::f64());
        (wait.max(Duration::from_millis(100)), failing.began)
    }
}

impl Failing {
    fn new() -> Self {
        let waits = ExponentialBuilder::default()
            .with_min_delay(WAITS.0)
            .with_max_delay(WAITS.1)
            .without_max_times();
        Self {
            waits: waits.build(),
            began: Instant::now(),
            protocol_failures: 0,
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

    #[test]
    fn three_answers_in_a_row_that_are_not_understood_are_too_many() {
        let mut backoff = Backoff::default();
        let mut failed = |has_failed| backoff.protocol_failed(has_failed);
        assert_eq!([true, true, false].map(&mut failed), [false; 3]);
        assert_eq!([true, true, true].map(&mut failed), [false, false, true]);
    }
}
