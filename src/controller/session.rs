//! The way to the provider for one object's pass, and what decides where values go.

mod deletion;

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

pub(crate) use self::deletion::DeleteOutcome;
use super::plan::DesiredEntry;
use crate::{
    account::{Account, DigestKey, Digested, NameLock, NameLocks, Sealed, Snapshot},
    api::EntryStatus,
    http::ProviderError,
    provider::{Choice, Provider, Rules, Unit},
};

/// The way to the provider for one object's pass.
pub(crate) struct Session<'a> {
    pub(crate) account: &'a Account,
    pub(crate) provider: &'a dyn Provider,
    pub(crate) choice: Choice<'a>,
    /// What every call comes to, because the account is closed.
    pub(crate) closed: Option<ProviderError>,
}

impl Session<'_> {
    /// The rules of the provider.
    pub(crate) fn rules(&self) -> &'static Rules {
        self.provider.rules()
    }

    /// The set that all entries belong to, and its region if the spec names one.
    pub(crate) fn set(&self) -> Option<(&str, Option<&str>)> {
        self.provider.set().map(|set| (set.name, set.region))
    }

    /// The digest of an entry, where it has a value.
    pub(crate) fn digest(&self, uid: &str, entry: &DesiredEntry) -> Option<String> {
        self.digest_under(&self.account.digests, uid, entry)
    }

    /// The digest that an entry has under a key.
    pub(crate) fn digest_under(
        &self,
        key: &DigestKey,
        uid: &str,
        entry: &DesiredEntry,
    ) -> Option<String> {
        let value = entry.value.as_ref().ok()?;
        let target = self.target();
        Some(key.digest(&Digested {
            uid,
            target: &target,
            name: &entry.folded,
            value,
            options: &entry.options,
        }))
    }

    /// Provider, endpoint and scope fields: what a digest or a seal is made for.
    fn target(&self) -> String {
        let scope = self.choice.scope_field().unwrap_or_default();
        format!("{}/{}/{scope}", self.choice.kind(), self.choice.endpoint())
    }

    /// The seal of a record under a key.
    fn seal_under(&self, key: &DigestKey, uid: &str, entry: &EntryStatus) -> String {
        let written = entry
            .last_write_time
            .as_ref()
            .map(|time| time.0.to_string());
        let found = entry.found.map(|found| format!("{found:?}"));
        key.seal(&Sealed {
            uid,
            target: &self.target(),
            name: &(self.rules().fold)(&entry.name),
            facts: [
                entry.remote_id.as_deref(),
                entry.remote_version.as_deref(),
                written.as_deref(),
                found.as_deref(),
            ],
        })
    }

    /// A record with its seal. One that claims nothing needs none.
    pub(crate) fn sealed(&self, uid: &str, entry: EntryStatus) -> EntryStatus {
        let seal =
            claims_anything(&entry).then(|| self.seal_under(&self.account.digests, uid, &entry));
        EntryStatus { seal, ..entry }
    }

    /// Whether a record is one that the operator wrote, under this key.
    pub(crate) fn is_sealed(&self, key: &DigestKey, uid: &str, entry: &EntryStatus) -> bool {
        !claims_anything(entry) || entry.seal == Some(self.seal_under(key, uid, entry))
    }

    /// Whose secrets these are: as the provider said, else as the spec says, else (where the
    /// provider never says) a fingerprint of the key.
    pub(crate) fn scope(&self, said: Option<String>) -> Option<String> {
        let own = || (!self.rules().names_scope).then(|| self.account.digests.scope());
        said.or_else(|| self.choice.scope_field().map(str::to_owned))
            .or_else(|| self.account.known_scope().map(str::to_owned))
            .or_else(own)
    }

    /// The name that is claimed for an entry: its own, or that of the whole set.
    pub(crate) fn claimed_name<'a>(&'a self, folded: &'a str) -> &'a str {
        match self.rules().unit {
            Unit::Each => folded,
            Unit::Set => self.provider.listed_name(folded),
        }
    }

    /// What a claimed name is locked by. A name is one secret within its scope only, so nobody
    /// waits for another account's call.
    pub(crate) fn lock_name(&self, claimed: &str) -> String {
        let scope = self
            .choice
            .scope_field()
            .or_else(|| self.account.known_scope())
            .map_or_else(|| self.account.digests.scope(), str::to_owned);
        let (kind, endpoint) = (self.choice.kind().flag(), self.choice.endpoint());
        format!("{kind}/{endpoint}/{scope}/{claimed}")
    }

    /// The right to write, or delete, what an entry claims: one has it at a time.
    pub(crate) async fn lock(&self, names: &NameLocks, folded: &str) -> NameLock {
        names.lock(self.lock_name(self.claimed_name(folded))).await
    }

    /// The account's listing, begun after `since`. A failure that is not older than `patience` is
    /// not tried again.
    pub(crate) async fn listing(
        &self,
        since: Instant,
        patience: Duration,
    ) -> Result<Arc<Snapshot>, ProviderError> {
        let listed = self
            .account
            .listing
            .began_after(since, patience, || self.provider.list())
            .await?;
        self.account.learn_scope(listed.scope.as_deref());
        Ok(listed)
    }
}

/// Whether a record says that anything may be at the provider.
fn claims_anything(entry: &EntryStatus) -> bool {
    entry.remote_id.is_some()
        || entry.remote_version.is_some()
        || entry.last_write_time.is_some()
        || entry.found.is_some()
}
