//! Which object gets a permit that is free.

use tokio::time::Instant;

use super::{AccountId, Effects, PermitPool, account_queue::AccountQueue};
use crate::account::fair_queue::ObjectName;

impl PermitPool {
    /// Ends every change of an account: grants the permits that may be granted now.
    pub(super) fn changed(&mut self, id: AccountId, now: Instant, effects: &mut Effects) {
        self.update_turn(id, now, effects);
        while let Some(id) = self.next_account(now) {
            let account = self.account_mut(id);
            if let Some(object) = account.and_then(|account| account.grant_next(now)) {
                self.in_flight += 1;
                effects.requeued.push(object);
            }
            self.ready.remove(&id);
            self.update_turn(id, now, effects);
        }
    }

    /// Gives the account a turn where it has none, or takes its turn away: while its circuit is
    /// open it has none, until its timer fires or an answer closes the circuit.
    fn update_turn(&mut self, id: AccountId, now: Instant, effects: &mut Effects) {
        let account = self.account_mut(id);
        if account.is_some_and(|account| account.is_ready(id, now, effects)) {
            self.ready.push(&id);
        } else {
            self.ready.remove(&id);
        }
    }

    /// The account that gets the next permit. It passes over accounts that have permits already
    /// and over no other, so it looks at no more accounts than there are permits.
    pub(super) fn next_account(&self, now: Instant) -> Option<AccountId> {
        let share = (self.total - self.in_flight).div_ceil(2);
        if share == 0 {
            return None;
        }
        let may_take = |id: &AccountId| {
            self.account(*id).is_some_and(|account| {
                account.in_flight < account.limit(now).min(self.per_account).min(share)
            })
        };
        self.ready.iter().copied().find(may_take)
    }

    pub(super) fn revoke_grant(&mut self, id: AccountId, object: &ObjectName, now: Instant) {
        let account = self.account_mut(id);
        let is_revoked = account.is_some_and(|account| account.revoke_grant(object, now));
        self.in_flight -= usize::from(is_revoked);
    }

    /// Notes whether the account keeps the object.
    pub(super) fn index(&mut self, id: AccountId, object: &ObjectName) {
        let key = (object.clone(), id);
        if self
            .account(id)
            .is_some_and(|account| account.holds(object))
        {
            self.holders.insert(key);
        } else {
            self.holders.remove(&key);
        }
    }

    pub(super) fn account(&self, id: AccountId) -> Option<&AccountQueue> {
        #[cfg(test)]
        self.visits.set(self.visits.get() + 1);
        self.accounts.get(&id)
    }

    pub(super) fn account_mut(&mut self, id: AccountId) -> Option<&mut AccountQueue> {
        #[cfg(test)]
        self.visits.set(self.visits.get() + 1);
        self.accounts.get_mut(&id)
    }
}
