//! The ledger: every call of the operator to the outside in its order, and where it dies.
//!
//! What the operator does at once is written down at once: under a paused clock on one thread a run
//! is repeatable, so the number of a call names the same call in every run.

use std::{
    collections::VecDeque,
    fmt,
    future::{Future, pending},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::watch;

/// Where an incarnation of the operator dies: at its call with this number, counted from 1 since
/// the ledger was armed or since the crash before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Crash {
    pub(super) call: usize,
    pub(super) variant: Variant,
}

/// On which side of the call's effect it dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Variant {
    /// Nothing happened.
    Before,
    /// It happened, and the answer was lost.
    After,
}

impl Variant {
    pub(super) const BOTH: [Self; 2] = [Self::Before, Self::After];
}

impl fmt::Display for Crash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = match self.variant {
            Variant::Before => "before",
            Variant::After => "after",
        };
        write!(formatter, "{}-{side}", self.call)
    }
}

impl std::str::FromStr for Crash {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parsed = text.split_once('-').and_then(|(call, side)| {
            let variant = match side {
                "before" => Variant::Before,
                "after" => Variant::After,
                _ => return None,
            };
            let call = call.parse().ok()?;
            Some(Self { call, variant })
        });
        parsed.ok_or_else(|| format!("{text:?} is no crash such as 3-after"))
    }
}

/// What a call does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    Read,
    /// Something outside is another afterwards: it has not come to rest.
    Write,
}

/// Written by every incarnation; clones mean the same ledger.
#[derive(Clone)]
pub(super) struct Ledger(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    /// Moves with each write and each event.
    moved: watch::Sender<u64>,
    /// The incarnation that is alive.
    alive: watch::Sender<Option<u64>>,
}

#[derive(Default)]
struct State {
    lines: Vec<String>,
    born: u64,
    crashes: VecDeque<Crash>,
    /// Calls since the ledger was armed or since the last crash; none before it is armed.
    counted: Option<usize>,
    /// How many of them there were up to the last write.
    until_last_write: usize,
}

impl Ledger {
    pub(super) fn new() -> Self {
        Self(Arc::new(Shared {
            state: Mutex::default(),
            moved: watch::Sender::new(0),
            alive: watch::Sender::new(None),
        }))
    }

    /// A new incarnation lives.
    pub(super) fn birth(&self) -> u64 {
        let mut state = self.lock();
        state.born += 1;
        let born = state.born;
        state.lines.push(format!("-- incarnation {born}"));
        drop(state);
        self.0.alive.send_replace(Some(born));
        born
    }

    /// Nothing that the living incarnation still does has any effect.
    pub(super) fn death(&self) {
        self.0.alive.send_replace(None);
    }

    /// From here on calls are counted, and crashes happen.
    pub(super) fn arm(&self, crashes: &[Crash]) {
        let mut state = self.lock();
        state.crashes = crashes.iter().copied().collect();
        state.counted = Some(0);
        state.until_last_write = 0;
    }

    /// Crashes that have not happened.
    pub(super) fn unspent(&self) -> usize {
        self.lock().crashes.len()
    }

    /// How many calls there were up to the last write, since the ledger was armed or since the last
    /// crash: as many points there are at which a crash could matter.
    pub(super) fn calls(&self) -> usize {
        self.lock().until_last_write
    }

    /// One call: written down, done, answered; or the end of the incarnation.
    pub(super) async fn call<T>(
        &self,
        incarnation: u64,
        line: String,
        effect: Effect,
        call: impl Future<Output = T>,
    ) -> T {
        self.living(incarnation).await;
        let crash = self.enter(&line, effect);
        if crash == Some(Variant::Before) {
            return self.crash(&line).await;
        }
        let answer = call.await;
        if effect == Effect::Write {
            self.moved();
        }
        if crash == Some(Variant::After) {
            return self.crash(&line).await;
        }
        self.living(incarnation).await;
        answer
    }

    /// Never returns to the dead.
    pub(super) async fn living(&self, incarnation: u64) {
        if *self.0.alive.borrow() != Some(incarnation) {
            pending::<()>().await;
        }
    }

    /// Something outside has changed.
    pub(super) fn moved(&self) {
        self.0.moved.send_modify(|count| *count += 1);
    }

    pub(super) fn moves(&self) -> watch::Receiver<u64> {
        self.0.moved.subscribe()
    }

    /// Resolves when the living incarnation dies.
    pub(super) async fn dies(&self) {
        let mut alive = self.0.alive.subscribe();
        let _ = alive.wait_for(Option::is_none).await;
    }

    /// Everything, for somebody who looks for a fault.
    pub(super) fn lines(&self) -> Vec<String> {
        self.lock().lines.clone()
    }

    fn enter(&self, line: &str, effect: Effect) -> Option<Variant> {
        let mut state = self.lock();
        state.lines.push(line.to_owned());
        let number = state.counted? + 1;
        state.counted = Some(number);
        if effect == Effect::Write {
            state.until_last_write = number;
        }
        let crash = *state.crashes.front().filter(|crash| crash.call == number)?;
        state.crashes.pop_front();
        Some(crash.variant)
    }

    async fn crash<T>(&self, line: &str) -> T {
        {
            let mut state = self.lock();
            state.lines.push(format!("-- crash at {line}"));
            state.counted = Some(0);
            state.until_last_write = 0;
        }
        self.death();
        pending().await
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
