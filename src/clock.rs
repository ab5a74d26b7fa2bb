//! The time of day, by a clock that does not jump.
//!
//! What is compared with times in status must go on when the machine's clock is set
//! (docs/reliability.md, A-23), and follows tokio's clock, so that tests can let hours pass.

use std::sync::OnceLock;

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

/// How far the two clocks may be apart before the machine's is taken to have been set.
const TOLERANCE: SignedDuration = SignedDuration::from_secs(2);

/// Now.
pub(crate) fn now() -> Timestamp {
    static START: OnceLock<(Timestamp, Instant)> = OnceLock::new();
    let (machine, steady) = (Timestamp::now(), Instant::now());
    let (start, began) = *START.get_or_init(|| (machine, steady));
    let elapsed = SignedDuration::try_from(steady.saturating_duration_since(began));
    let told = elapsed
        .ok()
        .and_then(|elapsed| start.checked_add(elapsed).ok())
        .unwrap_or(machine);
    let is_apart = machine.duration_since(told).abs() > TOLERANCE;
    if is_apart { told } else { machine }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// Cases: A-23
    #[tokio::test(start_paused = true)]
    async fn time_passes_with_tokios_clock_and_does_not_jump() {
        let before = now();
        tokio::time::advance(Duration::from_hours(24)).await;
        let passed = now().duration_since(before);
        let day = SignedDuration::from_hours(24);
        assert!((passed - day).abs() <= TOLERANCE * 2, "{passed:?}");
    }
}
