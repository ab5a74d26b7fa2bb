//! The limiter of all accounts: [`PermitPool`] with a lock, a clock and a way to requeue objects.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::{
    runtime::Handle,
    sync::mpsc,
    time::{Instant, sleep_until},
};

use super::{
    fair_queue::ObjectName,
    permits::{AccountId, Admission, Effects, PermitPool},
};
use crate::{
    api::{ProviderKind, Reason},
    http::{CallKind, Monitor, ProviderError},
    telemetry::{AccountStates, Metrics},
};

/// Where the limiter sends the objects that are to be reconciled.
pub type Requeue = mpsc::UnboundedSender<ObjectName>;

/// The permits that the calls of all accounts share. Cheap to clone.
#[derive(Clone)]
pub struct Limiter(Arc<Shared>);

struct Shared {
    pool: Mutex<PermitPool>,
    requeue: Requeue,
    metrics: Metrics,
}

/// One account's part of the limiter: it decides which of the account's objects may call, and
/// whether any may.
pub struct AccountLimiter {
    shared: Arc<Shared>,
    kind: ProviderKind,
    id: AccountId,
}

/// The right of one object to call its provider; dropping it releases it.
pub struct Permit(Arc<AccountLimiter>);

impl Limiter {
    /// A limiter with `total` permits for all accounts, of which each account has `per_account` at
    /// most; both are at least 1. Objects that were granted a permit, or have to learn that their
    /// account's circuit is open, go to `requeue`.
    pub fn new(total: usize, per_account: usize, requeue: Requeue, metrics: Metrics) -> Self {
        Self(Arc::new(Shared {
            pool: Mutex::new(PermitPool::new(total, per_account)),
            requeue,
            metrics,
        }))
    }

    /// Adds an account. Dropping its limiter removes it, with its parked objects.
    pub fn add_account(&self, kind: ProviderKind) -> Arc<AccountLimiter> {
        let id = self.0.pool().add_account(kind);
        Arc::new(AccountLimiter {
            shared: Arc::clone(&self.0),
            kind,
            id,
        })
    }

    /// As [`AccountLimiter::forget`] for every account that keeps the object: for an object that is
    /// gone, and whose account the caller does not know.
    pub fn forget(&self, object: &ObjectName) {
        Shared::change(&self.0, |pool, now, effects| {
            pool.forget_everywhere(object, now, effects);
        });
    }
}

impl AccountLimiter {
    /// The provider.
    pub fn kind(&self) -> ProviderKind {
        self.kind
    }

    /// Grants `object` a permit, or parks it. A parked object is requeued, so its reconcile ends
    /// without a next try of its own.
    pub fn admit(self: &Arc<Self>, object: &ObjectName) -> Admission<Permit> {
        let admission = self.change(|pool, now, effects| pool.admit(self.id, object, now, effects));
        match admission {
            Admission::Granted(()) => Admission::Granted(Permit(Arc::clone(self))),
            Admission::Parked => Admission::Parked,
            Admission::CircuitOpen(circuit) => Admission::CircuitOpen(circuit),
        }
    }

    /// Takes an object out wherever the account keeps it, and grants its permit to the next object:
    /// the object is gone, or its reconcile needs no call.
    pub fn forget(&self, object: &ObjectName) {
        self.change(|pool, now, effects| pool.forget(self.id, object, now, effects));
    }

    /// Keeps an object whose reconcile failed. While the account's circuit is open the object is
    /// parked, and this returns when the circuit may be closed; a grant requeues the object some
    /// time after that. With none the object needs a next try of its own.
    pub fn park_failed(&self, object: &ObjectName) -> Option<Instant> {
        self.change(|pool, now, effects| pool.park_failed(self.id, object, now, effects))
    }

    /// Whether an object was granted a permit that it has not come for yet.
    pub fn is_granted(&self, object: &ObjectName) -> bool {
        self.shared.pool().is_granted(self.id, object)
    }

    /// Whether the account keeps an object: parked, with a permit that it has not come for, or until the end of an
    /// outage.
    pub fn keeps(&self, object: &ObjectName) -> bool {
        self.shared.pool().keeps(self.id, object)
    }

    /// The error that a call would end in, because the account's circuit is open. An outage is no
    /// such reason: it limits which reconciles begin, not what they send.
    pub fn refusal(&self) -> Option<ProviderError> {
        let circuit = self.shared.pool().refusal(self.id, Instant::now());
        circuit.map(|circuit| circuit.error)
    }

    /// The write of a name was refused with 403: its own failure, until a second name is refused too.
    pub fn write_refused(&self, name: &str, error: &ProviderError) {
        self.change(|pool, now, effects| pool.write_refused(self.id, name, error, now, effects));
    }

    fn change<T>(&self, change: impl FnOnce(&mut PermitPool, Instant, &mut Effects) -> T) -> T {
        Shared::change(&self.shared, change)
    }
}

impl Shared {
    fn change<T>(
        self: &Arc<Self>,
        change: impl FnOnce(&mut PermitPool, Instant, &mut Effects) -> T,
    ) -> T {
        let mut effects = Effects::default();
        let value = change(&mut self.pool(), Instant::now(), &mut effects);
        self.send(effects);
        value
    }

    fn send(self: &Arc<Self>, effects: Effects) {
        for object in effects.requeued {
            // The receiver lives as long as the controller. Without it no object is reconciled.
            let _ = self.requeue.send(object);
        }
        // The runtime is missing only while the process ends.
        let Ok(runtime) = Handle::try_current() else {
            return;
        };
        for (id, due) in effects.timers {
            let shared = Arc::downgrade(self);
            runtime.spawn(async move {
                sleep_until(due).await;
                if let Some(shared) = shared.upgrade() {
                    let mut effects = Effects::default();
                    shared.pool().timer_fired(id, Instant::now(), &mut effects);
                    shared.send(effects);
                }
            });
        }
    }

    fn pool(&self) -> MutexGuard<'_, PermitPool> {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Monitor for AccountLimiter {
    fn may_send(&self) -> Result<(), ProviderError> {
        self.refusal().map_or(Ok(()), Err)
    }

    fn answered(&self, sent: Instant, kind: CallKind, failure: Option<&ProviderError>) {
        let (paused, before, after) = self.change(|pool, now, effects| {
            let before = pool.why_held_back(self.id, now);
            let paused = pool.answered(self.id, (sent, now), kind, failure, effects);
            (paused, before, pool.why_held_back(self.id, now))
        });
        self.shared.metrics.paused(self.kind, paused);
        let provider = self.kind.as_str();
        match (before, after) {
            (None, Some(reason)) => {
                tracing::info!(
                    provider,
                    reason = reason.as_str(),
                    "an account is held back"
                );
            }
            (Some(_), None) => tracing::info!(provider, "an account is called again"),
            _ => {}
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let id = self.0.id;
        self.0
            .change(|pool, now, effects| pool.release(id, now, effects));
    }
}

impl Drop for AccountLimiter {
    fn drop(&mut self) {
        self.change(|pool, now, effects| pool.remove_account(self.id, now, effects));
    }
}

impl AccountStates for Limiter {
    fn held_back(&self) -> Vec<(ProviderKind, Reason)> {
        self.0.pool().held_back(Instant::now()).collect()
    }

    fn parked(&self) -> Vec<(ProviderKind, usize)> {
        self.0.pool().parked().collect()
    }
}

impl fmt::Debug for Limiter {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Limiter")
    }
}
