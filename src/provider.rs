//! Providers: one table, one file for each, and the contract that all keep.
//!
//! A provider's file has, in this order, its [`Descriptor`], its [`Rules`], its [`AccountSpec`] (what
//! its member of `spec.provider` means) and its [`Provider`] (what its API is asked). Nothing else
//! under `src/` knows a provider by name. CONTRIBUTING.md walks through adding one.

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

pub use choice::{AccountSpec, Choice, connect};
pub use contract::{
    DeleteAnswer, DeleteRequest, Listing, NamedSet, Provider, Remote, SetKeys, Settled, Write,
    Written,
};
pub use descriptor::{Descriptor, ManagedOption, OtherScheme};
pub use rules::{Files, Form, ListingNeed, Rules, Unit};

pub use crate::api::Options;

#[cfg(test)]
pub(crate) use pipecat::IMAGE_PULL_RULES;
#[cfg(test)]
pub(crate) use wire::LONGEST_ID;
pub use wire::LONGEST_LISTING;

use crate::api::ProviderKind;

/// Every provider, in the order of [`ProviderKind::ALL`]. This is the one table of them: the choice of
/// a spec, flags, endpoints, metrics, messages and digests derive from it.
pub static PROVIDERS: [&Descriptor; ProviderKind::ALL.len()] = [
    &baseten::DESCRIPTOR,
    &prime_intellect::DESCRIPTOR,
    &pipecat::DESCRIPTOR,
    &braintrust::DESCRIPTOR,
];

/// The rules of a provider for entries; a credential for a registry may have narrower ones (see
/// [`Provider::rules`]).
pub fn rules(kind: ProviderKind) -> &'static Rules {
    kind.descriptor().rules
}

#[cfg(test)]
mod tests;
