//! The operator behind `ProviderSecret`: keys of Kubernetes Secrets, kept in the secret stores of
//! AI platforms.
//!
//! # Layout
//! - [`api`]: the resource, one file for each type
//! - [`controller`]: watches, queue, reconcile, report
//! - [`account`]: what all objects of one API key share
//! - [`provider`]: the providers behind one trait
//! - [`http`]: the one outbound client
//! - [`leadership`]: whether this process may write
//! - `template`: values made of several keys
//! - [`validation`]: what is wrong with a manifest, without a cluster
//! - [`clock`]: the time of day
//! - [`telemetry`]: logs, metrics, traces and probes
//! - [`cli`]: the command line

pub mod account;
pub mod api;
pub mod cli;
pub mod clock;
pub mod controller;
pub mod http;
pub mod leadership;
pub mod provider;
pub mod telemetry;
pub mod template;
pub mod validation;
