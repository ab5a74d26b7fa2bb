//! Whether an account may be called: what the answers to its calls say about all its objects. Pure;
//! whoever asks says what time it is.
//!
//! Four rules, the strictest of which counts:
//! - *Pause*: the provider asked to slow down. Nobody calls until then.
//! - *Breaker*: the key is refused. One object calls after a minute, doubling to an hour.
//! - *Outage*: nothing but failures for an hour. One object each minute finds out when it is over.
//! - *Proof*: while no call succeeded lately, one object at a time, so that a bad key or a provider
//!   that hangs costs one call and not one for each object.

use std::time::Duration;

use tokio::time::Instant;

use crate::{
    api::Reason,
    http::{Class, ProviderError},
};

/// The first and the longest wait where a provider asks to slow down without saying how long.
const PAUSE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_mins(5));
/// The first and the longest wait before a refused key is tried again.
const PROBE: (Duration, Duration) = (Duration::from_mins(1), Duration::from_hours(1));
/// How long nothing but failures is an outage, and how often it is then looked whether it is over.
pub(super) const OUTAGE: (Duration, Duration) = (Duration::from_hours(1), Duration::from_mins(1));
/// How long a success is proof that the next call will not be in vain.
const PROOF: Duration = Duration::from_mins(1);

/// Why an account may not be called, and until when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenCircuit {
    /// What a call would have come to: the answer that closed the account, with the time that is
    /// left as `retry_after`.
    pub error: ProviderError,
    /// When the account may be called again.
    pub until: Instant,
}

/// How many objects may call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Capacity {
    /// As many as there are places for.
    All,
    /// One at a time.
    One,
    /// Nobody.
    None(OpenCircuit),
}

/// What an answer changed for those who wait.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct HealthChange {
    /// By how much the account's pause became longer.
    pub(super) paused: Duration,
    /// Whether an outage is over.
    pub(super) recovered: bool,
}

/// What is known of an account.
#[derive(Debug, Default)]
pub(super) struct Health {
    /// When a call was last answered as one that works.
    proved: Option<Instant>,
    /// Whether the last write that told was accepted. That a key may read proves nothing of writes.
    can_write: bool,
    pause: Option<Pause>,
    /// Pauses in a row whose length the provider left to us.
    pauses: u32,
    breaker: Option<Breaker>,
    failing: Option<Failing>,
}

#[derive(Debug)]
struct Pause {
    began: Instant,
    until: Instant,
    error: ProviderError,
}

#[derive(Debug)]
struct Breaker {
    error: ProviderError,
    /// A refused write is not made good by a read that is answered.
    by_write: bool,
    opened: Instant,
    /// When the next probe may be made.
    until: Instant,
    probes: u32,
}

#[derive(Debug)]
struct Failing {
    since: Instant,
    error: ProviderError,
    /// In an outage: when the next object may try.
    next: Instant,
}

impl Health {
    /// How many objects may call now.
    pub(super) fn capacity(&self, now: Instant) -> Capacity {
        if let Some(circuit) = self.refusal(now) {
            return Capacity::None(circuit);
        }
        if let Some(outage) = self.outage(now).filter(|outage| outage.next > now) {
            // Nothing was sent for whoever is refused here, so no outcome is unknown.
            let error = ProviderError {
                class: Class::Transient,
                ..outage.error.clone()
            };
            return Capacity::None(open_circuit(&error, outage.next, now));
        }
        let is_proved = self.proved.is_some_and(|proved| now < proved + PROOF);
        if is_proved && self.can_write && self.breaker.is_none() && !self.is_outage(now) {
            Capacity::All
        } else {
            Capacity::One
        }
    }

    /// Why no call may be sent now, not even one of a pass under way. An outage is no such reason:
    /// it limits who begins.
    pub(super) fn refusal(&self, now: Instant) -> Option<OpenCircuit> {
        let pause = self.pause.as_ref();
        let breaker = self.breaker.as_ref();
        pause
            .map(|pause| (&pause.error, pause.until))
            .into_iter()
            .chain(breaker.map(|breaker| (&breaker.error, breaker.until)))
            .filter(|(_, until)| *until > now)
            .max_by_key(|(_, until)| *until)
            .map(|(error, until)| open_circuit(error, until, now))
    }

    /// Why objects are held back, if they are: the breaker and an outage count until a success.
    pub(super) fn held_back(&self, now: Instant) -> Option<Reason> {
        let breaker = self.breaker.as_ref().map(|breaker| breaker.error.reason);
        let pause = self.pause.as_ref().filter(|pause| pause.until > now);
        breaker
            .or_else(|| pause.map(|pause| pause.error.reason))
            .or_else(|| self.outage(now).map(|outage| outage.error.reason))
    }

    /// Whether there were nothing but failures for an hour.
    pub(super) fn is_outage(&self, now: Instant) -> bool {
        self.outage(now).is_some()
    }

    fn outage(&self, now: Instant) -> Option<&Failing> {
        self.failing
            .as_ref()
            .filter(|failing| now >= failing.since + OUTAGE.0)
    }

    /// An object was given a place.
    pub(super) fn granted(&mut self, now: Instant) {
        if self.is_outage(now)
            && let Some(failing) = &mut self.failing
        {
            failing.next = now + OUTAGE.1;
        }
    }

    /// The object that was admitted last did not need its place.
    pub(super) fn revoked(&mut self, now: Instant) {
        if let Some(failing) = &mut self.failing {
            failing.next = now;
        }
    }

    /// A call that was sent at `sent` has ended. Answers to calls from before a closure do not
    /// prolong it, because they were under way together, nor do they end it.
    pub(super) fn answered(
        &mut self,
        now: Instant,
        sent: Instant,
        is_write: bool,
        failure: Option<&ProviderError>,
    ) -> HealthChange {
        let was_outage = self.is_outage(now);
        let mut paused = Duration::ZERO;
        match failure {
            None => self.succeeded(now, sent, Some(is_write)),
            Some(error) => match (error.class, error.status) {
                // The provider looked at the request and did not like it: it is there, and it knows
                // the key. A refusal before anything was sent says nothing.
                (Class::Config, Some(_)) => self.succeeded(now, sent, None),
                (Class::Config, None) | (Class::Protocol, _) => {}
                (Class::Auth, _) => self.refused(now, sent, is_write, error),
                (Class::Throttled, _) => paused = self.throttled(now, sent, error),
                (Class::Transient | Class::UnknownOutcome, _) => self.failed(now, sent, error),
            },
        }
        HealthChange {
            paused,
            recovered: was_outage && !self.is_outage(now),
        }
    }

    /// `accepted` says whether it was a write that was accepted, or a read; none where the answer
    /// was a refusal of that request.
    fn succeeded(&mut self, now: Instant, sent: Instant, accepted: Option<bool>) {
        self.failing = None;
        if self.pause.as_ref().is_none_or(|pause| sent > pause.began) {
            self.proved = Some(now);
            self.pause = None;
            self.pauses = 0;
        }
        let Some(is_write) = accepted else { return };
        self.can_write |= is_write;
        let is_closed_by =
            |breaker: &Breaker| sent > breaker.opened && (is_write || !breaker.by_write);
        if self.breaker.as_ref().is_some_and(is_closed_by) {
            self.breaker = None;
        }
    }

    fn refused(&mut self, now: Instant, sent: Instant, is_write: bool, error: &ProviderError) {
        self.failing = None;
        self.can_write &= !is_write;
        let (mut probes, mut by_write) = (0, is_write);
        if let Some(breaker) = &mut self.breaker {
            breaker.by_write |= is_write;
            if sent <= breaker.opened {
                return;
            }
            (probes, by_write) = (breaker.probes + 1, breaker.by_write);
        }
        let wait = doubled(PROBE, probes).mul_f64(0.9 + fastrand::f64() * 0.2);
        self.breaker = Some(Breaker {
            error: error.clone(),
            by_write,
            opened: now,
            until: now + wait,
            probes,
        });
    }

    /// By how much the pause became longer.
    fn throttled(&mut self, now: Instant, sent: Instant, error: &ProviderError) -> Duration {
        // One object looks whether the pause was long enough.
        self.proved = None;
        let is_same = |pause: &Pause| sent <= pause.began || now < pause.until;
        let same = self.pause.take().filter(is_same);
        let wait = match error.retry_after {
            Some(asked) => asked,
            None if same.is_some() => Duration::ZERO,
            None => {
                let most = doubled(PAUSE, self.pauses);
                self.pauses = self.pauses.saturating_add(1);
                let wait = most.mul_f64(fastrand::f64());
                wait.max(Duration::from_millis(100))
            }
        };
        // Accounts that were told the same do not all come back at the same moment.
        let ends = now + wait.mul_f64(1.0 + fastrand::f64() * 0.2);
        let (began, before) = same.map_or((now, now), |pause| (pause.began, pause.until));
        let until = before.max(ends);
        self.pause = Some(Pause {
            began,
            until,
            error: error.clone(),
        });
        until.saturating_duration_since(before.max(now))
    }

    fn failed(&mut self, now: Instant, sent: Instant, error: &ProviderError) {
        let before = self.failing.take();
        self.failing = Some(Failing {
            error: error.clone(),
            since: before.as_ref().map_or(now, |before| before.since),
            next: before.map_or(now, |before| before.next),
        });
        // The probe told nothing of the key. The next one is not for everybody at once either.
        if let Some(breaker) = &mut self.breaker
            && sent > breaker.opened
        {
            breaker.until = now + PROBE.0;
        }
    }
}

fn open_circuit(error: &ProviderError, until: Instant, now: Instant) -> OpenCircuit {
    let error = ProviderError {
        retry_after: Some(until.saturating_duration_since(now)),
        ..error.clone()
    };
    OpenCircuit { error, until }
}

/// The first wait, doubled so many times, up to the longest.
fn doubled((first, longest): (Duration, Duration), times: u32) -> Duration {
    first
        .saturating_mul(2_u32.saturating_pow(times))
        .min(longest)
}

#[cfg(test)]
mod tests;
