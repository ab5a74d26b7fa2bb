//! The accounts' access to their providers: [`PermitPool`] with a lock, a clock and a way to wake objects.

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
    http::{Monitor, ProviderError},
    telemetry::{AccountStates, Metrics},
};

/// Where objects go whose turn has come.
pub type Requeue = mpsc::UnboundedSender<ObjectName>;

/// What all accounts share: the places for their calls. Cheap to clone.
#[derive(Clone)]
pub struct Limiter(Arc<Shared>);

struct Shared {
    pool: Mutex<PermitPool>,
    requeue: Requeue,
    metrics: Metrics,
}

/// One account's access: who of its objects may call, and whether it may be called at all.
pub struct AccountLimiter {
    shared: Arc<Shared>,
    kind: ProviderKind,
    id: AccountId,
}

/// One place among the calls in flight.
pub struct Permit(Arc<AccountLimiter>);

impl Limiter {
    /// `all` places for the calls of all accounts, and `per_account` for those of each. `wake` is told
    /// which object's turn has come.
    pub fn new(total: usize, per_account: usize, requeue: Requeue, metrics: Metrics) -> Self {
        Self(Arc::new(Shared {
            pool: Mutex::new(PermitPool::new(total, per_account)),
            requeue,
            metrics,
        }))
    }

    /// The access of a new account. It ends when the last of its objects lets go.
    pub fn add_account(&self, kind: ProviderKind) -> Arc<AccountLimiter> {
        let id = self.0.pool().add_account(kind);
        Arc::new(AccountLimiter {
            shared: Arc::clone(&self.0),
            kind,
            id,
        })
    }

    /// An object is gone, and whose it was is not known any more: as [`AccountLimiter::forget`].
    pub fn forget(&self, object: &ObjectName) {
        Shared::change(&self.0, |pool, now, effects| {
            pool.forget_everywhere(object, now, effects);
        });
    }
}

impl AccountLimiter {
    /// A place for `object`, or a place in the queue.
    pub fn admit(self: &Arc<Self>, object: &ObjectName) -> Admission<Permit> {
        let admission = self.change(|pool, now, effects| pool.admit(self.id, object, now, effects));
        match admission {
            Admission::Granted(()) => Admission::Granted(Permit(Arc::clone(self))),
            Admission::Parked => Admission::Parked,
            Admission::CircuitOpen(circuit) => Admission::CircuitOpen(circuit),
        }
    }

    /// Takes an object out wherever it waits, and gives on the place it was given: it is gone, or it
    /// turned out to need none.
    pub fn forget(&self, object: &ObjectName) {
        self.change(|pool, now, effects| pool.forget(self.id, object, now, effects));
    }

    /// Keeps an object whose pass met trouble: if the account is closed, the object is woken in its
    /// turn when it is open again, and this says when that may be. With none the object has to try
    /// again by itself.
    pub fn park_failed(&self, object: &ObjectName) -> Option<Instant> {
        self.change(|pool, now, effects| pool.park_failed(self.id, object, now, effects))
    }

    /// Whether an object was woken to take a place, and has not come for it yet.
    pub fn is_granted(&self, object: &ObjectName) -> bool {
        self.shared.pool().is_granted(self.id, object)
    }

    /// What a call would come to that may not be sent now.
    pub fn refusal(&self) -> Option<ProviderError> {
        let circuit = self.shared.pool().refusal(self.id, Instant::now());
        circuit.map(|circuit| circuit.error)
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
            // The receiver lives as long as the controller; after it nobody's turn matters.
            let _ = self.requeue.send(object);
        }
        // Without a runtime the process is ending.
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

    fn answered(&self, sent: Instant, is_write: bool, failure: Option<&ProviderError>) {
        let (paused, before, after) = self.change(|pool, now, effects| {
            let before = pool.why_held_back(self.id, now);
            let paused = pool.answered(self.id, (sent, now), is_write, failure, effects);
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
}

impl fmt::Debug for Limiter {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Limiter")
    }
}
