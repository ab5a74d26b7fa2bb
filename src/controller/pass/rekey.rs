//! A new API key: the records follow it, if it opens the account that was written to.

use std::collections::HashSet;

use super::{Pass, seal, words};
use crate::{
    account::DigestKey,
    api::{EntryStatus, ProviderSecret},
    controller::{
        dereference::Versions,
        desired::Desired,
        plan::{self, Shown},
        route::Route,
        trouble::Trouble,
    },
    provider::Unit,
};

impl Pass<'_> {
    /// The records, with digests under the present key. What is known not to have changed keeps its
    /// place without a write at the provider; the digest of everything else no longer fits, so that
    /// it is written again.
    pub(super) async fn follow_key(
        &self,
        route: &Route<'_>,
        desired: &[Desired],
        sources: &Versions,
    ) -> Result<Vec<EntryStatus>, Trouble> {
        let recorded = self.recorded();
        let status = self.object.status.as_ref();
        let known = status.and_then(|status| status.key_fingerprint.as_deref());
        let present = route.account.digests.scope();
        if known.is_none_or(|known| known == present) || !recorded.iter().any(plan::was_written) {
            return Ok(self.believed(route, desired, recorded));
        }
        if !self.is_same_account(route).await? {
            if self.requested.is_none() {
                return Err(words::account_changed(route.choice));
            }
            // Somebody asked for it: what was written to the other account stays there.
            return Ok(Vec::new());
        }
        let former = self
            .context
            .memos
            .with(&self.uid, |memo| memo.former_digests())
            .filter(|former| Some(former.scope().as_str()) == known);
        let fold = route.rules().fold;
        let recorded = if former.is_some() {
            self.believed(route, desired, recorded)
        } else {
            let wanted = desired.iter().map(|wanted| wanted.folded.clone());
            self.recognised(route, &wanted.collect(), recorded).await?
        };
        let rekeyed = recorded.iter().map(|entry| {
            let mut entry = entry.clone();
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

    /// The records, where no key is at hand under which they were sealed: the account is the one that was
    /// written to, so a name that is wanted is believed, and to be the secret that the listing shows.
    pub(super) async fn recognised(
        &self,
        route: &Route<'_>,
        wanted: &HashSet<String>,
        recorded: &[EntryStatus],
    ) -> Result<Vec<EntryStatus>, Trouble> {
        let told = |error| Trouble::provider(&error, route.choice, None);
        let listed = route
            .listing(self.context.epoch, std::time::Duration::ZERO)
            .await
            .map_err(told)?;
        let rules = route.rules();
        let recognise = |entry: &EntryStatus| {
            let is_wanted = wanted.contains(&(rules.fold)(&entry.name));
            let shown = plan::is_shown_as_ours(entry, &listed.remotes, rules);
            let is_ours = rules.unit == Unit::Set || matches!(shown, Shown::Ours(_));
            match (is_wanted, is_ours) {
                (true, true) => entry.clone(),
                (true, false) => seal::nameless(entry),
                (false, _) => seal::disowned(entry),
            }
        };
        Ok(recorded.iter().map(recognise).collect())
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
                .filter(|source| source.name == wanted.source)
                .map(|source| &source.resource_version)
                .collect();
            sources
                .iter()
                .any(|(name, version)| *name == wanted.source && known == [version])
        }
    }

    /// Whether the present key is the one that the records were made with, or opens the same account.
    pub(super) async fn is_written_account(&self, route: &Route<'_>) -> Result<bool, Trouble> {
        let status = self.object.status.as_ref();
        let known = status.and_then(|status| status.key_fingerprint.as_deref());
        let present = route.account.digests.scope();
        let memos = &self.context.memos;
        let is_proved = memos.with(&self.uid, |memo| memo.is_proved(&present));
        if is_proved || known.is_none_or(|known| known == present) {
            return Ok(true);
        }
        let is_same = self.is_same_account(route).await?;
        if is_same {
            memos.with(&self.uid, |memo| memo.prove(&present));
        }
        Ok(is_same)
    }

    /// Whether the present key opens the account that the records speak of: by the id of the
    /// scope, where the provider reports one, else by what the listing shows of the records.
    async fn is_same_account(&self, route: &Route<'_>) -> Result<bool, Trouble> {
        let told = |error| Trouble::provider(&error, route.choice, None);
        let listed = route
            .listing(self.context.epoch, std::time::Duration::ZERO)
            .await
            .map_err(told)?;
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
            None => route.account.scope(route.provider).await,
        };
        if let (Some(known), Some(said)) = (known, said) {
            return Ok(known == said);
        }
        let is_shown = |entry: &EntryStatus| {
            let has_mark = entry.remote_id.is_some() || entry.remote_version.is_some();
            let shown = plan::is_shown_as_ours(entry, &listed.remotes, rules);
            has_mark && matches!(shown, Shown::Ours(_))
        };
        Ok(self.recorded().iter().any(is_shown))
    }
}

/// Whether the spec is the one that status speaks of.
fn is_acted_on(object: &ProviderSecret) -> bool {
    let status = object.status.as_ref();
    status.and_then(|status| status.observed_generation) == object.metadata.generation
}
