//! Places: who of all objects of all accounts may call now. Pure; whoever asks says what time it is
//! and wakes whom [`Outbox`] names.
//!
//! A reconcile never waits here, because it would hold one of the controller's slots: without a
//! free place its object is parked and the reconcile ends. When a place is free it is given to the
//! object whose turn it is, round robin by account and then by namespace, and the object is woken.
//!
//! An account may take a place while it has less than half of those that are free (the dynamic
//! threshold of Choudhury and Hahne): accounts whose calls hang leave places to the others (28 places
//! hold out against seven of them), and an account that is alone is held by its own limit only.

mod account_queue;

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use tokio::time::Instant;

use self::account_queue::Line;
use super::{
    fair_queue::ObjectName,
    health::{Closure, Room},
};
use crate::{
    api::{ProviderKind, Reason},
    http::ProviderError,
};

/// An account in the order of its opening.
pub(super) type Id = u64;

/// What is to be done after a change.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    /// Objects to be reconciled: they were given a place, or have to learn that the account is
    /// closed.
    pub(super) woken: Vec<ObjectName>,
    /// When [`Places::serve`] must be called again at the latest, for an account.
    pub(super) timers: Vec<(Id, Instant)>,
}

/// Whether an object may call now.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// It has a place, until [`Places::release`].
    Now,
    /// It is parked; its turn will come.
    Later,
    /// The account is closed. The object is parked all the same.
    Closed(Closure),
}

/// The places of all accounts.
#[derive(Debug)]
pub(super) struct Places {
    all: usize,
    of_each: usize,
    in_flight: usize,
    lines: HashMap<Id, Line>,
    /// The accounts for which objects wait, in the order of their turns.
    turns: VecDeque<Id>,
    next: Id,
}

impl Places {
    /// So many places for all accounts, and for each of them.
    pub(super) fn new(all: usize, of_each: usize) -> Self {
        Self {
            all: all.max(1),
            of_each: of_each.max(1),
            in_flight: 0,
            lines: HashMap::new(),
            turns: VecDeque::new(),
            next: 0,
        }
    }

    /// A new account.
    pub(super) fn open(&mut self, kind: ProviderKind) -> Id {
        let id = self.next;
        self.next += 1;
        self.lines.insert(id, Line::new(kind));
        id
    }

    /// No object uses the account any more.
    pub(super) fn close(&mut self, id: Id, now: Instant, out: &mut Outbox) {
        self.in_flight -= self.lines.remove(&id).map_or(0, |line| line.in_flight);
        self.turns.retain(|turn| *turn != id);
        self.serve(now, out);
    }

    /// A place for `object`, or a place in the queue.
    pub(super) fn admit(
        &mut self,
        id: Id,
        object: &ObjectName,
        now: Instant,
        out: &mut Outbox,
    ) -> Place {
        let Some(line) = self.lines.get_mut(&id) else {
            return Place::Later;
        };
        line.until_recovery.remove(object);
        // In an outage the account is closed to all but the one that was given a place.
        if line.health.refusal(now).is_none() && line.granted.remove(object) {
            return Place::Now;
        }
        if let Room::None(closure) = line.health.room(now) {
            self.park(id, object, true);
            self.give_back(id, object, now);
            self.serve(now, out);
            return Place::Closed(closure);
        }
        self.park(id, object, false);
        self.serve(now, out);
        let is_granted = self
            .lines
            .get_mut(&id)
            .is_some_and(|line| line.granted.remove(object));
        if is_granted {
            // It is here already.
            out.woken.retain(|woken| woken != object);
            Place::Now
        } else {
            Place::Later
        }
    }

    /// A place is free again.
    pub(super) fn release(&mut self, id: Id, now: Instant, out: &mut Outbox) {
        if let Some(line) = self.lines.get_mut(&id) {
            line.in_flight -= 1;
            self.in_flight -= 1;
        }
        self.serve(now, out);
    }

    /// Takes an object out wherever it waits, and gives on the place it was given: it is gone, or it
    /// turned out to need none.
    pub(super) fn forget(&mut self, id: Id, object: &ObjectName, now: Instant, out: &mut Outbox) {
        if let Some(line) = self.lines.get_mut(&id) {
            line.queue.remove(object);
            line.until_recovery.remove(object);
            if line.queue.is_empty() {
                self.turns.retain(|turn| *turn != id);
            }
        }
        if self.give_back(id, object, now) {
            self.serve(now, out);
        }
    }

    /// An object's pass met trouble. If the account is closed the object is parked, and this says
    /// until when; else it has to wait by itself.
    pub(super) fn hold(
        &mut self,
        id: Id,
        object: &ObjectName,
        now: Instant,
        out: &mut Outbox,
    ) -> Option<Instant> {
        let line = self.lines.get_mut(&id)?;
        if let Some(closure) = line.health.refusal(now) {
            self.park(id, object, true);
            self.serve(now, out);
            return Some(closure.until);
        }
        if !line.health.is_outage(now) {
            return None;
        }
        match line.health.room(now) {
            Room::None(closure) if line.queue.contains(object) => Some(closure.until),
            _ => {
                line.until_recovery.insert(object.clone());
                None
            }
        }
    }

    /// As [`Self::forget`], where it is not known whose object it was.
    pub(super) fn forget_everywhere(
        &mut self,
        object: &ObjectName,
        now: Instant,
        out: &mut Outbox,
    ) {
        let ids: Vec<Id> = self.lines.keys().copied().collect();
        for id in ids {
            self.forget(id, object, now, out);
        }
    }

    /// Whether an object was given a place that it has not come for yet.
    pub(super) fn is_granted(&self, id: Id, object: &ObjectName) -> bool {
        self.lines
            .get(&id)
            .is_some_and(|line| line.granted.contains(object))
    }

    /// Why no call of the account may be sent now.
    pub(super) fn refusal(&self, id: Id, now: Instant) -> Option<Closure> {
        self.lines.get(&id)?.health.refusal(now)
    }

    /// A call of the account has ended. Gives by how much its pause became longer.
    pub(super) fn answered(
        &mut self,
        id: Id,
        (sent, now): (Instant, Instant),
        is_write: bool,
        failure: Option<&ProviderError>,
        out: &mut Outbox,
    ) -> Duration {
        let Some(line) = self.lines.get_mut(&id) else {
            return Duration::ZERO;
        };
        let change = line.health.answered(now, sent, is_write, failure);
        if change.recovered {
            for object in std::mem::take(&mut line.until_recovery) {
                self.park(id, &object, false);
            }
        }
        self.serve(now, out);
        change.paused
    }

    /// The accounts whose objects are held back.
    pub(super) fn held_back(&self, now: Instant) -> impl Iterator<Item = (ProviderKind, Reason)> {
        self.lines
            .values()
            .filter_map(move |line| Some((line.kind, line.health.held_back(now)?)))
    }

    /// Why the account's objects are held back, if they are.
    pub(super) fn why_held_back(&self, id: Id, now: Instant) -> Option<Reason> {
        self.lines.get(&id)?.health.held_back(now)
    }

    /// The time that a timer was asked for has come.
    pub(super) fn due(&mut self, id: Id, now: Instant, out: &mut Outbox) {
        if let Some(line) = self.lines.get_mut(&id) {
            line.timer = None;
        }
        self.serve(now, out);
    }

    fn park(&mut self, id: Id, object: &ObjectName, is_told: bool) {
        let Some(line) = self.lines.get_mut(&id) else {
            return;
        };
        if line.queue.is_empty() {
            self.turns.push_back(id);
        }
        line.queue.park(object, is_told);
    }

    fn give_back(&mut self, id: Id, object: &ObjectName, now: Instant) -> bool {
        let line = self.lines.get_mut(&id);
        let had = line.is_some_and(|line| line.give_back(object, now));
        self.in_flight -= usize::from(had);
        had
    }

    /// Gives free places to all whose turn it is, and tells those who wait for a closed account.
    fn serve(&mut self, now: Instant, out: &mut Outbox) {
        // Accounts in a row that could not be given a place.
        let mut passed = 0;
        while passed < self.turns.len()
            && self.in_flight < self.all
            && let Some(id) = self.turns.pop_front()
        {
            let share = (self.all - self.in_flight).div_ceil(2);
            let Some(line) = self.lines.get_mut(&id) else {
                continue;
            };
            if line.in_flight >= line.most(id, now, out).min(self.of_each).min(share) {
                self.turns.push_back(id);
                passed += 1;
                continue;
            }
            let Some(object) = line.queue.next() else {
                continue;
            };
            line.grant(&object, now);
            self.in_flight += 1;
            out.woken.push(object);
            passed = 0;
            if !line.queue.is_empty() {
                self.turns.push_back(id);
            }
        }
    }
}

#[cfg(test)]
mod tests;
