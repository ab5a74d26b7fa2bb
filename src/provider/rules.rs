//! The rules of a provider: how its secrets behave, whatever the account.

use crate::{
    api::{Options, ProviderKind, Reason},
    http::Scheme,
};

/// How the secrets of a provider behave, whatever the account. The plan decides by these and never
/// by the provider's name, so that tests can tabulate it.
#[derive(Debug)]
pub struct Rules {
    /// Which provider.
    pub kind: ProviderKind,
    /// How the provider wants the API key.
    pub scheme: Scheme,
    /// How much one write changes.
    pub unit: Unit,
    /// When the account's listing is needed before a write.
    pub listing: ListingNeed,
    /// The one form of everything that an object writes; none where the entry decides, or where the
    /// provider has no forms.
    pub form: Option<Form>,
    /// How the provider takes files; none where every value is a text.
    pub files: Option<Files>,
    /// Whether a secret is deleted by its name and not by its id: then a listing must show first
    /// that this object wrote it.
    pub deletes_by_name: bool,
    /// Whether an answer ever says whose secrets these are. Where none does, a fingerprint of the API
    /// key stands for them in status.
    pub names_scope: bool,
    /// Two names with one folded form are one secret at the provider. A folded form folds to itself.
    pub fold: fn(&str) -> String,
    /// Which names the provider takes, as the end of a sentence that begins with "a name".
    pub name_rule: &'static str,
    /// Whether the provider takes this name. It refuses all that is no single path segment if the
    /// name goes into a path; the reason is [`Reason::InvalidKeyName`].
    pub check_name: fn(&str) -> Result<(), Reason>,
}

/// How much one write changes.
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

/// Forms of secrets that cannot become one another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A text, or a set of texts that are sent together.
    Text,
    /// A file: bytes of any kind, sent as base64.
    File,
    /// A credential with which the provider pulls images from a registry.
    ImagePull,
    /// A reference to a store of the user's own, which no client of the provider writes.
    Reference,
}

/// How a provider takes files.
#[derive(Clone, Copy, Debug)]
pub struct Files {
    /// Whether the options of an entry ask for a file.
    pub is_file: fn(&Options) -> bool,
    /// The longest file, in bytes of its base64.
    pub max_base64: usize,
}

impl Rules {
    /// Whether a listing shows versions. It shows none of a set, whatever that holds.
    pub fn shows_versions(&self) -> bool {
        self.unit == Unit::Each && self.form != Some(Form::ImagePull)
    }

    /// Whether the options of an entry ask for a file.
    pub fn is_file(&self, options: &Options) -> bool {
        self.files.is_some_and(|files| (files.is_file)(options))
    }

    /// The form of the secret that an entry with these options becomes.
    pub fn form_of(&self, options: &Options) -> Form {
        self.form.unwrap_or_else(|| {
            if self.is_file(options) {
                Form::File
            } else {
                Form::Text
            }
        })
    }
}
