//! Who may call a provider now: a limit of calls in flight and a fair queue behind it.
//!
//! A reconcile never waits here, because it would hold one of the controller's slots: without a
//! free place its object is parked and the reconcile ends. When a place is free it is given to the
//! object whose turn it is, round robin by namespace, and [`Wake`] has it reconciled again.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::mpsc;

/// Namespace and name of an object.
pub type ObjectName = (String, String);
/// Where objects go whose turn has come.
pub type Wake = mpsc::UnboundedSender<ObjectName>;

/// The limit and queue of one account.
pub struct Limiter {
    wake: Wake,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    free: usize,
    /// Objects that were given a place and have not come for it yet.
    granted: HashSet<ObjectName>,
    /// Parked objects by namespace, and the namespaces in the order of their turns.
    parked: HashMap<String, VecDeque<String>>,
    turns: VecDeque<String>,
}

/// Whether an object may call now.
pub enum Admission {
    /// It may, until the permit is dropped.
    Now(Permit),
    /// It is parked; its turn will come.
    Later,
}

/// One place among the calls in flight.
pub struct Permit(Arc<Limiter>);

impl Limiter {
    /// A limit of `places` calls in flight.
    pub fn new(places: usize, wake: Wake) -> Arc<Self> {
        let state = State {
            free: places.max(1),
            ..State::default()
        };
        Arc::new(Self {
            wake,
            state: Mutex::new(state),
        })
    }

    /// A place for `object`, or a place in the queue.
    pub fn admit(self: &Arc<Self>, object: &ObjectName) -> Admission {
        let mut state = self.state();
        if state.granted.remove(object) {
            return Admission::Now(Permit(Arc::clone(self)));
        }
        if state.free > 0 {
            state.free -= 1;
            return Admission::Now(Permit(Arc::clone(self)));
        }
        state.park(object);
        Admission::Later
    }

    /// Takes an object out of the queue, and gives on the place it was given: it is gone, or it
    /// turned out to need none.
    pub fn forget(&self, object: &ObjectName) {
        let mut state = self.state();
        if let Some(names) = state.parked.get_mut(&object.0) {
            names.retain(|name| *name != object.1);
        }
        if state.granted.remove(object) {
            self.give_on(state);
        }
    }

    fn give_on(&self, mut state: MutexGuard<'_, State>) {
        let Some(next) = state.next() else {
            state.free += 1;
            return;
        };
        state.granted.insert(next.clone());
        drop(state);
        // The receiver lives as long as the controller; after it nobody's turn matters.
        let _ = self.wake.send(next);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn park(&mut self, object: &ObjectName) {
        let (namespace, name) = object;
        if !self.parked.contains_key(namespace) {
            self.turns.push_back(namespace.clone());
        }
        let names = self.parked.entry(namespace.clone()).or_default();
        if !names.contains(name) {
            names.push_back(name.clone());
        }
    }

    fn next(&mut self) -> Option<ObjectName> {
        while let Some(namespace) = self.turns.pop_front() {
            let names = self.parked.get_mut(&namespace)?;
            let name = names.pop_front();
            if names.is_empty() {
                self.parked.remove(&namespace);
            } else {
                self.turns.push_back(namespace.clone());
            }
            if let Some(name) = name {
                return Some((namespace, name));
            }
        }
        None
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.give_on(self.0.state());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(namespace: &str, name: &str) -> ObjectName {
        (namespace.to_owned(), name.to_owned())
    }

    fn limiter(places: usize) -> (Arc<Limiter>, mpsc::UnboundedReceiver<ObjectName>) {
        let (wake, woken) = mpsc::unbounded_channel();
        (Limiter::new(places, wake), woken)
    }

    #[test]
    fn turns_go_round_by_namespace() {
        let (limiter, mut woken) = limiter(1);
        let Admission::Now(mut permit) = limiter.admit(&object("a", "0")) else {
            panic!("free")
        };
        let parked = [("a", "1"), ("a", "2"), ("a", "3"), ("b", "1"), ("c", "1")];
        for (namespace, name) in parked {
            assert!(matches!(
                limiter.admit(&object(namespace, name)),
                Admission::Later
            ));
        }
        let mut order = Vec::new();
        loop {
            drop(permit);
            let Ok(next) = woken.try_recv() else { break };
            let Admission::Now(granted) = limiter.admit(&next) else {
                panic!("granted")
            };
            order.push(format!("{}{}", next.0, next.1));
            permit = granted;
        }
        assert_eq!(order, ["a1", "b1", "c1", "a2", "a3"]);
        assert!(matches!(
            limiter.admit(&object("d", "1")),
            Admission::Now(_)
        ));
    }

    #[test]
    fn a_granted_place_is_not_taken_by_another() {
        let (limiter, mut woken) = limiter(1);
        let Admission::Now(permit) = limiter.admit(&object("a", "0")) else {
            panic!("free")
        };
        assert!(matches!(limiter.admit(&object("a", "1")), Admission::Later));
        drop(permit);
        assert!(matches!(limiter.admit(&object("a", "2")), Admission::Later));
        assert_eq!(woken.try_recv(), Ok(object("a", "1")));
    }

    #[test]
    fn the_place_of_an_object_that_is_gone_is_given_on() {
        let (limiter, mut woken) = limiter(1);
        let Admission::Now(permit) = limiter.admit(&object("a", "0")) else {
            panic!("free")
        };
        assert!(matches!(limiter.admit(&object("a", "1")), Admission::Later));
        assert!(matches!(limiter.admit(&object("a", "2")), Admission::Later));
        drop(permit);
        limiter.forget(&object("a", "1"));
        assert_eq!(woken.try_recv(), Ok(object("a", "1")));
        assert_eq!(woken.try_recv(), Ok(object("a", "2")));
    }
}
