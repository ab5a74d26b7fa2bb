//! Starting, stopping and pausing the servers of a running cluster.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::Request;
use k8s_openapi::api::core::v1::{Namespace, Service};
use kube::{Api, Client};

use super::{Cluster, Controllers, Etcd, client, config};
use crate::credentials::{Kubeconfig, random_word};
use crate::error::{Error, Result};
use crate::process::{Guarded, Program};
use crate::servers;

/// Ready is expected after 3 s; a machine that compiles at the same time takes longer.
const READY_DEADLINE: Duration = Duration::from_mins(3);

/// A single request of the readiness check. A server that has not
/// answered after this long is asked again.
const PROBE_DEADLINE: Duration = Duration::from_secs(5);
/// Between two probes: each costs the server time of its start.
const PROBE_PAUSE: Duration = Duration::from_millis(50);

/// How long a server may take to end by itself before it is killed.
const STOP_DEADLINE: Duration = Duration::from_secs(10);

impl Cluster {
    /// Starts the API server if it is not running, and waits until it is ready.
    ///
    /// Address, certificate, data and tokens stay the same, so clients survive.
    pub async fn start_api_server(&self) -> Result<()> {
        let running = self.lock_api_server().clone();
        let process = match running {
            Some(process) if process.try_wait()?.is_none() => process,
            _ => {
                let path = self.tools.kube_apiserver().await?;
                let program = servers::kube_apiserver(
                    &path,
                    &self.files,
                    &self.etcd_url,
                    &self.port,
                    &self.api_server_flags,
                );
                let process = Arc::new(self.spawn(program, "kube-apiserver.log")?);
                *self.lock_api_server() = Some(Arc::clone(&process));
                process
            }
        };
        self.wait_until_ready(&process).await
    }

    /// Ends the API server in an orderly way, even when it is paused.
    pub async fn stop_api_server(&self) -> Result<()> {
        let process = self.lock_api_server().take();
        match process {
            Some(process) => stop(&process).await,
            None => Ok(()),
        }
    }

    /// Ends the API server at once (SIGKILL).
    pub async fn kill_api_server(&self) -> Result<()> {
        let process = self.lock_api_server().take();
        if let Some(process) = process {
            process.kill().await?;
        }
        Ok(())
    }

    /// Ends the API server and starts it again; returns when it is ready.
    pub async fn restart_api_server(&self) -> Result<()> {
        self.stop_api_server().await?;
        self.start_api_server().await
    }

    /// Stops the API server from answering; its connections stay open.
    pub fn pause_api_server(&self) -> Result<()> {
        self.api_server()?.pause()
    }

    /// Ends a pause of the API server.
    pub fn resume_api_server(&self) -> Result<()> {
        self.api_server()?.resume()
    }

    /// Runs these controllers, besides those that already run, in kube-controller-manager.
    ///
    /// Returns when each of them has started. The names are those that
    /// `kube-controller-manager --help` prints, not their older aliases.
    pub async fn start_controllers(&self, controllers: &[&str]) -> Result<()> {
        let previous = {
            let mut state = self.lock_controllers();
            if controllers
                .iter()
                .all(|name| state.names.iter().any(|known| known == name))
            {
                return Ok(());
            }
            // What fails to start leaves no trace.
            std::mem::take(&mut *state)
        };
        if let Some(process) = previous.process {
            stop(&process).await?;
        }
        let mut names = previous.names;
        names.extend(controllers.iter().map(|&name| name.to_owned()));
        names.sort_unstable();
        names.dedup();
        let path = self.tools.kube_controller_manager().await?;
        let program = servers::kube_controller_manager(&path, &self.files, &names);
        // A log for each start, as lines of an earlier one would count below.
        let log = format!("kube-controller-manager-{}.log", random_word()?);
        let process = self.spawn(program, &log)?;
        for name in &names {
            // Before Kubernetes 1.34 it says so after the start.
            let started = ["Controller starting...", "Started controller"];
            let started = started.map(|words| format!("\"{words}\" controller=\"{name}\""));
            let started = started.each_ref().map(String::as_str);
            process.wait_for_any(&started, READY_DEADLINE).await?;
        }
        *self.lock_controllers() = Controllers {
            names,
            process: Some(Arc::new(process)),
        };
        Ok(())
    }

    /// Starts a process that ends with this cluster.
    pub(super) fn spawn(&self, program: Program, log: &str) -> Result<Guarded> {
        Guarded::spawn_under(&self.watchdog, program, &self.files.path(log))
    }

    fn api_server(&self) -> Result<Arc<Guarded>> {
        self.lock_api_server()
            .clone()
            .ok_or_else(|| Error::NotRunning {
                name: "kube-apiserver".to_owned(),
            })
    }

    async fn wait_until_ready(&self, process: &Guarded) -> Result<()> {
        let end = Instant::now() + READY_DEADLINE;
        let mut probe = None;
        loop {
            let etcd = self.etcd.as_ref().map(Etcd::process);
            for server in etcd.as_deref().into_iter().chain([process]) {
                if let Some(status) = server.try_wait()? {
                    return Err(server.ended(status));
                }
            }
            let last = match self.probe(&mut probe).await {
                Ok(()) => return Ok(()),
                Err(error) => error.to_string(),
            };
            if Instant::now() >= end {
                let etcd = etcd.map(|etcd| etcd.log_tail()).unwrap_or_default();
                return Err(Error::Deadline {
                    name: process.name().to_owned(),
                    state: "ready".to_owned(),
                    deadline: READY_DEADLINE,
                    last,
                    log: format!("{}\netcd:\n{etcd}", process.log_tail()),
                });
            }
            tokio::time::sleep(PROBE_PAUSE).await;
        }
    }

    /// Asks once whether everything that a fresh cluster has is there.
    async fn probe(&self, kept: &mut Option<Client>) -> Result<()> {
        let client = match kept {
            Some(client) => client.clone(),
            None => kept.insert(self.connect().await?).clone(),
        };
        let ask = async {
            let request = Request::get("/readyz")
                .body(Vec::new())
                .map_err(|error| Error::data("ask for /readyz", &error))?;
            client
                .request_text(request)
                .await
                .map_err(Error::kubernetes("ask for /readyz"))?;
            // The server makes these two a moment after it is ready.
            Api::<Namespace>::all(client.clone())
                .get("default")
                .await
                .map_err(Error::kubernetes("get the namespace default"))?;
            Api::<Service>::namespaced(client, "default")
                .get("kubernetes")
                .await
                .map_err(Error::kubernetes("get the service kubernetes"))?;
            Ok(())
        };
        tokio::time::timeout(PROBE_DEADLINE, ask)
            .await
            .map_err(|_| Error::data("ask for /readyz", "no answer"))?
    }

    /// Writes the kubeconfig of the administrator once there is a certificate to put into it.
    async fn connect(&self) -> Result<Client> {
        if self.config.get().is_none() {
            self.write_kubeconfig(&self.kubeconfig, "admin", &self.token, "default")?;
            let config = config(&self.kubeconfig).await?;
            // Only a concurrent start could have come first, with the same content.
            let _ = self.config.set(config);
        }
        client(&self.kubeconfig).await
    }

    pub(super) fn write_kubeconfig(
        &self,
        path: &Path,
        user: &str,
        token: &str,
        namespace: &str,
    ) -> Result<()> {
        let certificate_authority = self.files.certificate().ok_or_else(|| {
            Error::data(
                "read the certificate of kube-apiserver",
                "it is not complete yet",
            )
        })?;
        Kubeconfig {
            server: &self.server,
            certificate_authority: &certificate_authority,
            user,
            token,
            namespace,
        }
        .write(path)
    }
}

pub(super) async fn stop(process: &Guarded) -> Result<()> {
    if process.try_wait()?.is_none() {
        // A stopped process does not see SIGTERM. It may have ended just now.
        let _ = process.resume();
        if process.terminate(STOP_DEADLINE).await.is_err() {
            process.kill().await?;
        }
    }
    Ok(())
}
