//! Which provider an object has chosen, and what its member of `spec.provider` says.

use std::fmt;

use super::{Descriptor, PROVIDERS, Provider};
use crate::{
    api::{ImagePullSecret, ProviderKind, ProviderSpec, SecretKeyRef},
    http::ApiClient,
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

    /// Builds the provider of the object named `object`, whose calls go through `client`. This
    /// sends no call.
    fn connect(&self, object: &str, client: ApiClient) -> Box<dyn Provider>;

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

/// The one member of `spec.provider` that is set.
#[derive(Clone, Copy, Debug)]
pub struct Choice<'a> {
    descriptor: &'static Descriptor,
    account: &'a dyn AccountSpec,
}

impl ProviderSpec {
    /// The member that is set; none where the schema was bypassed and there is none, or several.
    pub fn choice(&self) -> Option<Choice<'_>> {
        let mut choices = PROVIDERS.into_iter().filter_map(|descriptor| {
            let account = (descriptor.account)(self)?;
            Some(Choice {
                descriptor,
                account,
            })
        });
        choices.next().filter(|_| choices.next().is_none())
    }
}

impl Choice<'_> {
    /// The endpoint that is meant where `endpoint` is absent.
    pub const DEFAULT_ENDPOINT: &'static str = "default";
}

impl<'a> Choice<'a> {
    /// Which provider.
    pub fn kind(self) -> ProviderKind {
        self.descriptor.kind
    }

    /// The Secret key that holds the API key.
    pub fn api_key_secret_ref(self) -> &'a SecretKeyRef {
        self.account.api_key_secret_ref()
    }

    /// The name of the endpoint, [`Choice::DEFAULT_ENDPOINT`] where the spec gives none.
    pub fn endpoint(self) -> &'a str {
        self.account.endpoint().unwrap_or(Choice::DEFAULT_ENDPOINT)
    }

    /// The field that says whose secrets these are (see [`AccountSpec::scope_field`]).
    pub fn scope_field(self) -> Option<&'a str> {
        self.account.scope_field()
    }

    /// Provider, endpoint and scope fields: what a digest or a seal is made for.
    pub fn target(self) -> String {
        let scope = self.scope_field().unwrap_or_default();
        format!("{}/{}/{scope}", self.kind(), self.endpoint())
    }

    /// The set that the object named `object` writes to (see [`AccountSpec::set_name`]).
    pub fn set_name(self, object: &'a str) -> Option<&'a str> {
        self.account.set_name(object)
    }

    /// The credential for a registry (see [`AccountSpec::image_pull_secret`]).
    pub fn image_pull_secret(self) -> Option<&'a ImagePullSecret> {
        self.account.image_pull_secret()
    }

    /// Whether a secret that refuses an update may be recreated (see [`AccountSpec::may_recreate`]).
    pub fn may_recreate(self) -> bool {
        self.account.may_recreate()
    }
}

/// Builds the provider that the object named `object` has chosen (see [`AccountSpec::connect`]).
pub fn connect(choice: Choice<'_>, object: &str, client: ApiClient) -> Box<dyn Provider> {
    choice.account.connect(object, client)
}
