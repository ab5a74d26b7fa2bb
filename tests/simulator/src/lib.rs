//! The secret APIs of Baseten, PrimeIntellect, Pipecat Cloud and Braintrust as one strict, stateful server for tests.
//!
//! Contract: docs/vendors.md, in which the seeds win over the rest. Each point on which it leaves two readings
//! (docs/vendors.md#where-the-sources-disagree, or the text of a trap) is a variant that an account sets at run time.
//! Nothing here sleeps on its own, all time goes through tokio, so a test may pause the clock.
//!
//! # Layout
//!
//! - [`Simulator`]: the state; [`Simulator::router`] and [`Simulator::service`] in process, [`Simulator::serve`] on
//!   loopback sockets.
//! - [`Account`]: what all four have in common: keys, faults, latency, request log, foreign changes, [`Held`] values.
//! - [`baseten`], [`prime_intellect`], [`pipecat`], [`braintrust`]: one module per vendor, same order of contents.
//! - [`Fault`]: scripted failures. [`Exchange`]: one entry of the request log.

mod account;
mod admin;
pub mod baseten;
pub mod braintrust;
mod call;
mod clock;
mod fault;
mod fields;
mod log;
pub mod pipecat;
mod pipeline;
pub mod prime_intellect;
mod provider;
mod serve;
mod simulator;
mod tenant;

pub use account::{Access, Account, AccountError, NewKey};
pub use fault::{Action, Answer, ConnectionCut, Fault};
pub use log::{Exchange, Outcome};
pub use provider::Provider;
pub use serve::Served;
pub use simulator::{Service, Simulator, TimedOut};
pub use tenant::{ForeignError, Held};
