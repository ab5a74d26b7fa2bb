//! Room in memory for the values of large objects, which they share.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

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
    /// The room of one object, which takes none yet.
    pub(crate) fn room(&self) -> Room {
        Room {
            shared: Arc::clone(&self.0),
            permit: None,
        }
    }
}

/// The room that the values of one object take, until it is dropped.
pub(crate) struct Room {
    shared: Arc<Semaphore>,
    permit: Option<OwnedSemaphorePermit>,
}

impl Room {
    /// Takes room for so many bytes in all, unless it has as much already, and says whether there was any: a
    /// reconcile does not wait for it with values in memory. Small objects need none. None needs more than all
    /// the room that there is, so that an object that is alone always has enough.
    pub(crate) fn hold(&mut self, bytes: usize) -> bool {
        if bytes <= LARGE {
            return true;
        }
        let wanted = (bytes / 1024).min(LARGE_VALUES);
        let held = self
            .permit
            .as_ref()
            .map_or(0, OwnedSemaphorePermit::num_permits);
        let more = u32::try_from(wanted.saturating_sub(held)).unwrap_or(u32::MAX);
        let Ok(more) = Arc::clone(&self.shared).try_acquire_many_owned(more) else {
            return false;
        };
        match &mut self.permit {
            Some(permit) => permit.merge(more),
            none => *none = Some(more),
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const MIB: usize = 1024 * 1024;

    /// Cases: R-06
    #[rstest]
    #[case::small(&[LARGE], 0)]
    #[case::large(&[LARGE + 1024], 257)]
    #[case::grows(&[MIB, 3 * MIB], 3 * 1024)]
    #[case::grows_to_be_large(&[1, LARGE, MIB], 1024)]
    #[case::does_not_shrink(&[3 * MIB, MIB, 1], 3 * 1024)]
    #[case::never_more_than_there_is(&[MIB, 32 * MIB, usize::MAX], LARGE_VALUES)]
    fn a_room_grows_with_what_is_held(#[case] held: &[usize], #[case] expected: usize) {
        let values = LargeValues::default();
        let mut room = values.room();
        assert!(held.iter().all(|bytes| room.hold(*bytes)));
        assert_eq!(LARGE_VALUES - values.0.available_permits(), expected);
        drop(room);
        assert_eq!(values.0.available_permits(), LARGE_VALUES);
    }

    /// Cases: R-06
    #[test]
    fn large_objects_share_the_room_and_small_ones_need_none() {
        let values = LargeValues::default();
        let [mut first, mut second, mut small] = [values.room(), values.room(), values.room()];
        assert!(first.hold(10 * MIB) && second.hold(6 * MIB) && small.hold(LARGE));
        assert!(!second.hold(6 * MIB + 1024) && second.hold(6 * MIB));
        drop(first);
        assert!(second.hold(16 * MIB) && second.hold(32 * MIB));
    }
}
