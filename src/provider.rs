//! What the four providers have in common, and the one match that builds one.
//!
//! Adding a provider is one file in `provider/`, one member of the spec and one arm in [`connect`].

mod baseten;
mod braintrust;
mod choice;
mod contract;
mod descriptor;
mod names;
mod pipecat;
mod prime_intellect;
mod rules;
mod wire;

pub use choice::{AccountSpec, Choice};
pub use contract::{DeleteRequest, Listing, NamedSet, Provider, Remote, Settled, Write, Written};
pub use descriptor::{Descriptor, ManagedOption};
pub use rules::{Files, Form, ListingNeed, Rules, Unit};

pub use crate::api::Options;

#[cfg(test)]
pub(crate) use pipecat::IMAGE_PULL_RULES;
#[cfg(test)]
pub(crate) use wire::LONGEST_ID;

use crate::{api::ProviderKind, http::Session};

/// Every provider, in the order of [`ProviderKind::ALL`]. This is the only list of them in the
/// program: flags, endpoints, metrics, messages and digests derive from it.
pub static PROVIDERS: [&Descriptor; ProviderKind::ALL.len()] = [
    &baseten::DESCRIPTOR,
    &prime_intellect::DESCRIPTOR,
    &pipecat::DESCRIPTOR,
    &braintrust::DESCRIPTOR,
];

/// Builds the provider that `choice` names. `object` is the name of the ProviderSecret.
pub fn connect(choice: Choice<'_>, object: &str, session: Session) -> Box<dyn Provider> {
    choice.connect(object, session)
}

/// The rules of a provider, for what is not an image pull secret.
pub fn rules(kind: ProviderKind) -> &'static Rules {
    kind.descriptor().rules
}
