//! A new API key: the records follow it, if it opens the account that was written to.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use http::StatusCode;

use super::Reconcile;
use crate::{
    account::Snapshot,
    api::{EntryState, EntryStatus},
    controller::{
        error::Failure,
        object::{Versions, is_acted_on, raw_records, recorded_sources, unwritten},
        plan::{self, DesiredEntry, Shown},
        report::{messages, outcome::Outcome},
        resolve::desired::DesiredState,
        session::{Session, claims_anything},
    },
    provider::{Form, SetKeys, Unit},
};

impl Reconcile<'_> {
    /// The records, with digests under the present key. What is known not to have changed keeps its
    /// place without a write at the provider; the digest of everything else no longer fits, so that
    /// it is written again.
    ///
    /// # Errors
    /// The key opens another account, and no user has asked to write everything there; or the
    /// provider could not be asked which account it opens.
    pub(super) async fn follow_key(
        &self,
        session: &Session<'_>,
        desired: &[DesiredEntry],
        sources: &Versions,
    ) -> Result<Vec<EntryStatus>, Failure> {
        let records = &session.records.verified;
        // Status as it stands: what cannot be verified may still name what is in another account.
        let recorded = raw_records(&self.object);
        if !session.is_key_exchanged() || !recorded.iter().any(claims_anything) {
            return Ok(records.clone());
        }
        if !self.is_same_account(session).await? {
            if !recorded.iter().any(plan::was_written) {
                // What was found in the account before says nothing of this one.
                return Ok(recorded
                    .iter()
                    .map(|record| unwritten(&record.name))
                    .collect());
            }
            if self.requested.is_none() || !self.says_account_changed() {
                return Err(messages::account_changed(session.choice));
            }
            // A user has read it and asked for it: what was written to the other account stays there.
            return Ok(Vec::new());
        }
        let snapshot = self.present_listing(session).await?;
        let desired: HashMap<&str, &DesiredEntry> = desired
            .iter()
            .map(|entry| (entry.folded.as_str(), entry))
            .collect();
        let unchanged = self.unchanged_secrets(sources);
        let fold = session.rules().fold;
        let rekeyed = records.iter().map(|record| {
            // A record whose seal cannot be checked is taken as far as the listing confirms it. Another operator
            // may have followed the key.
            let is_unchecked = session.cannot_verify() && !session.is_sealed_now(record);
            if is_unchecked && !is_confirmed(record, &snapshot, session) {
                return unwritten(&record.name);
            }
            let mut record = record.clone();
            if let Some(desired) = desired.get(fold(&record.name).as_str())
                && record.digest.is_some()
                && is_unchanged(session, &record, desired, &unchanged)
            {
                record.digest = session.digest(desired);
            }
            record
        });
        Ok(rekeyed.collect())
    }

    /// How a reconcile of a suspended object ends whose API key was exchanged: the operator does not ask the provider
    /// which account the new key opens, so the records stay under the key that they were made with, and
    /// follow the new one when the object goes on. None for any other object.
    pub(super) fn rest_under_former_key(
        &self,
        session: &Session<'_>,
        desired: &DesiredState,
        sources: &Versions,
    ) -> Option<Outcome> {
        let records = raw_records(&self.object);
        let is_bound = session.is_key_exchanged() && records.iter().any(claims_anything);
        if !(self.object.spec.is_suspended() && is_bound) {
            return None;
        }
        let (unchanged, fold) = (self.unchanged_secrets(sources), session.rules().fold);
        let is_stored = |entry: &DesiredEntry| {
            let mut records = session.records.verified.iter();
            records.any(|record| {
                fold(&record.name) == entry.folded
                    && record.state == EntryState::Synced
                    && is_unchanged(session, record, entry, &unchanged)
            })
        };
        if !desired.unread.is_empty() || !desired.entries.iter().all(is_stored) {
            return Some(self.nothing_done(records, messages::not_held(), sources.clone()));
        }
        let mut outcome = Outcome::of(records.to_vec(), recorded_sources(&self.object));
        outcome.read.clone_from(sources);
        Some(outcome)
    }

    /// The Secrets that have the versions that the records were made from under this spec.
    fn unchanged_secrets(&self, read: &Versions) -> HashSet<String> {
        let recorded = recorded_sources(&self.object).into_iter();
        recorded
            .filter(|source| is_acted_on(&self.object) && read.contains(source))
            .map(|(name, _)| name)
            .collect()
    }

    /// Whether the present key is the one that the records were made with, or opens the same account.
    pub(super) async fn is_written_account(&self, session: &Session<'_>) -> Result<bool, Failure> {
        let present = session.account.fingerprint;
        let is_proved = self.deletion(|deletion| deletion.is_proved(present));
        if is_proved == Some(true) || !session.is_key_exchanged() {
            return Ok(true);
        }
        let is_same = self.is_same_account(session).await?;
        if is_same {
            self.deletion(|deletion| deletion.prove(present));
        }
        Ok(is_same)
    }

    /// What the account shows under the present key.
    async fn present_listing(&self, session: &Session<'_>) -> Result<Arc<Snapshot>, Failure> {
        let snapshot = session.listing(self.context.epoch, Duration::ZERO).await;
        snapshot.map_err(|error| session.failure(&error))
    }

    /// Whether the present key opens the account that the records speak of: by the id of the
    /// scope, where the provider reports one, else by what the listing shows of the records.
    async fn is_same_account(&self, session: &Session<'_>) -> Result<bool, Failure> {
        let to_failure = |error| session.failure(&error);
        let snapshot = self.present_listing(session).await?;
        let status = self.object.status.as_ref();
        let known = status.and_then(|status| status.scope.as_deref());
        let rules = session.rules();
        let records = &session.records.verified;
        if rules.unit == Unit::Set {
            let members = session.provider.set_keys().await.map_err(to_failure)?;
            let SetKeys::Shown(members) = members else {
                return Ok(false);
            };
            let mut ours = records.iter().filter(|record| plan::was_written(record));
            return Ok(ours.any(|record| members.contains(&record.name)));
        }
        let said = if let Some(said) = snapshot.scope.as_deref() {
            Some(said)
        } else {
            let asked = session.account.scope(&*session.provider).await;
            // The key has just listed what is there: it is this question alone that is refused.
            let asked = asked.or_else(|error| match error.status {
                Some(StatusCode::UNAUTHORIZED) if session.refusal().is_none() => Ok(None),
                _ => Err(error),
            });
            asked.map_err(to_failure)?
        };
        if let (Some(known), Some(said)) = (known, said) {
            return Ok(known == said);
        }
        let is_shown = |record: &EntryStatus| {
            // An image pull secret has no mark but its name, as the keys of a set have none.
            let has_mark = record.remote_id.is_some()
                || record.remote_version.is_some()
                || rules.form == Some(Form::ImagePull) && plan::was_written(record);
            let shown = plan::find_recorded(record, &snapshot, rules);
            has_mark && matches!(shown, Shown::Ours(_))
        };
        Ok(records.iter().any(is_shown))
    }
}

/// Whether an entry is what was written last: its digest under the former key says so, or it was synced
/// and the Secret that it is made from is one of the `unchanged` ones.
fn is_unchanged(
    session: &Session<'_>,
    record: &EntryStatus,
    desired: &DesiredEntry,
    unchanged: &HashSet<String>,
) -> bool {
    if let Some(former) = session.former_key() {
        return session.digest_under(former, desired) == record.digest;
    }
    record.state == EntryState::Synced && unchanged.contains(&desired.secret)
}

/// Whether the listing shows what a record says, under its name. Sets show no more than names.
fn is_confirmed(record: &EntryStatus, snapshot: &Snapshot, session: &Session<'_>) -> bool {
    let shown = plan::find_recorded(record, snapshot, session.rules());
    session.rules().unit == Unit::Set || matches!(shown, Shown::Ours(_))
}
