//! The programs of a cluster, and where they come from.
//!
//! First `$KUBEBUILDER_ASSETS`, as controller tests in Go do; without that variable, what
//! `setup-envtest` has installed. Otherwise they are compiled once from the modules pinned below
//! `go/`, into a cache outside `target/`. Each program is only compiled when it is needed.

mod build;
mod envtest;
mod module;

use std::ffi::OsString;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Once;

use self::module::Module;
use crate::error::{Error, Result};

/// A program that this crate can provide.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Tool {
    /// The database of the API server.
    Etcd,
    /// The API server.
    KubeApiserver,
    /// The controllers of Kubernetes itself.
    KubeControllerManager,
    /// The command line of Kubernetes.
    Kubectl,
    /// The chart installer.
    Helm,
    /// The command line of the database.
    Etcdctl,
    /// What works on the files of the database.
    Etcdutl,
    /// The linter of metrics.
    Promlint,
    /// What scrapes metrics.
    Prometheus,
    /// What tries the rules of Prometheus.
    Promtool,
    /// What Argo CD, Flux and Helm make of an object.
    Gitops,
}

impl Tool {
    /// Every tool, those that each cluster needs first.
    pub const ALL: [Self; 11] = [
        Self::Etcd,
        Self::KubeApiserver,
        Self::Kubectl,
        Self::KubeControllerManager,
        Self::Helm,
        Self::Etcdctl,
        Self::Etcdutl,
        Self::Promlint,
        Self::Prometheus,
        Self::Promtool,
        Self::Gitops,
    ];

    /// The file name of the program.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Etcd => "etcd",
            Self::KubeApiserver => "kube-apiserver",
            Self::KubeControllerManager => "kube-controller-manager",
            Self::Kubectl => "kubectl",
            Self::Helm => "helm",
            Self::Etcdctl => "etcdctl",
            Self::Etcdutl => "etcdutl",
            Self::Promlint => "promlint",
            Self::Prometheus => "prometheus",
            Self::Promtool => "promtool",
            Self::Gitops => "gitops",
        }
    }

    /// The pinned version, such as `v1.36.3`.
    pub fn version(self) -> &'static str {
        self.module().version()
    }

    /// How long it takes to compile, on two cores.
    const fn time_to_compile(self) -> &'static str {
        match self {
            Self::Etcd
            | Self::KubeControllerManager
            | Self::Kubectl
            | Self::Etcdctl
            | Self::Etcdutl
            | Self::Promtool
            | Self::Gitops => "about a minute",
            Self::KubeApiserver => "about 5 minutes",
            Self::Helm | Self::Prometheus => "about 2 minutes",
            Self::Promlint => "a few seconds",
        }
    }

    const fn module(self) -> &'static Module {
        match self {
            Self::Etcd => &module::ETCD,
            Self::KubeApiserver | Self::KubeControllerManager | Self::Kubectl => {
                &module::KUBERNETES
            }
            Self::Helm => &module::HELM,
            Self::Etcdctl | Self::Etcdutl => &module::ETCD_TOOLS,
            Self::Promlint => &module::PROMLINT,
            Self::Prometheus | Self::Promtool => &module::PROMETHEUS,
            Self::Gitops => &module::GITOPS,
        }
    }

    const fn package(self) -> &'static str {
        match self {
            Self::Etcd => "go.etcd.io/etcd/server/v3",
            Self::KubeApiserver => "k8s.io/kubernetes/cmd/kube-apiserver",
            Self::KubeControllerManager => "k8s.io/kubernetes/cmd/kube-controller-manager",
            Self::Kubectl => "k8s.io/kubernetes/cmd/kubectl",
            Self::Helm => "helm.sh/helm/v4/cmd/helm",
            Self::Etcdctl => "go.etcd.io/etcd/etcdctl/v3",
            Self::Etcdutl => "go.etcd.io/etcd/etcdutl/v3",
            Self::Promlint | Self::Gitops => ".",
            Self::Prometheus => "github.com/prometheus/prometheus/cmd/prometheus",
            Self::Promtool => "github.com/prometheus/prometheus/cmd/promtool",
        }
    }
}

/// Where programs are looked for and kept.
#[derive(Clone, Debug)]
pub struct Tools {
    /// A directory with ready programs, which come first.
    pub assets: Option<PathBuf>,
    /// The directory that `setup-envtest` installs to, which is looked at when there are no assets.
    pub envtest: Option<PathBuf>,
    /// The directory that compiled programs are kept in.
    pub cache: Option<PathBuf>,
    /// Where Go is looked for, in the form of the variable PATH.
    pub search_path: OsString,
}

impl Tools {
    /// As the environment says: `KUBEBUILDER_ASSETS`, `XDG_DATA_HOME`, `XDG_CACHE_HOME`, `HOME` and
    /// `PATH`.
    #[expect(
        clippy::disallowed_methods,
        reason = "tests have no command line of their own to take settings from"
    )]
    pub fn from_environment() -> Self {
        let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        let directory = |name| variable(name).map(PathBuf::from);
        let home = directory("HOME");
        let cache = directory("XDG_CACHE_HOME").or_else(|| Some(home.as_ref()?.join(".cache")));
        Self {
            assets: directory("KUBEBUILDER_ASSETS"),
            envtest: envtest::store(directory("XDG_DATA_HOME"), home),
            cache: cache.map(|cache| cache.join("provider-secrets")),
            search_path: variable("PATH").unwrap_or_default(),
        }
    }

    /// The path of `etcd`.
    pub async fn etcd(&self) -> Result<PathBuf> {
        self.path(Tool::Etcd).await
    }

    /// The path of `kube-apiserver`.
    pub async fn kube_apiserver(&self) -> Result<PathBuf> {
        self.path(Tool::KubeApiserver).await
    }

    /// The path of `kube-controller-manager`.
    pub async fn kube_controller_manager(&self) -> Result<PathBuf> {
        self.path(Tool::KubeControllerManager).await
    }

    /// The path of `kubectl`.
    pub async fn kubectl(&self) -> Result<PathBuf> {
        self.path(Tool::Kubectl).await
    }

    /// The path of `helm`.
    pub async fn helm(&self) -> Result<PathBuf> {
        self.path(Tool::Helm).await
    }

    /// The path of one program, compiling it first if it is nowhere.
    pub async fn path(&self, tool: Tool) -> Result<PathBuf> {
        if let Some(directory) = &self.assets {
            if !directory.is_dir() {
                return Err(Error::Assets {
                    directory: directory.clone(),
                });
            }
            let path = directory.join(tool.name());
            if path.is_file() {
                return Ok(path);
            }
        } else if let Some(path) = self.installed(tool) {
            return Ok(path);
        }
        let directory = self
            .cache
            .as_ref()
            .ok_or(Error::NoCache)?
            .join(tool.module().cache_key());
        let path = directory.join(tool.name());
        if !path.is_file() {
            build::build(tool, &directory, &self.search_path).await?;
        }
        Ok(path)
    }

    /// The path of a program that `setup-envtest` has installed.
    fn installed(&self, tool: Tool) -> Option<PathBuf> {
        static SAID: Once = Once::new();
        let installation = envtest::newest(self.envtest.as_deref()?)?;
        let path = installation.program(tool)?;
        SAID.call_once(|| {
            say(&format!(
                "using etcd, kube-apiserver and kubectl {} of setup-envtest, in {}",
                installation.version,
                installation.directory.display()
            ));
        });
        Some(path)
    }

    /// Makes every program available, which takes minutes the first time.
    pub async fn prepare(&self) -> Result<Vec<(Tool, PathBuf)>> {
        let mut paths = Vec::new();
        for tool in Tool::ALL {
            paths.push((tool, self.path(tool).await?));
        }
        Ok(paths)
    }
}

/// Whether this is a file that may be executed.
fn is_program(path: &Path) -> bool {
    path.metadata()
        .is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
}

/// Written directly, because the test harness would hold back `eprintln!` until
/// the test ends, and that is minutes too late.
fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "cluster: {text}");
}
