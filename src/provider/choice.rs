//! Which provider an object has chosen, and what its member of `spec.provider` says.

use std::fmt;

use super::Provider;
use crate::{
    api::{Choice, ImagePullSecret, SecretKeyRef},
    http::Session,
};

/// What a member of `spec.provider` says of the account. Each member implements this in the file of
/// its provider.
pub trait AccountSpec: fmt::Debug + Send + Sync {
    /// The Secret key that holds the API key.
    fn api_key_secret_ref(&self) -> &SecretKeyRef;

    /// The name of the endpoint, if the spec gives one.
    fn endpoint(&self) -> Option<&str>;

    /// The field that says whose secrets these are, such as a team; none if it is absent, or the API
    /// key alone decides. Two values under one API key are two accounts.
    fn scope_field(&self) -> Option<&str>;

    /// Builds the provider of the object named `object`, whose calls go through `session`. This
    /// sends no call.
    fn connect(&self, object: &str, session: Session) -> Box<dyn Provider>;

    /// The name of the set to which everything belongs that the object named `object` writes; none
    /// where each entry stands for itself.
    fn set_name<'a>(&'a self, _object: &'a str) -> Option<&'a str> {
        None
    }

    /// The credential for a registry, if the object writes one instead of entries. Its name is that
    /// of the set.
    fn image_pull_secret(&self) -> Option<&ImagePullSecret> {
        None
    }

    /// Whether a secret of this object that refuses an update may be deleted and created again.
    fn may_recreate(&self) -> bool {
        false
    }
}

impl<'a> Choice<'a> {
    fn account(self) -> &'a dyn AccountSpec {
        match self {
            Self::Baseten(spec) => spec,
            Self::PrimeIntellect(spec) => spec,
            Self::Pipecat(spec) => spec,
            Self::Braintrust(spec) => spec,
        }
    }

    /// The field of the spec that says whose secrets these are (see [`AccountSpec::scope_field`]).
    pub fn scope_field(self) -> Option<&'a str> {
        self.account().scope_field()
    }

    /// The set that the object named `object` writes to (see [`AccountSpec::set_name`]).
    pub fn set_name(self, object: &'a str) -> Option<&'a str> {
        self.account().set_name(object)
    }

    /// The credential for a registry that the object named `object` writes instead of entries, with
    /// its name at the provider.
    pub fn image_pull_secret(self, object: &'a str) -> Option<(&'a str, &'a ImagePullSecret)> {
        let account = self.account();
        Some((account.set_name(object)?, account.image_pull_secret()?))
    }

    /// Whether a secret that refuses an update may be recreated (see [`AccountSpec::may_recreate`]).
    pub fn may_recreate(self) -> bool {
        self.account().may_recreate()
    }

    /// Builds the provider (see [`AccountSpec::connect`]).
    pub fn connect(self, object: &str, session: Session) -> Box<dyn Provider> {
        self.account().connect(object, session)
    }
}
