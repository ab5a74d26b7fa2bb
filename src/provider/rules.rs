//! The rules of a provider: what holds whatever the account.

use crate::{
    api::{ProviderKind, Reason},
    http::Scheme,
};

/// What holds for a provider whatever the account. Pure, so that tests can tabulate it.
#[derive(Debug)]
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
    /// Whether an answer ever says whose secrets these are. Where none does, the API key stands for
    /// them in status.
    pub names_scope: bool,
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
