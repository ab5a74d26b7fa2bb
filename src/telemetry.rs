//! What the operator tells about itself: logs, metrics, traces and probes.

mod accounts;
mod address;
mod call_span;
mod connections;
mod exposition;
mod filter;
mod log;
mod metrics;
mod objects;
mod panics;
mod process;
mod reconcile_span;
mod scrapes;
mod server;
#[cfg(feature = "otlp")]
mod traces;

pub use accounts::AccountStates;
pub use address::Address;
pub(crate) use call_span::{call_span, note_answer};
pub(crate) use log::visible;
pub use log::{Format, SpanLayer, init};
pub use metrics::{Metrics, ReconcileResult};
pub use objects::{ObjectSample, ObjectSamples};
pub use reconcile_span::{note_result, reconcile_span};
pub use server::{Health, serve};
#[cfg(feature = "otlp")]
pub use traces::Traces;
