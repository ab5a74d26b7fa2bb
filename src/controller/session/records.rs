//! The records of an object, as far as the operator wrote them.
//!
//! Another writer of status could else have the operator delete, or write over, secrets that are not
//! the object's. So each record is sealed with the API key, and an unverified one proves nothing
//! (docs/security.md#what-a-user-who-may-write-only-its-status-may-do).

use super::Session;
use crate::{
    account::DigestKey,
    api::{EntryState, EntryStatus, ProviderSecret},
    controller::{
        object::{raw_records, unwritten},
        plan,
    },
    provider::Form,
};

/// The records of an object, as far as the operator wrote them.
#[derive(Default)]
pub(crate) struct Records {
    /// Every record; only the name of an unverified one.
    pub(crate) verified: Vec<EntryStatus>,
    /// Names of records that say that something may be at the provider, and that are not verified.
    pub(crate) unverified: Vec<String>,
}

impl Session<'_> {
    /// Verifies the seals of an object's records under the present API key, or under the key that
    /// status names if this process has used it. When the key was exchanged while no operator ran,
    /// no seal can be checked: then the records of names are taken that the spec spells out, which
    /// status does not decide.
    pub(super) fn verify_records(&self, object: &ProviderSecret) -> Records {
        let fold = self.rules().fold;
        let is_spelled_out = |entry: &EntryStatus| {
            let mut spelled = object.spec.entries().iter();
            // The name of an image pull secret is that of its set.
            self.rules().form == Some(Form::ImagePull)
                || spelled.any(|desired| fold(&desired.name) == fold(&entry.name))
        };
        let is_verified = |entry: &EntryStatus| {
            let has_seal = |key: &DigestKey| self.is_sealed(key, entry);
            has_seal(&self.account.digests)
                || self.former_key.as_ref().is_some_and(has_seal)
                || (self.cannot_verify() && is_spelled_out(entry))
        };
        let mut records = Records::default();
        for entry in raw_records(object) {
            if is_verified(entry) {
                records.verified.push(entry.clone());
                continue;
            }
            if plan::may_be_there(entry) {
                records.unverified.push(entry.name.clone());
            }
            records.verified.push(EntryStatus {
                state: EntryState::Pending,
                ..unwritten(&entry.name)
            });
        }
        if !records.unverified.is_empty() {
            tracing::warn!(
                entries = records.unverified.join(", "),
                "records in status were not written by the operator and are not believed"
            );
        }
        records
    }

    /// Whether the records were made with another API key than the present one.
    pub(crate) fn is_key_exchanged(&self) -> bool {
        self.is_key_exchanged
    }

    /// Whether no seal can be checked: the key that the records were sealed with is gone.
    pub(crate) fn cannot_verify(&self) -> bool {
        self.is_key_exchanged && self.former_key.is_none()
    }
}
