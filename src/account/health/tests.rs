//! The four rules, with a clock of our own.

use http::{HeaderMap, StatusCode};
use rstest::rstest;

use super::*;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);

fn answer(status: u16, retry_after: Option<u64>) -> ProviderError {
    let mut headers = HeaderMap::new();
    if let Some(seconds) = retry_after {
        headers.insert("retry-after", seconds.into());
    }
    ProviderError::from_status(StatusCode::from_u16(status).unwrap(), &headers)
}

/// An account and what time it is. Time passes by hand.
struct Story {
    health: Health,
    now: Instant,
}

impl Story {
    fn new() -> Self {
        Self {
            health: Health::default(),
            now: Instant::now(),
        }
    }

    /// One that has just been written to.
    fn proved() -> Self {
        let mut story = Self::new();
        story.write(None);
        assert_eq!(story.room(), Room::All);
        story
    }

    fn wait(&mut self, time: Duration) {
        self.now += time;
    }

    fn room(&self) -> Room {
        self.health.room(self.now)
    }

    /// How long the account is closed.
    fn closed(&self) -> Duration {
        match self.room() {
            Room::None(closure) => {
                assert_eq!(
                    closure.error.retry_after,
                    Some(closure.until - self.now),
                    "{closure:?}"
                );
                closure.until - self.now
            }
            Room::All | Room::One => Duration::ZERO,
        }
    }

    /// A call that takes a tenth of a second.
    fn call(&mut self, is_write: bool, failure: Option<&ProviderError>) -> Change {
        let sent = self.now;
        self.wait(SECOND / 10);
        self.health.answered(self.now, sent, is_write, failure)
    }

    fn write(&mut self, failure: Option<&ProviderError>) -> Change {
        self.call(true, failure)
    }

    fn read(&mut self, failure: Option<&ProviderError>) -> Change {
        self.call(false, failure)
    }
}

fn assert_between(time: Duration, least: Duration, most: Duration) {
    assert!((least..=most).contains(&time), "{time:?}");
}

#[test]
fn one_object_at_a_time_until_a_write_succeeds_and_again_after_a_minute() {
    let mut story = Story::new();
    assert_eq!(story.room(), Room::One);
    story.read(None);
    assert_eq!(story.room(), Room::One, "a key that reads may not write");
    story.write(None);
    assert_eq!(story.room(), Room::All);
    story.wait(MINUTE);
    assert_eq!(story.room(), Room::One);
    story.read(None);
    assert_eq!(story.room(), Room::All);
}

/// Cases: P-09
#[test]
fn a_429_pauses_until_retry_after_and_a_fifth_longer_at_most() {
    for status in [429, 503] {
        let mut story = Story::proved();
        let change = story.write(Some(&answer(status, Some(7))));
        assert_between(story.closed(), 7 * SECOND, 7 * SECOND * 6 / 5);
        assert_eq!(change.paused, story.closed());
        assert!(story.health.refusal(story.now).is_some());
        let Room::None(closure) = story.room() else {
            panic!("closed")
        };
        assert_eq!(closure.error.class, Class::Throttled);
        story.wait(story.closed());
        assert_eq!(story.room(), Room::One, "no herd");
        assert_eq!(story.health.refusal(story.now), None);
        story.write(None);
        assert_eq!(story.room(), Room::All);
    }
}

/// Cases: P-10
#[test]
fn a_429_without_a_time_pauses_for_a_second_doubling_to_five_minutes() {
    let mut longest = Duration::ZERO;
    for _ in 0..50 {
        let mut story = Story::proved();
        for step in 0..12 {
            story.write(Some(&answer(429, None)));
            let most = doubled(PAUSE, step);
            assert_between(story.closed(), SECOND / 10, most * 6 / 5);
            longest = longest.max(story.closed());
            story.wait(story.closed());
        }
        story.write(None);
        story.write(Some(&answer(429, None)));
        assert_between(story.closed(), SECOND / 10, SECOND * 6 / 5);
    }
    assert_between(longest, 2 * MINUTE, 6 * MINUTE);
}

#[test]
fn answers_that_come_together_are_one_reason_to_pause() {
    let mut story = Story::proved();
    let sent = story.now;
    story.wait(SECOND);
    for asked in [None, None, Some(5), Some(3), None] {
        let error = answer(429, asked);
        story.health.answered(story.now, sent, true, Some(&error));
    }
    assert_between(story.closed(), 5 * SECOND, 6 * SECOND);
    assert_eq!(story.health.pauses, 1);
    let change = story
        .health
        .answered(story.now, sent, true, Some(&answer(429, Some(8))));
    assert_between(change.paused, 2 * SECOND, 5 * SECOND);
    let closed = story.closed();
    story.health.answered(story.now, sent, true, None);
    assert_eq!(story.closed(), closed, "that call was under way before");
}

/// Cases: C-24
#[rstest]
#[case(401)]
#[case(403)]
fn a_refused_key_is_probed_after_a_minute_doubling_to_an_hour(#[case] status: u16) {
    let mut story = Story::proved();
    let mut wait = MINUTE;
    for _ in 0..12 {
        story.read(Some(&answer(status, None)));
        assert_between(story.closed(), wait * 9 / 10, wait * 11 / 10);
        story.wait(story.closed());
        assert_eq!(story.room(), Room::One);
        assert!(story.health.held_back(story.now).is_some());
        wait = (wait * 2).min(HOUR);
    }
    story.read(None);
    assert_eq!(story.room(), Room::All);
    assert_eq!(story.health.held_back(story.now), None);
}

#[test]
fn keys_refused_together_open_the_breaker_once() {
    let mut story = Story::proved();
    let sent = story.now;
    story.wait(SECOND);
    for _ in 0..8 {
        story
            .health
            .answered(story.now, sent, true, Some(&answer(401, None)));
    }
    assert_between(story.closed(), MINUTE * 9 / 10, MINUTE * 11 / 10);
    story.health.answered(story.now, sent, true, None);
    assert!(story.closed() > Duration::ZERO, "it was sent before");
}

#[test]
fn only_a_write_makes_good_for_a_refused_write() {
    let mut story = Story::proved();
    story.write(Some(&answer(403, None)));
    story.wait(story.closed());
    story.read(None);
    assert_eq!(story.room(), Room::One);
    assert!(story.health.held_back(story.now).is_some());
    story.write(Some(&answer(422, None)));
    assert_eq!(story.room(), Room::One, "it says nothing of the key");
    story.write(None);
    assert_eq!(story.room(), Room::All);
}

#[test]
fn a_probe_that_tells_nothing_of_the_key_is_not_repeated_at_once() {
    let mut story = Story::proved();
    story.write(Some(&answer(401, None)));
    story.wait(story.closed());
    story.write(Some(&answer(500, None)));
    assert_eq!(story.closed(), MINUTE);
}

/// Cases: P-42
#[test]
fn an_outage_lets_one_object_try_each_minute_until_it_is_over() {
    let mut story = Story::proved();
    let since = story.now;
    while story.now < since + HOUR {
        assert_eq!(story.closed(), Duration::ZERO, "not for an hour");
        story.write(Some(&answer(503, None)));
        story.wait(MINUTE);
    }
    story.wait(MINUTE);
    for _ in 0..30 {
        assert_eq!(story.room(), Room::One);
        story.health.admitted(story.now);
        assert_eq!(story.closed(), MINUTE);
        let Room::None(closure) = story.room() else {
            panic!("closed")
        };
        assert_eq!(closure.error.class, Class::Transient);
        assert_eq!(
            story.health.refusal(story.now),
            None,
            "its pass may go on to call"
        );
        let change = story.write(Some(&ProviderError::timeout(true)));
        assert!(!change.recovered);
        story.wait(story.closed());
    }
    story.health.admitted(story.now);
    let change = story.write(None);
    assert!(change.recovered);
    assert_eq!(story.room(), Room::All);
}

#[test]
fn a_place_that_was_not_needed_does_not_cost_the_minute() {
    let mut story = Story::new();
    story.write(Some(&answer(500, None)));
    story.wait(HOUR);
    story.health.admitted(story.now);
    assert_eq!(story.closed(), MINUTE);
    story.health.not_needed(story.now);
    assert_eq!(story.room(), Room::One);
}

/// Cases: P-13
#[test]
fn a_failure_among_successes_is_no_outage() {
    let mut story = Story::proved();
    for _ in 0..500 {
        story.write(Some(&answer(500, None)));
        story.wait(MINUTE / 2);
        story.write(None);
        assert_eq!(story.room(), Room::All);
    }
}

#[test]
fn what_was_never_sent_or_not_understood_changes_nothing() {
    for error in [
        ProviderError::config(Reason::InvalidKeyName),
        ProviderError::protocol(),
    ] {
        let mut story = Story::new();
        story.write(Some(&error));
        assert_eq!(story.room(), Room::One);
        assert_eq!(story.health.held_back(story.now + 2 * HOUR), None);
    }
}
