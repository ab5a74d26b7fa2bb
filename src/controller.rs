//! The controller: watches → queue → reconcile → report.
//!
//! A reconcile is four named steps: `dereference` reads, `plan` decides and does no I/O,
//! `apply` writes to the provider, `report` writes status and events. `gate` is in front of
//! them: a wake-up that brings no news costs nothing.

mod apply;
mod claims;
mod context;
mod dereference;
mod desired;
mod events;
mod finalizer;
mod gate;
mod kubernetes;
mod memo;
mod metrics;
mod namespaces;
mod pass;
mod plan;
mod references;
mod report;
mod route;
mod run;
mod secrets;
mod status;
mod trouble;
mod version;
mod warnings;
mod watch;

pub use context::Settings;
pub use namespaces::Namespaces;
pub use run::{Error, run};
