//! What is remembered of a deleted object while its cleanup goes on.

use std::collections::BTreeSet;

use tokio::time::{Duration, Instant};

use super::{Acted, ObjectState, Tracked};
use crate::api::Reason;

/// Whether the watch has shown an object before it was deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Life {
    #[default]
    Unseen,
    Seen,
}

/// Since when this process knows of a deletion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KnownDeletion {
    pub(crate) since: Instant,
    /// Whether the watch has shown the object before it was deleted: then the deletion began at `since`. Else it
    /// began before this process did.
    pub(crate) is_witnessed: bool,
}

impl KnownDeletion {
    /// A deletion that this process learns of now.
    pub(crate) fn now(is_witnessed: bool) -> Self {
        Self {
            since: Instant::now(),
            is_witnessed,
        }
    }
}

/// The cleanup of a deleted object.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Deletion {
    known: KnownDeletion,
    /// What the last try acted on, and when the next one is due.
    pub(crate) blocked: Option<(Acted, Instant)>,
    /// The key that was found to open the account that was written to. While a cleanup takes
    /// away what proves that, it must not be asked again.
    proved: Option<[u8; 32]>,
    /// What was told of entries, as event reason and name: a retry does not repeat it.
    told: BTreeSet<(Reason, String)>,
    /// Since when an event about what is left behind is tried.
    telling_since: Option<Instant>,
}

impl Deletion {
    pub(crate) fn new(known: KnownDeletion) -> Self {
        Self {
            known,
            blocked: None,
            proved: None,
            told: BTreeSet::new(),
            telling_since: None,
        }
    }

    /// The cleanup could not go on.
    pub(crate) fn block(&mut self, acted: Acted, next_try: Instant) {
        self.blocked = Some((acted, next_try));
    }

    /// The account's circuit is open until then.
    pub(super) fn wait_until(&mut self, until: Instant) {
        if let Some((_, next_try)) = &mut self.blocked {
            *next_try = until;
        }
    }

    /// Whether this key was found to open the account that was written to.
    pub(crate) fn is_proved(&self, key: [u8; 32]) -> bool {
        self.proved == Some(key)
    }

    /// This key opens the account that was written to.
    pub(crate) fn prove(&mut self, key: [u8; 32]) {
        self.proved = Some(key);
    }

    /// The names of which this was not told yet.
    pub(crate) fn untold(&self, reason: Reason, names: &[String]) -> Vec<String> {
        let is_told = |name: &String| self.told.contains(&(reason, name.clone()));
        names
            .iter()
            .filter(|name| !is_told(name))
            .cloned()
            .collect()
    }

    /// For how long an event about what is left behind is tried.
    pub(crate) fn telling(&mut self) -> Duration {
        self.telling_since
            .get_or_insert_with(Instant::now)
            .elapsed()
    }

    /// This was told of these names.
    pub(crate) fn tell(&mut self, reason: Reason, names: &[String]) {
        self.told
            .extend(names.iter().map(|name| (reason, name.clone())));
    }
}

impl Tracked {
    /// The watch shows the object. Where it has shown it before its deletion, the deletion begins now, whichever
    /// process leads.
    pub(crate) fn watched(&mut self, is_deleted: bool) {
        if !is_deleted {
            self.life = Life::Seen;
        } else if self.life == Life::Seen {
            self.delete();
        }
    }

    /// The cleanup begins, unless it has; since when this process knows of the deletion.
    pub(crate) fn delete(&mut self) -> KnownDeletion {
        if let ObjectState::Deleting(deletion) = &self.state {
            return deletion.known;
        }
        self.forget_verifications();
        let known = KnownDeletion::now(self.life == Life::Seen);
        self.state = ObjectState::Deleting(Box::new(Deletion::new(known)));
        known
    }
}
