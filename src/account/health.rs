//! Whether an account may be called: what the answers to its calls say about all its objects. Pure:
//! the caller passes the time in.
//!
//! Four rules, the strictest of which counts:
//! - *Pause*: the provider asked to slow down. No object calls until the pause is over.
//! - *Breaker*: the provider refuses the key, or the writes of two names in a row. One object calls after a minute, doubling to an hour.
//! - *Outage*: every call of an hour failed. One object calls each minute, until a call succeeds.
//! - *Proof*: no call succeeded lately. One object calls at a time, so that a bad key or a provider
//!   that hangs costs one call and not one for each object.

use std::time::Duration;

use http::StatusCode;
use tokio::time::Instant;

use crate::{
    api::Reason,
    http::{CallKind, ErrorClass, ProviderError},
};

/// The first and the longest pause where the provider does not say how long it shall be.
const PAUSE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_mins(5));
/// The first and the longest wait before an object tries a refused key again.
const PROBE: (Duration, Duration) = (Duration::from_mins(1), Duration::from_hours(1));
/// How long all calls have to fail before it is an outage, and how often an object calls in one.
pub(super) const OUTAGE: (Duration, Duration) = (Duration::from_hours(1), Duration::from_mins(1));
/// Within which refused writes of two names are refused in a row.
const ROW_WINDOW: Duration = Duration::from_mins(5);
/// How long a success proves that the provider answers and accepts the key.
const PROOF_WINDOW: Duration = Duration::from_mins(1);
/// What ends sooner is not said to the objects that wait for it.
const MIN_ANNOUNCED_PAUSE: Duration = Duration::from_secs(30);

/// Why the circuit breaker lets no call of an account through, and until when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenCircuit {
    /// What a call would end in: the answer that opened the circuit, with the time that is left as
    /// `retry_after`.
    pub error: ProviderError,
    /// The earliest time at which an object may call again.
    pub until: Instant,
}

impl OpenCircuit {
    /// Whether the objects of the account say in status that they wait for it: it stays open for more
    /// than half a minute.
    #[must_use]
    pub fn is_said(&self, now: Instant) -> bool {
        self.until > now + MIN_ANNOUNCED_PAUSE
    }
}

/// How many objects of an account may call at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Capacity {
    /// As many as there are permits.
    All,
    /// One.
    One,
    /// None, because the circuit is open.
    None(OpenCircuit),
}

/// What an answer changed for the objects of the account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct HealthChange {
    /// By how much the account's pause became longer.
    pub(super) paused: Duration,
    /// Whether the answer ended an outage.
    pub(super) recovered: bool,
}

/// What the answers so far say of an account.
#[derive(Debug, Default)]
pub(super) struct Health {
    /// When an answer last showed that the provider works and knows the key.
    proved: Option<Instant>,
    /// Whether the key may write: the provider accepted a write and has not refused the key since.
    can_write: bool,
    /// The name whose write was refused last, if none was accepted since: a second name shows that the
    /// key may not write, and not only that one value or name is refused.
    refused_write: Option<(String, Instant)>,
    pause: Option<Pause>,
    /// Pauses in a row whose length the provider did not say.
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
    /// Whether a write was refused: a read that succeeds does not close this circuit.
    by_write: bool,
    opened: Instant,
    /// When the next object may try the key.
    until: Instant,
    probes: u32,
}

#[derive(Debug)]
struct Failing {
    since: Instant,
    error: ProviderError,
    /// In an outage: when the next object may call.
    next: Instant,
}

impl Health {
    /// How many objects may have a permit now.
    pub(super) fn capacity(&self, now: Instant) -> Capacity {
        if let Some(circuit) = self.refusal(now) {
            return Capacity::None(circuit);
        }
        if let Some(outage) = self.outage(now).filter(|outage| outage.next > now) {
            // An object that is refused here sent nothing, so it has no unknown outcome.
            let error = ProviderError {
                class: ErrorClass::Transient,
                ..outage.error.clone()
            };
            return Capacity::None(open_circuit(&error, outage.next, now));
        }
        let is_proved = self
            .proved
            .is_some_and(|proved| now < proved + PROOF_WINDOW);
        if is_proved && self.can_write && self.breaker.is_none() && !self.is_outage(now) {
            Capacity::All
        } else {
            Capacity::One
        }
    }

    /// Why no call may be sent now, not even by a reconcile under way. An outage is no such reason:
    /// it limits which reconciles begin.
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

    /// Why objects are held back, if they are. The breaker and an outage count until a success.
    pub(super) fn held_back(&self, now: Instant) -> Option<Reason> {
        let breaker = self.breaker.as_ref().map(|breaker| breaker.error.reason);
        let pause = self.pause.as_ref().filter(|pause| pause.until > now);
        breaker
            .or_else(|| pause.map(|pause| pause.error.reason))
            .or_else(|| self.outage(now).map(|outage| outage.error.reason))
    }

    /// Whether every call of the last hour failed.
    pub(super) fn is_outage(&self, now: Instant) -> bool {
        self.outage(now).is_some()
    }

    fn outage(&self, now: Instant) -> Option<&Failing> {
        self.failing
            .as_ref()
            .filter(|failing| now >= failing.since + OUTAGE.0)
    }

    /// An object was granted a permit. In an outage the next one has to wait.
    pub(super) fn granted(&mut self, now: Instant) {
        if self.is_outage(now)
            && let Some(failing) = &mut self.failing
        {
            failing.next = now + OUTAGE.1;
        }
    }

    /// The grant of a permit was revoked: in an outage the next object need not wait.
    pub(super) fn revoked(&mut self, now: Instant) {
        if let Some(failing) = &mut self.failing {
            failing.next = now;
        }
    }

    /// A call that was sent at `sent` has ended at `now`. Calls from before the circuit opened were
    /// under way together, so their answers neither keep it open for longer nor close it.
    pub(super) fn answered(
        &mut self,
        now: Instant,
        sent: Instant,
        kind: CallKind,
        failure: Option<&ProviderError>,
    ) -> HealthChange {
        let is_write = kind == CallKind::Write;
        let was_outage = self.is_outage(now);
        let mut paused = Duration::ZERO;
        match failure {
            None => self.succeeded(now, sent, Some(is_write)),
            Some(error) => match (error.class, error.status) {
                // The provider read the request and refused it: it works, and it knows the key.
                (ErrorClass::Config, Some(_)) => self.succeeded(now, sent, None),
                // Not sent, or not understood: this says nothing of the account.
                (ErrorClass::Config, None) | (ErrorClass::Waiting | ErrorClass::Protocol, _) => {}
                // One question: the account's own calls show whether the key is refused as well.
                (ErrorClass::Auth, Some(StatusCode::UNAUTHORIZED))
                    if kind == CallKind::Question && self.breaker.is_none() =>
                {
                    self.failing = None;
                }
                // One name: `write_refused` says whether it is the account's.
                (ErrorClass::Auth, Some(StatusCode::FORBIDDEN))
                    if kind != CallKind::Read && self.breaker.is_none() =>
                {
                    self.succeeded(now, sent, None);
                }
                (ErrorClass::Auth, _) => self.refused(now, sent, is_write, error),
                (ErrorClass::Throttled, _) => paused = self.throttled(now, sent, error),
                (ErrorClass::Transient | ErrorClass::UnknownOutcome, _) => {
                    self.failed(now, sent, error);
                }
            },
        }
        HealthChange {
            paused,
            recovered: was_outage && !self.is_outage(now),
        }
    }

    /// The write of a name was refused with 403. Two names in a row with no success in between open the
    /// circuit.
    pub(super) fn write_refused(&mut self, now: Instant, name: &str, error: &ProviderError) {
        if self.breaker.is_some() {
            return;
        }
        let before = self.refused_write.replace((name.to_owned(), now));
        let is_recent = |at: Instant| now < at + ROW_WINDOW;
        if before.is_some_and(|(before, at)| before != name && is_recent(at)) {
            self.refused(now, now, true, error);
        }
    }

    /// `accepted` is true for a write that the provider accepted, false for such a read, and none
    /// where it refused that one request.
    fn succeeded(&mut self, now: Instant, sent: Instant, accepted: Option<bool>) {
        self.failing = None;
        if self.pause.as_ref().is_none_or(|pause| sent > pause.began) {
            self.proved = Some(now);
            self.pause = None;
            self.pauses = 0;
        }
        let Some(is_write) = accepted else { return };
        self.can_write |= is_write;
        if is_write {
            self.refused_write = None;
        }
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

    /// Returns by how much the pause became longer.
    fn throttled(&mut self, now: Instant, sent: Instant, error: &ProviderError) -> Duration {
        // After the pause one object finds out whether it was long enough.
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
        // Accounts that got the same answer do not all call again at the same moment.
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
        // The answer says nothing of the key, so one object tries it again, later.
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

/// The first wait, doubled `times` times, the longest at most.
fn doubled((first, longest): (Duration, Duration), times: u32) -> Duration {
    first
        .saturating_mul(2_u32.saturating_pow(times))
        .min(longest)
}

#[cfg(test)]
mod tests;
