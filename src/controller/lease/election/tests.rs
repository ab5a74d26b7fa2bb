//! Who leads.

mod numbers; // of terms
mod orders; // of everything that can happen
mod refusals; // of writes, and a Lease that is missing

use rstest::rstest;

use super::*;

const TIMING: Timing = Timing {
    lease_duration: Duration::from_secs(15),
    renew_deadline: Duration::from_secs(10),
    retry_period: Duration::from_secs(2),
};

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn record(holder: &str, transitions: i32, version: &str) -> Record {
    Record {
        holder: holder.to_owned(),
        duration: seconds(15),
        acquired: None,
        renewed: None,
        transitions,
        version: version.to_owned(),
    }
}

/// A Lease that its holder gave up.
fn released(transitions: i32, version: &str) -> Record {
    Record {
        duration: RELEASE,
        ..record("", transitions, version)
    }
}

/// One process and its clock.
struct Process {
    election: Election,
    start: Moment,
}

impl Process {
    fn new() -> Self {
        Self {
            election: Election::new("me".to_owned(), TIMING),
            start: Moment::now(),
        }
    }

    fn at(&self, time: Duration) -> Moment {
        self.start + time
    }

    fn next(&mut self, time: Duration) -> Step {
        // The time of day means nothing to it.
        let now = self.at(time);
        self.election.next(now, Timestamp::UNIX_EPOCH)
    }

    fn read(&mut self, time: Duration, record: Option<Record>) {
        let now = self.at(time);
        self.election.read(record, now);
    }

    fn shown(&mut self, time: Duration, record: Option<Record>) {
        let now = self.at(time);
        self.election.shown(record, now);
    }

    fn wrote(&mut self, written: Written, sent: Duration, answered: Duration) {
        let times = (self.at(sent), self.at(answered));
        self.election.wrote(written, times);
    }

    /// What it wants to write, which the API server accepts as another version.
    fn writes(&mut self, time: Duration, version: &str) -> Record {
        let Step::Write(record) = self.next(time) else {
            panic!("it writes nothing")
        };
        let accepted = Record {
            version: version.to_owned(),
            ..record.clone()
        };
        self.wrote(Written::Accepted(accepted), time, time);
        record
    }

    fn until(&self) -> Option<Duration> {
        let until = self.election.term()?.until?;
        Some(until.since(self.start))
    }

    fn epoch(&self) -> Option<i64> {
        self.election.term()?.epoch
    }

    fn is_inherited(&self) -> bool {
        self.election.term().expect("it leads").is_inherited
    }
}

#[test]
fn the_first_creates_the_lease_and_renews_it() {
    let mut process = Process::new();
    assert_eq!(process.next(seconds(0)), Step::Read);
    process.read(seconds(0), None);
    let created = process.writes(seconds(0), "1");
    assert_eq!((created.version.as_str(), created.transitions), ("", 0));
    assert_eq!(process.until(), Some(seconds(10)));
    assert_eq!(process.next(seconds(0)), Step::Wait(seconds(2)));
    let renewed = process.writes(seconds(2), "2");
    assert_eq!((renewed.version.as_str(), renewed.transitions), ("1", 0));
    assert_eq!(process.until(), Some(seconds(12)));
    // A user may have deleted the Lease of a process that died.
    assert!(process.is_inherited());
}

/// Only the process that ended says that nothing of it is on its way.
/// Cases: L-06
#[rstest]
#[case::released(released(3, "7"), 0, false)]
#[case::released_early(Record { duration: EARLY_RELEASE, ..released(3, "7") }, 0, true)]
#[case::expired(record("other", 3, "7"), 15, true)]
#[case::emptied_by_a_user(record("", 3, "7"), 15, true)]
#[case::shortened_by_a_user(Record { duration: RELEASE, ..record("other", 3, "7") }, 15, true)]
#[case::given_to_it_by_a_user(record("me", 3, "7"), 15, true)]
#[case::of_longer_leases(Record { duration: seconds(40), ..record("other", 3, "7") }, 40, true)]
fn a_lease_is_taken_over_when_it_is_free(
    #[case] lease: Record,
    #[case] wait: u64,
    #[case] is_inherited: bool,
) {
    let mut process = Process::new();
    process.read(seconds(0), Some(lease.clone()));
    if wait > 0 {
        assert_eq!(process.next(seconds(0)), Step::Wait(seconds(wait)));
        // A label is no sign of life.
        let version = "8".to_owned();
        process.shown(seconds(9), Some(Record { version, ..lease }));
        assert_eq!(process.next(seconds(9)), Step::Wait(seconds(wait - 9)));
    }
    let taken = process.writes(seconds(wait), "9");
    assert_eq!(taken.transitions, 4);
    assert_eq!(process.epoch(), Some(4));
    assert_eq!(process.is_inherited(), is_inherited);
}

/// A user makes another process lead, or none, under one that does.
/// Cases: L-08
#[rstest]
#[case::another(Some("other"))]
#[case::none(Some(""))]
#[case::deleted(None)]
fn a_leader_begins_no_write_while_the_watch_shows_that_it_may_not_lead(
    #[case] holder: Option<&str>,
) {
    let edited = |holder: &str| record(holder, 4, "9");
    for is_late in [false, true] {
        let mut process = Process::new();
        process.read(seconds(0), Some(released(3, "7")));
        process.writes(seconds(0), "8");
        process.shown(seconds(1), holder.map(edited));
        assert_eq!(process.next(seconds(1)), Step::Read);
        assert_eq!(process.until(), Some(seconds(1)));
        if is_late {
            // What the watch showed is over.
            process.read(seconds(2), Some(edited("me")));
            assert_eq!(process.until(), Some(seconds(10)));
            continue;
        }
        process.read(seconds(2), holder.map(edited));
        if holder.is_some() {
            assert_eq!(process.next(seconds(2)), Step::End);
        } else {
            assert_eq!(process.until(), Some(seconds(1)));
            process.writes(seconds(2), "10");
            assert_eq!(process.until(), Some(seconds(12)));
        }
    }
}

/// What the process before left may be on its way, also where this one ends well.
/// Cases: L-05, L-06
#[rstest]
#[case::after_another(record("other", 3, "7"), 29, EARLY_RELEASE)]
#[case::later(record("other", 3, "7"), 30, RELEASE)]
#[case::after_a_release(released(3, "7"), 0, RELEASE)]
fn a_lease_is_released_as_it_was_taken(
    #[case] lease: Record,
    #[case] after: u64,
    #[case] duration: Duration,
) {
    let mut process = Process::new();
    process.read(seconds(0), Some(lease));
    process.writes(seconds(15), "8");
    let now = process.at(seconds(15 + after));
    let release = |process: &Process| process.election.released(now, Timestamp::UNIX_EPOCH);
    let released = release(&process);
    assert_eq!(released.map(|released| released.duration), Some(duration));
    // Another process took it, and a user gave it back.
    process.read(seconds(15 + after), Some(record("me", 5, "9")));
    assert_eq!(release(&process), None);
}

/// As when it is told to stop before the answer has come. No process waits for the end of a lease under which nothing was done.
/// Cases: L-05
#[rstest]
#[case::after_another(record("other", 3, "7"), EARLY_RELEASE)]
#[case::after_a_release(released(3, "7"), RELEASE)]
fn a_lease_whose_answer_was_lost_is_released(#[case] lease: Record, #[case] duration: Duration) {
    let mut process = Process::new();
    process.read(seconds(0), Some(lease));
    let Step::Write(wanted) = process.next(seconds(15)) else {
        panic!("it writes nothing")
    };
    let release = |process: &Process| {
        let now = process.at(seconds(16));
        process.election.released(now, Timestamp::UNIX_EPOCH)
    };
    assert_eq!(release(&process), None);
    let stored = Record {
        version: "8".to_owned(),
        ..wanted
    };
    process.read(seconds(16), Some(stored));
    let released = release(&process);
    assert_eq!(released.map(|released| released.duration), Some(duration));
}

/// A label, and what the watch shows late.
#[test]
fn a_leader_goes_on_where_the_watch_shows_its_own_lease() {
    let mut process = Process::new();
    process.read(seconds(0), Some(released(3, "7")));
    process.writes(seconds(0), "8");
    for shown in [record("me", 4, "9"), record("other", 3, "6")] {
        process.shown(seconds(1), Some(shown));
        assert_eq!(process.until(), Some(seconds(10)));
    }
}

#[test]
fn a_lease_that_is_renewed_is_waited_for() {
    let mut process = Process::new();
    for number in 0..100_u32 {
        let time = seconds(u64::from(number) * 14);
        let renewed = Record {
            renewed: Some(Timestamp::from_second(number.into()).unwrap()),
            ..record("other", 3, &(7 + number).to_string())
        };
        match number {
            0 => process.read(time, Some(renewed)),
            _ => process.shown(time, Some(renewed)),
        }
        assert_eq!(process.next(time), Step::Wait(seconds(15)));
    }
}

#[test]
fn a_leader_that_cannot_renew_ends_before_the_lease_does() {
    let mut process = Process::new();
    process.read(seconds(0), None);
    process.writes(seconds(0), "1");
    for time in [2, 4, 6, 8] {
        // The answer is lost; then it cannot read either.
        let now = process.at(seconds(time));
        match process.next(seconds(time)) {
            Step::Write(_) => process.wrote(Written::Unknown, seconds(time), seconds(time)),
            Step::Read => process.election.unread(now),
            step => panic!("{step:?}"),
        }
        assert_eq!(process.next(seconds(time)), Step::Wait(seconds(2)));
    }
    assert_eq!(process.next(seconds(10)), Step::End);
    assert_eq!(process.until(), None);
    // Whatever it hears then.
    process.read(seconds(11), Some(record("me", 0, "9")));
    assert_eq!(process.next(seconds(11)), Step::End);
}

#[test]
fn a_process_that_was_stopped_does_not_believe_its_lease() {
    let mut process = Process::new();
    process.read(seconds(0), None);
    process.writes(seconds(0), "1");
    assert_eq!(process.next(seconds(60)), Step::End);
}

#[test]
fn a_process_that_wakes_inside_its_lease_goes_on_if_it_is_still_its_own() {
    for (holder, ends) in [("me", false), ("other", true), ("", true)] {
        let mut process = Process::new();
        process.read(seconds(0), None);
        process.writes(seconds(0), "1");
        assert!(matches!(process.next(seconds(9)), Step::Write(_)));
        process.wrote(Written::Refused, seconds(9), seconds(9));
        assert_eq!(process.next(seconds(9)), Step::Read);
        process.read(seconds(9), Some(record(holder, 0, "5")));
        let step = process.next(seconds(9));
        assert_eq!(step == Step::End, ends, "{holder} {step:?}");
    }
}

#[test]
fn the_own_write_whose_answer_was_lost_is_known_again() {
    let mut process = Process::new();
    process.read(seconds(0), Some(record("other", 3, "7")));
    let Step::Write(asked) = process.next(seconds(15)) else {
        panic!("it takes the lease")
    };
    process.wrote(Written::Unknown, seconds(15), seconds(20));
    assert_eq!(process.until(), None);
    assert_eq!(process.next(seconds(22)), Step::Read);
    let version = "8".to_owned();
    process.read(seconds(22), Some(Record { version, ..asked }));
    assert_eq!(process.until(), None, "nobody knows when it was written");
    assert_eq!(process.writes(seconds(22), "9").transitions, 4);
    assert!(process.is_inherited());
}

/// The first write comes in after the Lease was read again, so that the second names an old version.
#[test]
fn an_own_write_that_comes_in_late_is_known_again() {
    let mut process = Process::new();
    process.read(seconds(0), Some(record("other", 3, "7")));
    let Step::Write(first) = process.next(seconds(15)) else {
        panic!("it takes the lease")
    };
    process.wrote(Written::Unknown, seconds(15), seconds(20));
    process.read(seconds(22), Some(record("other", 3, "7")));
    assert!(matches!(process.next(seconds(22)), Step::Write(_)));
    process.wrote(Written::Refused, seconds(22), seconds(22));
    let version = "8".to_owned();
    process.read(seconds(22), Some(Record { version, ..first }));
    assert_eq!(process.writes(seconds(22), "9").transitions, 4);
}

#[test]
fn the_term_counts_from_when_the_write_was_sent() {
    let mut process = Process::new();
    process.read(seconds(0), None);
    let Step::Write(record) = process.next(seconds(0)) else {
        panic!("it creates the lease")
    };
    process.wrote(Written::Accepted(record), seconds(0), seconds(4));
    assert_eq!(process.until(), Some(seconds(10)));
}

#[test]
fn a_lease_that_a_user_deletes_is_made_anew_by_the_leader() {
    let mut leader = Process::new();
    leader.read(seconds(0), Some(released(6, "1")));
    assert_eq!(leader.writes(seconds(0), "2").transitions, 7);
    leader.shown(seconds(1), None);
    assert_eq!(leader.next(seconds(1)), Step::Read);
    leader.read(seconds(1), None);
    let made = leader.writes(seconds(2), "3");
    assert_eq!((made.version.as_str(), made.transitions), ("", 7));
    assert_eq!(leader.until(), Some(seconds(12)));

    let mut standby = Process::new();
    standby.read(seconds(0), Some(record("other", 7, "2")));
    standby.shown(seconds(1), None);
    assert_eq!(standby.next(seconds(1)), Step::Read);
    standby.read(seconds(1), None);
    assert_eq!(standby.next(seconds(1)), Step::Wait(seconds(15)));
    assert_eq!(standby.writes(seconds(16), "9").transitions, 8);
    assert!(
        standby.is_inherited(),
        "the leader did not say that it ended"
    );
}

#[test]
fn a_status_of_a_later_writer_raises_the_number_of_the_term() {
    let mut process = Process::new();
    process.read(seconds(0), None);
    process.writes(seconds(0), "1");
    process.election.raise(41);
    assert_eq!(process.writes(seconds(1), "2").transitions, 42);
    assert_eq!(process.epoch(), Some(42));
    // Unless the lease is another's.
    process.election.raise(50);
    assert!(matches!(process.next(seconds(1)), Step::Write(_)));
    process.wrote(Written::Refused, seconds(1), seconds(1));
    process.read(seconds(1), Some(record("other", 51, "4")));
    assert_eq!(process.next(seconds(1)), Step::End);
}
