//! The request log: a bounded ring, so that a benchmark may run for long, of what came in and how it ended.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use tokio::time::Instant;

use crate::{call::is_write, provider::Provider};

/// One request and how it ended.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// Counts from 1 over all providers.
    pub sequence: u64,
    /// Whom the request was sent to.
    pub provider: Provider,
    /// The account that the key belongs to; `None` for an unknown key.
    pub account: Option<String>,
    /// Which of the account's keys, counted from 0 in the order of adding.
    pub key: Option<usize>,
    /// The method.
    pub method: String,
    /// The path as sent, still percent-encoded.
    pub path: String,
    /// The query as sent, without the question mark.
    pub query: Option<String>,
    /// The headers with credentials masked.
    pub headers: Vec<(String, String)>,
    /// The body, if it was JSON: **with values**, for assertions in tests.
    pub body: Option<Arc<Value>>,
    /// The simulated wall time at which it came in.
    pub time: Timestamp,
    /// When it came in.
    pub started: Instant,
    /// When it ended; `None` while it runs.
    pub ended: Option<Instant>,
    /// How it ended; `None` while it runs.
    pub outcome: Option<Outcome>,
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// With this status.
    Answered(u16),
    /// The simulator cut the connection.
    Cut,
    /// The client went away before the answer.
    Abandoned,
}

impl Exchange {
    /// The status, if there was an answer.
    pub fn status(&self) -> Option<u16> {
        match self.outcome {
            Some(Outcome::Answered(status)) => Some(status),
            _ => None,
        }
    }

    /// Whether the method is POST, PUT, PATCH or DELETE.
    pub fn is_write(&self) -> bool {
        is_write(&self.method)
    }

    /// Method and path, such as `PUT /v1/secrets/app`.
    pub fn line(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }
}

/// A request whose end is not known yet.
#[derive(Debug)]
pub(crate) struct Entry {
    exchange: Exchange,
    end: OnceLock<(Instant, Outcome)>,
}

impl Entry {
    pub(crate) fn end(&self, outcome: Outcome) {
        // The first end counts: a request that was answered is not abandoned later.
        let _ = self.end.set((Instant::now(), outcome));
    }

    fn snapshot(&self) -> Exchange {
        let mut exchange = self.exchange.clone();
        if let Some((ended, outcome)) = self.end.get() {
            exchange.ended = Some(*ended);
            exchange.outcome = Some(*outcome);
        }
        exchange
    }
}

#[derive(Debug)]
pub(crate) struct Log(Mutex<Ring>);

#[derive(Debug)]
struct Ring {
    entries: VecDeque<Arc<Entry>>,
    capacity: usize,
    sequence: u64,
    dropped: u64,
}

impl Log {
    /// Some minutes of a benchmark; about 200 MB at worst.
    pub(crate) const CAPACITY: usize = 200_000;

    pub(crate) fn new() -> Self {
        Self(Mutex::new(Ring {
            entries: VecDeque::new(),
            capacity: Self::CAPACITY,
            sequence: 0,
            dropped: 0,
        }))
    }

    pub(crate) fn begin(&self, mut exchange: Exchange) -> Arc<Entry> {
        let mut ring = self.lock();
        ring.sequence += 1;
        exchange.sequence = ring.sequence;
        let entry = Arc::new(Entry {
            exchange,
            end: OnceLock::new(),
        });
        ring.entries.push_back(Arc::clone(&entry));
        ring.trim();
        entry
    }

    pub(crate) fn set_capacity(&self, capacity: usize) {
        let mut ring = self.lock();
        ring.capacity = capacity;
        ring.trim();
    }

    pub(crate) fn clear(&self) {
        let mut ring = self.lock();
        ring.entries.clear();
        ring.dropped = 0;
    }

    pub(crate) fn dropped(&self) -> u64 {
        self.lock().dropped
    }

    /// The kept exchanges that match, oldest first.
    pub(crate) fn select(&self, matches: impl Fn(&Exchange) -> bool) -> Vec<Exchange> {
        // The entries are copied out first: a caller's closure never runs under the lock.
        let entries: Vec<_> = self.lock().entries.iter().map(Arc::clone).collect();
        entries
            .iter()
            .map(|entry| entry.snapshot())
            .filter(matches)
            .collect()
    }

    /// The sequence of the newest exchange; 0 before the first.
    pub(crate) fn last_sequence(&self) -> u64 {
        self.lock().sequence
    }

    /// The kept exchanges after this sequence, oldest first; older ones are not even looked at.
    pub(crate) fn since(&self, sequence: u64) -> Vec<Exchange> {
        let ring = self.lock();
        let newer = usize::try_from(ring.sequence.saturating_sub(sequence)).unwrap_or(usize::MAX);
        let skipped = ring.entries.len().saturating_sub(newer);
        let entries: Vec<_> = ring.entries.range(skipped..).map(Arc::clone).collect();
        drop(ring);
        entries.iter().map(|entry| entry.snapshot()).collect()
    }

    /// As `select`, for one account; others are not even copied.
    pub(crate) fn of_account(&self, provider: Provider, account: &str) -> Vec<Exchange> {
        let belongs = |exchange: &Exchange| {
            exchange.provider == provider && exchange.account.as_deref() == Some(account)
        };
        let entries: Vec<_> = self
            .lock()
            .entries
            .iter()
            .filter(|entry| belongs(&entry.exchange))
            .map(Arc::clone)
            .collect();
        entries.iter().map(|entry| entry.snapshot()).collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Ring> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ring {
    fn trim(&mut self) {
        while self.entries.len() > self.capacity {
            self.entries.pop_front();
            self.dropped += 1;
        }
    }
}
