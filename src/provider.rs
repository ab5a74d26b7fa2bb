//! What the four providers have in common, and the one match that builds one.
//!
//! Adding a provider is one file in `provider/`, one member of the spec and one arm in [`connect`].

mod baseten;
mod braintrust;
mod pipecat;
mod prime_intellect;
mod wire;

#[cfg(test)]
pub(crate) use pipecat::IMAGE_PULL_RULES;
#[cfg(test)]
pub(crate) use wire::LONGEST_ID;

use async_trait::async_trait;
use secrecy::SecretString;

use crate::{
    api::{BraintrustOptions, Choice, PrimeIntellectOptions, ProviderKind, Reason},
    http::{ProviderError, Scheme, Session},
};

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

    /// The name under which the listing shows what this object writes to: the entry's own name, or
    /// the set's.
    fn listed_name<'a>(&'a self, entry: &'a str) -> &'a str {
        entry
    }
}

/// What holds for a provider whatever the account. Pure, so that tests can tabulate it.
pub struct Rules {
    /// Which provider.
    pub kind: ProviderKind,
    /// How the provider wants the API key.
    pub scheme: Scheme,
    /// What one write changes.
    pub unit: Unit,
    /// When the account's listing is needed before a write.
    pub listing: ListingNeed,
    /// The one form that everything has which an object writes. None where it is up to the entry,
    /// or where there are no forms.
    pub form: Option<Form>,
    /// Whether a secret is deleted by its name and not by its id: then a listing must show first
    /// that it is ours.
    pub deletes_by_name: bool,
    /// Two names with one folded form are one secret at the provider.
    pub fold: fn(&str) -> String,
    /// Whether the provider takes this name.
    pub check_name: fn(&str) -> Result<(), Reason>,
}

/// What one write changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// One entry.
    Each,
    /// A set of entries, which are always sent together.
    Set,
}

/// When the account's listing is needed before a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListingNeed {
    /// Never: the write is an upsert by name.
    Never,
    /// Before the first write of a name, to learn what is there; a write is an upsert all the same.
    FirstWrite,
    /// Before a create, and the listing must have begun after the name was wanted and after any
    /// write of it: the provider would create a second secret of the name, or its refusal of an
    /// update would look like that of a create.
    Create,
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

/// Kinds of secrets that cannot become one another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A text, or a set of texts that are sent together.
    Text,
    /// A PrimeIntellect file.
    File,
    /// A Pipecat image pull secret.
    ImagePull,
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

/// Options of an entry that only its provider knows. They are managed: a change of one is a change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// `braintrust` of the entry.
    pub braintrust: BraintrustOptions,
    /// `primeIntellect` of the entry.
    pub prime_intellect: PrimeIntellectOptions,
    /// The registry, of an image pull secret.
    pub host: Option<String>,
}

impl Options {
    /// Whether the value is sent as a file.
    pub fn is_file(&self) -> bool {
        self.prime_intellect.is_file.unwrap_or(false)
    }

    /// Which form the secret has at the provider.
    pub fn form(&self) -> Form {
        if self.is_file() {
            Form::File
        } else if self.host.is_some() {
            Form::ImagePull
        } else {
            Form::Text
        }
    }
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

/// Builds the provider that `choice` names. `object` is the name of the ProviderSecret.
pub fn connect(choice: Choice<'_>, object: &str, session: Session) -> Box<dyn Provider> {
    match choice {
        Choice::Baseten(spec) => Box::new(baseten::Baseten::new(spec, session)),
        Choice::PrimeIntellect(spec) => {
            Box::new(prime_intellect::PrimeIntellect::new(spec, session))
        }
        Choice::Pipecat(spec) if spec.image_pull_secret.is_some() => {
            Box::new(pipecat::ImagePull::new(spec, object, session))
        }
        Choice::Pipecat(spec) => Box::new(pipecat::Pipecat::new(spec, object, session)),
        Choice::Braintrust(spec) => Box::new(braintrust::Braintrust::new(spec, session)),
    }
}

/// The rules of a provider, for what is not an image pull secret.
pub fn rules(kind: ProviderKind) -> &'static Rules {
    match kind {
        ProviderKind::Baseten => &baseten::RULES,
        ProviderKind::PrimeIntellect => &prime_intellect::RULES,
        ProviderKind::Pipecat => &pipecat::RULES,
        ProviderKind::Braintrust => &braintrust::RULES,
    }
}
