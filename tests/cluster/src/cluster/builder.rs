//! What a cluster should be like, before it starts.

use super::Cluster;
use crate::error::{Error, Result};
use crate::tools::Tools;

/// How often a start is tried when another process takes a port, which can only
/// happen where ports cannot be reserved.
const ATTEMPTS: usize = 5;

/// What the servers say when a port is taken.
const PORT_TAKEN: &str = "address already in use";

/// Settings of a cluster that is about to start.
#[derive(Clone, Debug)]
pub struct Builder {
    pub(super) tools: Tools,
    pub(super) controllers: Vec<String>,
    pub(super) etcd: Option<String>,
    pub(super) api_server_flags: Vec<String>,
    pub(super) etcd_flags: Vec<String>,
}

impl Builder {
    pub(super) fn new() -> Self {
        Self {
            tools: Tools::from_environment(),
            controllers: Vec::new(),
            etcd: None,
            api_server_flags: Vec::new(),
            etcd_flags: Vec::new(),
        }
    }

    /// Takes the programs from here instead of where the environment says.
    pub fn tools(mut self, tools: Tools) -> Self {
        self.tools = tools;
        self
    }

    /// Also starts kube-controller-manager with these controllers, such as
    /// `namespace-controller` and `garbage-collector-controller`.
    pub fn controllers(mut self, controllers: &[&str]) -> Self {
        self.controllers = controllers.iter().map(|&name| name.to_owned()).collect();
        self
    }

    /// Uses the etcd at this URL instead of an own one. With [`Cluster::etcd_url`] of
    /// another cluster, or a proxy before it, this is a second API server for the same
    /// data, with its own admin token and ServiceAccount keys.
    pub fn etcd(mut self, url: impl Into<String>) -> Self {
        self.etcd = Some(url.into());
        self
    }

    /// Adds a flag to the command line of kube-apiserver.
    pub fn api_server_flag(mut self, flag: impl Into<String>) -> Self {
        self.api_server_flags.push(flag.into());
        self
    }

    /// Adds a flag to the command line of the own etcd.
    pub fn etcd_flag(mut self, flag: impl Into<String>) -> Self {
        self.etcd_flags.push(flag.into());
        self
    }

    /// Starts the cluster and waits until it is ready.
    pub async fn start(self) -> Result<Cluster> {
        let mut attempt = 1;
        loop {
            match Cluster::start_with(&self).await {
                Err(Error::Ended { log, .. }) if attempt < ATTEMPTS && log.contains(PORT_TAKEN) => {
                    attempt += 1;
                }
                result => return result,
            }
        }
    }
}
