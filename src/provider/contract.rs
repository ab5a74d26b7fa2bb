//! The contract between the controller and a provider: one trait, and what goes in and out of it.

use async_trait::async_trait;
use secrecy::SecretString;

use super::{Form, Options, Rules};
use crate::http::ProviderError;

/// One account at a provider, as one object uses it.
///
/// The controller decides what is written and when it is tried again; an implementation turns one
/// call of a method into the provider's calls, says what the answers mean, and keeps nothing between
/// two calls. It never tries again by itself, never waits (but in [`Provider::rehearse`]), and never reads
/// a value back: no provider gives one (docs/vendors.md#ge-1).
///
/// # Errors of all methods
/// [`ApiClient::call`](crate::http::ApiClient::call) classes what fails, and most methods pass it on
/// (docs/architecture.md#error-classes):
///
/// - 404 and 410 are [`Config`](crate::http::ErrorClass::Config) with the reason `TargetNotFound`,
/// - 409 is `Config` with the reason `Rejected`, like every other 4xx without a meaning of its own,
/// - an answer that cannot be read, or tells of an error under a status of success, is
///   [`Protocol`](crate::http::ErrorClass::Protocol). This holds for a write too, although it may have been
///   carried out.
///
/// A method says below where it must class an answer differently, with
/// [`ProviderError::with`]. [`Waiting`](crate::http::ErrorClass::Waiting) is never returned, and no
/// error holds text of the provider (docs/vendors.md#ge-4).
#[async_trait]
pub trait Provider: Send + Sync {
    /// The rules for what this object writes: those of the descriptor, or narrower ones.
    fn rules(&self) -> &'static Rules;

    /// Everything that the account's scope holds, all pages of it: the sets where
    /// [`Rules::unit`] is [`Unit::Set`](super::Unit::Set), else the secrets. Sends reads only, so it
    /// can be repeated at any time, and one listing serves all objects of the account.
    ///
    /// A name that the listing lacks counts as deleted by another writer. So a listing is whole or it
    /// is an error.
    ///
    /// # Errors
    /// `Protocol` when the pages do not end within the bound that the provider's file names;
    /// [`ProviderError::moved`], which is `Transient`, when secrets moved between the pages while they
    /// were read. [`ProviderError::several_scopes`], which is `Config`, when it shows secrets of several teams
    /// or organizations where a write goes to one of them that the spec does not name. 404 is
    /// `TargetNotFound`: the team or organization does not exist. 409 and unreadable answers as above.
    async fn list(&self) -> Result<Listing, ProviderError>;

    /// The keys of the set that this object writes to. Only asked where [`Rules::unit`] is
    /// [`Unit::Set`](super::Unit::Set). Sends reads only.
    ///
    /// # Errors
    /// 404 is no error: it is [`SetKeys::NoSet`]. An answer without the keys is
    /// [`SetKeys::NotShown`], which must not pass for a set without keys. 409 as above.
    async fn set_keys(&self) -> Result<SetKeys, ProviderError> {
        Ok(SetKeys::NoSet)
    }

    /// Brings entries to their values. Where [`Rules::unit`] is [`Unit::Each`](super::Unit::Each)
    /// there is exactly one entry; else they are all the entries of the set that the object wants, at
    /// least one.
    ///
    /// The write of an entry with an id is idempotent, and so is every write where
    /// [`Rules::listing`] is not [`ListingNeed::Create`](super::ListingNeed::Create): the controller
    /// may send it again after any error. Elsewhere a write without an id creates, and before the
    /// controller sends it again it lists.
    ///
    /// # Errors
    /// 404 with an id is `TargetNotFound`: the controller lists, and writes once more to the id that
    /// is there now, but not where `Rules::listing` is [`ListingNeed::Never`](super::ListingNeed::Never). So
    /// is the answer to an update which shows that the secret bears another name now. 409 is `Rejected` if
    /// the name is taken: where `Rules::listing` is `ListingNeed::Create` the controller lists, and updates
    /// what is there. A 409 that passes by itself must be made `Transient` with `ProviderUnavailable`. A
    /// refusal that only another secret can heal is `Config` with `Immutable`, and only where the body of the
    /// answer says so, because what is there may be deleted for it. [`ProviderError::other_scope`], which is
    /// `Config`, when the answer shows another team than the spec names, and [`ProviderError::referenced`] when
    /// the set is one that no client may write. Unreadable answers as above: a record without the id that the
    /// answer should have had would be wrong.
    async fn write(&self, entries: &[Write<'_>]) -> Result<Written, ProviderError>;

    /// Finds out whether the provider would take an entry as a new one, without touching what it holds
    /// under the entry's name, and whether it applies what it takes. Asked before what refuses an update is
    /// deleted, because afterwards it is too late. It leaves nothing behind when it succeeds. It may wait for
    /// the provider, at most some seconds.
    ///
    /// # Errors
    /// As [`Provider::write`]; and [`ProviderError::not_applied`] when the provider does not apply what it took.
    async fn rehearse(&self, _entry: &Write<'_>) -> Result<(), ProviderError> {
        Ok(())
    }

    /// Deletes one entry. Idempotent: the controller may send it again after any error.
    ///
    /// # Errors
    /// 404 and 410 are no errors but [`DeleteAnswer::NotThere`]. A 409 that passes by itself must be
    /// made `Transient`. `Protocol` when a success has a body that is not JSON or tells of an error, and when
    /// there is no id where the provider deletes by id. `Config` with `Ambiguous` when the name could mean
    /// another's secret; then nothing is deleted.
    async fn delete(&self, entry: &DeleteRequest<'_>) -> Result<DeleteAnswer, ProviderError>;

    /// Deletes the set that this object wrote to, after the controller has seen that it is still of
    /// the kind of [`Rules::form`], that it has no keys left and that this object made it. Only asked
    /// where [`Rules::unit`] is [`Unit::Set`](super::Unit::Set). Idempotent.
    ///
    /// One key of this object may be left that the provider refuses to delete alone: it goes with the set.
    ///
    /// # Errors
    /// As [`Provider::delete`].
    async fn delete_set(&self) -> Result<DeleteAnswer, ProviderError> {
        Ok(DeleteAnswer::NotThere)
    }

    /// The id of the team, user or organization that the secrets belong to; none where the provider
    /// does not tell it to this key. It tells two objects apart that write one name with two keys.
    /// Sends reads only, which [concern nothing](crate::http::Concerns::Nothing) where they fail; after an
    /// answer the account never asks again.
    ///
    /// # Errors
    /// Any; nothing waits for the answer. The account asks again later.
    async fn scope(&self) -> Result<Option<String>, ProviderError> {
        Ok(None)
    }

    /// Whether the provider has finished what it accepted. Asked after a write, and again later while
    /// it is [`Settled::Pending`]. Sends reads only.
    ///
    /// # Errors
    /// What is not shown is `Settled::Absent` and no error, 404 included. 409 and unreadable answers as
    /// above.
    async fn settled(&self) -> Result<Settled, ProviderError> {
        Ok(Settled::Ready)
    }

    /// The set to which everything belongs that this object writes; none where each entry stands for
    /// itself. Sends nothing.
    fn set(&self) -> Option<NamedSet<'_>> {
        None
    }

    /// Whether the listing may show secrets of several teams, of which a deletion by name may hit
    /// another than the one that is meant. The controller then deletes only what the listing shows
    /// with its team, or the only team's. Sends nothing.
    fn spans_teams(&self) -> bool {
        false
    }

    /// The name under which the listing shows what this object writes to: the entry's own name, or
    /// that of [`Provider::set`]. Sends nothing.
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

/// What a provider shows of a set by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SetKeys {
    /// There is no such set.
    NoSet,
    /// These keys, in any order.
    Shown(Vec<String>),
    /// There is a set, and its keys are not shown: it is not known which there are.
    NotShown,
    /// There is a set that the provider does not keep itself, and that no client may write.
    Referenced,
}

impl SetKeys {
    /// The keys that are shown.
    pub fn into_shown(self) -> Vec<String> {
        match self {
            Self::Shown(keys) => keys,
            Self::NoSet | Self::NotShown | Self::Referenced => Vec::new(),
        }
    }
}

/// What a listing shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// Everything that is there, in any order.
    pub remotes: Vec<Remote>,
    /// The id of the scope (see [`Provider::scope`]), where the listing tells one.
    pub scope: Option<String>,
    /// Whether it tells of several scopes where the spec names none: a name is not known to be in the one that a first
    /// write goes to. Ids are.
    pub has_several_scopes: bool,
}

/// One secret or set that the listing shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Remote {
    /// The name as the provider spells it; not folded.
    pub name: String,
    /// The id, where there is one: 1 to 64 characters of `[A-Za-z0-9_:.~=-]`. Where
    /// [`Rules::deletes_by_name`] is false there always is one: a listing without is `Protocol`.
    pub id: Option<String>,
    /// The version, where there is one: the time of the last change, or of the creation, as RFC 3339
    /// in UTC.
    pub version: Option<String>,
    /// The form, where the provider has several that cannot become one another.
    pub form: Option<Form>,
    /// The region, where there is one.
    pub region: Option<String>,
    /// The name of the team, where the listing spans several.
    pub team: Option<String>,
}

/// One entry to be deleted.
#[derive(Clone, Copy, Debug)]
pub struct DeleteRequest<'a> {
    /// The name, as the listing spells it if `shown` is given.
    pub name: &'a str,
    /// The id that the record holds. Where the provider deletes by id, this or `shown` has one.
    pub id: Option<&'a str>,
    /// What a listing shows that was just taken. Given where [`Rules::deletes_by_name`] is true and
    /// [`Rules::unit`] is [`Unit::Each`](super::Unit::Each).
    pub shown: Option<&'a Remote>,
}

/// What the answer to a delete says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeleteAnswer {
    /// The provider has deleted it.
    Done,
    /// The provider does not have it, or something between that answers 404 to what it does not know.
    NotThere,
}

/// One entry to be written.
pub struct Write<'a> {
    /// The name, which [`Rules::check_name`] has accepted.
    pub name: &'a str,
    /// The value as it goes over the wire; never empty (docs/vendors.md#ge-7).
    pub value: &'a SecretString,
    /// The managed options.
    pub options: &'a Options,
    /// The id of the secret that is there, where one is known. With it the write is an update.
    pub id: Option<&'a str>,
    /// The region of what this replaces, where a listing has shown it: what is created for it goes there and not to
    /// a default that may have changed since.
    pub region: Option<&'a str>,
}

/// What the provider said of a write.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// The id, where the answer has one; bounds as in [`Remote::id`].
    pub id: Option<String>,
    /// The version after the write, where the answer has one; shape as in [`Remote::version`].
    pub version: Option<String>,
    /// The id of the scope (see [`Provider::scope`]), where the answer tells it.
    pub scope: Option<String>,
}

/// Whether the provider has finished what it accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// It has.
    Ready,
    /// Not yet.
    Pending,
    /// It does not show what it accepted: not yet, or it is gone.
    Absent,
    /// It failed, and everything must be written again.
    Failed,
}
