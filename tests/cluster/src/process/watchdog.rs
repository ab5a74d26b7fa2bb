//! A shell that outlives this process and ends what it left behind.
//!
//! The shell reads a pipe whose writing end only this process holds for long.
//! End of file therefore means that this process is gone, however it went:
//! `exit`, a panic or SIGKILL. A parent-death signal would not do, because it
//! fires when the *thread* that started a child ends, and a cluster shared by
//! tests outlives the thread of the test that happened to start it.

use std::io::{PipeWriter, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::POLL;
use crate::error::{Error, Result};

/// Long enough for `rm -rf` of a cluster's directory on a busy machine.
const END_DEADLINE: Duration = Duration::from_secs(20);

/// Every guarded process leads its own group, hence the minus before the id.
/// Processes that still write can make `rm` fail, hence the loop around it.
const SCRIPT: &str = r#"
trap '' HUP INT TERM
PATH="$PATH:/usr/bin:/bin"
processes=' '
while read -r event process; do
    case $event in
    started) processes="$processes$process " ;;
    ended)
        case $processes in
        *" $process "*) processes="${processes%%" $process "*} ${processes#*" $process "}" ;;
        esac
        ;;
    esac
done
for process in $processes; do kill -s KILL -- "-$process" || kill -s KILL "$process"; done
[ -n "$1" ] || exit 0
tries=0
while [ -e "$1" ] && [ "$tries" -lt 100 ]; do
    rm -rf -- "$1" && [ ! -e "$1" ] || sleep 0.1
    tries=$((tries + 1))
done
"#;

/// The shell, and the pipe that keeps it waiting.
#[derive(Debug)]
pub(crate) struct Watchdog {
    shell: Mutex<Child>,
    pipe: Option<PipeWriter>,
    directory: Option<PathBuf>,
}

impl Watchdog {
    /// Starts a watchdog that will also remove `directory`, which need not exist yet.
    pub(crate) fn start(directory: Option<&Path>) -> Result<Arc<Self>> {
        let (reader, pipe) = std::io::pipe().map_err(Error::io("make a pipe"))?;
        let shell = Command::new("/bin/sh")
            .args(["-c", SCRIPT, "watchdog"])
            .arg(directory.map(Path::as_os_str).unwrap_or_default())
            .stdin(reader)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // So that signals to the caller's group, such as Ctrl-C, spare it.
            .process_group(0)
            .spawn()
            .map_err(Error::io("start /bin/sh as a watchdog"))?;
        Ok(Arc::new(Self {
            shell: Mutex::new(shell),
            pipe: Some(pipe),
            directory: directory.map(Path::to_owned),
        }))
    }

    /// A writing end for a child that reports its own start.
    pub(crate) fn pipe(&self) -> Result<PipeWriter> {
        self.pipe
            .as_ref()
            .expect("the pipe is only taken in drop")
            .try_clone()
            .map_err(Error::io("duplicate a pipe"))
    }

    /// Forgets a process that has been reaped, because another process may get its id.
    pub(crate) fn ended(&self, process: u32) {
        if let Some(mut pipe) = self.pipe.as_ref() {
            // A watchdog that was killed needs no news.
            let _ = writeln!(pipe, "ended {process}");
        }
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        drop(self.pipe.take());
        let shell = self.shell.get_mut().unwrap_or_else(PoisonError::into_inner);
        let deadline = Instant::now() + END_DEADLINE;
        while matches!(shell.try_wait(), Ok(None)) && Instant::now() < deadline {
            std::thread::sleep(POLL);
        }
        if let Some(directory) = &self.directory {
            // Normally gone by now. Nothing can be done about a failure here.
            let _ = std::fs::remove_dir_all(directory);
        }
    }
}
