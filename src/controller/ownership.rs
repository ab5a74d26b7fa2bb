//! Ownership: which object owns a name at a provider.

mod claimant;
mod claims;
mod index;
mod names;

pub(crate) use self::{
    claimant::Mark,
    claims::{Claims, Dispute, Rival},
};
