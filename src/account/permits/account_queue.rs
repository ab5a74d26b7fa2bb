//! One account's share in the places.

use std::collections::HashSet;

use tokio::time::Instant;

use super::{AccountId, Effects};
use crate::{
    account::{
        fair_queue::{FairQueue, ObjectName},
        health::{Capacity, Health},
    },
    api::ProviderKind,
};

/// One account.
#[derive(Debug)]
pub(super) struct AccountQueue {
    pub(super) kind: ProviderKind,
    pub(super) health: Health,
    /// PermitPool taken, those included that were given to an object that has not come for it yet.
    pub(super) in_flight: usize,
    /// Objects that were given a place and have not come for it yet.
    pub(super) granted: HashSet<ObjectName>,
    pub(super) queue: FairQueue,
    /// Objects that failed in an outage. Their own next try is far away; they are queued when it
    /// is over.
    pub(super) until_recovery: HashSet<ObjectName>,
    /// When the account is to be looked at again.
    pub(super) timer: Option<Instant>,
}

impl AccountQueue {
    pub(super) fn new(kind: ProviderKind) -> Self {
        Self {
            kind,
            health: Health::default(),
            in_flight: 0,
            granted: HashSet::new(),
            queue: FairQueue::default(),
            until_recovery: HashSet::new(),
            timer: None,
        }
    }

    /// How many places the account may have now. If it is closed, those who wait are told, and a
    /// timer is asked for.
    pub(super) fn limit(&mut self, id: AccountId, now: Instant, effects: &mut Effects) -> usize {
        match self.health.capacity(now) {
            Capacity::All => usize::MAX,
            Capacity::One => 1,
            Capacity::None(circuit) => {
                effects.requeued.extend(self.queue.take_uninformed());
                if self.timer.is_none_or(|timer| timer > circuit.until) {
                    self.timer = Some(circuit.until);
                    effects.timers.push((id, circuit.until));
                }
                0
            }
        }
    }

    /// Gives a place to an object.
    pub(super) fn grant(&mut self, object: &ObjectName, now: Instant) {
        self.in_flight += 1;
        self.health.granted(now);
        self.granted.insert(object.clone());
    }

    /// Takes back a place that an object was given and has not come for; whether there was one.
    pub(super) fn revoke_grant(&mut self, object: &ObjectName, now: Instant) -> bool {
        let had = self.granted.remove(object);
        if had {
            self.in_flight -= 1;
            self.health.revoked(now);
        }
        had
    }
}
