//! A real etcd and kube-apiserver on loopback, for tests, the demo and work by hand.
//!
//! ```no_run
//! # async fn example() -> cluster::Result<()> {
//! let cluster = cluster::Cluster::builder().controllers(&["namespace-controller"]).start().await?;
//! let namespaces = cluster.kubectl_output(&["get", "namespaces"], None).await?;
//! assert!(namespaces.success);
//! # Ok(())
//! # }
//! ```
//!
//! # Layout
//!
//! - [`Tools`]: the programs, from `$KUBEBUILDER_ASSETS` or compiled once from pinned Go modules
//! - [`process`]: children that end with this process, however it ends
//! - [`Cluster`]: one control plane, and how to use it
//! - [`Port`]: a port that no other process gets
//! - [`AuditEvent`]: what the API server was asked

mod audit;
mod cluster;
mod credentials;
mod error;
mod port;
pub mod process;
mod servers;
mod tools;

pub use self::audit::{AuditEvent, AuditStage};
pub use self::cluster::{Builder, Cluster, Output, client};
pub use self::error::{Error, Result};
pub use self::port::Port;
pub use self::tools::{Tool, Tools};
