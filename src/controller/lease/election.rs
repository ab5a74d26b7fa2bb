//! Who leads, by client-go's rules: a lease has expired when this process has seen it unchanged for its
//! duration, by its own clock. Times in the Lease are for people and are never compared. Pure: the caller
//! passes the time in, and carries out the [`Step`].
//!
//! Each write names the version of the Lease that was seen, so that of two processes that want it the API
//! server lets one. A leader that could not renew the lease for the renew deadline ends its term, which is
//! before any other process may begin one.

use std::time::Duration;

use jiff::Timestamp;

use crate::{clock::Moment, controller::object::is_newer, http::CALL_TIMEOUT, leadership::Term};

/// The duration of a lease that its holder gave up. One that a user emptied by hand has that of a holder, which
/// may live.
const RELEASE: Duration = Duration::from_secs(1);
/// The same of a holder that gave it up while something of the process before may have been on its way.
const EARLY_RELEASE: Duration = Duration::from_secs(2);
/// How many of its own writes a process tells from others' when their answers were lost.
const MAX_UNANSWERED: usize = 8;

/// How long a lease lasts, and how it is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// How long the others wait for a leader that does not renew the lease.
    pub lease_duration: Duration,
    /// After which time a leader that could not renew the lease ends.
    pub renew_deadline: Duration,
    /// The wait between two writes of the lease.
    pub retry_period: Duration,
}

/// What a Lease says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Record {
    /// The process that holds it; empty where none does.
    pub(super) holder: String,
    pub(super) duration: Duration,
    pub(super) acquired: Option<Timestamp>,
    pub(super) renewed: Option<Timestamp>,
    /// How often the holder changed.
    pub(super) transitions: i32,
    /// The version of the Lease.
    pub(super) version: String,
}

impl Record {
    /// Whether it is another record than one that was seen, and not only another version of the Lease.
    fn is_other(&self, seen: &Self) -> bool {
        let unversioned = |record: &Self| Self {
            version: String::new(),
            ..record.clone()
        };
        unversioned(self) != unversioned(seen)
    }

    /// Whether its holder gave it up, with nothing of its own on the way.
    fn is_released(&self) -> bool {
        self.holder.is_empty() && [RELEASE, EARLY_RELEASE].contains(&self.duration)
    }
}

/// What the caller does next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing for so long, unless the Lease changes.
    Wait(Duration),
    /// It reads the Lease.
    Read,
    /// It writes the Lease over the version that the record names, or creates it where that is empty.
    Write(Record),
    /// It ends: another process leads, or may soon.
    End,
}

/// What became of a write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Written {
    /// The API server has it, as this record.
    Accepted(Record),
    /// It has another version of the Lease, or none.
    Refused,
    /// It is not known: no answer came.
    Unknown,
}

/// One process's part in the election.
#[derive(Debug)]
pub(super) struct Election {
    identity: String,
    timing: Timing,
    seen: Option<Seen>,
    /// Whether what was seen may be out of date.
    must_read: bool,
    /// No call before this moment.
    not_before: Option<Moment>,
    /// The version that the last refused write named, and until when there is no further write over it.
    refused: Option<(String, Moment)>,
    /// The least number of transitions that the next record has, as far as any is known.
    floor: Option<i32>,
    /// What this process wrote when it did not lead. Each of them may have come in, whose answer was lost.
    asked: Vec<Record>,
    /// Whether it is not known that the process before, which this one wants to follow or follows, released the
    /// lease.
    is_inherited: bool,
    /// Since when a leader doubts that it leads: it was shown a Lease of another holder, of none, or no Lease, or its
    /// renewal was refused.
    doubts: Option<Moment>,
    state: State,
}

/// The Lease as it was seen last.
#[derive(Debug)]
struct Seen {
    /// None where there is no Lease.
    record: Option<Record>,
    /// When it began to be so.
    since: Moment,
    /// How long it must stay so until another process may lead.
    lasts: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Standby,
    /// It leads, and asked for the last renewal at `renewed`.
    Leading {
        epoch: i32,
        began: Moment,
        renewed: Moment,
    },
    /// It led, and never leads again.
    Ended,
}

impl Election {
    /// `identity` is no other process's, also not that of one that had this one's name before.
    pub(super) fn new(identity: String, timing: Timing) -> Self {
        Self {
            identity,
            timing,
            seen: None,
            must_read: true,
            not_before: None,
            refused: None,
            floor: None,
            asked: Vec::new(),
            is_inherited: false,
            doubts: None,
            state: State::Standby,
        }
    }

    /// The term, while the process leads.
    pub(super) fn term(&self) -> Option<Term> {
        let State::Leading { epoch, began, .. } = self.state else {
            return None;
        };
        let until = self.deadline()?;
        Some(Term {
            epoch: Some(i64::from(epoch)),
            began,
            until: Some(self.doubts.map_or(until, |doubts| doubts.min(until))),
            is_inherited: self.is_inherited,
        })
    }

    /// When a leader ends that does not renew the lease before.
    pub(super) fn deadline(&self) -> Option<Moment> {
        match self.state {
            State::Leading { renewed, .. } => Some(renewed + self.timing.renew_deadline),
            State::Standby | State::Ended => None,
        }
    }

    /// The process that leads, as far as it is known.
    pub(super) fn leader(&self) -> Option<&str> {
        let known = self.known()?;
        (!known.holder.is_empty()).then_some(known.holder.as_str())
    }

    /// The Lease that gives the leadership up at `now`, if this process holds it, also by a write whose answer was lost.
    pub(super) fn released(&self, now: Moment, clock: Timestamp) -> Option<Record> {
        let own = self.known().filter(|known| self.is_own(known))?;
        let led_for = match self.state {
            State::Leading { began, .. } => now.since(began),
            State::Standby | State::Ended => Duration::ZERO,
        };
        let is_early = self.is_inherited && led_for < CALL_TIMEOUT;
        Some(Record {
            holder: String::new(),
            duration: if is_early { EARLY_RELEASE } else { RELEASE },
            renewed: Some(clock),
            ..own.clone()
        })
    }

    /// What to do at `now`, which is `clock` by the time of day.
    pub(super) fn next(&mut self, now: Moment, clock: Timestamp) -> Step {
        if self.deadline().is_some_and(|deadline| now >= deadline) {
            self.state = State::Ended;
        }
        if self.state == State::Ended {
            return Step::End;
        }
        if let Some(due) = self.due().filter(|due| *due > now) {
            return Step::Wait(due.since(now));
        }
        if self.must_read || self.seen.is_none() {
            return Step::Read;
        }
        let wanted = self.wanted(clock);
        if let State::Standby = self.state {
            // The own write whose answer was lost follows whom it followed then.
            if !self.known().is_some_and(|known| self.is_own(known)) {
                let released = self.known().filter(|known| known.is_released());
                self.is_inherited = released.is_none_or(|known| known.duration != RELEASE);
            }
            if self.asked.len() == MAX_UNANSWERED {
                self.asked.remove(0);
            }
            self.asked.push(wanted.clone());
        }
        Step::Write(wanted)
    }

    /// The Lease, or that there is none, as it was read at `now`.
    pub(super) fn read(&mut self, record: Option<Record>, now: Moment) {
        self.must_read = false;
        if let State::Leading { .. } = self.state {
            match &record {
                Some(record) if record.holder == self.identity => self.doubts = None,
                Some(_) => self.state = State::Ended,
                // It makes the Lease anew, and begins no write before it has, if no other process does.
                None => self.doubts = self.doubts.or(Some(now)),
            }
        }
        self.see(record, now);
    }

    /// The Lease as a watch shows it at `now`, which may be late.
    pub(super) fn shown(&mut self, record: Option<Record>, now: Moment) {
        let known = self.known().map(|known| known.version.as_str());
        match record {
            Some(record) if known.is_some_and(|known| !is_newer(&record.version, known)) => {}
            Some(record) if self.state == State::Standby => self.see(Some(record), now),
            record => {
                if record.is_none_or(|record| record.holder != self.identity) {
                    self.doubts = self.doubts.or(Some(now));
                }
                self.must_read = true;
            }
        }
    }

    /// The Lease could not be read.
    pub(super) fn unread(&mut self, now: Moment) {
        self.must_read = true;
        self.not_before = Some(now + self.timing.retry_period);
    }

    /// A status names a later writer than this process: the term gets a number beyond it, if the lease
    /// is still this process's.
    pub(super) fn raise(&mut self, beyond: i64) {
        let beyond = i32::try_from(beyond).unwrap_or(i32::MAX).saturating_add(1);
        self.floor = self.floor.max(Some(beyond));
    }

    /// What became of a write that was sent at `sent`.
    pub(super) fn wrote(&mut self, written: Written, (sent, now): (Moment, Moment)) {
        match written {
            Written::Accepted(record) => {
                let began = match self.state {
                    State::Leading { began, .. } => began,
                    State::Standby | State::Ended => now,
                };
                // The others may have counted since it was sent.
                self.state = State::Leading {
                    epoch: record.transitions,
                    began,
                    renewed: sent,
                };
                self.doubts = None;
                self.see(Some(record), now);
                self.not_before = None;
            }
            Written::Refused => {
                let until = sent + self.timing.retry_period;
                self.refused = Some((self.version().to_owned(), until));
                self.doubts = self.doubts.or(Some(now));
                self.must_read = true;
            }
            Written::Unknown => self.unread(now),
        }
    }

    fn known(&self) -> Option<&Record> {
        self.seen.as_ref()?.record.as_ref()
    }

    /// The version of the Lease that a write names; empty where there is no Lease.
    fn version(&self) -> &str {
        self.known().map_or("", |known| known.version.as_str())
    }

    /// Whether a record is this process's own: of its term, or what it asked for before. A user may have given its
    /// name to another process's.
    fn is_own(&self, record: &Record) -> bool {
        let is_alike = |asked: &Record| {
            (asked.transitions, asked.renewed) == (record.transitions, record.renewed)
        };
        let is_ours = match self.state {
            State::Standby => self.asked.iter().any(is_alike),
            State::Leading { epoch, .. } => epoch == record.transitions,
            State::Ended => false,
        };
        is_ours && record.holder == self.identity
    }

    fn see(&mut self, record: Option<Record>, now: Moment) {
        let (known, known_since, known_lasts) = match self.seen.take() {
            Some(Seen {
                record,
                since,
                lasts,
            }) => (record, Some(since), lasts),
            None => (None, None, Duration::ZERO),
        };
        let is_same = match (&known, &record) {
            (Some(known), Some(record)) => !record.is_other(known),
            (None, None) => true,
            _ => false,
        };
        // A user may have emptied, shortened or deleted it: the leader may write until it notices.
        let lasts = match &record {
            Some(record) if record.is_released() || self.is_own(record) => Duration::ZERO,
            Some(record) => record.duration.max(self.timing.lease_duration),
            None if known.is_some() => known_lasts.max(self.timing.lease_duration),
            None => known_lasts,
        };
        // No number comes after the greatest, which a user wrote or the process before had: the count begins anew.
        let is_known = |of: &&Record| of.transitions < i32::MAX || self.is_own(of);
        let counted = record.as_ref().filter(is_known);
        self.floor = self.floor.max(counted.map(|of| of.transitions));
        self.seen = Some(Seen {
            record,
            since: known_since.filter(|_| is_same).unwrap_or(now),
            lasts,
        });
    }

    /// When the Lease is to be read or written, unless that is now.
    fn due(&self) -> Option<Moment> {
        let seen = self.seen.as_ref().filter(|_| !self.must_read);
        let due = seen.and_then(|seen| match self.state {
            State::Leading { epoch, renewed, .. } => {
                let is_due = self.floor > Some(epoch) || seen.record.is_none();
                (!is_due).then(|| renewed + self.timing.retry_period)
            }
            State::Standby => Some(seen.since + seen.lasts),
            State::Ended => None,
        });
        // A write over the version that was refused would be refused again.
        let refused = self.refused.as_ref();
        let refused = refused.filter(|(of, _)| !self.must_read && of == self.version());
        let due = due
            .max(self.not_before)
            .max(refused.map(|(_, until)| *until));
        match self.deadline() {
            Some(deadline) => due.map(|due| due.min(deadline)),
            None => due,
        }
    }

    /// The Lease as this process would have it.
    fn wanted(&self, clock: Timestamp) -> Record {
        let known = self.known();
        let own = known.filter(|known| self.is_own(known));
        // In the Lease a time has no more than that.
        let clock = Timestamp::from_microsecond(clock.as_microsecond()).unwrap_or(clock);
        let is_own = own.is_some() || self.state != State::Standby;
        let transitions = match self.floor {
            Some(floor) if is_own => floor,
            Some(floor) => floor.saturating_add(1),
            None => 0,
        };
        Record {
            holder: self.identity.clone(),
            duration: self.timing.lease_duration,
            acquired: own.and_then(|own| own.acquired).or(Some(clock)),
            renewed: Some(clock),
            transitions,
            version: self.version().to_owned(),
        }
    }
}

#[cfg(test)]
mod tests;
