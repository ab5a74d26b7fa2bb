//! Permits: which objects of which accounts may call their provider now. Pure: the caller passes
//! the time in and carries out the [`Effects`].
//!
//! A reconcile never waits for a permit, because it would hold one of the controller's slots:
//! without a free permit its object is parked and the reconcile ends. A free permit is granted to
//! the next parked object, round robin by account and then by namespace, and that object is
//! requeued.
//!
//! An account may take a permit while it has less than half of the free ones (the dynamic threshold
//! of Choudhury and Hahne): accounts whose calls hang leave permits to the others (28 permits hold
//! out against seven of them), and an account that is alone is bound by its own limit only.
//!
//! Accounts whose circuit is open leave the round robin until it may be closed, and an index tells
//! which accounts keep an object. So the cost of a change of one account does not depend on how many
//! other accounts there are.

mod account_queue;
mod grants;

use std::{
    collections::{BTreeSet, HashMap},
    time::Duration,
};

use tokio::time::Instant;

use self::account_queue::AccountQueue;
use super::{
    fair_queue::ObjectName,
    health::{Capacity, OpenCircuit},
    round_robin::RoundRobin,
};
use crate::{
    api::{ProviderKind, Reason},
    http::{CallKind, ProviderError},
};

/// Identifies an account: a number that no other account of the process ever had.
pub(super) type AccountId = u64;

/// What the caller has to do after a change.
#[derive(Debug, Default)]
pub(super) struct Effects {
    /// Requeue these objects: they were granted a permit, or have to learn that the account's
    /// circuit is open.
    pub(super) requeued: Vec<ObjectName>,
    /// Call [`PermitPool::timer_fired`] for the account at this time.
    pub(super) timers: Vec<(AccountId, Instant)>,
}

/// Whether an object may call its provider now.
#[derive(Debug, PartialEq, Eq)]
pub enum Admission<P> {
    /// It may, until the permit is released.
    Granted(P),
    /// It is parked. The grant of a permit requeues it.
    Parked,
    /// No object of the account may call. This one is parked too: a grant requeues it some time
    /// after the circuit has closed.
    CircuitOpen(OpenCircuit),
}

/// The permits of all accounts.
#[derive(Debug)]
pub(super) struct PermitPool {
    total: usize,
    per_account: usize,
    in_flight: usize,
    accounts: HashMap<AccountId, AccountQueue>,
    /// The accounts with parked objects whose circuit is not open.
    ready: RoundRobin<AccountId>,
    /// Which accounts keep which object.
    holders: BTreeSet<(ObjectName, AccountId)>,
    next_id: AccountId,
    /// How often an account was looked at, which is what a change costs.
    #[cfg(test)]
    visits: std::cell::Cell<usize>,
}

impl PermitPool {
    /// A pool of `total` permits, of which each account has `per_account` at most. Both are at
    /// least 1.
    pub(super) fn new(total: usize, per_account: usize) -> Self {
        Self {
            total: total.max(1),
            per_account: per_account.max(1),
            in_flight: 0,
            accounts: HashMap::new(),
            ready: RoundRobin::default(),
            holders: BTreeSet::new(),
            next_id: 0,
            #[cfg(test)]
            visits: std::cell::Cell::default(),
        }
    }

    /// Adds an account.
    pub(super) fn add_account(&mut self, kind: ProviderKind) -> AccountId {
        let id = self.next_id;
        self.next_id += 1;
        self.accounts.insert(id, AccountQueue::new(kind));
        id
    }

    /// Removes an account that no object uses any more.
    pub(super) fn remove_account(&mut self, id: AccountId, now: Instant, effects: &mut Effects) {
        if let Some(account) = self.accounts.remove(&id) {
            self.in_flight -= account.in_flight;
            for object in account.into_objects() {
                self.holders.remove(&(object, id));
            }
        }
        self.changed(id, now, effects);
    }

    /// Grants `object` a permit, or parks it.
    pub(super) fn admit(
        &mut self,
        id: AccountId,
        object: &ObjectName,
        now: Instant,
        effects: &mut Effects,
    ) -> Admission<()> {
        let Some(account) = self.account_mut(id) else {
            return Admission::Parked;
        };
        account.until_recovery.remove(object);
        // In an outage the circuit is open to all objects but the one that was granted a permit.
        let admission = if account.health.refusal(now).is_none() && account.granted.remove(object) {
            Admission::Granted(())
        } else if let Capacity::None(circuit) = account.health.capacity(now) {
            // What it is not told now it is told when the circuit opens anew.
            account.parked.park(object, circuit.is_said(now));
            self.revoke_grant(id, object, now);
            self.changed(id, now, effects);
            Admission::CircuitOpen(circuit)
        } else {
            account.parked.park(object, false);
            self.changed(id, now, effects);
            let account = self.account_mut(id);
            if account.is_some_and(|account| account.granted.remove(object)) {
                // Its reconcile is under way already.
                effects.requeued.retain(|requeued| requeued != object);
                Admission::Granted(())
            } else {
                Admission::Parked
            }
        };
        self.index(id, object);
        admission
    }

    /// An object's call has ended: its permit is free.
    pub(super) fn release(&mut self, id: AccountId, now: Instant, effects: &mut Effects) {
        if let Some(account) = self.account_mut(id) {
            account.in_flight -= 1;
            self.in_flight -= 1;
        }
        self.changed(id, now, effects);
    }

    /// Takes an object out wherever the account keeps it, and revokes its grant: the object is
    /// gone, or its reconcile needs no call.
    pub(super) fn forget(
        &mut self,
        id: AccountId,
        object: &ObjectName,
        now: Instant,
        effects: &mut Effects,
    ) {
        if let Some(account) = self.account_mut(id) {
            account.parked.remove(object);
            account.until_recovery.remove(object);
        }
        self.revoke_grant(id, object, now);
        self.index(id, object);
        self.changed(id, now, effects);
    }

    /// As [`Self::forget`], for every account that keeps the object.
    pub(super) fn forget_everywhere(
        &mut self,
        object: &ObjectName,
        now: Instant,
        effects: &mut Effects,
    ) {
        let all = (object.clone(), AccountId::MIN)..=(object.clone(), AccountId::MAX);
        let ids: Vec<AccountId> = self.holders.range(all).map(|(_, id)| *id).collect();
        for id in ids {
            self.forget(id, object, now, effects);
        }
    }

    /// Keeps an object whose reconcile failed. While the account's circuit is open the object is
    /// parked, and this returns until when. With none the object needs a next try of its own.
    pub(super) fn park_failed(
        &mut self,
        id: AccountId,
        object: &ObjectName,
        now: Instant,
        effects: &mut Effects,
    ) -> Option<Instant> {
        let account = self.account_mut(id)?;
        let until = if let Some(circuit) = account.health.refusal(now) {
            account.parked.park(object, true);
            Some(circuit.until)
        } else if !account.health.is_outage(now) {
            return None;
        } else {
            match account.health.capacity(now) {
                Capacity::None(circuit) if account.parked.contains(object) => Some(circuit.until),
                _ => {
                    account.until_recovery.insert(object.clone());
                    None
                }
            }
        };
        self.index(id, object);
        self.changed(id, now, effects);
        until
    }

    /// Whether an object was granted a permit that it has not come for yet.
    pub(super) fn is_granted(&self, id: AccountId, object: &ObjectName) -> bool {
        self.account(id)
            .is_some_and(|account| account.granted.contains(object))
    }

    /// Whether the account keeps an object.
    pub(super) fn keeps(&self, id: AccountId, object: &ObjectName) -> bool {
        self.account(id)
            .is_some_and(|account| account.holds(object))
    }

    /// Why no call of the account may be sent now.
    pub(super) fn refusal(&self, id: AccountId, now: Instant) -> Option<OpenCircuit> {
        self.account(id)?.health.refusal(now)
    }

    /// A call of the account that was sent at `sent` has ended at `now`. Returns by how much its
    /// pause became longer.
    pub(super) fn answered(
        &mut self,
        id: AccountId,
        (sent, now): (Instant, Instant),
        kind: CallKind,
        failure: Option<&ProviderError>,
        effects: &mut Effects,
    ) -> Duration {
        let Some(account) = self.account_mut(id) else {
            return Duration::ZERO;
        };
        let change = account.health.answered(now, sent, kind, failure);
        if change.recovered {
            for object in std::mem::take(&mut account.until_recovery) {
                account.parked.park(&object, false);
            }
        }
        self.changed(id, now, effects);
        change.paused
    }

    /// The write of a name was refused with 403.
    pub(super) fn write_refused(
        &mut self,
        id: AccountId,
        name: &str,
        error: &ProviderError,
        now: Instant,
        effects: &mut Effects,
    ) {
        if let Some(account) = self.account_mut(id) {
            account.health.write_refused(now, name, error);
            self.changed(id, now, effects);
        }
    }

    /// The accounts whose objects are held back, and why.
    pub(super) fn held_back(&self, now: Instant) -> impl Iterator<Item = (ProviderKind, Reason)> {
        self.accounts
            .values()
            .filter_map(move |account| Some((account.kind, account.health.held_back(now)?)))
    }

    /// How many objects of each account are parked.
    pub(super) fn parked(&self) -> impl Iterator<Item = (ProviderKind, usize)> {
        let accounts = self.accounts.values();
        accounts.map(|account| (account.kind, account.parked.len()))
    }

    /// Why the account's objects are held back, if they are.
    pub(super) fn why_held_back(&self, id: AccountId, now: Instant) -> Option<Reason> {
        self.account(id)?.health.held_back(now)
    }

    /// A timer that [`Effects`] asked for has fired.
    pub(super) fn timer_fired(&mut self, id: AccountId, now: Instant, effects: &mut Effects) {
        if let Some(account) = self.account_mut(id) {
            account.timer = None;
        }
        self.changed(id, now, effects);
    }
}

#[cfg(test)]
mod tests;
