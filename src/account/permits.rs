//! PermitPool: who of all objects of all accounts may call now. Pure; whoever asks says what time it is
//! and wakes whom [`Effects`] names.
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

use self::account_queue::AccountQueue;
use super::{
    fair_queue::ObjectName,
    health::{Capacity, OpenCircuit},
};
use crate::{
    api::{ProviderKind, Reason},
    http::ProviderError,
};

/// An account in the order of its opening.
pub(super) type AccountId = u64;

/// What is to be done after a change.
#[derive(Debug, Default)]
pub(super) struct Effects {
    /// Objects to be reconciled: they were given a place, or have to learn that the account is
    /// closed.
    pub(super) requeued: Vec<ObjectName>,
    /// When [`PermitPool::serve`] must be called again at the latest, for an account.
    pub(super) timers: Vec<(AccountId, Instant)>,
}

/// Whether an object may call now.
#[derive(Debug, PartialEq, Eq)]
pub enum Admission<P> {
    /// It may, until the permit is dropped.
    Granted(P),
    /// It is parked; its turn will come.
    Parked,
    /// Nobody of this account may, for the reason given. The object is parked as well: it is woken
    /// when its turn has come after the account's reopening.
    CircuitOpen(OpenCircuit),
}

/// The places of all accounts.
#[derive(Debug)]
pub(super) struct PermitPool {
    total: usize,
    per_account: usize,
    in_flight: usize,
    accounts: HashMap<AccountId, AccountQueue>,
    /// The accounts for which objects wait, in the order of their round_robin.
    round_robin: VecDeque<AccountId>,
    next: AccountId,
}

impl PermitPool {
    /// So many places for all accounts, and for each of them.
    pub(super) fn new(total: usize, per_account: usize) -> Self {
        Self {
            total: total.max(1),
            per_account: per_account.max(1),
            in_flight: 0,
            accounts: HashMap::new(),
            round_robin: VecDeque::new(),
            next: 0,
        }
    }

    /// A new account.
    pub(super) fn add_account(&mut self, kind: ProviderKind) -> AccountId {
        let id = self.next;
        self.next += 1;
        self.accounts.insert(id, AccountQueue::new(kind));
        id
    }

    /// No object uses the account any more.
    pub(super) fn remove_account(&mut self, id: AccountId, now: Instant, effects: &mut Effects) {
        self.in_flight -= self
            .accounts
            .remove(&id)
            .map_or(0, |account| account.in_flight);
        self.round_robin.retain(|turn| *turn != id);
        self.serve(now, effects);
    }

    /// A place for `object`, or a place in the queue.
    pub(super) fn admit(
        &mut self,
        id: AccountId,
        object: &ObjectName,
        now: Instant,
        effects: &mut Effects,
    ) -> Admission<()> {
        let Some(account) = self.accounts.get_mut(&id) else {
            return Admission::Parked;
        };
        account.until_recovery.remove(object);
        // In an outage the account is closed to all but the one that was given a place.
        if account.health.refusal(now).is_none() && account.granted.remove(object) {
            return Admission::Granted(());
        }
        if let Capacity::None(circuit) = account.health.capacity(now) {
            self.park(id, object, true);
            self.revoke_grant(id, object, now);
            self.serve(now, effects);
            return Admission::CircuitOpen(circuit);
        }
        self.park(id, object, false);
        self.serve(now, effects);
        let is_granted = self
            .accounts
            .get_mut(&id)
            .is_some_and(|account| account.granted.remove(object));
        if is_granted {
            // It is here already.
            effects.requeued.retain(|requeued| requeued != object);
            Admission::Granted(())
        } else {
            Admission::Parked
        }
    }

    /// A place is free again.
    pub(super) fn release(&mut self, id: AccountId, now: Instant, effects: &mut Effects) {
        if let Some(account) = self.accounts.get_mut(&id) {
            account.in_flight -= 1;
            self.in_flight -= 1;
        }
        self.serve(now, effects);
    }

    /// Takes an object out wherever it waits, and gives on the place it was given: it is gone, or it
    /// turned out to need none.
    pub(super) fn forget(
        &mut self,
        id: AccountId,
        object: &ObjectName,
        now: Instant,
        effects: &mut Effects,
    ) {
        if let Some(account) = self.accounts.get_mut(&id) {
            account.queue.remove(object);
            account.until_recovery.remove(object);
            if account.queue.is_empty() {
                self.round_robin.retain(|turn| *turn != id);
            }
        }
        if self.revoke_grant(id, object, now) {
            self.serve(now, effects);
        }
    }

    /// An object's pass met trouble. If the account is closed the object is parked, and this says
    /// until when; else it has to wait by itself.
    pub(super) fn park_failed(
        &mut self,
        id: AccountId,
        object: &ObjectName,
        now: Instant,
        effects: &mut Effects,
    ) -> Option<Instant> {
        let account = self.accounts.get_mut(&id)?;
        if let Some(circuit) = account.health.refusal(now) {
            self.park(id, object, true);
            self.serve(now, effects);
            return Some(circuit.until);
        }
        if !account.health.is_outage(now) {
            return None;
        }
        match account.health.capacity(now) {
            Capacity::None(circuit) if account.queue.contains(object) => Some(circuit.until),
            _ => {
                account.until_recovery.insert(object.clone());
                None
            }
        }
    }

    /// As [`Self::forget`], where it is not known whose object it was.
    pub(super) fn forget_everywhere(
        &mut self,
        object: &ObjectName,
        now: Instant,
        effects: &mut Effects,
    ) {
        let ids: Vec<AccountId> = self.accounts.keys().copied().collect();
        for id in ids {
            self.forget(id, object, now, effects);
        }
    }

    /// Whether an object was given a place that it has not come for yet.
    pub(super) fn is_granted(&self, id: AccountId, object: &ObjectName) -> bool {
        self.accounts
            .get(&id)
            .is_some_and(|account| account.granted.contains(object))
    }

    /// Why no call of the account may be sent now.
    pub(super) fn refusal(&self, id: AccountId, now: Instant) -> Option<OpenCircuit> {
        self.accounts.get(&id)?.health.refusal(now)
    }

    /// A call of the account has ended. Gives by how much its pause became longer.
    pub(super) fn answered(
        &mut self,
        id: AccountId,
        (sent, now): (Instant, Instant),
        is_write: bool,
        failure: Option<&ProviderError>,
        effects: &mut Effects,
    ) -> Duration {
        let Some(account) = self.accounts.get_mut(&id) else {
            return Duration::ZERO;
        };
        let change = account.health.answered(now, sent, is_write, failure);
        if change.recovered {
            for object in std::mem::take(&mut account.until_recovery) {
                self.park(id, &object, false);
            }
        }
        self.serve(now, effects);
        change.paused
    }

    /// The accounts whose objects are held back.
    pub(super) fn held_back(&self, now: Instant) -> impl Iterator<Item = (ProviderKind, Reason)> {
        self.accounts
            .values()
            .filter_map(move |account| Some((account.kind, account.health.held_back(now)?)))
    }

    /// Why the account's objects are held back, if they are.
    pub(super) fn why_held_back(&self, id: AccountId, now: Instant) -> Option<Reason> {
        self.accounts.get(&id)?.health.held_back(now)
    }

    /// The time that a timer was asked for has come.
    pub(super) fn timer_fired(&mut self, id: AccountId, now: Instant, effects: &mut Effects) {
        if let Some(account) = self.accounts.get_mut(&id) {
            account.timer = None;
        }
        self.serve(now, effects);
    }

    fn park(&mut self, id: AccountId, object: &ObjectName, is_informed: bool) {
        let Some(account) = self.accounts.get_mut(&id) else {
            return;
        };
        if account.queue.is_empty() {
            self.round_robin.push_back(id);
        }
        account.queue.park(object, is_informed);
    }

    fn revoke_grant(&mut self, id: AccountId, object: &ObjectName, now: Instant) -> bool {
        let account = self.accounts.get_mut(&id);
        let had = account.is_some_and(|account| account.revoke_grant(object, now));
        self.in_flight -= usize::from(had);
        had
    }

    /// Gives free places to all whose turn it is, and tells those who wait for a closed account.
    fn serve(&mut self, now: Instant, effects: &mut Effects) {
        // Accounts in a row that could not be given a place.
        let mut passed = 0;
        while passed < self.round_robin.len()
            && self.in_flight < self.total
            && let Some(id) = self.round_robin.pop_front()
        {
            let share = (self.total - self.in_flight).div_ceil(2);
            let Some(account) = self.accounts.get_mut(&id) else {
                continue;
            };
            if account.in_flight
                >= account
                    .limit(id, now, effects)
                    .min(self.per_account)
                    .min(share)
            {
                self.round_robin.push_back(id);
                passed += 1;
                continue;
            }
            let Some(object) = account.queue.next() else {
                continue;
            };
            account.grant(&object, now);
            self.in_flight += 1;
            effects.requeued.push(object);
            passed = 0;
            if !account.queue.is_empty() {
                self.round_robin.push_back(id);
            }
        }
    }
}

#[cfg(test)]
mod tests;
