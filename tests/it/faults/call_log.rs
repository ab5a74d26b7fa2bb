//! The call log: every call of the operator to the API server and the providers in order, and the crashes between them.
//!
//! Under a paused clock on one thread a run is repeatable: the number of a call names the same call in every run.

use std::{
    collections::VecDeque,
    fmt,
    future::{Future, pending},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{sync::watch, time::sleep};

/// Where an incarnation of the operator crashes: at the call with this number, counted from 1 since the call log was
/// armed or since the crash before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Crash {
    pub(crate) call: usize,
    pub(crate) variant: Variant,
}

/// Whether the crash comes before or after the call's effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Variant {
    /// The call has no effect.
    Before,
    /// The call has its effect, and the answer is lost.
    After,
    /// The call is in flight and has its effect while the next incarnation runs.
    Late,
}

/// How long a call is in flight after the crash of its incarnation.
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
    /// A write at the API server, which refuses late ones by their resourceVersion.
    Record,
    /// A write at a provider, which takes late ones.
    Send,
}

/// The log of all incarnations. Clones share it.
#[derive(Clone)]
pub(crate) struct CallLog(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    /// Counts writes and events.
    changed: watch::Sender<u64>,
    /// The running incarnation.
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

    /// Starts a new incarnation and returns its number.
    pub(crate) fn start_incarnation(&self) -> u64 {
        let mut state = self.lock();
        state.incarnations += 1;
        let incarnation = state.incarnations;
        state.lines.push(format!("-- incarnation {incarnation}"));
        drop(state);
        self.0.alive.send_replace(Some(incarnation));
        incarnation
    }

    /// Ends the running incarnation: no further call of it has an effect.
    pub(crate) fn end_incarnation(&self) {
        self.0.alive.send_replace(None);
    }

    /// Starts to count calls and to crash.
    pub(crate) fn arm(&self, crashes: &[Crash]) {
        let mut state = self.lock();
        state.crashes = crashes.iter().copied().collect();
        state.counted = Some(Vec::new());
    }

    /// The number of calls since the log was armed or since the last crash.
    pub(crate) fn counted(&self) -> usize {
        self.lock().counted.as_ref().map_or(0, Vec::len)
    }

    /// The number of crashes that have not happened.
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

    /// Logs a call, carries it out and returns the answer, or crashes.
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

    /// Returns only to the running incarnation, and never to a former one.
    pub(crate) async fn ensure_alive(&self, incarnation: u64) {
        if *self.0.alive.borrow() != Some(incarnation) {
            pending::<()>().await;
        }
    }

    /// Whether an incarnation runs.
    pub(crate) fn is_alive(&self) -> bool {
        self.0.alive.borrow().is_some()
    }

    /// Counts a change at the API server or a provider.
    pub(crate) fn record_change(&self) {
        self.0.changed.send_modify(|count| *count += 1);
    }

    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.0.changed.subscribe()
    }

    /// Resolves when the running incarnation ends.
    pub(crate) async fn ended(&self) {
        let mut alive = self.0.alive.subscribe();
        let _ = alive.wait_for(Option::is_none).await;
    }

    /// The whole log, for the message of a failed assertion.
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
