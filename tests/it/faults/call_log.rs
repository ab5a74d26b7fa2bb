//! The call log: every call of the operator to the outside in its order, and where it dies.
//!
//! What the operator does at once is written down at once: under a paused clock on one thread a run
//! is repeatable, so the number of a call names the same call in every run.

use std::{
    collections::VecDeque,
    fmt,
    future::{Future, pending},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{sync::watch, time::sleep};

/// Where an incarnation of the operator dies: at its call with this number, counted from 1 since
/// the call log was armed or since the crash before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Crash {
    pub(crate) call: usize,
    pub(crate) variant: Variant,
}

/// On which side of the call's effect it dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Variant {
    /// Nothing happened.
    Before,
    /// It happened, and the answer was lost.
    After,
    /// It was on its way, and happens while the successor is at work.
    Late,
}

/// How long what the dead have sent is still on its way.
const LATE: Duration = Duration::from_millis(10);

impl Variant {
    pub(crate) const BOTH: [Self; 2] = [Self::Before, Self::After];
}

impl fmt::Display for Crash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = match self.variant {
            Variant::Before => "before",
            Variant::After => "after",
            Variant::Late => "late",
        };
        write!(formatter, "{}-{side}", self.call)
    }
}

/// What a call does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    Read,
    /// A write at the API server, which takes no late ones: they are fenced.
    Record,
    /// A write at a provider, which takes them.
    Send,
}

/// Written by every incarnation; clones mean the same call log.
#[derive(Clone)]
pub(crate) struct CallLog(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    /// Moves with each write and each event.
    changed: watch::Sender<u64>,
    /// The incarnation that is alive.
    alive: watch::Sender<Option<u64>>,
}

#[derive(Default)]
struct State {
    lines: Vec<String>,
    incarnations: u64,
    crashes: VecDeque<Crash>,
    /// The calls since the call log was armed or since the last crash; none before it is armed.
    counted: Option<Vec<Effect>>,
}

impl CallLog {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Shared {
            state: Mutex::default(),
            changed: watch::Sender::new(0),
            alive: watch::Sender::new(None),
        }))
    }

    /// A new incarnation lives.
    pub(crate) fn start_incarnation(&self) -> u64 {
        let mut state = self.lock();
        state.incarnations += 1;
        let incarnations = state.incarnations;
        state.lines.push(format!("-- incarnation {incarnations}"));
        drop(state);
        self.0.alive.send_replace(Some(incarnations));
        incarnations
    }

    /// Nothing that the living incarnation still does has any effect.
    pub(crate) fn end_incarnation(&self) {
        self.0.alive.send_replace(None);
    }

    /// From here on calls are counted, and crashes happen.
    pub(crate) fn arm(&self, crashes: &[Crash]) {
        let mut state = self.lock();
        state.crashes = crashes.iter().copied().collect();
        state.counted = Some(Vec::new());
    }

    /// How many calls there were since the call log was armed or since the last crash.
    pub(crate) fn counted(&self) -> usize {
        self.lock().counted.as_ref().map_or(0, Vec::len)
    }

    /// Crashes that have not happened.
    pub(crate) fn pending_crashes(&self) -> usize {
        self.lock().crashes.len()
    }

    /// The calls up to the last write, since the call log was armed or since the last crash: at each
    /// of them a crash could matter.
    pub(crate) fn calls(&self) -> Vec<Effect> {
        let mut calls = self.lock().counted.clone().unwrap_or_default();
        while calls.last() == Some(&Effect::Read) {
            calls.pop();
        }
        calls
    }

    /// One call: written down, done, answered; or the end of the incarnation.
    pub(crate) async fn call<T>(
        &self,
        incarnation: u64,
        line: String,
        effect: Effect,
        call: impl Future<Output = T> + Send + 'static,
    ) -> T {
        self.ensure_alive(incarnation).await;
        let crash = self.enter(&line, effect);
        if crash == Some(Variant::Before) {
            return self.crash(&line).await;
        }
        if crash == Some(Variant::Late) {
            let call_log = self.clone();
            tokio::spawn(async move {
                sleep(LATE).await;
                drop(call.await);
                call_log.record_change();
            });
            return self.crash(&line).await;
        }
        let answer = call.await;
        if effect != Effect::Read {
            self.record_change();
        }
        if crash == Some(Variant::After) {
            return self.crash(&line).await;
        }
        self.ensure_alive(incarnation).await;
        answer
    }

    /// Never returns to the dead.
    pub(crate) async fn ensure_alive(&self, incarnation: u64) {
        if *self.0.alive.borrow() != Some(incarnation) {
            pending::<()>().await;
        }
    }

    /// Whether an incarnation lives.
    pub(crate) fn is_alive(&self) -> bool {
        self.0.alive.borrow().is_some()
    }

    /// Something outside has changed.
    pub(crate) fn record_change(&self) {
        self.0.changed.send_modify(|count| *count += 1);
    }

    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.0.changed.subscribe()
    }

    /// Resolves when the living incarnation dies.
    pub(crate) async fn ended(&self) {
        let mut alive = self.0.alive.subscribe();
        let _ = alive.wait_for(Option::is_none).await;
    }

    /// Everything, for somebody who looks for a fault.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.lock().lines.clone()
    }

    fn enter(&self, line: &str, effect: Effect) -> Option<Variant> {
        let mut state = self.lock();
        state.lines.push(line.to_owned());
        let counted = state.counted.as_mut()?;
        counted.push(effect);
        let number = counted.len();
        let crash = *state.crashes.front().filter(|crash| crash.call == number)?;
        state.crashes.pop_front();
        Some(crash.variant)
    }

    async fn crash<T>(&self, line: &str) -> T {
        {
            let mut state = self.lock();
            state.lines.push(format!("-- crash at {line}"));
            state.counted = Some(Vec::new());
        }
        self.end_incarnation();
        pending().await
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
