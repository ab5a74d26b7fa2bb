//! One account's share in the places.

use std::collections::HashSet;

use tokio::time::Instant;

use super::{Id, Outbox};
use crate::{
    account::{
        fair_queue::{ObjectName, Queue},
        health::{Health, Room},
    },
    api::ProviderKind,
};

/// One account.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) kind: ProviderKind,
    pub(super) health: Health,
    /// Places taken, those included that were given to an object that has not come for it yet.
    pub(super) in_flight: usize,
    /// Objects that were given a place and have not come for it yet.
    pub(super) granted: HashSet<ObjectName>,
    pub(super) queue: Queue,
    /// Objects that failed in an outage. Their own next try is far away; they are queued when it
    /// is over.
    pub(super) until_recovery: HashSet<ObjectName>,
    /// When the account is to be looked at again.
    pub(super) timer: Option<Instant>,
}

impl Line {
    pub(super) fn new(kind: ProviderKind) -> Self {
        Self {
            kind,
            health: Health::default(),
            in_flight: 0,
            granted: HashSet::new(),
            queue: Queue::default(),
            until_recovery: HashSet::new(),
            timer: None,
        }
    }

    /// How many places the account may have now. If it is closed, those who wait are told, and a
    /// timer is asked for.
    pub(super) fn most(&mut self, id: Id, now: Instant, out: &mut Outbox) -> usize {
        match self.health.room(now) {
            Room::All => usize::MAX,
            Room::One => 1,
            Room::None(closure) => {
                out.woken.extend(self.queue.tell());
                if self.timer.is_none_or(|timer| timer > closure.until) {
                    self.timer = Some(closure.until);
                    out.timers.push((id, closure.until));
                }
                0
            }
        }
    }

    /// Gives a place to an object.
    pub(super) fn grant(&mut self, object: &ObjectName, now: Instant) {
        self.in_flight += 1;
        self.health.admitted(now);
        self.granted.insert(object.clone());
    }

    /// Takes back a place that an object was given and has not come for; whether there was one.
    pub(super) fn give_back(&mut self, object: &ObjectName, now: Instant) -> bool {
        let had = self.granted.remove(object);
        if had {
            self.in_flight -= 1;
            self.health.not_needed(now);
        }
        had
    }
}
