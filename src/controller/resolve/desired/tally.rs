//! How many bytes the values of one object have, counted before each is copied: several entries may name one
//! key, and each holds a copy.

use crate::{api::Reason, controller::error::Failure};

/// How many bytes of values an object may name; they are in memory together. What its Secrets hold besides
/// is dropped as soon as it was read.
pub(crate) const MOST_VALUES: usize = 32 * 1024 * 1024;

/// The bytes that the values of one object have so far.
pub(super) struct Tally<'a> {
    bytes: usize,
    /// Whether there is room in memory for so many bytes of values of this object.
    has_room: &'a mut dyn FnMut(usize) -> bool,
    is_crowded: bool,
}

impl<'a> Tally<'a> {
    pub(super) fn new(has_room: &'a mut dyn FnMut(usize) -> bool) -> Self {
        Self {
            bytes: 0,
            has_room,
            is_crowded: false,
        }
    }

    /// Counts the value of an entry, which may be copied then.
    pub(super) fn add(&mut self, entry: &str, length: usize) -> Result<(), Failure> {
        let bytes = self.bytes.saturating_add(length);
        // First: what never fits waits for no room.
        if bytes > MOST_VALUES {
            return Err(beyond(entry));
        }
        self.is_crowded = self.is_crowded || !(self.has_room)(bytes);
        self.ensure_room()?;
        self.bytes = bytes;
        Ok(())
    }

    /// Whether there was room for everything so far: a passing failure where there was not.
    pub(super) fn ensure_room(&self) -> Result<(), Failure> {
        if self.is_crowded {
            Err(crowded())
        } else {
            Ok(())
        }
    }
}

/// An entry whose value is too much beside those before it.
fn beyond(entry: &str) -> Failure {
    let message = format!(
        "The values of the object's entries have more than 32 MiB together, and entry {entry} is beyond that. A key counts once for each entry that names it. Split the object into several, or name large keys once."
    );
    Failure::config(Reason::ValueTooLarge, message)
}

/// Other large objects take the room now.
fn crowded() -> Failure {
    let message = "The operator has no memory for the values of this object now. It is tried again in a moment.";
    Failure {
        is_passing: true,
        ..Failure::transient(Reason::ValueTooLarge, message)
    }
}
