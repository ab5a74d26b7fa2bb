//! Room in memory for the values of large objects, which they share.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError};

/// Objects that name more bytes than this share [`LARGE_VALUES`].
const LARGE: usize = 256 * 1024;
/// How many kibibytes of values the reconciles of large objects hold together. A value is in memory
/// three times while it is sent: as it was read, as it goes over the wire, and in the body.
const LARGE_VALUES: usize = 16 * 1024;

/// The room that the values of large objects share.
pub(crate) struct LargeValues(Arc<Semaphore>);

impl Default for LargeValues {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(LARGE_VALUES)))
    }
}

impl LargeValues {
    /// Room for so many bytes that were read, until it is dropped. Small objects need none.
    ///
    /// # Errors
    /// Other large objects take the room now.
    pub(crate) fn take(
        &self,
        held: usize,
    ) -> Result<Option<OwnedSemaphorePermit>, TryAcquireError> {
        if held <= LARGE {
            return Ok(None);
        }
        let kibibytes = (held / 1024).min(LARGE_VALUES);
        let kibibytes = u32::try_from(kibibytes).unwrap_or(u32::MAX);
        Arc::clone(&self.0)
            .try_acquire_many_owned(kibibytes)
            .map(Some)
    }
}
