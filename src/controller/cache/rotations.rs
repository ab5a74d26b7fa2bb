//! The rotations under way, for their metric: objects of which a Secret has changed, until all of them is acknowledged.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use crate::account::ObjectName;

/// Since when an object is behind its Secrets, and whether anything was written since.
#[derive(Clone, Copy, Debug)]
struct Rotation {
    since: Instant,
    has_written: bool,
}

/// What a reconcile tells of a rotation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// Something of the object is not as its Secrets say.
    Behind,
    /// Everything is acknowledged, for the versions that the watch shows.
    Acknowledged,
    /// It is not meant to be written any more.
    GivenUp,
}

/// By object. At rest there are none.
#[derive(Default)]
pub(crate) struct Rotations(Mutex<HashMap<ObjectName, Rotation>>);

impl Rotations {
    /// A Secret of these objects has changed now. A rotation under way goes on.
    pub(crate) fn begin(&self, objects: &[ObjectName]) {
        let now = Instant::now();
        let mut rotations = self.lock();
        for object in objects {
            rotations.entry(object.clone()).or_insert(Rotation {
                since: now,
                has_written: false,
            });
        }
    }

    /// A reconcile of the object wrote something or not, and how far it is then. Gives how long the rotation took if it
    /// is complete: one that wrote nothing, such as a new label of the Secret, was none.
    pub(crate) fn reported(
        &self,
        object: &ObjectName,
        has_written: bool,
        progress: Progress,
    ) -> Option<Duration> {
        let mut rotations = self.lock();
        let rotation = rotations.get_mut(object)?;
        rotation.has_written |= has_written;
        let Rotation { since, has_written } = *rotation;
        if progress != Progress::Behind {
            rotations.remove(object);
        }
        (progress == Progress::Acknowledged && has_written).then(|| since.elapsed())
    }

    /// The object is gone, or there was nothing to do.
    pub(crate) fn forget(&self, object: &ObjectName) {
        self.lock().remove(object);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ObjectName, Rotation>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::{
        Progress::{Acknowledged, Behind, GivenUp},
        *,
    };

    #[tokio::test(start_paused = true)]
    async fn a_rotation_lasts_from_the_first_change_until_all_is_acknowledged() {
        let second = Duration::from_secs(1);
        for (reports, expected) in [
            (&[(true, Acknowledged)][..], Some(second)),
            (&[(true, Behind), (false, Acknowledged)], Some(2 * second)),
            (&[(false, Acknowledged)], None),
            (&[(true, Behind), (false, GivenUp)], None),
            (&[(false, Behind), (false, Acknowledged)], None),
        ] {
            let rotations = Rotations::default();
            let object = ("ml".to_owned(), "a".to_owned());
            rotations.begin(std::slice::from_ref(&object));
            let mut took = None;
            for (has_written, progress) in reports {
                tokio::time::advance(second).await;
                took = rotations.reported(&object, *has_written, *progress);
            }
            assert_eq!(took, expected, "{reports:?}");
            assert!(rotations.lock().is_empty(), "{reports:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_change_there_is_no_rotation() {
        let rotations = Rotations::default();
        let object = ("ml".to_owned(), "a".to_owned());
        assert_eq!(rotations.reported(&object, true, Acknowledged), None);
        rotations.begin(std::slice::from_ref(&object));
        rotations.forget(&object);
        assert_eq!(rotations.reported(&object, true, Acknowledged), None);
    }
}
