//! The accounts' access to their providers: [`Places`] with a lock, a clock and a way to wake objects.

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
    health::Closure,
    permits::{Id, Outbox, Place, Places},
};
use crate::{
    api::{ProviderKind, Reason},
    http::{Monitor, ProviderError},
    telemetry::{AccountStates, Metrics},
};

/// Where objects go whose turn has come.
pub type Wake = mpsc::UnboundedSender<ObjectName>;

/// What all accounts share: the places for their calls. Cheap to clone.
#[derive(Clone)]
pub struct Allocator(Arc<Shared>);

struct Shared {
    places: Mutex<Places>,
    wake: Wake,
    metrics: Metrics,
}

/// One account's access: who of its objects may call, and whether it may be called at all.
pub struct Access {
    shared: Arc<Shared>,
    kind: ProviderKind,
    id: Id,
}

/// Whether an object may call now.
pub enum Admission {
    /// It may, until the permit is dropped.
    Now(Permit),
    /// It is parked; its turn will come.
    Later,
    /// Nobody of this account may, for the reason given. The object is parked as well: it is woken
    /// when its turn has come after the account's reopening.
    Closed(Closure),
}

/// One place among the calls in flight.
pub struct Permit(Arc<Access>);

impl Allocator {
    /// `all` places for the calls of all accounts, and `of_each` for those of each. `wake` is told
    /// which object's turn has come.
    pub fn new(all: usize, of_each: usize, wake: Wake, metrics: Metrics) -> Self {
        Self(Arc::new(Shared {
            places: Mutex::new(Places::new(all, of_each)),
            wake,
            metrics,
        }))
    }

    /// The access of a new account. It ends when the last of its objects lets go.
    pub fn open(&self, kind: ProviderKind) -> Arc<Access> {
        let id = self.0.places().open(kind);
        Arc::new(Access {
            shared: Arc::clone(&self.0),
            kind,
            id,
        })
    }

    /// An object is gone, and whose it was is not known any more: as [`Access::forget`].
    pub fn forget(&self, object: &ObjectName) {
        Shared::change(&self.0, |places, now, out| {
            places.forget_everywhere(object, now, out);
        });
    }
}

impl Access {
    /// A place for `object`, or a place in the queue.
    pub fn admit(self: &Arc<Self>, object: &ObjectName) -> Admission {
        let place = self.change(|places, now, out| places.admit(self.id, object, now, out));
        match place {
            Place::Now => Admission::Now(Permit(Arc::clone(self))),
            Place::Later => Admission::Later,
            Place::Closed(closure) => Admission::Closed(closure),
        }
    }

    /// Takes an object out wherever it waits, and gives on the place it was given: it is gone, or it
    /// turned out to need none.
    pub fn forget(&self, object: &ObjectName) {
        self.change(|places, now, out| places.forget(self.id, object, now, out));
    }

    /// Keeps an object whose pass met trouble: if the account is closed, the object is woken in its
    /// turn when it is open again, and this says when that may be. With none the object has to try
    /// again by itself.
    pub fn hold(&self, object: &ObjectName) -> Option<Instant> {
        self.change(|places, now, out| places.hold(self.id, object, now, out))
    }

    /// Whether an object was woken to take a place, and has not come for it yet.
    pub fn is_granted(&self, object: &ObjectName) -> bool {
        self.shared.places().is_granted(self.id, object)
    }

    /// What a call would come to that may not be sent now.
    pub fn refusal(&self) -> Option<ProviderError> {
        let closure = self.shared.places().refusal(self.id, Instant::now());
        closure.map(|closure| closure.error)
    }

    fn change<T>(&self, change: impl FnOnce(&mut Places, Instant, &mut Outbox) -> T) -> T {
        Shared::change(&self.shared, change)
    }
}

impl Shared {
    fn change<T>(
        self: &Arc<Self>,
        change: impl FnOnce(&mut Places, Instant, &mut Outbox) -> T,
    ) -> T {
        let mut out = Outbox::default();
        let value = change(&mut self.places(), Instant::now(), &mut out);
        self.send(out);
        value
    }

    fn send(self: &Arc<Self>, out: Outbox) {
        for object in out.woken {
            // The receiver lives as long as the controller; after it nobody's turn matters.
            let _ = self.wake.send(object);
        }
        // Without a runtime the process is ending.
        let Ok(runtime) = Handle::try_current() else {
            return;
        };
        for (id, due) in out.timers {
            let shared = Arc::downgrade(self);
            runtime.spawn(async move {
                sleep_until(due).await;
                if let Some(shared) = shared.upgrade() {
                    let mut out = Outbox::default();
                    shared.places().due(id, Instant::now(), &mut out);
                    shared.send(out);
                }
            });
        }
    }

    fn places(&self) -> MutexGuard<'_, Places> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Monitor for Access {
    fn may_send(&self) -> Result<(), ProviderError> {
        self.refusal().map_or(Ok(()), Err)
    }

    fn answered(&self, sent: Instant, is_write: bool, failure: Option<&ProviderError>) {
        let (paused, before, after) = self.change(|places, now, out| {
            let before = places.why_held_back(self.id, now);
            let paused = places.answered(self.id, (sent, now), is_write, failure, out);
            (paused, before, places.why_held_back(self.id, now))
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
            .change(|places, now, out| places.release(id, now, out));
    }
}

impl Drop for Access {
    fn drop(&mut self) {
        self.change(|places, now, out| places.close(self.id, now, out));
    }
}

impl AccountStates for Allocator {
    fn held_back(&self) -> Vec<(ProviderKind, Reason)> {
        self.0.places().held_back(Instant::now()).collect()
    }
}

impl fmt::Debug for Allocator {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Allocator")
    }
}
