//! Who leads, in every order of reads, writes, lost answers and stopped processes.

use proptest::prelude::*;
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
    assert!(!process.election.term().unwrap().is_inherited);
}

#[rstest]
#[case::released("", 0, false)]
#[case::expired("other", 15, true)]
fn a_lease_is_taken_over_when_it_is_free(
    #[case] holder: &str,
    #[case] wait: u64,
    #[case] is_inherited: bool,
) {
    let mut process = Process::new();
    process.read(seconds(0), Some(record(holder, 3, "7")));
    if wait > 0 {
        assert_eq!(process.next(seconds(0)), Step::Wait(seconds(wait)));
        // A label is no sign of life.
        let now = process.at(seconds(9));
        process.election.shown(Some(record(holder, 3, "8")), now);
        assert_eq!(process.next(seconds(9)), Step::Wait(seconds(wait - 9)));
    }
    let taken = process.writes(seconds(wait), "9");
    assert_eq!(taken.transitions, 4);
    assert_eq!(process.epoch(), Some(4));
    let term = process.election.term().unwrap();
    assert_eq!(term.is_inherited, is_inherited);
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
        let now = process.at(time);
        match number {
            0 => process.election.read(Some(renewed), now),
            _ => process.election.shown(Some(renewed), now),
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
    assert!(matches!(process.next(seconds(15)), Step::Write(_)));
    process.wrote(Written::Unknown, seconds(15), seconds(20));
    assert_eq!(process.until(), None);
    assert_eq!(process.next(seconds(22)), Step::Read);
    process.read(seconds(22), Some(record("me", 4, "8")));
    assert_eq!(process.until(), None, "nobody knows when it was written");
    assert_eq!(process.writes(seconds(22), "9").transitions, 4);
    assert!(process.election.term().unwrap().is_inherited);
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
    leader.read(seconds(0), Some(record("", 6, "1")));
    assert_eq!(leader.writes(seconds(0), "2").transitions, 7);
    let now = leader.at(seconds(1));
    leader.election.shown(None, now);
    assert_eq!(leader.next(seconds(1)), Step::Read);
    leader.read(seconds(1), None);
    let made = leader.writes(seconds(2), "3");
    assert_eq!((made.version.as_str(), made.transitions), ("", 7));
    assert_eq!(leader.until(), Some(seconds(12)));

    let mut standby = Process::new();
    standby.read(seconds(0), Some(record("other", 7, "2")));
    let now = standby.at(seconds(1));
    standby.election.shown(None, now);
    assert_eq!(standby.next(seconds(1)), Step::Read);
    standby.read(seconds(1), None);
    assert_eq!(standby.next(seconds(1)), Step::Wait(seconds(15)));
    assert_eq!(standby.writes(seconds(16), "9").transitions, 8);
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

/// What happens to one of the processes.
#[derive(Clone, Copy, Debug)]
enum Event {
    /// It does what it wants to do next.
    Steps,
    /// It does that, and the answer is lost on the way.
    LosesAnswer,
    /// It cannot reach the API server.
    IsCutOff,
    /// The watch shows it the Lease.
    Hears,
    /// A new process takes its place.
    Restarts,
    /// A user deletes the Lease.
    LeaseIsDeleted,
}

fn events() -> impl Strategy<Value = Vec<(usize, Event, u64)>> {
    let event = prop_oneof![
        12 => Just(Event::Steps),
        2 => Just(Event::LosesAnswer),
        2 => Just(Event::IsCutOff),
        3 => Just(Event::Hears),
        1 => Just(Event::Restarts),
        1 => Just(Event::LeaseIsDeleted),
    ];
    // Most of the time little passes; a process that is not chosen is a stopped one.
    let passes = prop_oneof![6 => 0_u64..1000, 3 => 1000_u64..3000, 1 => 3000_u64..30_000];
    proptest::collection::vec((0_usize..3, event, passes), 1..200)
}

/// The API server, as far as a Lease goes.
#[derive(Default)]
struct Server {
    lease: Option<Record>,
    version: u64,
}

impl Server {
    fn write(&mut self, wanted: Record) -> Written {
        let known = self.lease.as_ref().map(|lease| lease.version.as_str());
        if known.unwrap_or_default() != wanted.version {
            return Written::Refused;
        }
        self.version += 1;
        let lease = Record {
            version: self.version.to_string(),
            ..wanted
        };
        self.lease = Some(lease.clone());
        Written::Accepted(lease)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Cases: L-07, L-08
    #[test]
    fn no_two_lead_at_one_time_and_no_number_comes_twice(events in events()) {
        let start = Moment::now();
        let mut server = Server::default();
        let mut names = 0;
        let mut process = || {
            names += 1;
            Election::new(format!("process-{names}"), TIMING)
        };
        let mut processes = [process(), process(), process()];
        let (mut time, mut clock, mut newest) = (Duration::ZERO, 0_i64, -1);
        // Whose the numbers are.
        let mut terms = std::collections::BTreeMap::new();
        for (chosen, event, passes) in events {
            time += Duration::from_millis(passes);
            // The time of day jumps as it likes.
            clock = clock.wrapping_mul(31).wrapping_add(i64::try_from(passes).unwrap()) % 1_000_000;
            let now = start + time;
            let of_day = Timestamp::from_second(clock).unwrap();
            let one = &mut processes[chosen];
            match event {
                Event::Steps | Event::LosesAnswer | Event::IsCutOff => match one.next(now, of_day) {
                    Step::Wait(_) => {}
                    Step::Read if matches!(event, Event::Steps) => one.read(server.lease.clone(), now),
                    Step::Read => one.unread(now),
                    Step::Write(_) if matches!(event, Event::IsCutOff) => one.wrote(Written::Unknown, (now, now)),
                    Step::Write(wanted) => {
                        let written = server.write(wanted);
                        let is_lost = matches!(event, Event::LosesAnswer);
                        one.wrote(if is_lost { Written::Unknown } else { written }, (now, now));
                    }
                    Step::End if server.lease.is_none() => {}
                    Step::End => *one = process(),
                },
                Event::Hears => one.shown(server.lease.clone(), now),
                // A new process cannot know of a leader whose Lease a user has just deleted.
                Event::Restarts if server.lease.is_none() => {}
                Event::Restarts => *one = process(),
                // Only where no process is new to it: one that never saw who led cannot wait for it.
                Event::LeaseIsDeleted => {
                    let term = |record: &Record| (record.holder.clone(), record.transitions);
                    let present = server.lease.as_ref().map(term);
                    let knows = |one: &Election| {
                        one.seen.is_some() && one.known().map(term) == present
                    };
                    if processes.iter().all(knows) {
                        server.lease = None;
                    }
                }
            }
            let leading: Vec<_> = processes.iter().filter(|one| {
                one.term().is_some_and(|term| term.until.is_some_and(|until| now < until))
            }).collect();
            prop_assert!(leading.len() <= 1, "{leading:#?}");
            if let Some(leader) = leading.first() {
                let epoch = leader.term().and_then(|term| term.epoch).unwrap();
                let owner = terms.entry(epoch).or_insert_with(|| leader.identity.clone());
                prop_assert_eq!(&*owner, &leader.identity, "number {} comes twice", epoch);
                prop_assert!(epoch >= newest, "number {epoch} after {newest}");
                newest = epoch;
            }
        }
    }
}
