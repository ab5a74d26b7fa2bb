//! Which object gets a permit, and when.

mod histories;
mod many_accounts;

use std::collections::BTreeSet;

use http::{HeaderMap, StatusCode};

use super::*;

const MINUTE: Duration = Duration::from_mins(1);

fn object(namespace: &str, name: &str) -> ObjectName {
    (namespace.to_owned(), name.to_owned())
}

fn answer(status: u16) -> ProviderError {
    ProviderError::from_status(StatusCode::from_u16(status).unwrap(), &HeaderMap::new())
}

/// A pool with a clock of its own, and the effects that it asked for.
struct TestPool {
    pool: PermitPool,
    now: Instant,
    requeued: Vec<ObjectName>,
    timers: Vec<(AccountId, Instant)>,
}

impl TestPool {
    fn new(all: usize, per_account: usize) -> Self {
        Self {
            pool: PermitPool::new(all, per_account),
            now: Instant::now(),
            requeued: Vec::new(),
            timers: Vec::new(),
        }
    }

    fn change<T>(&mut self, change: impl FnOnce(&mut PermitPool, Instant, &mut Effects) -> T) -> T {
        let mut effects = Effects::default();
        let value = change(&mut self.pool, self.now, &mut effects);
        self.requeued.extend(effects.requeued);
        self.timers.extend(effects.timers);
        self.check();
        value
    }

    /// Adds an account to which a write has just succeeded.
    fn add_proved_account(&mut self) -> AccountId {
        let id = self.pool.add_account(ProviderKind::Baseten);
        self.answered(id, None);
        id
    }

    fn admit(&mut self, id: AccountId, object: &ObjectName) -> Admission<()> {
        self.change(|pool, now, effects| pool.admit(id, object, now, effects))
    }

    fn release(&mut self, id: AccountId) {
        self.change(|pool, now, effects| pool.release(id, now, effects));
    }

    fn forget(&mut self, id: AccountId, object: &ObjectName) {
        self.change(|pool, now, effects| pool.forget(id, object, now, effects));
    }

    fn park_failed(&mut self, id: AccountId, object: &ObjectName) -> Option<Instant> {
        self.change(|pool, now, effects| pool.park_failed(id, object, now, effects))
    }

    /// A call of a millisecond ends.
    fn answered(&mut self, id: AccountId, failure: Option<&ProviderError>) {
        let sent = self.now;
        self.now += Duration::from_millis(1);
        self.change(|pool, now, effects| {
            pool.answered(id, (sent, now), CallKind::Write, failure, effects)
        });
    }

    /// Lets time pass, and fires the timers that fall into it.
    fn wait(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(next) = self.timers.iter().position(|(_, due)| *due <= end) {
            let (id, due) = self.timers.remove(next);
            self.now = self.now.max(due);
            self.change(|pool, now, effects| pool.timer_fired(id, now, effects));
        }
        self.now = end;
    }

    /// Admits `count` objects of an account. Returns how many of them were granted a permit.
    fn fill(&mut self, id: AccountId, count: usize) -> usize {
        let names = (0..count).map(|number| object(&format!("fill-{id}"), &number.to_string()));
        let names: Vec<ObjectName> = names.collect();
        names
            .iter()
            .filter(|name| self.admit(id, name) == Admission::Granted(()))
            .count()
    }

    /// What holds after every change.
    fn check(&self) {
        let pool = &self.pool;
        let in_flight = pool.accounts.values().map(|account| account.in_flight);
        assert_eq!(in_flight.sum::<usize>(), pool.in_flight);
        assert!(pool.in_flight <= pool.total);
        assert_eq!(pool.next_account(self.now), None, "a permit is left");
        let mut held = BTreeSet::new();
        for (id, account) in &pool.accounts {
            assert!(account.in_flight <= pool.per_account);
            assert!(account.granted.len() <= account.in_flight);
            if pool.ready.contains(id) {
                assert!(!account.parked.is_empty(), "a turn for no object");
                assert_ne!(account.limit(self.now), 0, "a turn for an open circuit");
            } else if !account.parked.is_empty() {
                assert!(account.timer.is_some(), "no turn, and none to come");
            }
            let objects = account.granted.iter().chain(&account.until_recovery);
            held.extend(
                objects
                    .cloned()
                    .chain(account.parked.iter())
                    .map(|object| (object, *id)),
            );
        }
        assert_eq!(held, pool.holders);
    }
}

#[test]
fn an_account_alone_is_held_by_its_own_limit_only() {
    let mut test = TestPool::new(28, 8);
    let id = test.add_proved_account();
    assert_eq!(test.fill(id, 20), 8);
}

#[test]
fn accounts_that_hang_leave_a_permit_for_the_next_one() {
    let mut test = TestPool::new(28, 8);
    for hanging in 0..7 {
        let id = test.add_proved_account();
        assert!(test.fill(id, 20) >= 1, "account {hanging}");
    }
    let id = test.add_proved_account();
    assert_eq!(test.admit(id, &object("a", "1")), Admission::Granted(()));
}

#[test]
fn a_free_permit_goes_to_the_account_that_has_none() {
    let mut test = TestPool::new(4, 4);
    let (busy, poor) = (test.add_proved_account(), test.add_proved_account());
    assert_eq!(test.fill(busy, 20), 2);
    assert_eq!(test.admit(poor, &object("p", "1")), Admission::Granted(()));
    assert_eq!(test.admit(poor, &object("p", "2")), Admission::Parked);
    test.requeued.clear();
    test.release(poor);
    assert_eq!(test.requeued, [object("p", "2")]);
}

#[test]
fn turns_go_round_by_account_and_then_by_namespace() {
    let mut test = TestPool::new(1, 1);
    let (one, other) = (test.add_proved_account(), test.add_proved_account());
    let first = object("a", "0");
    assert_eq!(test.admit(one, &first), Admission::Granted(()));
    for name in [
        object("a", "1"),
        object("a", "2"),
        object("b", "1"),
        object("b", "2"),
    ] {
        assert_eq!(test.admit(one, &name), Admission::Parked);
    }
    for name in [object("z", "1"), object("z", "2")] {
        assert_eq!(test.admit(other, &name), Admission::Parked);
    }
    test.requeued.clear();
    let mut order = Vec::new();
    let mut holder = one;
    loop {
        test.release(holder);
        let Some(name) = test.requeued.pop() else {
            break;
        };
        holder = if name.0 == "z" { other } else { one };
        assert_eq!(test.admit(holder, &name), Admission::Granted(()));
        order.push(name.0 + &name.1);
    }
    assert_eq!(order, ["a1", "z1", "b1", "z2", "a2", "b2"]);
    assert_eq!(test.pool.in_flight, 0);
}

#[test]
fn a_granted_permit_waits_for_its_object_and_goes_to_the_next_if_not_needed() {
    let mut test = TestPool::new(1, 1);
    let id = test.add_proved_account();
    let names = [object("a", "0"), object("a", "1"), object("a", "2")];
    assert_eq!(test.admit(id, &names[0]), Admission::Granted(()));
    assert_eq!(test.admit(id, &names[1]), Admission::Parked);
    test.release(id);
    assert_eq!(test.admit(id, &names[2]), Admission::Parked);
    assert!(test.pool.is_granted(id, &names[1]));
    test.forget(id, &names[1]);
    assert_eq!(test.requeued, [names[1].clone(), names[2].clone()]);
    assert_eq!(test.admit(id, &names[2]), Admission::Granted(()));
}

#[test]
fn parked_objects_learn_once_that_the_circuit_is_open_and_probe_it_one_by_one() {
    let mut test = TestPool::new(28, 8);
    let id = test.add_proved_account();
    assert_eq!(test.fill(id, 50), 8);
    test.answered(id, Some(&answer(401)));
    assert_eq!(test.requeued.len(), 42, "informed");
    for name in std::mem::take(&mut test.requeued) {
        assert!(matches!(test.admit(id, &name), Admission::CircuitOpen(_)));
    }
    for number in 0..8 {
        test.release(id);
        let name = object("fill-0", &number.to_string());
        assert!(test.park_failed(id, &name).is_some());
    }
    for _ in 0..3 {
        assert_eq!(test.requeued, []);
        test.wait(MINUTE * 59);
        let requeued = std::mem::take(&mut test.requeued);
        assert_eq!(requeued.len(), 1, "one probe");
        assert_eq!(test.admit(id, &requeued[0]), Admission::Granted(()));
        test.answered(id, Some(&answer(401)));
        assert!(test.park_failed(id, &requeued[0]).is_some());
        test.release(id);
    }
    test.wait(MINUTE * 59);
    let probe = test.requeued.pop().unwrap();
    assert_eq!(test.admit(id, &probe), Admission::Granted(()));
    test.answered(id, None);
    assert_eq!(
        test.requeued.len(),
        7,
        "released, as many as there are permits"
    );
}

#[test]
fn what_comes_shortly_before_a_probe_learns_that_it_was_refused() {
    let mut test = TestPool::new(28, 8);
    let id = test.add_proved_account();
    let (probe, late) = (object("a", "0"), object("a", "1"));
    assert_eq!(test.admit(id, &probe), Admission::Granted(()));
    test.answered(id, Some(&answer(401)));
    assert!(test.park_failed(id, &probe).is_some());
    test.release(id);
    test.wait(Duration::from_secs(50));
    let Admission::CircuitOpen(circuit) = test.admit(id, &late) else {
        panic!("the circuit is open");
    };
    assert!(!circuit.is_said(test.now));
    test.wait(Duration::from_secs(20));
    assert_eq!(
        std::mem::take(&mut test.requeued),
        std::slice::from_ref(&probe)
    );
    assert_eq!(test.admit(id, &probe), Admission::Granted(()));
    test.answered(id, Some(&answer(401)));
    assert_eq!(test.requeued, std::slice::from_ref(&late));
    let Admission::CircuitOpen(circuit) = test.admit(id, &late) else {
        panic!("the circuit is open");
    };
    assert!(circuit.is_said(test.now));
}

#[test]
fn what_failed_in_an_outage_is_released_by_the_first_success() {
    let mut test = TestPool::new(28, 8);
    let id = test.add_proved_account();
    let names: Vec<ObjectName> = (0..5)
        .map(|number| object("a", &number.to_string()))
        .collect();
    test.answered(id, Some(&answer(503)));
    test.wait(MINUTE * 60);
    for name in &names {
        assert_eq!(test.admit(id, name), Admission::Granted(()));
        test.answered(id, Some(&answer(503)));
        assert_eq!(test.park_failed(id, name), None, "it has its own next try");
        test.release(id);
        test.wait(MINUTE);
    }
    assert_eq!(test.requeued, []);
    assert_eq!(test.admit(id, &names[0]), Admission::Granted(()));
    let other = test.admit(id, &names[1]);
    assert!(matches!(
        other,
        Admission::Parked | Admission::CircuitOpen(_)
    ));
    test.requeued.clear();
    test.answered(id, None);
    let requeued: BTreeSet<ObjectName> = test.requeued.drain(..).collect();
    assert_eq!(requeued, names[1..].iter().cloned().collect());
}

#[test]
fn the_permit_of_an_object_that_is_gone_goes_to_the_next() {
    let mut test = TestPool::new(28, 8);
    let id = test.pool.add_account(ProviderKind::Baseten);
    let (gone, next) = (object("a", "gone"), object("a", "next"));
    assert_eq!(test.admit(id, &object("a", "0")), Admission::Granted(()));
    assert_eq!(test.admit(id, &gone), Admission::Parked);
    assert_eq!(test.admit(id, &next), Admission::Parked);
    test.release(id);
    test.change(|pool, now, effects| pool.forget_everywhere(&gone, now, effects));
    assert_eq!(test.admit(id, &next), Admission::Granted(()));
}
