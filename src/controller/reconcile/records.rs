//! The records that a pass believes. Whoever may write status could else have the operator delete,
//! or write over, what is not the object's (reliability.md A-19).

use super::Reconcile;
use crate::{
    api::{EntryState, EntryStatus, ProviderSecret},
    controller::{cache::ObjectState, object::unwritten, plan, session::Session},
    provider::Form,
};

impl Reconcile<'_> {
    /// Whether the records were made with another key than the present one.
    pub(crate) fn is_key_exchanged(&self, session: &Session<'_>) -> bool {
        let status = self.object.status.as_ref();
        let known = status.and_then(|status| status.key_fingerprint.as_deref());
        known.is_some_and(|known| known != session.account.digests.scope())
    }

    /// Whether nobody can tell if records are the operator's: the key they were sealed with is gone.
    pub(crate) fn cannot_verify(&self, session: &Session<'_>) -> bool {
        let has_former = |state: &mut ObjectState| state.former_digests().is_some();
        self.is_key_exchanged(session) && !self.context.states.with(&self.uid, has_former)
    }

    /// Takes the records that the operator sealed, under the present key or the one before. When the
    /// key was exchanged while no operator was there, nobody can tell: then those of names are taken
    /// that the spec spells out, which status does not decide. Of the others only the name is kept.
    pub(crate) fn verify_records(&self, session: &Session<'_>) {
        let present = &session.account.digests;
        let former = self
            .context
            .states
            .with(&self.uid, |state| state.former_digests());
        let cannot_verify = self.cannot_verify(session);
        let fold = session.rules().fold;
        let is_spelled_out = |entry: &EntryStatus| {
            let mut spelled = self.object.spec.entries().iter();
            // The name of an image pull secret is that of its set.
            session.rules().form == Some(Form::ImagePull)
                || spelled.any(|wanted| fold(&wanted.name) == fold(&entry.name))
        };
        let is_verified = |entry: &EntryStatus| {
            session.is_sealed(present, &self.uid, entry)
                || former
                    .as_ref()
                    .is_some_and(|former| session.is_sealed(former, &self.uid, entry))
                || (cannot_verify && is_spelled_out(entry))
        };
        let mut unverified = Vec::new();
        let records = recorded_in(&self.object).iter().map(|entry| {
            if is_verified(entry) {
                return entry.clone();
            }
            if plan::may_be_there(entry) {
                unverified.push(entry.name.clone());
            }
            EntryStatus {
                state: EntryState::Pending,
                ..unwritten(&entry.name)
            }
        });
        let records: Vec<EntryStatus> = records.collect();
        if !unverified.is_empty() {
            tracing::warn!(
                namespace = self.namespace,
                name = self.object.metadata.name,
                entries = unverified.join(", "),
                "records in status were not written by the operator and are not believed"
            );
        }
        // A pass believes once.
        let _ = self.records.set(Records {
            records,
            unverified,
        });
    }

    /// Names of records that are not believed.
    pub(crate) fn unverified(&self) -> &[String] {
        self.records
            .get()
            .map_or(&[], |records| records.unverified.as_slice())
    }

    /// What was recorded, as far as it is believed once the account is known.
    pub(crate) fn recorded(&self) -> &[EntryStatus] {
        self.records
            .get()
            .map_or_else(|| recorded_in(&self.object), |records| &records.records)
    }
}

/// The records, and the names of those that are not believed.
pub(crate) struct Records {
    records: Vec<EntryStatus>,
    unverified: Vec<String>,
}

fn recorded_in(object: &ProviderSecret) -> &[EntryStatus] {
    object
        .status
        .as_ref()
        .map_or(&[], |status| status.entries.as_slice())
}
