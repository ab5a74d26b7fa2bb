//! One entry that an object wants at its provider.

use secrecy::SecretString;

use crate::{controller::error::Failure, provider::Options};

/// One wanted entry.
pub(crate) struct DesiredEntry {
    /// The name at the provider.
    pub(crate) name: String,
    /// Its identity: two names with one folded form are one secret.
    pub(crate) folded: String,
    /// The managed options.
    pub(crate) options: Options,
    /// The value as it goes over the wire, or why there is none.
    pub(crate) value: Result<SecretString, Failure>,
    /// The Secret that it comes from.
    pub(crate) secret: String,
    /// Whether it is one line of text and the newline after it.
    pub(crate) is_line: bool,
}
