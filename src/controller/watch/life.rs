//! How long a watch lasts after its list. One that ends soon each time lists everything each time, so its waits grow.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use kube::runtime::watcher;
use tokio::time::Instant;

/// A watch that lasts so long after its list works.
const SETTLED: Duration = Duration::from_mins(1);

/// What a watch has done since it failed.
#[derive(Default)]
pub(super) struct Life {
    /// When it had listed everything.
    listed: Option<Instant>,
    has_worked: Arc<AtomicBool>,
}

impl Life {
    /// Whether the watch has worked since that was asked. A list alone is no work.
    pub(super) fn has_worked(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.has_worked)
    }

    /// Notes what a watch shows, and tells of a failure whether it comes soon after a list.
    pub(super) fn note<K>(&mut self, event: &watcher::Result<watcher::Event<K>>) -> bool {
        let mut is_soon = false;
        match event {
            Ok(watcher::Event::Init | watcher::Event::InitApply(_)) => {}
            Ok(watcher::Event::InitDone) => self.listed = Some(Instant::now()),
            Ok(watcher::Event::Apply(_) | watcher::Event::Delete(_)) => self.work(),
            Err(_) => {
                let lasted = self.listed.take().map(|at| at.elapsed());
                is_soon = lasted.is_some_and(|lasted| lasted < SETTLED);
                if lasted.is_some_and(|lasted| lasted >= SETTLED) {
                    self.work();
                }
            }
        }
        is_soon
    }

    fn work(&self) {
        self.has_worked.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use kube::runtime::watcher::Event;

    use super::*;

    type Shown = watcher::Result<Event<()>>;

    /// Cases: A-05
    #[tokio::test(start_paused = true)]
    async fn a_watch_works_that_shows_a_change_or_lasts_a_minute_after_its_list() {
        let list = || vec![Ok(Event::Init), Ok(Event::InitDone)];
        let change = || vec![Ok(Event::InitDone), Ok(Event::Apply(()))];
        let cases: [(Vec<Shown>, u64, bool, bool); 5] = [
            (Vec::new(), 120, false, false),
            (list(), 0, false, true),
            (list(), 59, false, true),
            (list(), 60, true, false),
            (change(), 1, true, true),
        ];
        for (number, (shown, lasts, works, is_soon)) in cases.into_iter().enumerate() {
            let mut life = Life::default();
            for event in &shown {
                assert!(!life.note(event), "{number}");
            }
            tokio::time::advance(Duration::from_secs(lasts)).await;
            let failure: Shown = Err(watcher::Error::NoResourceVersion);
            assert_eq!(life.note(&failure), is_soon, "{number}");
            let has_worked = life.has_worked().load(Ordering::Relaxed);
            assert_eq!(has_worked, works, "{number}");
            // The next failure comes after no list.
            assert!(!life.note(&failure), "{number}");
        }
    }
}
