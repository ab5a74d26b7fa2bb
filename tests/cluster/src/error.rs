//! What can go wrong between asking for a cluster and having one.
//!
//! Messages are complete on their own: they name the program and carry the end
//! of its log, because the log's directory is gone when a test prints them.

use std::fmt;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

/// Everything that fails in this crate.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A program is neither in the assets nor buildable.
    #[error(
        "{tool} is missing: install Go {needed} or newer and put it on PATH (found: {found}), \
         or set KUBEBUILDER_ASSETS to a directory that has kube-apiserver, etcd and kubectl"
    )]
    GoMissing {
        /// The program that was asked for.
        tool: &'static str,
        /// The lowest Go version that can build it.
        needed: &'static str,
        /// The Go version that is there, or "none".
        found: String,
    },

    /// `KUBEBUILDER_ASSETS` points nowhere.
    #[error("KUBEBUILDER_ASSETS is {}, which is not a directory", .directory.display())]
    Assets {
        /// The value of the variable.
        directory: PathBuf,
    },

    /// A Kubernetes was asked for that no module is pinned for.
    #[error("there is no Kubernetes {found} here: the versions are {known}")]
    KubernetesVersion {
        /// The version that was asked for.
        found: String,
        /// The minor versions, with commas between them.
        known: String,
    },

    /// There is no place to keep the programs in.
    #[error("no cache directory for compiled programs: set HOME or XDG_CACHE_HOME")]
    NoCache,

    /// `go build` failed.
    #[error("compiling {tool} with Go failed:\n{output}")]
    Build {
        /// The program that was being built.
        tool: &'static str,
        /// The end of what Go printed.
        output: String,
    },

    /// A file, a pipe or a process could not be handled.
    #[error("could not {action}: {source}")]
    Io {
        /// What was being done.
        action: String,
        /// The operating system's answer.
        source: std::io::Error,
    },

    /// A process ended that should have kept running.
    #[error("{name} ended with {status}; end of its log:\n{log}")]
    Ended {
        /// The name of the program.
        name: String,
        /// How it ended.
        status: ExitStatus,
        /// The end of its log.
        log: String,
    },

    /// Something did not come about in time.
    #[error("{name} was not {state} within {deadline:?}: {last}; end of its log:\n{log}")]
    Deadline {
        /// The name of the program.
        name: String,
        /// What was waited for.
        state: String,
        /// How long it was waited for.
        deadline: Duration,
        /// The last obstacle that was seen.
        last: String,
        /// The end of its log.
        log: String,
    },

    /// A process was needed that is not there.
    #[error("{name} is not running")]
    NotRunning {
        /// The name of the program.
        name: String,
    },

    /// The API server refused or could not be reached.
    #[error("could not {action}: {source}")]
    Kubernetes {
        /// What was being done.
        action: String,
        /// kube's answer.
        source: Box<kube::Error>,
    },

    /// A kubeconfig file that kube does not take.
    #[error("could not use the kubeconfig {}: {source}", .path.display())]
    Kubeconfig {
        /// The file.
        path: PathBuf,
        /// kube's answer.
        source: Box<kube::config::KubeconfigError>,
    },

    /// A command line program failed.
    #[error("{command} failed: {stderr}")]
    Command {
        /// The program and its arguments.
        command: String,
        /// What it printed.
        stderr: String,
    },

    /// Data is not what this crate expects.
    #[error("could not {action}: {detail}")]
    Data {
        /// What was being done.
        action: String,
        /// Why it failed.
        detail: String,
    },
}

/// The result of this crate's functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The message itself, because tests unwrap, and a log is unreadable when its lines are escaped.
impl fmt::Debug for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl Error {
    pub(crate) fn io(action: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let action = action.into();
        move |source| Self::Io { action, source }
    }

    pub(crate) fn kubernetes(action: impl Into<String>) -> impl FnOnce(kube::Error) -> Self {
        let action = action.into();
        move |source| Self::Kubernetes {
            action,
            source: Box::new(source),
        }
    }

    pub(crate) fn data(action: impl Into<String>, detail: &(impl ToString + ?Sized)) -> Self {
        Self::Data {
            action: action.into(),
            detail: detail.to_string(),
        }
    }
}
