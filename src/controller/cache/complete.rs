//! Whether the first lists of a kind have ended.

use tokio::sync::watch;

/// Whether the first lists of a kind have ended: before that absence means nothing.
pub(crate) struct Complete(watch::Sender<bool>);

impl Default for Complete {
    fn default() -> Self {
        Self(watch::Sender::new(false))
    }
}

impl Complete {
    /// They have ended.
    pub(crate) fn set(&self) {
        self.0.send_replace(true);
    }

    /// Whether they have ended.
    pub(crate) fn is_set(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until they have ended.
    pub(crate) async fn wait(&self) {
        // The sender is a field of self, so that it is there as long as we wait.
        let _ = self.0.subscribe().wait_for(|complete| *complete).await;
    }
}
