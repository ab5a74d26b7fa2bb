//! The four rules, with a clock of their own.

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

/// The health of an account, and the time, which the test lets pass.
struct TestAccount {
    health: Health,
    now: Instant,
}

impl TestAccount {
    fn new() -> Self {
        Self {
            health: Health::default(),
            now: Instant::now(),
        }
    }

    /// An account to which a write has just succeeded.
    fn proved() -> Self {
        let mut account = Self::new();
        account.write(None);
        assert_eq!(account.capacity(), Capacity::All);
        account
    }

    /// The provider answers 403 to the write of a name.
    fn refuse(&mut self, name: &str) {
        let refused = answer(403, None);
        self.write(Some(&refused));
        self.health.write_refused(self.now, name, &refused);
    }

    fn wait(&mut self, time: Duration) {
        self.now += time;
    }

    fn capacity(&self) -> Capacity {
        self.health.capacity(self.now)
    }

    /// For how long the circuit is open.
    fn open_for(&self) -> Duration {
        match self.capacity() {
            Capacity::None(circuit) => {
                assert_eq!(
                    circuit.error.retry_after,
                    Some(circuit.until - self.now),
                    "{circuit:?}"
                );
                circuit.until - self.now
            }
            Capacity::All | Capacity::One => Duration::ZERO,
        }
    }

    /// A call that takes a tenth of a second.
    fn call(&mut self, kind: CallKind, failure: Option<&ProviderError>) -> HealthChange {
        let sent = self.now;
        self.wait(SECOND / 10);
        self.health.answered(self.now, sent, kind, failure)
    }

    fn write(&mut self, failure: Option<&ProviderError>) -> HealthChange {
        self.call(CallKind::Write, failure)
    }

    fn read(&mut self, failure: Option<&ProviderError>) -> HealthChange {
        self.call(CallKind::Read, failure)
    }
}

fn assert_between(time: Duration, least: Duration, most: Duration) {
    assert!((least..=most).contains(&time), "{time:?}");
}

#[test]
fn one_object_at_a_time_until_a_write_succeeds_and_again_after_a_minute() {
    let mut account = TestAccount::new();
    assert_eq!(account.capacity(), Capacity::One);
    account.read(None);
    assert_eq!(
        account.capacity(),
        Capacity::One,
        "a key that reads may not write"
    );
    account.write(None);
    assert_eq!(account.capacity(), Capacity::All);
    account.wait(MINUTE);
    assert_eq!(account.capacity(), Capacity::One);
    account.read(None);
    assert_eq!(account.capacity(), Capacity::All);
}

/// Cases: P-09
#[test]
fn a_429_pauses_until_retry_after_and_a_fifth_longer_at_most() {
    for status in [429, 503] {
        let mut account = TestAccount::proved();
        let change = account.write(Some(&answer(status, Some(7))));
        assert_between(account.open_for(), 7 * SECOND, 7 * SECOND * 6 / 5);
        assert_eq!(change.paused, account.open_for());
        assert!(account.health.refusal(account.now).is_some());
        let Capacity::None(circuit) = account.capacity() else {
            panic!("open")
        };
        assert_eq!(circuit.error.class, ErrorClass::Throttled);
        account.wait(account.open_for());
        assert_eq!(account.capacity(), Capacity::One, "no herd");
        assert_eq!(account.health.refusal(account.now), None);
        account.write(None);
        assert_eq!(account.capacity(), Capacity::All);
    }
}

/// Cases: P-10
#[test]
fn a_429_without_a_time_pauses_for_a_second_doubling_to_five_minutes() {
    let mut longest = Duration::ZERO;
    for _ in 0..50 {
        let mut account = TestAccount::proved();
        for step in 0..12 {
            account.write(Some(&answer(429, None)));
            let most = doubled(PAUSE, step);
            assert_between(account.open_for(), SECOND / 10, most * 6 / 5);
            longest = longest.max(account.open_for());
            account.wait(account.open_for());
        }
        account.write(None);
        account.write(Some(&answer(429, None)));
        assert_between(account.open_for(), SECOND / 10, SECOND * 6 / 5);
    }
    assert_between(longest, 2 * MINUTE, 6 * MINUTE);
}

#[test]
fn answers_that_come_together_are_one_reason_to_pause() {
    let mut account = TestAccount::proved();
    let sent = account.now;
    account.wait(SECOND);
    for asked in [None, None, Some(5), Some(3), None] {
        let error = answer(429, asked);
        account
            .health
            .answered(account.now, sent, CallKind::Write, Some(&error));
    }
    assert_between(account.open_for(), 5 * SECOND, 6 * SECOND);
    assert_eq!(account.health.pauses, 1);
    let change = account.health.answered(
        account.now,
        sent,
        CallKind::Write,
        Some(&answer(429, Some(8))),
    );
    assert_between(change.paused, 2 * SECOND, 5 * SECOND);
    let open_for = account.open_for();
    account
        .health
        .answered(account.now, sent, CallKind::Write, None);
    assert_eq!(
        account.open_for(),
        open_for,
        "that call was under way before"
    );
}

/// Cases: C-24
#[rstest]
#[case(401)]
#[case(403)]
fn a_refused_key_is_probed_after_a_minute_doubling_to_an_hour(#[case] status: u16) {
    let mut account = TestAccount::proved();
    let mut wait = MINUTE;
    for _ in 0..12 {
        account.read(Some(&answer(status, None)));
        assert_between(account.open_for(), wait * 9 / 10, wait * 11 / 10);
        account.wait(account.open_for());
        assert_eq!(account.capacity(), Capacity::One);
        assert!(account.health.held_back(account.now).is_some());
        wait = (wait * 2).min(HOUR);
    }
    account.read(None);
    assert_eq!(account.capacity(), Capacity::All);
    assert_eq!(account.health.held_back(account.now), None);
}

#[test]
fn keys_refused_together_open_the_breaker_once() {
    let mut account = TestAccount::proved();
    let sent = account.now;
    account.wait(SECOND);
    for _ in 0..8 {
        account
            .health
            .answered(account.now, sent, CallKind::Write, Some(&answer(401, None)));
    }
    assert_between(account.open_for(), MINUTE * 9 / 10, MINUTE * 11 / 10);
    account
        .health
        .answered(account.now, sent, CallKind::Write, None);
    assert!(account.open_for() > Duration::ZERO, "it was sent before");
}

/// Cases: R-02
#[rstest]
fn a_refused_read_of_one_name_is_that_names(#[values(401, 403)] status: u16) {
    let mut account = TestAccount::proved();
    let refused = answer(status, None);
    for _ in 0..5 {
        account.call(CallKind::Question, Some(&refused));
        assert_eq!(account.capacity(), Capacity::All);
    }
    // The account's own calls tell whether the key is refused.
    account.read(Some(&refused));
    assert!(account.open_for() > Duration::ZERO);
    // As a probe it shows that the key is still refused.
    account.wait(account.open_for());
    account.call(CallKind::Question, Some(&refused));
    assert!(account.open_for() > MINUTE);
}

/// It does not show that the key is accepted.
#[test]
fn a_read_of_one_name_that_is_refused_with_401_proves_nothing() {
    let mut account = TestAccount::proved();
    account.wait(2 * MINUTE);
    account.call(CallKind::Question, Some(&answer(401, None)));
    assert_eq!(account.capacity(), Capacity::One);
    account.call(CallKind::Question, Some(&answer(403, None)));
    assert_eq!(account.capacity(), Capacity::All);
}

/// A key that is not accepted for what entries need, such as the keys of their set, is accepted for nothing.
#[test]
fn a_read_of_an_entry_that_is_refused_with_401_opens_the_circuit() {
    let mut account = TestAccount::proved();
    account.call(CallKind::ReadOfEntry, Some(&answer(403, None)));
    assert_eq!(account.capacity(), Capacity::All);
    account.call(CallKind::ReadOfEntry, Some(&answer(401, None)));
    assert!(account.open_for() > Duration::ZERO);
}

#[test]
fn only_a_write_makes_good_for_a_refused_write() {
    let mut account = TestAccount::proved();
    account.refuse("A");
    assert_eq!(account.capacity(), Capacity::All, "it is the name's");
    account.refuse("A");
    assert_eq!(account.capacity(), Capacity::All, "and stays so");
    account.write(None);
    account.refuse("B");
    assert_eq!(account.capacity(), Capacity::All, "a write succeeded since");
    account.refuse("A");
    account.wait(account.open_for());
    account.read(None);
    assert_eq!(account.capacity(), Capacity::One);
    assert!(account.health.held_back(account.now).is_some());
    account.write(Some(&answer(422, None)));
    assert_eq!(
        account.capacity(),
        Capacity::One,
        "it says nothing of the key"
    );
    account.write(None);
    assert_eq!(account.capacity(), Capacity::All);
}

#[test]
fn a_probe_that_tells_nothing_of_the_key_is_not_repeated_at_once() {
    let mut account = TestAccount::proved();
    account.write(Some(&answer(401, None)));
    account.wait(account.open_for());
    account.write(Some(&answer(500, None)));
    assert_eq!(account.open_for(), MINUTE);
}

/// Cases: P-42
#[test]
fn an_outage_lets_one_object_try_each_minute_until_it_is_over() {
    let mut account = TestAccount::proved();
    let since = account.now;
    while account.now < since + HOUR {
        assert_eq!(account.open_for(), Duration::ZERO, "not for an hour");
        account.write(Some(&answer(503, None)));
        account.wait(MINUTE);
    }
    account.wait(MINUTE);
    for _ in 0..30 {
        assert_eq!(account.capacity(), Capacity::One);
        account.health.granted(account.now);
        assert_eq!(account.open_for(), MINUTE);
        let Capacity::None(circuit) = account.capacity() else {
            panic!("open")
        };
        assert_eq!(circuit.error.class, ErrorClass::Transient);
        assert_eq!(
            account.health.refusal(account.now),
            None,
            "its reconcile may go on to call"
        );
        let change = account.write(Some(&ProviderError::timeout(true)));
        assert!(!change.recovered);
        account.wait(account.open_for());
    }
    account.health.granted(account.now);
    let change = account.write(None);
    assert!(change.recovered);
    assert_eq!(account.capacity(), Capacity::All);
}

#[test]
fn a_permit_that_was_not_needed_does_not_cost_the_minute() {
    let mut account = TestAccount::new();
    account.write(Some(&answer(500, None)));
    account.wait(HOUR);
    account.health.granted(account.now);
    assert_eq!(account.open_for(), MINUTE);
    account.health.revoked(account.now);
    assert_eq!(account.capacity(), Capacity::One);
}

/// Cases: P-13
#[test]
fn a_failure_among_successes_is_no_outage() {
    let mut account = TestAccount::proved();
    for _ in 0..500 {
        account.write(Some(&answer(500, None)));
        account.wait(MINUTE / 2);
        account.write(None);
        assert_eq!(account.capacity(), Capacity::All);
    }
}

#[test]
fn what_was_never_sent_or_not_understood_changes_nothing() {
    for error in [
        ProviderError::config(Reason::InvalidKeyName),
        ProviderError::protocol(),
    ] {
        let mut account = TestAccount::new();
        account.write(Some(&error));
        assert_eq!(account.capacity(), Capacity::One);
        assert_eq!(account.health.held_back(account.now + 2 * HOUR), None);
    }
}
