//! What the operator tells about itself: logs, metrics and probes.

mod accounts;
mod log;
mod metrics;
mod objects;
mod panics;
mod server;

pub use accounts::AccountStates;
pub use log::{Format, init};
pub use metrics::{Metrics, PassResult};
pub use objects::{ObjectState, ObjectStates};
pub use server::{Health, serve};
