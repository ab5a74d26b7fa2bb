//! Conformance of the simulator: per vendor a table of the documented cases, every trap and both sides of each switch;
//! then what the four share: faults, log, waiting, sockets, the admin API and the binary.

mod admin;
mod baseten;
mod binary;
mod braintrust;
mod common;
mod faults;
mod observe;
mod pipecat;
mod prime_intellect;
mod seeds;
mod sockets;
mod support;
