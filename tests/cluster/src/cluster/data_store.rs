//! Snapshots of the data store, as an administrator of a cluster saves and restores them.

use std::path::Path;
use std::sync::{Arc, PoisonError};

use tokio::process::Command;

use super::lifecycle::stop;
use super::{Cluster, Etcd};
use crate::error::{Error, Result};
use crate::servers;
use crate::tools::Tool;

impl Cluster {
    /// Saves a snapshot of the own etcd while everything runs.
    pub async fn save_snapshot(&self, file: &Path) -> Result<()> {
        self.own_etcd()?;
        let mut save = Command::new(self.tools.path(Tool::Etcdctl).await?);
        save.arg(format!("--endpoints={}", self.etcd_url))
            .args(["snapshot", "save"])
            .arg(file);
        run(save, "etcdctl snapshot save").await
    }

    /// Ends the API server and etcd, puts the snapshot in the place of the data, and starts both again; returns when
    /// the API server is ready. With `bump`, revisions go on that far after those of the snapshot and watches of older
    /// ones are refused, as `etcdutl snapshot restore --bump-revision --mark-compacted` has it.
    pub async fn restore_snapshot(&self, file: &Path, bump: Option<u64>) -> Result<()> {
        let etcd = self.own_etcd()?;
        let mut restore = Command::new(self.tools.path(Tool::Etcdutl).await?);
        let program = self.tools.etcd().await?;
        self.stop_api_server().await?;
        stop(&etcd.process()).await?;
        let data = servers::etcd_data(&self.files);
        std::fs::remove_dir_all(&data).map_err(Error::io(format!("remove {}", data.display())))?;
        let peer = servers::etcd_url(&etcd.peer);
        restore
            .args(["snapshot", "restore"])
            .arg(file)
            .arg("--data-dir")
            .arg(&data)
            .arg(format!("--initial-advertise-peer-urls={peer}"))
            .arg(format!("--initial-cluster=default={peer}"));
        if let Some(bump) = bump {
            restore.args([&format!("--bump-revision={bump}"), "--mark-compacted"]);
        }
        run(restore, "etcdutl snapshot restore").await?;
        let program = servers::etcd(&program, &self.files, &etcd.client, &etcd.peer, &etcd.flags);
        let process = self.spawn(program, "etcd.log")?;
        *etcd.process.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(process);
        self.start_api_server().await
    }

    fn own_etcd(&self) -> Result<&Etcd> {
        self.etcd.as_ref().ok_or_else(|| Error::NotRunning {
            name: "etcd".to_owned(),
        })
    }
}

/// Runs a command to its end, which must be a success.
async fn run(mut command: Command, name: &str) -> Result<()> {
    let output = command.kill_on_drop(true).output().await;
    let output = output.map_err(Error::io(format!("run {name}")))?;
    if output.status.success() {
        return Ok(());
    }
    Err(Error::Command {
        command: name.to_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}
