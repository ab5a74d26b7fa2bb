//! One control plane: its start, its end, and what is known about it.

mod access;
mod builder;
mod data_store;
mod lifecycle;

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use kube::Client;
use kube::config::{Config, KubeConfigOptions, Kubeconfig, KubeconfigError};

pub use self::access::Output;
pub use self::builder::Builder;
use crate::audit::{self, AuditEvent};
use crate::credentials::{random_word, write_signing_key};
use crate::error::{Error, Result};
use crate::port::Port;
use crate::process::{Guarded, Watchdog};
use crate::servers::{self, Files};
use crate::tools::Tools;

/// The API server has written an event within a few milliseconds.
const AUDIT_POLL: Duration = Duration::from_millis(20);

/// A running etcd and kube-apiserver, which end with this value or this process.
///
/// Every method takes `&self`, so tests can share one. Its processes and its
/// directory are gone after a drop, and soon after this process is gone.
#[derive(Debug)]
pub struct Cluster {
    // Dropped in this order: the clients of a server before the server, and
    // the watchdog, which removes the directory, last.
    controllers: Mutex<Controllers>,
    api_server: Mutex<Option<Arc<Guarded>>>,
    etcd: Option<Etcd>,
    watchdog: Arc<Watchdog>,
    port: Port,
    etcd_url: String,
    server: String,
    token: String,
    api_server_flags: Vec<String>,
    audit_log: audit::Log,
    files: Files,
    kubeconfig: PathBuf,
    config: OnceLock<Config>,
    tools: Tools,
}

/// An etcd of our own, and the ports that it must not lose.
#[derive(Debug)]
struct Etcd {
    process: Mutex<Arc<Guarded>>,
    client: Port,
    peer: Port,
    flags: Vec<String>,
}

impl Etcd {
    fn process(&self) -> Arc<Guarded> {
        Arc::clone(&self.process.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The kube-controller-manager, and what it was started with.
#[derive(Debug, Default)]
struct Controllers {
    names: Vec<String>,
    process: Option<Arc<Guarded>>,
}

impl Cluster {
    /// Settings for a cluster without controllers, with programs from where the environment says.
    pub fn builder() -> Builder {
        Builder::new()
    }

    /// Starts a cluster without controllers and waits until it is ready.
    pub async fn start() -> Result<Self> {
        Self::builder().start().await
    }

    async fn start_with(builder: &Builder) -> Result<Self> {
        let Builder {
            tools,
            controllers,
            etcd,
            api_server_flags,
            etcd_flags,
        } = builder;
        // Before anything runs, because this may compile for minutes.
        let etcd_program = match etcd {
            None => Some(tools.etcd().await?),
            Some(_) => None,
        };
        tools.kube_apiserver().await?;

        let name = format!("provider-secrets-cluster-{}", random_word()?);
        let files = Files {
            directory: std::env::temp_dir().join(name),
        };
        // First the watchdog: nothing exists that it does not know.
        let watchdog = Watchdog::start(Some(&files.directory))?;
        DirBuilder::new()
            .mode(0o700)
            .create(&files.directory)
            .map_err(Error::io(format!("create {}", files.directory.display())))?;
        let token = random_word()?;
        files.write_server_files(&token)?;
        write_signing_key(&files.signing_key(), &files.signing_key_public())?;

        let own_etcd = match etcd_program {
            Some(program) => {
                let (client, peer) = (Port::reserve()?, Port::reserve()?);
                let program = servers::etcd(&program, &files, &client, &peer, etcd_flags);
                let process = Guarded::spawn_under(&watchdog, program, &files.path("etcd.log"))?;
                Some(Etcd {
                    process: Mutex::new(Arc::new(process)),
                    client,
                    peer,
                    flags: etcd_flags.clone(),
                })
            }
            None => None,
        };
        let own_url = own_etcd
            .as_ref()
            .map(|etcd| servers::etcd_url(&etcd.client));
        let port = Port::reserve()?;
        let cluster = Self {
            controllers: Mutex::default(),
            api_server: Mutex::default(),
            etcd: own_etcd,
            watchdog,
            server: format!("https://127.0.0.1:{}", port.number()),
            port,
            etcd_url: own_url.or_else(|| etcd.clone()).unwrap_or_default(),
            token,
            api_server_flags: api_server_flags.clone(),
            kubeconfig: files.admin_kubeconfig(),
            audit_log: audit::Log::new(files.audit_log()),
            files,
            config: OnceLock::new(),
            tools: tools.clone(),
        };
        // The API server itself waits for etcd.
        cluster.start_api_server().await?;
        let controllers: Vec<&str> = controllers.iter().map(String::as_str).collect();
        cluster.start_controllers(&controllers).await?;
        Ok(cluster)
    }

    /// A client that may do everything.
    ///
    /// It belongs to the async runtime that this is called in, so a test asks for its own.
    /// It does not retry: a test sees each answer.
    pub fn client(&self) -> Client {
        let config = self
            .config
            .get()
            .expect("a cluster that has started has a configuration");
        Client::try_from(config.clone()).expect("the same configuration made a client at the start")
    }

    /// A kubeconfig file that may do everything.
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// The URL of the API server.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// The URL of etcd.
    pub fn etcd_url(&self) -> &str {
        &self.etcd_url
    }

    /// The directory of this cluster, removed with it. Tests may put their own files there.
    pub fn directory(&self) -> &Path {
        &self.files.directory
    }

    /// The programs that this cluster uses.
    pub fn tools(&self) -> &Tools {
        &self.tools
    }

    /// The processes of this cluster by name, such as `("etcd", 4711)`.
    pub fn processes(&self) -> Vec<(String, u32)> {
        let controllers = self.lock_controllers().process.clone();
        let etcd = self.etcd.as_ref().map(Etcd::process);
        let servers = [etcd, self.lock_api_server().clone(), controllers];
        let servers = servers.into_iter().flatten();
        servers
            .map(|process| (process.name().to_owned(), process.id()))
            .collect()
    }

    /// Every call that the API server has recorded so far, in the order of their completion.
    pub fn audit(&self) -> Result<Vec<Arc<AuditEvent>>> {
        self.audit_log.events()
    }

    /// The position in the record after the calls so far, for [`Self::read_audit`].
    pub fn audit_end(&self) -> Result<u64> {
        self.audit_log.end()
    }

    /// Hands out the calls that were recorded after a position and returns the next one. Keeps none of them, so that a
    /// benchmark can count millions.
    pub fn read_audit(&self, position: u64, each: impl FnMut(AuditEvent)) -> Result<u64> {
        self.audit_log.read(position, each)
    }

    /// Waits until the recorded calls satisfy `enough`, and returns them.
    ///
    /// The API server records a call after its client has the answer.
    pub async fn wait_for_audit(
        &self,
        deadline: Duration,
        enough: impl Fn(&[Arc<AuditEvent>]) -> bool,
    ) -> Result<Vec<Arc<AuditEvent>>> {
        let wait = async {
            loop {
                let events = self.audit()?;
                if enough(&events) {
                    return Ok(events);
                }
                tokio::time::sleep(AUDIT_POLL).await;
            }
        };
        match tokio::time::timeout(deadline, wait).await {
            Ok(result) => result,
            Err(_) => Err(Error::Deadline {
                name: "the audit log".to_owned(),
                state: "as expected".to_owned(),
                deadline,
                last: "the expected calls are not there".to_owned(),
                log: self.audit_log.tail(),
            }),
        }
    }

    fn lock_api_server(&self) -> std::sync::MutexGuard<'_, Option<Arc<Guarded>>> {
        self.api_server
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_controllers(&self) -> std::sync::MutexGuard<'_, Controllers> {
        self.controllers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// A client for a kubeconfig file, such as that of [`Cluster::service_account`]. It does not retry.
pub async fn client(kubeconfig: &Path) -> Result<Client> {
    let config = config(kubeconfig).await?;
    Client::try_from(config).map_err(Error::kubernetes(format!(
        "use the kubeconfig {}",
        kubeconfig.display()
    )))
}

async fn config(kubeconfig: &Path) -> Result<Config> {
    let refused = |source: KubeconfigError| Error::Kubeconfig {
        path: kubeconfig.to_owned(),
        source: Box::new(source),
    };
    let file = Kubeconfig::read_from(kubeconfig).map_err(refused)?;
    let options = KubeConfigOptions::default();
    let mut config = Config::from_custom_kubeconfig(file, &options)
        .await
        .map_err(refused)?;
    config.default_retry = false;
    Ok(config)
}
