//! The call log: every call of the operator to the API server and the providers in order, and the crashes between them.
//!
//! Under a paused clock on one thread a run is repeatable: the number of a call names the same call in every run.

use std::{
    collections::{BTreeSet, VecDeque},
    fmt,
    future::{Future, pending},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::watch,
    task::JoinHandle,
    time::{Instant, sleep, sleep_until},
};

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
    /// The incarnation does not end: it is stopped for longer than its lease, while the call is in flight.
    Stopped,
    /// The incarnation does not end: from here on it is cut off from the API server.
    CutOff,
}

/// How long a call is in flight after the crash of its incarnation.
const LATE: Duration = Duration::from_millis(10);
/// How long an incarnation is stopped: longer than its lease, and no longer than it waits for an answer.
const STOPPED: Duration = Duration::from_secs(25);

impl Variant {
    pub(crate) const BOTH: [Self; 2] = [Self::Before, Self::After];
}

impl fmt::Display for Crash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = match self.variant {
            Variant::Before => "before",
            Variant::After => "after",
            Variant::Late => "late",
            Variant::Stopped => "stopped",
            Variant::CutOff => "cut-off",
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
    /// The running incarnations.
    alive: watch::Sender<BTreeSet<u64>>,
}

#[derive(Default)]
struct State {
    lines: Vec<String>,
    incarnations: u64,
    crashes: VecDeque<Crash>,
    /// The incarnation that is stopped, and until when.
    stopped: Option<(u64, Instant)>,
    /// The incarnation that is cut off from the API server.
    cut_off: Option<u64>,
    /// The writes to providers: who sent them, and when.
    sent: Vec<(u64, Instant, String)>,
    /// The incarnation whose calls are counted; all of them where there is none.
    counts: Option<u64>,
    /// The calls since the call log was armed or since the last crash; none before it is armed.
    counted: Option<Vec<Effect>>,
}

impl CallLog {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Shared {
            state: Mutex::default(),
            changed: watch::Sender::new(0),
            alive: watch::Sender::default(),
        }))
    }

    /// Starts a new incarnation and returns its number.
    pub(crate) fn start_incarnation(&self) -> u64 {
        let mut state = self.lock();
        state.incarnations += 1;
        let incarnation = state.incarnations;
        state.lines.push(format!("-- incarnation {incarnation}"));
        drop(state);
        self.0.alive.send_modify(|alive| {
            alive.insert(incarnation);
        });
        incarnation
    }

    /// Ends the running incarnations: no further call of them has an effect.
    pub(crate) fn end_incarnations(&self) {
        self.0.alive.send_replace(BTreeSet::new());
    }

    /// Ends an incarnation: no further call of it has an effect.
    pub(crate) fn end_incarnation(&self, incarnation: u64) {
        self.0.alive.send_modify(|alive| {
            alive.remove(&incarnation);
        });
    }

    /// Counts the calls of this incarnation only, and crashes it.
    pub(crate) fn count(&self, incarnation: u64) {
        self.lock().counts = Some(incarnation);
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
    ) -> T
    where
        T: Send + 'static,
    {
        self.ensure_alive(incarnation).await;
        let crash = self.enter(incarnation, &line, effect);
        match crash {
            Some(Variant::Before) => return self.crash(incarnation, &line).await,
            Some(Variant::Late) => {
                self.arrives(LATE, call);
                return self.crash(incarnation, &line).await;
            }
            Some(Variant::Stopped) => {
                let answer = self.arrives(STOPPED, call);
                self.stop(incarnation, &line);
                let answer = answer.await.expect("it arrives");
                self.ensure_alive(incarnation).await;
                return answer;
            }
            Some(Variant::CutOff) => {
                self.cut_off(incarnation, &line);
                if effect != Effect::Send {
                    return pending().await;
                }
            }
            Some(Variant::After) | None => {}
        }
        let answer = call.await;
        if effect != Effect::Read {
            self.record_change();
        }
        if crash == Some(Variant::After) {
            return self.crash(incarnation, &line).await;
        }
        self.ensure_alive(incarnation).await;
        answer
    }

    /// Carries a call out that has left, whatever becomes of the process.
    fn arrives<T: Send + 'static>(
        &self,
        later: Duration,
        call: impl Future<Output = T> + Send + 'static,
    ) -> JoinHandle<T> {
        let call_log = self.clone();
        tokio::spawn(async move {
            sleep(later).await;
            let answer = call.await;
            call_log.record_change();
            answer
        })
    }

    /// Returns to a running incarnation, when it is not stopped, and never to a former one.
    pub(crate) async fn ensure_alive(&self, incarnation: u64) {
        if let Some(until) = self.stopped_until(incarnation) {
            sleep_until(until).await;
        }
        if !self.0.alive.borrow().contains(&incarnation) {
            pending::<()>().await;
        }
    }

    /// Until when an incarnation is, or was, stopped.
    pub(crate) fn stopped_until(&self, incarnation: u64) -> Option<Instant> {
        let stopped = self.lock().stopped;
        let (_, until) = stopped.filter(|(stopped, _)| *stopped == incarnation)?;
        Some(until)
    }

    /// Returns unless an incarnation is cut off from the API server.
    pub(crate) async fn ensure_connected(&self, incarnation: u64) {
        if self.lock().cut_off == Some(incarnation) {
            pending::<()>().await;
        }
    }

    /// Whether an incarnation runs.
    pub(crate) fn is_alive(&self) -> bool {
        !self.0.alive.borrow().is_empty()
    }

    /// Counts a change at the API server or a provider.
    pub(crate) fn record_change(&self) {
        self.0.changed.send_modify(|count| *count += 1);
    }

    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.0.changed.subscribe()
    }

    /// The writes to providers: who sent them, and when.
    pub(crate) fn sent(&self) -> Vec<(u64, Instant, String)> {
        self.lock().sent.clone()
    }

    /// Forgets what was called.
    pub(crate) fn forget(&self) {
        let mut state = self.lock();
        state.lines.clear();
        state.sent.clear();
        state.counted = None;
    }

    /// Resolves when no incarnation runs any more.
    pub(crate) async fn ended(&self) {
        let mut alive = self.0.alive.subscribe();
        let _ = alive.wait_for(BTreeSet::is_empty).await;
    }

    /// The whole log, for the message of a failed assertion.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.lock().lines.clone()
    }

    fn enter(&self, incarnation: u64, line: &str, effect: Effect) -> Option<Variant> {
        let mut state = self.lock();
        let is_counted = state.counts.is_none_or(|counts| counts == incarnation);
        let whose = if is_counted { "" } else { "the other: " };
        state.lines.push(format!("{whose}{line}"));
        if effect == Effect::Send {
            state
                .sent
                .push((incarnation, Instant::now(), line.to_owned()));
        }
        let counted = state.counted.as_mut().filter(|_| is_counted)?;
        counted.push(effect);
        let number = counted.len();
        let crash = *state.crashes.front().filter(|crash| crash.call == number)?;
        state.crashes.pop_front();
        Some(crash.variant)
    }

    async fn crash<T>(&self, incarnation: u64, line: &str) -> T {
        self.note(format!("-- crash at {line}"));
        self.lock().counted = Some(Vec::new());
        self.end_incarnation(incarnation);
        pending().await
    }

    fn stop(&self, incarnation: u64, line: &str) {
        self.note(format!("-- stopped at {line}"));
        self.lock().stopped = Some((incarnation, Instant::now() + STOPPED));
    }

    fn cut_off(&self, incarnation: u64, line: &str) {
        self.note(format!("-- cut off at {line}"));
        self.lock().cut_off = Some(incarnation);
    }

    /// Notes something that happens beside the calls.
    pub(crate) fn note(&self, line: String) {
        self.lock().lines.push(line);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
