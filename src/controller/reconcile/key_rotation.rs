//! A new API key: the records follow it, if it opens the account that was written to.

use std::{sync::Arc, time::Duration};

use super::Reconcile;
use crate::{
    account::{DigestKey, Snapshot},
    api::{EntryStatus, ProviderSecret},
    controller::{
        error::Failure,
        object::unwritten,
        plan::{self, DesiredEntry, Shown},
        report::messages,
        resolve::dereference::Versions,
        session::Session,
    },
    provider::{Form, Unit},
};

impl Reconcile<'_> {
    /// The records, with digests under the present key. What is known not to have changed keeps its
    /// place without a write at the provider; the digest of everything else no longer fits, so that
    /// it is written again.
    pub(crate) async fn follow_key(
        &self,
        session: &Session<'_>,
        desired: &[DesiredEntry],
        sources: &Versions,
    ) -> Result<Vec<EntryStatus>, Failure> {
        let recorded = self.recorded();
        if !self.is_key_exchanged(session) || !recorded.iter().any(plan::was_written) {
            return Ok(recorded.to_vec());
        }
        if !self.is_same_account(session).await? {
            if self.requested.is_none() {
                return Err(messages::account_changed(session.choice));
            }
            // Somebody asked for it: what was written to the other account stays there.
            return Ok(Vec::new());
        }
        let former = self
            .context
            .states
            .with(&self.uid, |state| state.former_digests());
        let fold = session.rules().fold;
        let listed = self.listed(session).await?;
        let rekeyed = recorded.iter().map(|entry| {
            let mut entry = entry.clone();
            // A record whose seal nobody can check is taken as far as the listing bears it out.
            if former.is_none() && !is_confirmed(&entry, &listed, session) {
                return unwritten(&entry.name);
            }
            let folded = fold(&entry.name);
            if let Some(wanted) = desired.iter().find(|wanted| wanted.folded == folded)
                && entry.digest.is_some()
                && self.is_unchanged(session, former.as_ref(), &entry, wanted, sources)
            {
                entry.digest = session.digest(&self.uid, wanted);
            }
            entry
        });
        Ok(rekeyed.collect())
    }

    /// Whether an entry is what was written last: its digest under the former key says so, or
    /// nothing it is made from has another version.
    fn is_unchanged(
        &self,
        session: &Session<'_>,
        former: Option<&DigestKey>,
        entry: &EntryStatus,
        wanted: &DesiredEntry,
        sources: &Versions,
    ) -> bool {
        if let Some(former) = former {
            return session.digest_under(former, &self.uid, wanted) == entry.digest;
        }
        is_acted_on(&self.object) && {
            let known = self.object.status.iter().flat_map(|status| &status.sources);
            let known: Vec<_> = known
                .filter(|source| source.name == wanted.secret)
                .map(|source| &source.resource_version)
                .collect();
            sources
                .iter()
                .any(|(name, version)| *name == wanted.secret && known == [version])
        }
    }

    /// Whether the present key is the one that the records were made with, or opens the same account.
    pub(crate) async fn is_written_account(&self, session: &Session<'_>) -> Result<bool, Failure> {
        let present = session.account.fingerprint;
        let states = &self.context.states;
        let is_proved = states.with(&self.uid, |state| state.is_proved(present));
        if is_proved || !self.is_key_exchanged(session) {
            return Ok(true);
        }
        let is_same = self.is_same_account(session).await?;
        if is_same {
            states.with(&self.uid, |state| state.prove(present));
        }
        Ok(is_same)
    }

    /// What the account shows under the present key.
    async fn listed(&self, session: &Session<'_>) -> Result<Arc<Snapshot>, Failure> {
        let listed = session.listing(self.context.epoch, Duration::ZERO).await;
        listed.map_err(|error| Failure::provider(&error, session.choice, None))
    }

    /// Whether the present key opens the account that the records speak of: by the id of the
    /// scope, where the provider reports one, else by what the listing shows of the records.
    async fn is_same_account(&self, session: &Session<'_>) -> Result<bool, Failure> {
        let to_failure = |error| Failure::provider(&error, session.choice, None);
        let listed = self.listed(session).await?;
        let status = self.object.status.as_ref();
        let known = status.and_then(|status| status.scope.as_deref());
        let rules = session.rules();
        if rules.unit == Unit::Set {
            let Some(members) = session.provider.members().await.map_err(to_failure)? else {
                return Ok(false);
            };
            let mut ours = self
                .recorded()
                .iter()
                .filter(|entry| plan::was_written(entry));
            return Ok(ours.any(|entry| members.contains(&entry.name)));
        }
        let said = match listed.scope.as_deref() {
            Some(said) => Some(said),
            None => session
                .account
                .scope(session.provider)
                .await
                .map_err(to_failure)?,
        };
        if let (Some(known), Some(said)) = (known, said) {
            return Ok(known == said);
        }
        let is_shown = |entry: &EntryStatus| {
            // An image pull secret has no mark but its name, as the keys of a set have none.
            let has_mark = entry.remote_id.is_some()
                || entry.remote_version.is_some()
                || rules.form == Some(Form::ImagePull) && plan::was_written(entry);
            let shown = plan::is_shown_as_ours(entry, &listed, rules);
            has_mark && matches!(shown, Shown::Ours(_))
        };
        Ok(self.recorded().iter().any(is_shown))
    }
}

/// Whether the listing shows what a record says, under its name. Sets show no more than names.
fn is_confirmed(entry: &EntryStatus, listed: &Snapshot, session: &Session<'_>) -> bool {
    let shown = plan::is_shown_as_ours(entry, &listed, session.rules());
    session.rules().unit == Unit::Set || matches!(shown, Shown::Ours(_))
}

/// Whether the spec is the one that status speaks of.
fn is_acted_on(object: &ProviderSecret) -> bool {
    let status = object.status.as_ref();
    status.and_then(|status| status.observed_generation) == object.metadata.generation
}
