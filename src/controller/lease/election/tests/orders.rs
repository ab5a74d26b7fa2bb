//! Who leads, in every order of reads, writes, lost answers, stopped processes and edits by hand.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

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
    /// It ends, and gives the lease up; a new process takes its place.
    Releases,
    /// A new process takes its place.
    Restarts,
    /// A user deletes the Lease.
    LeaseIsDeleted,
    /// A user says that no process holds the Lease.
    HolderIsEmptied,
    /// A user says that another process holds the Lease.
    HolderIsRenamed,
    /// A user says that the Lease lasts for 3 s only.
    DurationIsShortened,
}

fn events() -> impl Strategy<Value = Vec<(usize, Event, u64)>> {
    let event = prop_oneof![
        12 => Just(Event::Steps),
        2 => Just(Event::LosesAnswer),
        2 => Just(Event::IsCutOff),
        3 => Just(Event::Hears),
        1 => Just(Event::Releases),
        1 => Just(Event::Restarts),
        1 => Just(Event::LeaseIsDeleted),
        1 => Just(Event::HolderIsEmptied),
        1 => Just(Event::HolderIsRenamed),
        1 => Just(Event::DurationIsShortened),
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

    /// A user edits the Lease, if there is one.
    fn edit(&mut self, edit: impl FnOnce(&mut Record)) {
        if let Some(lease) = &mut self.lease {
            self.version += 1;
            lease.version = self.version.to_string();
            edit(lease);
        }
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
        // Whose the numbers are, who gave the lease up, and who led last.
        let (mut terms, mut released) = (BTreeMap::new(), BTreeSet::new());
        let mut last: Option<String> = None;
        for (number, (chosen, event, passes)) in (0..).zip(events) {
            time += Duration::from_millis(passes);
            // The time of day jumps as it likes, and no two processes see the same one.
            clock = clock.wrapping_mul(31).wrapping_add(i64::try_from(passes).unwrap()) % 1_000_000;
            let now = start + time;
            let of_day = Timestamp::new(clock, number * 1000).unwrap();
            let other = processes[(chosen + 1) % 3].identity.clone();
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
                Event::Releases => {
                    one.read(server.lease.clone(), now);
                    if let Some(wanted) = one.released(now, of_day) {
                        server.write(wanted);
                        released.insert(one.identity.clone());
                        *one = process();
                    }
                }
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
                Event::HolderIsEmptied => server.edit(|lease| lease.holder.clear()),
                Event::HolderIsRenamed => server.edit(|lease| lease.holder = other),
                Event::DurationIsShortened => server.edit(|lease| lease.duration = seconds(3)),
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
                if last.as_ref() != Some(&leader.identity) {
                    // The first one that led may follow one that never did.
                    let follows_released = last.map_or(!released.is_empty(), |last| released.contains(&last));
                    let is_inherited = leader.term().is_some_and(|term| term.is_inherited);
                    prop_assert!(follows_released || is_inherited, "{leader:#?}");
                    last = Some(leader.identity.clone());
                }
            }
        }
    }
}
