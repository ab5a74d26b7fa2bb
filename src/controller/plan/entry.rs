//! One entry on its way through a reconcile.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use secrecy::SecretString;

use super::{
    Cause,
    again::{SentAfter, attempted, unconfirmed},
    was_written,
};
use crate::{
    account::{DigestKey, Digested},
    api::{DriftStatus, EntryStatus, Found},
    controller::error::Failure,
    provider::{Options, Written},
};

/// One entry that an object asks for.
pub(crate) struct DesiredEntry {
    /// The name at the provider.
    pub(crate) name: String,
    /// Its identity: two names with one folded form are one secret.
    pub(crate) folded: String,
    /// The managed options.
    pub(crate) options: Options,
    /// The value as it goes over the wire, or why there is none.
    pub(crate) value: Result<SecretString, Failure>,
    /// The Secret that it comes from.
    pub(crate) secret: String,
    /// What gives it, if the spec does not name it.
    pub(crate) bulk: Option<BulkKey>,
    /// What of the text is sent as it is and hardly meant.
    pub(crate) marks: Marks,
}

/// The key that gives an entry which comes from a `dataFrom` source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BulkKey {
    /// Which of the sources, in the order of the spec.
    pub(crate) source: usize,
    /// The key in its Secret.
    pub(crate) key: String,
}

impl DesiredEntry {
    /// The digest of the value under a key, for an object of this uid and where its entries go; none where there is
    /// no value.
    pub(crate) fn digest(&self, key: &DigestKey, uid: &str, target: &str) -> Option<String> {
        let value = self.value.as_ref().ok()?;
        Some(key.digest(&Digested {
            uid,
            target,
            name: &self.folded,
            value,
            options: &self.options,
        }))
    }
}

/// What a value holds that is sent as it is, and that the user hardly means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Marks {
    /// It is one line of text and the newline after it.
    pub(crate) is_line: bool,
    /// It, or a key that its template uses, begins with a byte order mark, which some editors put before UTF-8.
    pub(crate) has_byte_order_mark: bool,
}

impl Marks {
    /// Those of a text. A newline at the end of several lines is usual.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        let newline = bytes.iter().position(|byte| *byte == b'\n');
        Self {
            is_line: newline.is_some_and(|newline| newline + 1 == bytes.len()),
            has_byte_order_mark: bytes.starts_with("\u{feff}".as_bytes()),
        }
    }
}

/// What is done about one desired entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// The provider holds it.
    Keep,
    /// It is written for the first time: the provider is not known to have it.
    Create,
    /// It is written again, to the secret with this id where ids are known.
    Update(Option<String>),
    /// It cannot be written.
    Refuse(Failure),
}

impl Change {
    /// Whether something is sent.
    pub(crate) fn is_write(&self) -> bool {
        matches!(self, Self::Create | Self::Update(_))
    }
}

/// What came of one desired entry.
#[derive(Debug)]
pub(crate) enum EntryOutcome {
    /// Nothing was sent: the account failed before, or the plan was not carried out yet.
    NotTried,
    /// Nothing was to be done.
    Kept,
    /// The provider acknowledged it.
    Written(Written),
    /// It could not be written.
    Failed(Failure),
}

/// One desired entry: what was recorded of it, what the plan does about it, and what came of that.
pub(crate) struct PlannedEntry<'a> {
    pub(crate) desired: &'a DesiredEntry,
    /// What was recorded, unless the name turned out to be another object's.
    pub(crate) record: Option<&'a EntryStatus>,
    /// The digest of the desired value, where there is a value.
    pub(crate) digest: Option<String>,
    pub(crate) change: Change,
    /// What the provider showed of the name before its first write.
    pub(crate) found: Option<Found>,
    /// Why it is written although nothing changed here.
    pub(crate) cause: Option<Cause>,
    /// When it counts as sent, if something is sent that may come in without an answer.
    pub(crate) attempted_time: Option<Time>,
    /// Whether the process before this one may have sent something for the name that comes in last.
    pub(crate) is_inherited: bool,
    /// The count of repairs, this one included.
    pub(crate) drift: Option<DriftStatus>,
    pub(crate) outcome: EntryOutcome,
}

impl PlannedEntry<'_> {
    /// The name at the provider.
    pub(crate) fn name(&self) -> &str {
        &self.desired.name
    }

    /// What is recorded as attempted before it is written.
    pub(crate) fn attempted(&self) -> Option<String> {
        attempted(self.record, self.digest.as_deref(), self.sent_after())
    }

    /// Whether status says already that this value was sent and did not succeed.
    pub(crate) fn is_said(&self) -> bool {
        self.record.is_some_and(|recorded| {
            recorded.digest.is_none()
                && recorded.attempted.is_some()
                && recorded.attempted == self.attempted()
                && recorded.found == self.found
        })
    }

    /// What stays recorded as attempted after it was written, or refused without any effect.
    pub(crate) fn unconfirmed(&self) -> Option<String> {
        unconfirmed(self.record, self.digest.as_deref(), self.sent_after())
    }

    /// What is known of other writes of the name when this one is sent.
    fn sent_after(&self) -> SentAfter {
        if self.is_inherited {
            SentAfter::Unknown
        } else if self.cause == Some(Cause::Unsure) {
            SentAfter::All
        } else {
            SentAfter::Recorded
        }
    }

    /// Whether this would be the first write of the name.
    pub(crate) fn is_first_write(&self) -> bool {
        self.change.is_write() && !self.record.is_some_and(was_written)
    }

    /// What the provider answered to the write, if it acknowledged one.
    pub(crate) fn written(&self) -> Option<&Written> {
        match &self.outcome {
            EntryOutcome::Written(written) => Some(written),
            EntryOutcome::NotTried | EntryOutcome::Kept | EntryOutcome::Failed(_) => None,
        }
    }
}
