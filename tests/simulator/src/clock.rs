//! Time and identifiers, both repeatable: the wall clock is a base plus tokio's clock, so a paused clock pauses it.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use jiff::Timestamp;
use tokio::time::Instant;

/// What a handler may ask the world for: the time and fresh identifiers.
#[derive(Debug)]
pub(crate) struct World {
    base: i64,
    origin: Instant,
    last: AtomicI64,
    identifiers: AtomicU64,
}

impl World {
    pub(crate) fn starting_at(base: Timestamp) -> Self {
        Self {
            base: base.as_microsecond(),
            origin: Instant::now(),
            last: AtomicI64::new(i64::MIN),
            identifiers: AtomicU64::new(0),
        }
    }

    /// The wall time now.
    pub(crate) fn now(&self) -> Timestamp {
        timestamp(self.microseconds())
    }

    /// A wall time later than every earlier tick: writes under a paused clock must still be ordered.
    pub(crate) fn tick(&self) -> Timestamp {
        let now = self.microseconds();
        let next = |last: i64| now.max(last.saturating_add(1));
        let last = self
            .last
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| {
                Some(next(last))
            });
        timestamp(next(last.unwrap_or_else(|last| last)))
    }

    /// A new identifier of the form of a version 4 uuid; the same sequence in every run.
    pub(crate) fn uuid(&self) -> String {
        let high = self.random();
        let low = self.random();
        format!(
            "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
            high >> 32,
            (high >> 16) & 0xffff,
            high & 0xfff,
            0x8000 | ((low >> 48) & 0x3fff),
            low & 0xffff_ffff_ffff
        )
    }

    /// A new opaque identifier such as `sec_1f83d9abfb41bd6b`.
    pub(crate) fn identifier(&self, prefix: &str) -> String {
        format!("{prefix}_{:016x}", self.random())
    }

    fn microseconds(&self) -> i64 {
        let elapsed = Instant::now()
            .saturating_duration_since(self.origin)
            .as_micros();
        self.base
            .saturating_add(i64::try_from(elapsed).unwrap_or(i64::MAX))
    }

    /// splitmix64 over a counter: well spread, never twice.
    fn random(&self) -> u64 {
        let count = self
            .identifiers
            .fetch_add(1, Ordering::Relaxed)
            .wrapping_add(1);
        let mut mixed = count.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

/// Writes a timestamp as the vendors do, always with microseconds.
pub(crate) fn wire(time: Timestamp) -> String {
    format!("{time:.6}")
}

fn timestamp(microseconds: i64) -> Timestamp {
    Timestamp::from_microsecond(microseconds).unwrap_or(Timestamp::MAX)
}
