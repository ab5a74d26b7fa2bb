//! Who gets a place.

mod histories;

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

/// Places with a clock of their own, and the objects that were woken.
struct Story {
    places: Places,
    now: Instant,
    woken: Vec<ObjectName>,
    timers: Vec<(Id, Instant)>,
}

impl Story {
    fn new(all: usize, of_each: usize) -> Self {
        Self {
            places: Places::new(all, of_each),
            now: Instant::now(),
            woken: Vec::new(),
            timers: Vec::new(),
        }
    }

    fn change<T>(&mut self, change: impl FnOnce(&mut Places, Instant, &mut Outbox) -> T) -> T {
        let mut out = Outbox::default();
        let value = change(&mut self.places, self.now, &mut out);
        self.woken.extend(out.woken);
        self.timers.extend(out.timers);
        self.check();
        value
    }

    /// An account that was just written to.
    fn open(&mut self) -> Id {
        let id = self.places.open(ProviderKind::Baseten);
        self.answered(id, None);
        id
    }

    fn admit(&mut self, id: Id, object: &ObjectName) -> Place {
        self.change(|places, now, out| places.admit(id, object, now, out))
    }

    fn release(&mut self, id: Id) {
        self.change(|places, now, out| places.release(id, now, out));
    }

    fn forget(&mut self, id: Id, object: &ObjectName) {
        self.change(|places, now, out| places.forget(id, object, now, out));
    }

    fn hold(&mut self, id: Id, object: &ObjectName) -> Option<Instant> {
        self.change(|places, now, out| places.hold(id, object, now, out))
    }

    /// A call that took a millisecond.
    fn answered(&mut self, id: Id, failure: Option<&ProviderError>) {
        let sent = self.now;
        self.now += Duration::from_millis(1);
        self.change(|places, now, out| places.answered(id, (sent, now), true, failure, out));
    }

    /// Lets time pass, with the timers that it brings.
    fn wait(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(next) = self.timers.iter().position(|(_, due)| *due <= end) {
            let (id, due) = self.timers.remove(next);
            self.now = self.now.max(due);
            self.change(|places, now, out| places.due(id, now, out));
        }
        self.now = end;
    }

    /// So many objects of an account get a place, of so many that ask.
    fn fill(&mut self, id: Id, count: usize) -> usize {
        let names = (0..count).map(|number| object(&format!("fill-{id}"), &number.to_string()));
        let names: Vec<ObjectName> = names.collect();
        names
            .iter()
            .filter(|name| self.admit(id, name) == Place::Now)
            .count()
    }

    fn check(&self) {
        let places = &self.places;
        let sum: usize = places.lines.values().map(|line| line.in_flight).sum();
        assert_eq!(sum, places.in_flight);
        assert!(places.in_flight <= places.all);
        for (id, line) in &places.lines {
            assert!(line.in_flight <= places.of_each);
            assert!(line.granted.len() <= line.in_flight);
            let turns = places.turns.iter().filter(|turn| *turn == id).count();
            assert!(turns <= 1, "two turns a round");
            assert_eq!(turns == 0, line.queue.is_empty());
        }
    }
}

#[test]
fn an_account_alone_is_held_by_its_own_limit_only() {
    let mut story = Story::new(28, 8);
    let id = story.open();
    assert_eq!(story.fill(id, 20), 8);
}

#[test]
fn accounts_that_hang_leave_a_place_for_the_next_one() {
    let mut story = Story::new(28, 8);
    for hanging in 0..7 {
        let id = story.open();
        assert!(story.fill(id, 20) >= 1, "account {hanging}");
    }
    let id = story.open();
    assert_eq!(story.admit(id, &object("a", "1")), Place::Now);
}

#[test]
fn a_free_place_goes_to_the_account_that_has_none() {
    let mut story = Story::new(4, 4);
    let (busy, poor) = (story.open(), story.open());
    assert_eq!(story.fill(busy, 20), 2);
    assert_eq!(story.admit(poor, &object("p", "1")), Place::Now);
    assert_eq!(story.admit(poor, &object("p", "2")), Place::Later);
    story.woken.clear();
    story.release(poor);
    assert_eq!(story.woken, [object("p", "2")]);
}

#[test]
fn turns_go_round_by_account_and_then_by_namespace() {
    let mut story = Story::new(1, 1);
    let (one, other) = (story.open(), story.open());
    let first = object("a", "0");
    assert_eq!(story.admit(one, &first), Place::Now);
    for name in [
        object("a", "1"),
        object("a", "2"),
        object("b", "1"),
        object("b", "2"),
    ] {
        assert_eq!(story.admit(one, &name), Place::Later);
    }
    for name in [object("z", "1"), object("z", "2")] {
        assert_eq!(story.admit(other, &name), Place::Later);
    }
    story.woken.clear();
    let mut order = Vec::new();
    let mut holder = one;
    loop {
        story.release(holder);
        let Some(name) = story.woken.pop() else { break };
        holder = if name.0 == "z" { other } else { one };
        assert_eq!(story.admit(holder, &name), Place::Now);
        order.push(name.0 + &name.1);
    }
    assert_eq!(order, ["a1", "z1", "b1", "z2", "a2", "b2"]);
    assert_eq!(story.places.in_flight, 0);
}

#[test]
fn a_place_that_was_given_is_not_taken_by_another_and_is_given_on_if_not_needed() {
    let mut story = Story::new(1, 1);
    let id = story.open();
    let names = [object("a", "0"), object("a", "1"), object("a", "2")];
    assert_eq!(story.admit(id, &names[0]), Place::Now);
    assert_eq!(story.admit(id, &names[1]), Place::Later);
    story.release(id);
    assert_eq!(story.admit(id, &names[2]), Place::Later);
    assert!(story.places.is_granted(id, &names[1]));
    story.forget(id, &names[1]);
    assert_eq!(story.woken, [names[1].clone(), names[2].clone()]);
    assert_eq!(story.admit(id, &names[2]), Place::Now);
}

#[test]
fn those_who_wait_are_told_once_that_the_account_is_closed_and_let_in_one_by_one() {
    let mut story = Story::new(28, 8);
    let id = story.open();
    assert_eq!(story.fill(id, 50), 8);
    story.answered(id, Some(&answer(401)));
    assert_eq!(story.woken.len(), 42, "told");
    for name in std::mem::take(&mut story.woken) {
        assert!(matches!(story.admit(id, &name), Place::Closed(_)));
    }
    for number in 0..8 {
        story.release(id);
        let name = object("fill-0", &number.to_string());
        assert!(story.hold(id, &name).is_some());
    }
    for _ in 0..3 {
        assert_eq!(story.woken, []);
        story.wait(MINUTE * 59);
        let woken = std::mem::take(&mut story.woken);
        assert_eq!(woken.len(), 1, "one probe");
        assert_eq!(story.admit(id, &woken[0]), Place::Now);
        story.answered(id, Some(&answer(401)));
        assert!(story.hold(id, &woken[0]).is_some());
        story.release(id);
    }
    story.wait(MINUTE * 59);
    let probe = story.woken.pop().unwrap();
    assert_eq!(story.admit(id, &probe), Place::Now);
    story.answered(id, None);
    assert_eq!(
        story.woken.len(),
        7,
        "released, as many as there are places"
    );
}

#[test]
fn what_failed_in_an_outage_is_released_by_the_first_success() {
    let mut story = Story::new(28, 8);
    let id = story.open();
    let names: Vec<ObjectName> = (0..5)
        .map(|number| object("a", &number.to_string()))
        .collect();
    story.answered(id, Some(&answer(503)));
    story.wait(MINUTE * 60);
    for name in &names {
        assert_eq!(story.admit(id, name), Place::Now);
        story.answered(id, Some(&answer(503)));
        assert_eq!(story.hold(id, name), None, "it has its own next try");
        story.release(id);
        story.wait(MINUTE);
    }
    assert_eq!(story.woken, []);
    assert_eq!(story.admit(id, &names[0]), Place::Now);
    let other = story.admit(id, &names[1]);
    assert!(matches!(other, Place::Later | Place::Closed(_)));
    story.woken.clear();
    story.answered(id, None);
    let woken: BTreeSet<ObjectName> = story.woken.drain(..).collect();
    assert_eq!(woken, names[1..].iter().cloned().collect());
}

#[test]
fn what_is_gone_without_a_trace_gives_on_its_place() {
    let mut story = Story::new(28, 8);
    let id = story.places.open(ProviderKind::Baseten);
    let (gone, next) = (object("a", "gone"), object("a", "next"));
    assert_eq!(story.admit(id, &object("a", "0")), Place::Now);
    assert_eq!(story.admit(id, &gone), Place::Later);
    assert_eq!(story.admit(id, &next), Place::Later);
    story.release(id);
    story.change(|places, now, out| places.forget_everywhere(&gone, now, out));
    assert_eq!(story.admit(id, &next), Place::Now);
}
