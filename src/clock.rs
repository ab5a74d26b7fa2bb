//! The time of day, by a clock that does not jump back.
//!
//! What is compared with times in status must go on when the machine's clock is set
//! (docs/reliability.md, A-23), and follows tokio's clock, so that tests can let hours pass. But a
//! monotonic clock stands still while the machine, or the virtual machine, is suspended, and a clock
//! that was wrong at the start is set right later. So this clock goes forward with the machine's at
//! once, and back with it when that has been behind by the same for a while.

use std::{
    ops::Add,
    sync::{LazyLock, Mutex, PoisonError},
    time::{Duration, Instant as Monotonic},
};

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

/// How far two clocks may be apart before one of them was set, or stood still.
const TOLERANCE: SignedDuration = SignedDuration::from_secs(2);
/// How long the machine's clock has to be behind by the same before this one goes back to it.
const SETTLED: Duration = Duration::from_mins(1);

/// A time between 90 % and 110 % of `duration`, so that what starts together does not stay so.
pub(crate) fn jittered(duration: Duration) -> Duration {
    duration.mul_f64(0.9 + fastrand::f64() * 0.2)
}

/// A moment of this process. Unlike an [`Instant`] it goes on while the machine is suspended: a process
/// that slept must not believe that its lease did too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(SignedDuration);

impl Moment {
    /// Now.
    pub(crate) fn now() -> Self {
        // Signed, because each test has a clock of its own.
        static ANCHOR: LazyLock<Instant> = LazyLock::new(Instant::now);
        let (anchor, now) = (*ANCHOR, Instant::now());
        let since = match now.checked_duration_since(anchor) {
            Some(since) => signed(since),
            None => -signed(anchor.duration_since(now)),
        };
        Self(since + signed(suspended()))
    }

    /// How much later it is than `earlier`; zero if it is not.
    pub(crate) fn since(self, earlier: Self) -> Duration {
        Duration::try_from(self.0 - earlier.0).unwrap_or_default()
    }
}

impl Add<Duration> for Moment {
    type Output = Self;

    fn add(self, later: Duration) -> Self {
        Self(self.0 + signed(later))
    }
}

/// For how long the machine has been suspended since it started: the clock of what has passed since then
/// went on, and the monotonic one did not.
#[cfg(target_os = "linux")]
fn suspended() -> Duration {
    use rustix::time::{ClockId, clock_gettime};
    let read = |clock| {
        let read = clock_gettime(clock);
        let seconds = u64::try_from(read.tv_sec).unwrap_or_default();
        Duration::from_secs(seconds)
            + Duration::from_nanos(u64::try_from(read.tv_nsec).unwrap_or_default())
    };
    let monotonic = read(ClockId::Monotonic);
    // Between the two reads a little passes, which is no suspend.
    let ahead = read(ClockId::Boottime).saturating_sub(monotonic);
    Duration::from_secs(ahead.as_secs())
}

/// Elsewhere the operator runs on the machines of its developers only.
#[cfg(not(target_os = "linux"))]
const fn suspended() -> Duration {
    Duration::ZERO
}

/// Now.
pub fn now() -> Timestamp {
    static CLOCK: Mutex<Option<Clock>> = Mutex::new(None);
    let reading = Reading {
        machine: Timestamp::now(),
        monotonic: Monotonic::now(),
        tokio: Instant::now(),
    };
    let mut clock = CLOCK.lock().unwrap_or_else(PoisonError::into_inner);
    let clock = clock.get_or_insert_with(|| Clock::new(reading));
    clock.read(reading)
}

/// What three clocks say at one moment. Tokio's is the monotonic one, unless a test moves it.
#[derive(Clone, Copy)]
struct Reading {
    machine: Timestamp,
    monotonic: Monotonic,
    tokio: Instant,
}

struct Clock {
    start: Reading,
    /// By how much more than the monotonic clock this one has advanced since the start.
    set_by: SignedDuration,
    /// By how much the machine's clock has been set where that is less, and since when.
    behind: Option<(SignedDuration, Monotonic)>,
}

impl Clock {
    fn new(start: Reading) -> Self {
        Self {
            start,
            set_by: SignedDuration::ZERO,
            behind: None,
        }
    }

    fn read(&mut self, now: Reading) -> Timestamp {
        self.follow(now);
        let elapsed = signed(now.tokio.saturating_duration_since(self.start.tokio));
        let steady = self.start.machine.checked_add(elapsed + self.set_by);
        let steady = steady.unwrap_or(now.machine);
        let is_apart = now.machine.duration_since(steady).abs() > TOLERANCE;
        if is_apart { steady } else { now.machine }
    }

    /// Learns how the machine's clock was set since the start.
    fn follow(&mut self, now: Reading) {
        let elapsed = now
            .monotonic
            .saturating_duration_since(self.start.monotonic);
        let set_by = now.machine.duration_since(self.start.machine) - signed(elapsed);
        let is_close = |other: SignedDuration| (set_by - other).abs() <= TOLERANCE;
        if is_close(self.set_by) {
            self.behind = None;
        } else if set_by > self.set_by {
            (self.set_by, self.behind) = (set_by, None);
        } else {
            let known = self.behind.filter(|(before, _)| is_close(*before));
            let (_, since) = *self.behind.insert(known.unwrap_or((set_by, now.monotonic)));
            if now.monotonic.saturating_duration_since(since) >= SETTLED {
                (self.set_by, self.behind) = (set_by, None);
            }
        }
    }
}

fn signed(duration: Duration) -> SignedDuration {
    SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    /// Cases: A-23
    #[tokio::test(start_paused = true)]
    async fn time_passes_with_tokios_clock_and_does_not_jump() {
        let before = now();
        tokio::time::advance(Duration::from_hours(24)).await;
        let passed = now().duration_since(before);
        let day = SignedDuration::from_hours(24);
        assert!((passed - day).abs() <= TOLERANCE * 2, "{passed:?}");
    }

    /// A machine whose clocks are set by hand.
    struct Machine {
        clock: Clock,
        now: Reading,
    }

    impl Machine {
        fn started() -> Self {
            let now = Reading {
                machine: "2026-11-21T12:00:00Z".parse().unwrap(),
                monotonic: Monotonic::now(),
                tokio: Instant::now(),
            };
            Self {
                clock: Clock::new(now),
                now,
            }
        }

        fn passes(&mut self, seconds: u64) {
            let passed = Duration::from_secs(seconds);
            self.now.machine += passed;
            self.now.monotonic += passed;
            self.now.tokio += passed;
        }

        /// The machine's clock alone moves: it is set, or the others stood still in a suspend.
        fn is_set(&mut self, seconds: i64) {
            self.now.machine += SignedDuration::from_secs(seconds);
        }

        /// By how many seconds the clock is ahead of the machine's.
        fn ahead(&mut self) -> i64 {
            let read = self.clock.read(self.now);
            read.duration_since(self.now.machine).as_secs()
        }
    }

    /// Cases: A-23
    #[rstest]
    #[case(3)]
    #[case(3600)]
    #[case(40 * 24 * 3600)]
    fn after_a_suspend_it_is_as_late_as_the_machine_says(#[case] seconds: i64) {
        let mut machine = Machine::started();
        machine.passes(60);
        machine.is_set(seconds);
        assert_eq!(machine.ahead(), 0);
        machine.passes(60);
        machine.is_set(seconds);
        machine.passes(24 * 3600);
        assert_eq!(machine.ahead(), 0, "the second suspend");
    }

    /// Cases: A-23
    #[test]
    fn it_does_not_go_back_before_the_machine_has_been_behind_for_a_while() {
        let mut machine = Machine::started();
        machine.passes(60);
        machine.is_set(-3600);
        assert_eq!(machine.ahead(), 3600);
        machine.passes(59);
        assert_eq!(machine.ahead(), 3600, "it goes on");
        machine.is_set(-600);
        assert_eq!(machine.ahead(), 4200, "set again, so the while begins anew");
        machine.passes(59);
        assert_eq!(machine.ahead(), 4200);
        machine.passes(1);
        assert_eq!(machine.ahead(), 0);
    }

    /// Cases: A-23
    #[test]
    fn a_clock_that_jumps_back_and_forth_does_no_more_than_go_on() {
        let mut machine = Machine::started();
        let mut before = machine.clock.read(machine.now);
        for _ in 0..100 {
            machine.passes(10);
            machine.is_set(-500);
            let during = machine.clock.read(machine.now);
            machine.passes(10);
            machine.is_set(500);
            let after = machine.clock.read(machine.now);
            assert!(before <= during && during <= after);
            assert_eq!(machine.ahead(), 0);
            before = after;
        }
    }

    /// Cases: A-23
    #[test]
    fn small_steps_and_a_slow_drift_are_followed() {
        let mut machine = Machine::started();
        for step in [1, -2, 1, 2, -1] {
            machine.is_set(step);
            assert_eq!(machine.ahead(), 0);
        }
        for direction in [1, -1] {
            for _ in 0..1000 {
                machine.passes(3600);
                machine.is_set(direction);
                assert!(machine.ahead().abs() <= 4);
            }
        }
    }
}
