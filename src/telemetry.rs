//! What the operator tells about itself: logs, metrics and probes.

mod accounts;
mod address;
mod connections;
mod exposition;
mod filter;
mod log;
mod metrics;
mod objects;
mod panics;
mod reconcile_span;
mod server;

pub use accounts::AccountStates;
pub use address::Address;
pub use log::{Format, init};
pub use metrics::{Metrics, ReconcileResult};
pub use objects::{ObjectSample, ObjectSamples};
pub use reconcile_span::reconcile_span;
pub use server::{Health, serve};
