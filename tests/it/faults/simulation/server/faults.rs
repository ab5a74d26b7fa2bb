//! What the API server does to calls instead of answering them, and to watches.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use crate::faults::simulation::{refusal::Refusal, request::Asked, store::Resource};

/// How long a connection may say nothing before the operator's client gives it up
/// (`cli/run.rs` has it so).
pub(super) const SILENCE: Duration = Duration::from_secs(295);

/// What becomes of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::faults::simulation) enum Does {
    /// What it is there for.
    Work,
    /// An answer with this code, and the effect all the same where it is done.
    Answer { code: u16, is_done: bool },
    /// 429 as priority and fairness says it, and after how many seconds to ask again.
    Busy(u64),
    /// A proxy answers for the API server, with this code and no `Status`.
    Stray(u16),
    /// Nothing is heard of it any more.
    Hang,
    /// It is carried out at once, and its answer takes so much longer.
    Late(Duration),
}

impl Does {
    /// The call is not carried out.
    pub(in crate::faults::simulation) const fn refuse(code: u16) -> Self {
        Self::Answer {
            code,
            is_done: false,
        }
    }

    /// The refusal of a call, before or after its effect.
    pub(super) fn refusal(self, is_done: bool) -> Result<(), Refusal> {
        match self {
            Self::Answer {
                code,
                is_done: done,
            } if done == is_done => Err(Refusal::of(code)),
            _ => Ok(()),
        }
    }
}

/// How watches end before their time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::faults::simulation) enum Drops {
    /// As if their time were over.
    Ended,
    /// In the middle.
    Cut,
    /// At once: their version is forgotten, whichever it is.
    Expired,
}

/// The calls that something is done to.
type Of = fn(&Asked) -> bool;

/// What is done at present, and which calls there were.
#[derive(Default)]
pub(in crate::faults::simulation) struct Faults(Mutex<State>);

#[derive(Default)]
struct State {
    faults: Vec<(Of, Does, usize)>,
    asked: Vec<(Instant, String)>,
    drops: Option<(Duration, Drops)>,
    /// How often watches fell silent.
    silences: u64,
    /// Whether lists come in pages alone, as from an older API server.
    lists_in_pages: bool,
}

impl Faults {
    /// The next calls of a kind end so.
    pub(in crate::faults::simulation) fn add(&self, of: Of, does: Does, times: usize) {
        self.lock().faults.push((of, does, times));
    }

    /// Every call of a kind ends so, until it is over.
    pub(in crate::faults::simulation) fn always(&self, of: Of, does: Does) {
        self.add(of, does, usize::MAX);
    }

    /// It is over. What is silent stays so.
    pub(in crate::faults::simulation) fn clear(&self) {
        let mut state = self.lock();
        state.faults.clear();
        state.drops = None;
    }

    /// Watches that begin from now on last so long.
    pub(in crate::faults::simulation) fn drop_watches(&self, after: Duration, drops: Drops) {
        self.lock().drops = Some((after, drops));
    }

    /// Watches that are open tell nothing any more, not even that they end.
    pub(in crate::faults::simulation) fn silence(&self) {
        self.lock().silences += 1;
    }

    /// From now on lists come in pages alone.
    pub(in crate::faults::simulation) fn list_in_pages(&self) {
        self.lock().lists_in_pages = true;
    }

    /// Calls whose line begins so, and when they came.
    pub(in crate::faults::simulation) fn asked(&self, what: &str) -> Vec<Instant> {
        let asked = &self.lock().asked;
        let asked = asked.iter().filter(|(_, line)| line.starts_with(what));
        asked.map(|(when, _)| *when).collect()
    }

    /// Forgets which calls there were.
    pub(in crate::faults::simulation) fn forget(&self) {
        self.lock().asked.clear();
    }

    /// What is to be done to a call.
    pub(super) fn of(&self, asked: &Asked) -> Option<Does> {
        let mut state = self.lock();
        state.asked.push((Instant::now(), asked.line()));
        let mut faults = state.faults.iter_mut();
        let (_, does, times) = faults.find(|(of, _, times)| *times > 0 && of(asked))?;
        *times -= 1;
        Some(*does)
    }

    pub(super) fn streams_lists(&self) -> bool {
        !self.lock().lists_in_pages
    }

    pub(super) fn drops(&self) -> Option<(Duration, Drops)> {
        self.lock().drops
    }

    pub(super) fn silences(&self) -> u64 {
        self.lock().silences
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Any call at all.
pub(in crate::faults::simulation) const fn anything(_: &Asked) -> bool {
    true
}

/// What reads or writes one object, events not counted.
pub(in crate::faults::simulation) fn one_object(asked: &Asked) -> bool {
    asked.resource != Resource::Events && !asked.is_collection()
}

/// What writes, events too.
pub(in crate::faults::simulation) fn writes(asked: &Asked) -> bool {
    asked.method != "GET"
}

/// What writes an object of ours.
pub(in crate::faults::simulation) fn patches(asked: &Asked) -> bool {
    asked.method == "PATCH"
}

/// Every page of a list but the first.
pub(in crate::faults::simulation) fn later_pages(asked: &Asked) -> bool {
    asked.parameter("continue").is_some()
}
