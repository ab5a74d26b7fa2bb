//! A new API key: the records follow it, if it opens the account that was written to.

use std::{sync::Arc, time::Duration};

use super::Pass;
use crate::{
    account::{DigestKey, Snapshot},
    api::{EntryStatus, ProviderSecret},
    controller::{
        error::Trouble,
        object::unwritten,
        plan::{self, Desired, Shown},
        report::messages,
        resolve::dereference::Versions,
        session::Route,
    },
    provider::{Form, Unit},
};

impl Pass<'_> {
    /// The records, with digests under the present key. What is known not to have changed keeps its
    /// place without a write at the provider; the digest of everything else no longer fits, so that
    /// it is written again.
    pub(crate) async fn follow_key(
        &self,
        route: &Route<'_>,
        desired: &[Desired],
        sources: &Versions,
    ) -> Result<Vec<EntryStatus>, Trouble> {
        let recorded = self.recorded();
        if !self.is_key_exchanged(route) || !recorded.iter().any(plan::was_written) {
            return Ok(recorded.to_vec());
        }
        if !self.is_same_account(route).await? {
            if self.requested.is_none() {
                return Err(messages::account_changed(route.choice));
            }
            // Somebody asked for it: what was written to the other account stays there.
            return Ok(Vec::new());
        }
        let former = self
            .context
            .memos
            .with(&self.uid, |memo| memo.former_digests());
        let fold = route.rules().fold;
        let listed = self.listed(route).await?;
        let rekeyed = recorded.iter().map(|entry| {
            let mut entry = entry.clone();
            // A record whose seal nobody can check is taken as far as the listing bears it out.
            if former.is_none() && !is_borne_out(&entry, &listed, route) {
                return unwritten(&entry.name);
            }
            let folded = fold(&entry.name);
            if let Some(wanted) = desired.iter().find(|wanted| wanted.folded == folded)
                && entry.digest.is_some()
                && self.is_unchanged(route, former.as_ref(), &entry, wanted, sources)
            {
                entry.digest = route.digest(&self.uid, wanted);
            }
            entry
        });
        Ok(rekeyed.collect())
    }

    /// Whether an entry is what was written last: its digest under the former key says so, or
    /// nothing it is made from has another version.
    fn is_unchanged(
        &self,
        route: &Route<'_>,
        former: Option<&DigestKey>,
        entry: &EntryStatus,
        wanted: &Desired,
        sources: &Versions,
    ) -> bool {
        if let Some(former) = former {
            return route.digest_under(former, &self.uid, wanted) == entry.digest;
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
    pub(crate) async fn is_written_account(&self, route: &Route<'_>) -> Result<bool, Trouble> {
        let present = route.account.fingerprint;
        let memos = &self.context.memos;
        let is_proved = memos.with(&self.uid, |memo| memo.is_proved(present));
        if is_proved || !self.is_key_exchanged(route) {
            return Ok(true);
        }
        let is_same = self.is_same_account(route).await?;
        if is_same {
            memos.with(&self.uid, |memo| memo.prove(present));
        }
        Ok(is_same)
    }

    /// What the account shows under the present key.
    async fn listed(&self, route: &Route<'_>) -> Result<Arc<Snapshot>, Trouble> {
        let listed = route.listing(self.context.epoch, Duration::ZERO).await;
        listed.map_err(|error| Trouble::provider(&error, route.choice, None))
    }

    /// Whether the present key opens the account that the records speak of: by the id of the
    /// scope, where the provider reports one, else by what the listing shows of the records.
    async fn is_same_account(&self, route: &Route<'_>) -> Result<bool, Trouble> {
        let told = |error| Trouble::provider(&error, route.choice, None);
        let listed = self.listed(route).await?;
        let status = self.object.status.as_ref();
        let known = status.and_then(|status| status.scope.as_deref());
        let rules = route.rules();
        if rules.unit == Unit::Set {
            let Some(members) = route.provider.members().await.map_err(told)? else {
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
            None => route.account.scope(route.provider).await.map_err(told)?,
        };
        if let (Some(known), Some(said)) = (known, said) {
            return Ok(known == said);
        }
        let is_shown = |entry: &EntryStatus| {
            // An image pull secret has no mark but its name, as the keys of a set have none.
            let has_mark = entry.remote_id.is_some()
                || entry.remote_version.is_some()
                || rules.form == Some(Form::ImagePull) && plan::was_written(entry);
            let shown = plan::is_shown_as_ours(entry, &listed.remotes, rules);
            has_mark && matches!(shown, Shown::Ours(_))
        };
        Ok(self.recorded().iter().any(is_shown))
    }
}

/// Whether the listing shows what a record says, under its name. Sets show no more than names.
fn is_borne_out(entry: &EntryStatus, listed: &Snapshot, route: &Route<'_>) -> bool {
    let shown = plan::is_shown_as_ours(entry, &listed.remotes, route.rules());
    route.rules().unit == Unit::Set || matches!(shown, Shown::Ours(_))
}

/// Whether the spec is the one that status speaks of.
fn is_acted_on(object: &ProviderSecret) -> bool {
    let status = object.status.as_ref();
    status.and_then(|status| status.observed_generation) == object.metadata.generation
}
