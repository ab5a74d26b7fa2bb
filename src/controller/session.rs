//! One reconcile's way to the provider, and what decides where values go.

mod deletion;
mod records;

use std::{sync::Arc, time::Duration};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use tokio::time::Instant;

pub(crate) use self::{deletion::DeleteOutcome, records::Records};
use super::{error::Failure, object::Versions, plan::DesiredEntry};
use crate::{
    account::{Account, DigestKey, NameLock, NameLocks, Permit, Sealed, Snapshot},
    api::{EntryStatus, Found, ProviderSecret},
    http::ProviderError,
    provider::{Choice, Provider, Rules, Unit, Write, Written},
};

/// One reconcile's way to the provider: the account, the provider as the object uses it, and the
/// records that were verified with the account's key.
pub(crate) struct Session<'a> {
    pub(crate) account: Arc<Account>,
    pub(crate) provider: Box<dyn Provider>,
    pub(crate) choice: Choice<'a>,
    pub(crate) records: Records,
    /// The version of the credential's Secret.
    pub(crate) credential: Versions,
    uid: &'a str,
    /// The key that status says the records were made with, if this process has used it.
    former_key: Option<DigestKey>,
    is_key_exchanged: bool,
    /// What every call comes to, because the account's circuit is open.
    circuit: Option<ProviderError>,
    /// One call of the account may be in flight for as long as the session lives.
    _permit: Option<Permit>,
}

impl<'a> Session<'a> {
    /// Opens the session of an object. Without a permit the provider is not called.
    pub(crate) fn open(
        object: &'a ProviderSecret,
        choice: Choice<'a>,
        (account, credential): (Arc<Account>, Versions),
        former_key: Option<DigestKey>,
        permit: Result<Option<Permit>, ProviderError>,
    ) -> Self {
        let name = object.metadata.name.as_deref().unwrap_or_default();
        let provider = match &permit {
            Ok(_) => account.provider(choice, name),
            Err(error) => account.refusing_provider(choice, name, error),
        };
        let (permit, circuit) = match permit {
            Ok(permit) => (permit, None),
            Err(error) => (None, Some(error)),
        };
        let status = object.status.as_ref();
        let made_with = status.and_then(|status| status.key_fingerprint.as_deref());
        let former_key = former_key.filter(|key| made_with == Some(&key.key_id()));
        let is_key_exchanged = made_with.is_some_and(|key| key != account.digests.key_id());
        let mut session = Self {
            account,
            provider,
            choice,
            records: Records::default(),
            credential,
            uid: object.metadata.uid.as_deref().unwrap_or_default(),
            former_key,
            is_key_exchanged,
            circuit,
            _permit: permit,
        };
        session.records = session.verify_records(object);
        session
    }
}

impl Session<'_> {
    /// The rules of the provider.
    pub(crate) fn rules(&self) -> &'static Rules {
        self.provider.rules()
    }

    /// The key that status says the records were made with, if it is not the present one and this
    /// process has used it.
    pub(crate) fn former_key(&self) -> Option<&DigestKey> {
        self.former_key.as_ref()
    }

    /// What a call would come to now, if it may not be sent.
    pub(crate) fn refusal(&self) -> Option<ProviderError> {
        let refusal = || self.account.limiter.refusal();
        self.circuit.clone().or_else(refusal)
    }

    /// A failed call, in the words for the person who wrote the object.
    pub(crate) fn failure(&self, error: &ProviderError) -> Failure {
        Failure::provider(error, self.choice, None)
    }

    /// The set that all entries belong to, and its region if the spec names one.
    pub(crate) fn set(&self) -> Option<(&str, Option<&str>)> {
        self.provider.set().map(|set| (set.name, set.region))
    }

    /// The digest of an entry, where it has a value.
    pub(crate) fn digest(&self, entry: &DesiredEntry) -> Option<String> {
        self.digest_under(&self.account.digests, entry)
    }

    /// The digest that an entry has under a key.
    pub(crate) fn digest_under(&self, key: &DigestKey, entry: &DesiredEntry) -> Option<String> {
        entry.digest(key, self.uid, &self.choice.target())
    }

    /// The seal of a record under a key.
    fn seal_under(&self, key: &DigestKey, entry: &EntryStatus) -> String {
        let text = |time: Option<&Time>| time.map(|time| time.0.to_string());
        let written = text(entry.last_write_time.as_ref());
        let attempted = text(entry.attempted_time.as_ref());
        key.seal(&Sealed {
            uid: self.uid,
            target: &self.choice.target(),
            name: &(self.rules().fold)(&entry.name),
            facts: [
                entry.remote_id.as_deref(),
                entry.remote_version.as_deref(),
                written.as_deref(),
                entry.found.map(Found::as_str),
            ],
            leaving: entry.leaving,
            attempted_time: attempted.as_deref(),
        })
    }

    /// A record with its seal. One that claims nothing needs none.
    pub(crate) fn sealed(&self, entry: EntryStatus) -> EntryStatus {
        let seal = claims_anything(&entry).then(|| self.seal_under(&self.account.digests, &entry));
        EntryStatus { seal, ..entry }
    }

    /// The seal of the sources of an object under the present key.
    pub(crate) fn sources_seal(&self, generation: Option<i64>, sources: &Versions) -> String {
        let (digests, generation) = (&self.account.digests, generation.unwrap_or_default());
        digests.seal_sources(self.uid, generation, sources)
    }

    /// The seal of facts that were approved, or wait for it, under the present key.
    pub(crate) fn approval_seal<'f>(&self, facts: impl Iterator<Item = &'f str>) -> String {
        let facts: Vec<&str> = facts.collect();
        let target = self.choice.target();
        let facts = facts.into_iter();
        self.account.digests.seal_approval(self.uid, &target, facts)
    }

    /// Whether a record is one that the operator wrote, under the present key.
    pub(crate) fn is_sealed_now(&self, entry: &EntryStatus) -> bool {
        self.is_sealed(&self.account.digests, entry)
    }

    /// Whether a record is one that the operator wrote, under this key.
    fn is_sealed(&self, key: &DigestKey, entry: &EntryStatus) -> bool {
        !claims_anything(entry) || entry.seal == Some(self.seal_under(key, entry))
    }

    /// Whose secrets these are, as `reported` by the answer to a write, or by any answer before, else
    /// (where the provider never says) what stands for the key. None keeps what status says.
    pub(crate) fn scope(&self, reported: Option<String>) -> Option<String> {
        let key = || (!self.rules().names_scope).then(|| self.account.digests.key_id());
        reported
            .or_else(|| self.account.known_scope().map(str::to_owned))
            .or_else(key)
    }

    /// The name that is claimed for an entry: its own, or that of the whole set.
    pub(crate) fn claimed_name<'a>(&'a self, folded: &'a str) -> &'a str {
        match self.rules().unit {
            Unit::Each => folded,
            Unit::Set => self.provider.listed_name(folded),
        }
    }

    /// What a claimed name is locked by. A name is one secret within its scope only, so no object
    /// waits for a call to another account.
    pub(crate) fn lock_name(&self, claimed: &str) -> String {
        let known = self.account.known_scope();
        let scope = known.or_else(|| self.choice.scope_field());
        let scope = scope.map_or_else(|| self.account.digests.key_id(), str::to_owned);
        let (kind, endpoint) = (self.choice.kind().flag(), self.choice.endpoint());
        format!("{kind}/{endpoint}/{scope}/{claimed}")
    }

    /// The right to write, or delete, what an entry claims: one has it at a time.
    pub(crate) async fn lock(&self, names: &NameLocks, folded: &str) -> NameLock {
        names.lock(self.lock_name(self.claimed_name(folded))).await
    }

    /// The account's listing, begun after `since`. A failure that is not older than `patience` is
    /// not tried again.
    ///
    /// # Errors
    /// What the fetch ended in.
    pub(crate) async fn listing(
        &self,
        since: Instant,
        patience: Duration,
    ) -> Result<Arc<Snapshot>, ProviderError> {
        let cache = &self.account.listing;
        let snapshot = cache.began_after(since, patience, || self.provider.list());
        let snapshot = snapshot.await?;
        self.account.learn_scope(snapshot.scope.as_deref());
        Ok(snapshot)
    }

    /// The account's listing, begun after `since`, for a first write.
    ///
    /// # Errors
    /// As [`listing`](Self::listing); and [`ProviderError::several_scopes`].
    pub(crate) async fn listing_of_one_scope(
        &self,
        since: Instant,
    ) -> Result<Arc<Snapshot>, ProviderError> {
        let snapshot = self.listing(since, Duration::ZERO).await?;
        if snapshot.has_several_scopes {
            return Err(ProviderError::several_scopes());
        }
        Ok(snapshot)
    }

    /// Writes entries, as [`Provider::write`] does.
    ///
    /// # Errors
    /// As there; and when the provider has written to another scope than the account's: that is not the object's.
    pub(crate) async fn write(&self, entries: &[Write<'_>]) -> Result<Written, ProviderError> {
        let written = self.provider.write(entries).await;
        self.account.listing.note_write();
        let written = written?;
        self.account.ensure_scope(written.scope.as_deref())?;
        Ok(written)
    }
}

/// Whether a record says anything of what is, or was, at the provider.
pub(crate) fn claims_anything(entry: &EntryStatus) -> bool {
    entry.remote_id.is_some()
        || entry.remote_version.is_some()
        || entry.last_write_time.is_some()
        || entry.found.is_some()
}
