//! What the controller asks of a provider: one trait, and what goes in and out of it.

use async_trait::async_trait;
use secrecy::SecretString;

use super::{Form, Options, Rules};
use crate::http::ProviderError;

/// One provider account, or one set of it, as the controller sees it.
#[async_trait]
pub trait Provider: Send + Sync {
    /// The rules of this provider.
    fn rules(&self) -> &'static Rules;

    /// Everything the account's scope holds, all pages of it. Values are never readable. At Pipecat
    /// these are the sets, elsewhere the secrets.
    async fn list(&self) -> Result<Listing, ProviderError>;

    /// The keys of the set that this object writes to; none if the set does not exist. Only where
    /// [`Rules::unit`] is [`Unit::Set`].
    async fn members(&self) -> Result<Option<Vec<String>>, ProviderError> {
        Ok(None)
    }

    /// Brings entries to their values. Where [`Rules::unit`] is [`Unit::Each`] there is exactly
    /// one; where it is [`Unit::Set`] they are all the wanted entries of the set.
    async fn write(&self, entries: &[Write<'_>]) -> Result<Written, ProviderError>;

    /// Deletes one entry. One that is not there is deleted.
    async fn delete(&self, entry: &DeleteRequest<'_>) -> Result<(), ProviderError>;

    /// Deletes the set that this object wrote to, which holds nothing any more. Only where
    /// [`Rules::unit`] is [`Unit::Set`].
    async fn delete_set(&self) -> Result<(), ProviderError> {
        Ok(())
    }

    /// Whose secrets these are, where the spec does not say and the provider can be asked without
    /// a write. It tells two objects apart that write one name with two keys.
    async fn scope(&self) -> Result<Option<String>, ProviderError> {
        Ok(None)
    }

    /// Whether the provider has finished what it accepted.
    async fn settled(&self) -> Result<Settled, ProviderError> {
        Ok(Settled::Ready)
    }

    /// The set to which everything belongs that this object writes; none where each entry stands for
    /// itself.
    fn set(&self) -> Option<NamedSet<'_>> {
        None
    }

    /// Whether the listing may show secrets of several teams, of which a deletion by name may hit
    /// another than the one that is meant.
    fn spans_teams(&self) -> bool {
        false
    }

    /// The name under which the listing shows what this object writes to: the entry's own name, or
    /// the set's.
    fn listed_name<'a>(&'a self, entry: &'a str) -> &'a str {
        self.set().map_or(entry, |set| set.name)
    }
}

/// A set of entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NamedSet<'a> {
    /// Its name, which no other set of the account has.
    pub name: &'a str,
    /// Its region, if the spec names one.
    pub region: Option<&'a str>,
}

/// What a listing shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// Everything that is there.
    pub remotes: Vec<Remote>,
    /// Whose secrets these are, where the listing tells.
    pub scope: Option<String>,
}

/// One thing the listing shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Remote {
    /// The name as the provider spells it.
    pub name: String,
    /// The id, where there is one.
    pub id: Option<String>,
    /// The version, where there is one: the time of its last change, or of its creation.
    pub version: Option<String>,
    /// What it is, where the provider has several kinds that cannot become one another.
    pub form: Option<Form>,
    /// The region, where there is one.
    pub region: Option<String>,
    /// The name of the team, where the listing spans several.
    pub team: Option<String>,
}

/// One entry to be deleted.
#[derive(Clone, Copy, Debug)]
pub struct DeleteRequest<'a> {
    /// The name.
    pub name: &'a str,
    /// The id, where one is known.
    pub id: Option<&'a str>,
    /// What a listing that was just taken shows of it, where the provider deletes by name.
    pub shown: Option<&'a Remote>,
}

/// One entry to be written.
pub struct Write<'a> {
    /// The name.
    pub name: &'a str,
    /// The value as it goes over the wire.
    pub value: &'a SecretString,
    /// The managed options.
    pub options: &'a Options,
    /// The id of the secret that is there, where one is known.
    pub id: Option<&'a str>,
}

/// What the provider said of a write.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// The id, where there is one.
    pub id: Option<String>,
    /// The version after the write, where there is one.
    pub version: Option<String>,
    /// Whose secrets these are, where the answer tells.
    pub scope: Option<String>,
}

/// Whether the provider has finished what it accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// Yes.
    Ready,
    /// Not yet.
    Pending,
    /// It failed; the write must be made again.
    Failed,
}
