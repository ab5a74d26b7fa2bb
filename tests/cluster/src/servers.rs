//! The command lines of the servers.

use std::path::{Path, PathBuf};

use crate::audit;
use crate::credentials::write_private;
use crate::error::{Error, Result};
use crate::port::Port;
use crate::process::Program;

/// The files of a cluster, all below one directory.
#[derive(Clone, Debug)]
pub(crate) struct Files {
    pub(crate) directory: PathBuf,
}

impl Files {
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// A directory that the command line tools take for the user's own.
    pub(crate) fn home(&self) -> PathBuf {
        self.path("home")
    }

    pub(crate) fn audit_log(&self) -> PathBuf {
        self.path("audit.log")
    }

    pub(crate) fn admin_kubeconfig(&self) -> PathBuf {
        self.path("admin.kubeconfig")
    }

    pub(crate) fn signing_key(&self) -> PathBuf {
        self.path("service-account.key")
    }

    pub(crate) fn signing_key_public(&self) -> PathBuf {
        self.path("service-account.pub")
    }

    fn certificates(&self) -> PathBuf {
        self.path("certificates")
    }

    /// The certificate that the API server made for itself, once it is complete.
    pub(crate) fn certificate(&self) -> Option<Vec<u8>> {
        let pem = std::fs::read(self.certificates().join("apiserver.crt")).ok()?;
        pem.trim_ascii_end()
            .ends_with(b"-----END CERTIFICATE-----")
            .then_some(pem)
    }

    /// Writes what the API server reads when it starts.
    pub(crate) fn write_server_files(&self, token: &str) -> Result<()> {
        let home = self.home();
        std::fs::create_dir(&home).map_err(Error::io(format!("create {}", home.display())))?;
        write_private(
            &self.path("tokens.csv"),
            &format!("{token},admin,admin,system:masters\n"),
        )?;
        write_private(&self.path("audit-policy.yaml"), audit::POLICY)
    }
}

/// Where etcd keeps its data.
pub(crate) fn etcd_data(files: &Files) -> PathBuf {
    files.path("etcd")
}

/// Where etcd serves.
pub(crate) fn etcd_url(port: &Port) -> String {
    format!("http://127.0.0.1:{}", port.number())
}

/// etcd, without waiting for the disk: its data need not survive the machine.
pub(crate) fn etcd(
    path: &Path,
    files: &Files,
    client: &Port,
    peer: &Port,
    flags: &[String],
) -> Program {
    let (client, peer) = (etcd_url(client), etcd_url(peer));
    Program::new(path)
        .arg("--data-dir")
        .arg(etcd_data(files))
        .arg(format!("--listen-client-urls={client}"))
        .arg(format!("--advertise-client-urls={client}"))
        .arg(format!("--listen-peer-urls={peer}"))
        .arg(format!("--initial-advertise-peer-urls={peer}"))
        .arg(format!("--initial-cluster=default={peer}"))
        .args(["--unsafe-no-fsync", "--log-level=warn"])
        // The only member elects itself after one heartbeat. With each it wakes up, and many clusters do nothing
        // side by side.
        .args(["--heartbeat-interval=100", "--election-timeout=1000"])
        .args(flags)
        .env_clear()
}

/// The API server, with RBAC, a token file, its own certificate and an audit log.
pub(crate) fn kube_apiserver(
    path: &Path,
    files: &Files,
    etcd: &str,
    port: &Port,
    flags: &[String],
) -> Program {
    let file = |flag: &str, path: PathBuf| format!("--{flag}={}", path.display());
    Program::new(path)
        .arg(format!("--etcd-servers={etcd}"))
        .arg(format!("--secure-port={}", port.number()))
        .args(["--bind-address=127.0.0.1", "--advertise-address=127.0.0.1"])
        .args([
            "--service-cluster-ip-range=10.0.0.0/24",
            "--authorization-mode=RBAC",
        ])
        // No client looks up the endpoints of the Service `kubernetes` here, and
        // keeping them would make a second API server remove those of the first.
        .arg("--endpoint-reconciler-type=none")
        .arg("--service-account-issuer=https://kubernetes.default.svc")
        .arg(file("token-auth-file", files.path("tokens.csv")))
        .arg(file("service-account-key-file", files.signing_key_public()))
        .arg(file(
            "service-account-signing-key-file",
            files.signing_key(),
        ))
        .arg(file("cert-dir", files.certificates()))
        .arg(file("audit-policy-file", files.path("audit-policy.yaml")))
        .arg(file("audit-log-path", files.audit_log()))
        // Otherwise an open watch holds up the end of the server for a minute.
        .arg("--shutdown-watch-termination-grace-period=1s")
        // In MiB. A rotated log would lose events.
        .arg("--audit-log-maxsize=100000")
        .args(flags)
        .env_clear()
        // Less time for more memory: a cluster of a test lives for a short time. With 100,000 objects that would be
        // 17 GiB.
        .env("GOGC", "300")
        .env("GOMEMLIMIT", "12GiB")
}

/// The controllers of Kubernetes, impatient and without a leader election.
pub(crate) fn kube_controller_manager(
    path: &Path,
    files: &Files,
    controllers: &[String],
) -> Program {
    Program::new(path)
        .arg(format!(
            "--kubeconfig={}",
            files.admin_kubeconfig().display()
        ))
        .arg(format!("--controllers={}", controllers.join(",")))
        .args(["--leader-elect=false", "--secure-port=0"])
        // Says when each controller starts.
        .arg("--v=1")
        .args([
            "--concurrent-namespace-syncs=50",
            "--concurrent-gc-syncs=20",
        ])
        .args(["--kube-api-qps=500", "--kube-api-burst=1000"])
        .arg(format!(
            "--service-account-private-key-file={}",
            files.signing_key().display()
        ))
        .env_clear()
}
