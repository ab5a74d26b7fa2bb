//! One account's part of the permit pool.

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

/// One account: its health, its permits and the objects that wait for one.
#[derive(Debug)]
pub(super) struct AccountQueue {
    pub(super) kind: ProviderKind,
    pub(super) health: Health,
    /// Permits taken, with those granted to an object that has not come for its permit yet.
    pub(super) in_flight: usize,
    /// Objects that were granted a permit and have not come for it yet.
    pub(super) granted: HashSet<ObjectName>,
    pub(super) parked: FairQueue,
    /// Objects that failed in an outage. Their own next try may be an hour away, so the end of the
    /// outage parks them.
    pub(super) until_recovery: HashSet<ObjectName>,
    /// When the pool's [`timer`](super::PermitPool::timer_fired) for this account fires.
    pub(super) timer: Option<Instant>,
}

impl AccountQueue {
    pub(super) fn new(kind: ProviderKind) -> Self {
        Self {
            kind,
            health: Health::default(),
            in_flight: 0,
            granted: HashSet::new(),
            parked: FairQueue::default(),
            until_recovery: HashSet::new(),
            timer: None,
        }
    }

    /// How many permits the account's health allows: none while its circuit is open.
    pub(super) fn limit(&self, now: Instant) -> usize {
        match self.health.capacity(now) {
            Capacity::All => usize::MAX,
            Capacity::One => 1,
            Capacity::None(_) => 0,
        }
    }

    /// Whether the account has parked objects and its circuit is not open. While it is open, this
    /// informs the objects that do not know it and asks for a timer.
    pub(super) fn is_ready(&mut self, id: AccountId, now: Instant, effects: &mut Effects) -> bool {
        if self.parked.is_empty() {
            return false;
        }
        let Capacity::None(circuit) = self.health.capacity(now) else {
            return true;
        };
        if circuit.is_said(now) {
            effects.requeued.extend(self.parked.take_uninformed());
        }
        if self.timer.is_none_or(|timer| timer > circuit.until) {
            self.timer = Some(circuit.until);
            effects.timers.push((id, circuit.until));
        }
        false
    }

    /// Grants a permit to the parked object whose turn it is.
    pub(super) fn grant_next(&mut self, now: Instant) -> Option<ObjectName> {
        let object = self.parked.next()?;
        self.in_flight += 1;
        self.health.granted(now);
        self.granted.insert(object.clone());
        Some(object)
    }

    /// Takes back a permit that an object was granted and has not come for. Returns whether there
    /// was one.
    pub(super) fn revoke_grant(&mut self, object: &ObjectName, now: Instant) -> bool {
        let is_revoked = self.granted.remove(object);
        if is_revoked {
            self.in_flight -= 1;
            self.health.revoked(now);
        }
        is_revoked
    }

    /// Whether the account keeps an object: parked, granted or until the end of an outage.
    pub(super) fn holds(&self, object: &ObjectName) -> bool {
        self.granted.contains(object)
            || self.until_recovery.contains(object)
            || self.parked.contains(object)
    }

    /// Every object that the account keeps.
    pub(super) fn into_objects(self) -> impl Iterator<Item = ObjectName> {
        let parked: Vec<ObjectName> = self.parked.iter().collect();
        let others = self.granted.into_iter().chain(self.until_recovery);
        others.chain(parked)
    }
}
