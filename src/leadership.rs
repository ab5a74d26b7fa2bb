//! Leadership: the right of one process to write, which its lease gives it for a while.
//!
//! It is one token that every door reads before a write: to a provider, of a status, of a finalizer, of an
//! event. A process that was stopped, or cut off, finds its doors closed when it goes on, and no other
//! process can lead before they are (docs/decisions/0011-lease.md).

use std::{
    future::{Future, pending, poll_fn},
    pin::pin,
    task::Poll,
    time::Duration,
};

use tokio::sync::watch;

use crate::clock::Moment;

/// One process's time as the leader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Term {
    /// The number of the term: `spec.leaseTransitions` of the Lease. None where there is no lease.
    pub(crate) epoch: Option<i64>,
    pub(crate) began: Moment,
    /// Until when the process may begin a write, unless it renews the lease. None: without end.
    pub(crate) until: Option<Moment>,
    /// Whether the process before may have died, and what it sent be on its way.
    pub(crate) is_inherited: bool,
}

/// Whether this process leads. Cheap to clone; all clones say the same.
#[derive(Clone, Debug)]
pub struct Leadership {
    term: watch::Receiver<Option<Term>>,
    /// The latest writer that a status names beyond this process.
    beyond: watch::Sender<i64>,
}

/// Where the lease says what becomes of the leadership.
pub(crate) type Post = watch::Sender<Option<Term>>;

impl Leadership {
    /// Of the only process there is.
    pub fn unopposed() -> Self {
        Self::without_lease(false)
    }

    /// Of the only process there is, where nothing tells how the one before it ended: what that one sent
    /// may be on its way.
    pub fn after_another() -> Self {
        Self::without_lease(true)
    }

    fn without_lease(is_inherited: bool) -> Self {
        let term = Term {
            epoch: None,
            began: Moment::now(),
            until: None,
            is_inherited,
        };
        // Without a post it stays as it is.
        Self::of(watch::channel(Some(term)).1)
    }

    fn of(term: watch::Receiver<Option<Term>>) -> Self {
        let beyond = watch::Sender::new(0);
        Self { term, beyond }
    }

    /// Of one of several processes: it leads when its post says so.
    pub(crate) fn elected() -> (Post, Self) {
        let (post, term) = watch::channel(None);
        (post, Self::of(term))
    }

    /// Whether a write may begin now.
    pub fn is_held(&self) -> bool {
        let term = self.term();
        term.is_some_and(|term| term.until.is_none_or(|until| Moment::now() < until))
    }

    /// The number of the term, if the process leads by a lease.
    pub(crate) fn epoch(&self) -> Option<i64> {
        self.term()?.epoch
    }

    /// The term, if the process leads.
    pub(crate) fn term(&self) -> Option<Term> {
        *self.term.borrow()
    }

    /// For how long the process has led; zero if it does not lead.
    pub(crate) fn led_for(&self) -> Duration {
        let term = self.term();
        term.map_or(Duration::ZERO, |term| Moment::now().since(term.began))
    }

    /// Waits until the process leads.
    pub(crate) async fn begins(&self) {
        let mut term = self.term.clone();
        if term.wait_for(Option::is_some).await.is_err() {
            // There is no post that could still say so.
            pending::<()>().await;
        }
    }

    /// Goes on with `work` while the process leads, and waits while it does not: a leader that doubts for a moment
    /// interrupts nothing, and one that has lost the lease ends.
    pub(crate) async fn led<T>(&self, work: impl Future<Output = T>) -> T {
        let (mut work, mut term) = (pin!(work), self.term.clone());
        loop {
            let done = poll_fn(|context| {
                if self.is_held() {
                    work.as_mut().poll(context).map(Some)
                } else {
                    Poll::Ready(None)
                }
            });
            if let Some(done) = done.await {
                return done;
            }
            if term.changed().await.is_err() {
                pending::<()>().await;
            }
        }
    }

    /// A status names a later writer. Whether that one leads, the lease says.
    pub(crate) fn outdone_by(&self, epoch: i64) {
        self.beyond.send_if_modified(|beyond| {
            let is_later = epoch > *beyond;
            *beyond = epoch.max(*beyond);
            is_later
        });
    }

    /// Tells of later writers that statuses name.
    pub(crate) fn outdone(&self) -> watch::Receiver<i64> {
        self.beyond.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn term(until: Moment) -> Term {
        Term {
            epoch: Some(3),
            began: Moment::now(),
            until: Some(until),
            is_inherited: false,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn it_ends_with_its_time_whatever_the_post_says() {
        let (post, leadership) = Leadership::elected();
        assert!(!leadership.is_held());
        post.send_replace(Some(term(Moment::now() + Duration::from_secs(10))));
        assert!(leadership.is_held());
        assert_eq!(leadership.epoch(), Some(3));
        tokio::time::advance(Duration::from_millis(9_999)).await;
        assert!(leadership.is_held());
        tokio::time::advance(Duration::from_millis(1)).await;
        assert!(!leadership.is_held());
    }

    #[tokio::test(start_paused = true)]
    async fn it_does_not_outlive_its_post() {
        let (post, leadership) = Leadership::elected();
        post.send_replace(Some(term(Moment::now() + Duration::from_secs(10))));
        drop(post);
        tokio::time::advance(Duration::from_secs(10)).await;
        assert!(!leadership.is_held());
    }

    #[tokio::test(start_paused = true)]
    async fn work_rests_while_it_is_in_doubt() {
        let (post, leadership) = Leadership::elected();
        let work = leadership.led(async {
            tokio::time::sleep(Duration::from_secs(1)).await;
        });
        let mut work = pin!(work);
        let second = Duration::from_millis(1001);
        let is_done = tokio::time::timeout(second, &mut work).await;
        assert!(is_done.is_err(), "it has not begun");
        post.send_replace(Some(term(Moment::now() + Duration::from_mins(1))));
        assert!(futures::poll!(&mut work).is_pending());
        post.send_replace(Some(term(Moment::now())));
        let is_done = tokio::time::timeout(second, &mut work).await;
        assert!(is_done.is_err(), "it rests");
        post.send_replace(Some(term(Moment::now() + Duration::from_mins(1))));
        assert!(futures::poll!(&mut work).is_ready());
    }

    #[tokio::test]
    async fn the_only_process_leads_without_a_post() {
        let leadership = Leadership::unopposed();
        leadership.begins().await;
        assert!(leadership.is_held());
        assert_eq!(leadership.epoch(), None);
    }
}
