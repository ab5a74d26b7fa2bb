//! Waiting for what a test expects, without sleeping.

use std::time::Duration;

use tokio::sync::watch;

use super::Simulator;
use crate::log::Exchange;

/// Nothing matched in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not seen within {0:?}")]
pub struct TimedOut(pub Duration);

/// How often a wait looks again on its own: some state (Pipecat's `pending`) changes by time alone.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

impl Simulator {
    /// A counter that moves with every request, its end, and every change of state.
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.0.version.subscribe()
    }

    /// Waits until a predicate holds; it is tried again after each change.
    pub async fn wait_until(
        &self,
        within: Duration,
        mut predicate: impl FnMut(&Self) -> bool,
    ) -> Result<(), TimedOut> {
        self.wait_for(within, |simulator| predicate(simulator).then_some(()))
            .await
    }

    /// Waits until the log has a request that matches, which may still be running.
    pub async fn wait_for_request(
        &self,
        within: Duration,
        matches: impl Fn(&Exchange) -> bool,
    ) -> Result<Exchange, TimedOut> {
        self.wait_for(within, |simulator| {
            simulator.0.log.select(&matches).into_iter().next()
        })
        .await
    }

    /// Waits until a function finds something; it is tried again after each change.
    pub async fn wait_for<T>(
        &self,
        within: Duration,
        mut find: impl FnMut(&Self) -> Option<T>,
    ) -> Result<T, TimedOut> {
        let mut version = self.subscribe();
        let search = async {
            loop {
                version.mark_unchanged();
                if let Some(found) = find(self) {
                    return found;
                }
                // Either end is a reason to look again.
                let _ = tokio::time::timeout(LOOK_AGAIN, version.changed()).await;
            }
        };
        tokio::time::timeout(within, search)
            .await
            .map_err(|_| TimedOut(within))
    }
}
