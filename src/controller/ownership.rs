//! Ownership: which object owns a name at a provider.
//!
//! A name in a scope has one owner among all objects of the operator: the oldest of those whose
//! `spec.data` or status hold the (folded) name; where entries belong to a set, the name is the set's. A scope is known by
//! the id that the provider reports, else by the API key. Under the same key a claim counts at once.
//! Under another key it counts only when the provider has acknowledged a write of the name: else a
//! user could keep a team's names by naming the team in a spec.

mod claimant;
mod claims;
mod index;
mod names;
mod scopes;

pub(crate) use self::{
    claims::{Claims, Rival},
    scopes::ReportedScope,
};
