//! The programs of a cluster, and where they come from.
//!
//! First `$KUBEBUILDER_ASSETS`, as controller tests in Go do; without that variable, what
//! `setup-envtest` has installed. Otherwise they are compiled once from the modules pinned below
//! `go/`, into a cache outside `target/`. Each program is only compiled when it is needed.

mod build;
mod envtest;
mod module;
mod tool;

use std::ffi::OsString;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Once;

use self::module::Module;
pub use self::tool::Tool;
use crate::error::{Error, Result};

/// The variable that chooses a Kubernetes.
const KUBERNETES: &str = "PROVIDER_SECRETS_TEST_KUBERNETES";

/// Where programs are looked for and kept.
#[derive(Clone, Debug)]
pub struct Tools {
    /// The minor version of Kubernetes' own programs, such as `1.33`, which are compiled then. Otherwise they are the ones
    /// that are found first, or of the newest version.
    pub kubernetes: Option<String>,
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
    /// As the environment says: `PROVIDER_SECRETS_TEST_KUBERNETES`, `KUBEBUILDER_ASSETS`, `XDG_DATA_HOME`,
    /// `XDG_CACHE_HOME`, `HOME` and `PATH`.
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
            kubernetes: variable(KUBERNETES).map(|value| value.to_string_lossy().into_owned()),
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
        let chosen = self.chosen(tool)?;
        // A ready program may be of another version than the one that is asked for.
        if chosen.is_none()
            && let Some(path) = self.ready(tool)?
        {
            return Ok(path);
        }
        let module = chosen.unwrap_or_else(|| tool.module());
        let directory = self
            .cache
            .as_ref()
            .ok_or(Error::NoCache)?
            .join(module.cache_key());
        let path = directory.join(tool.name());
        if !path.is_file() {
            build::build(tool, module, &directory, &self.search_path).await?;
        }
        Ok(path)
    }

    /// The module of the Kubernetes that is asked for, if the program is of it.
    fn chosen(&self, tool: Tool) -> Result<Option<&'static Module>> {
        let Some(minor) = self.kubernetes.as_ref() else {
            return Ok(None);
        };
        let module = module::kubernetes(minor).ok_or_else(|| Error::KubernetesVersion {
            found: minor.clone(),
            known: module::minors().join(", "),
        })?;
        Ok(tool.is_of_kubernetes().then_some(module))
    }

    /// The path of a program that need not be compiled.
    fn ready(&self, tool: Tool) -> Result<Option<PathBuf>> {
        let Some(directory) = &self.assets else {
            return Ok(self.installed(tool));
        };
        if !directory.is_dir() {
            return Err(Error::Assets {
                directory: directory.clone(),
            });
        }
        let path = directory.join(tool.name());
        Ok(path.is_file().then_some(path))
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
