//! What a process does whose write the API server refuses, and what a leader does that reads no Lease.

use super::*;

/// As where the namespace is missing, or a webhook refuses every write: without the wait it would ask as often as the
/// API server answers.
#[rstest]
#[case::over_a_lease(Some(released(3, "7")))]
#[case::without_a_lease(None)]
fn a_write_that_was_refused_is_not_repeated_at_once_over_the_same_version(
    #[case] lease: Option<Record>,
) {
    let mut process = Process::new();
    process.read(seconds(0), lease.clone());
    let is_refused = |process: &mut Process, time| {
        assert!(matches!(process.next(time), Step::Write(_)));
        process.wrote(Written::Refused, time, time);
        assert_eq!(process.next(time), Step::Read);
    };
    for time in [0, 2, 4].map(seconds) {
        is_refused(&mut process, time);
        process.read(time, lease.clone());
        assert_eq!(process.next(time), Step::Wait(seconds(2)));
    }
    // Another writer was first: over its version nothing was refused.
    is_refused(&mut process, seconds(6));
    process.read(seconds(6), Some(released(3, "8")));
    process.writes(seconds(6), "9");
}

/// Another process may have written the Lease.
/// Cases: L-08
#[test]
fn a_leader_whose_renewal_is_refused_begins_no_write_before_it_has_read_why() {
    let mut process = Process::new();
    process.read(seconds(0), Some(released(3, "7")));
    process.writes(seconds(0), "8");
    assert!(matches!(process.next(seconds(2)), Step::Write(_)));
    process.wrote(Written::Refused, seconds(2), seconds(3));
    assert_eq!(process.until(), Some(seconds(3)));
    assert_eq!(process.next(seconds(3)), Step::Read);
    // A user has put a label on it.
    process.read(seconds(3), Some(record("me", 4, "9")));
    assert_eq!(process.until(), Some(seconds(10)));
    process.writes(seconds(3), "10");
    assert_eq!(process.until(), Some(seconds(13)));
}

/// Another process may make the Lease.
/// Cases: L-08
#[test]
fn a_leader_that_reads_no_lease_begins_no_write_before_it_has_made_one() {
    let mut process = Process::new();
    process.read(seconds(0), Some(released(3, "7")));
    process.writes(seconds(0), "8");
    assert!(matches!(process.next(seconds(2)), Step::Write(_)));
    process.wrote(Written::Unknown, seconds(2), seconds(3));
    assert_eq!(process.until(), Some(seconds(10)));
    assert_eq!(process.next(seconds(5)), Step::Read);
    process.read(seconds(5), None);
    assert_eq!(process.until(), Some(seconds(5)));
    process.writes(seconds(5), "9");
    assert_eq!(process.until(), Some(seconds(15)));
}
