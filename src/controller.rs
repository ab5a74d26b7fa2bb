//! The controller: watches → queue → reconcile → report.
//!
//! A reconcile is four named steps: `resolve` reads, `plan` decides and does no I/O, `apply` writes
//! to the provider, `report` writes status and events. `gate` is in front of them: a wake-up that
//! brings no news costs nothing.

#[cfg(test)]
mod allocations;
mod allowed_providers;
mod apply;
mod cache;
mod context;
mod error;
mod events;
mod gate;
mod kubernetes;
pub mod lease;
mod namespaces;
mod object;
mod ownership;
mod patience;
mod plan;
mod reconcile;
mod report;
mod resolve;
mod run;
mod session;
mod watch;

pub(crate) use allowed_providers::AllowedProviders;
pub use context::{OptIn, SecretAccess, Settings};
pub(crate) use error::Failure;
pub use namespaces::Namespaces;
pub(crate) use object::{
    Guarded, REQUESTS, is_next_edit, object_name, recorded_sources, request_order, requested,
    says_held,
};
pub(crate) use plan::{
    RECREATE, due, is_approved_alike, is_held_back, is_much, is_ours, is_removed_by_source,
    is_stored, may_be_there, was_held_back,
};
pub(crate) use resolve::dereference::{credential_failure, is_power, source_refused};
pub(crate) use resolve::desired::{
    KeyFilter, SecretData, Sources, bulk_name, desired_state, may_await, may_come_from_a_source,
    may_give, unread_sources,
};
pub use run::{Error, Stopped, run};
