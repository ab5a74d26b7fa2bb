//! What takes hours, under a clock that jumps.

use std::time::Duration;

use simulator::{Access, Fault};
use tokio::time::{Instant, sleep};

use super::{OF_EACH, process::Process};

const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);
/// The API key of the objects.
const KEY: &str = "key";

/// Cases: C-24
#[tokio::test(start_paused = true)]
async fn a_bad_key_of_500_objects_is_tried_twice_a_minute_at_most_until_it_is_good() {
    let mut process = Process::start(500);
    process.account.revoke_key(KEY).expect("revoked");
    let began = Instant::now();
    assert_eq!(process.wait_synced(6 * HOUR).await, None);
    let (all, in_a_minute) = process.calls(began);
    assert!((8..=13).contains(&all), "{all} calls in six hours");
    assert!(in_a_minute <= 2, "{in_a_minute} calls in a minute");
    process
        .account
        .set_access(KEY, Access::Full)
        .expect("allowed");
    let took = process.wait_synced(2 * HOUR).await;
    assert!(took.is_some_and(|took| took < HOUR * 6 / 5), "{took:?}");
    assert!(process.most_in_flight() <= OF_EACH);
}

/// Cases: C-24
#[tokio::test(start_paused = true)]
async fn a_key_that_turns_bad_is_tried_by_calls_in_flight_and_then_as_seldom() {
    for (pause, most) in [(Duration::ZERO, OF_EACH), (2 * MINUTE, 1)] {
        let mut process = Process::start(500);
        assert!(process.wait_synced(HOUR).await.is_some());
        sleep(pause).await;
        let began = Instant::now();
        process.account.revoke_key(KEY).expect("revoked");
        process.rotate();
        assert_eq!(process.wait_synced(MINUTE * 5 / 6).await, None);
        let (calls, _) = process.calls(began);
        assert!(calls <= most, "{calls} calls in the first minute");
        let since = Instant::now();
        assert_eq!(process.wait_synced(HOUR).await, None);
        let (_, in_a_minute) = process.calls(since);
        assert!(in_a_minute <= 2, "{in_a_minute} calls in a minute");
    }
}

/// Cases: P-42
#[tokio::test(start_paused = true)]
async fn an_outage_of_six_hours_ends_without_a_herd() {
    let mut process = Process::start(2000);
    process.account.add_fault(Fault::status(503).forever());
    assert_eq!(process.wait_synced(2 * HOUR).await, None);
    let since = Instant::now();
    assert_eq!(process.wait_synced(4 * HOUR).await, None);
    let (all, in_a_minute) = process.calls(since);
    assert!(all <= 4 * 61, "{all} calls in four hours");
    assert!(in_a_minute <= 2, "{in_a_minute} calls in a minute");
    process.account.clear_faults();
    let took = process.wait_synced(HOUR).await;
    assert!(took.is_some_and(|took| took < 2 * MINUTE), "{took:?}");
    assert!(process.most_in_flight() <= OF_EACH);
}

/// Cases: P-14
#[tokio::test(start_paused = true)]
async fn three_broken_objects_make_at_most_24_calls_each_a_day_after_the_first_hour() {
    let mut process = Process::start(3);
    process.account.add_fault(Fault::status(500).forever());
    assert_eq!(process.wait_synced(HOUR).await, None);
    let since = Instant::now();
    assert_eq!(process.wait_synced(23 * HOUR).await, None);
    let (all, _) = process.calls(since);
    assert!((3 * 15..=3 * 24).contains(&all), "{all} calls");
}

/// Cases: P-09
#[tokio::test(start_paused = true)]
async fn a_pause_ends_in_one_call_and_then_in_as_many_as_are_allowed() {
    let mut process = Process::start(100);
    assert!(process.wait_synced(HOUR).await.is_some());
    let fault = Fault::status(429).header("retry-after", "7");
    process.account.add_fault(fault);
    let began = Instant::now();
    process.rotate();
    let took = process.wait_synced(HOUR).await;
    assert!(
        took.is_some_and(|took| took < Duration::from_secs(10)),
        "{took:?}"
    );
    let requests = process.account.requests();
    let requests = requests.iter().filter(|request| request.started >= began);
    let (first, later): (Vec<_>, Vec<_>) =
        requests.partition(|request| request.started < began + Duration::from_secs(7));
    assert_eq!(first.len(), OF_EACH);
    assert_eq!(first.len() + later.len(), 101);
    assert!(
        later[1].started >= later[0].ended.expect("an end"),
        "a herd"
    );
}
