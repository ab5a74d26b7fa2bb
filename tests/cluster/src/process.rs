//! Child processes that cannot outlive the process that started them.
//!
//! A [`Guarded`] process ends on drop, and also when the starting process is
//! killed, exits or panics, on any thread. It knows nothing of an async
//! runtime, so that tests with a runtime each can share one.

mod program;
mod watchdog;

use std::fs::{File, OpenOptions};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

pub use self::program::Program;
pub(crate) use self::watchdog::Watchdog;
use crate::error::{Error, Result};

/// How often a process or a file is looked at while waiting for it.
pub(crate) const POLL: Duration = Duration::from_millis(10);

/// SIGKILL needs no cooperation; only a stuck kernel call takes longer.
const KILL_DEADLINE: Duration = Duration::from_secs(10);

/// How much of a log an error message quotes.
const TAIL_LINES: usize = 25;

/// A running process that ends with this value, or with this process.
#[derive(Debug)]
pub struct Guarded {
    name: String,
    id: u32,
    state: Mutex<State>,
    log: PathBuf,
    watchdog: Arc<Watchdog>,
}

#[derive(Debug)]
struct State {
    child: Child,
    /// Whether the watchdog knows that the process has been reaped.
    forgotten: bool,
}

impl Guarded {
    /// Starts a program; what it prints on either stream is appended to the file `log`.
    pub fn spawn(program: Program, log: &Path) -> Result<Self> {
        Self::spawn_under(&Watchdog::start(None)?, program, log)
    }

    pub(crate) fn spawn_under(
        watchdog: &Arc<Watchdog>,
        program: Program,
        log: &Path,
    ) -> Result<Self> {
        let (name, mut command) = program.into_parts();
        let output = open_log(log).map_err(Error::io(format!("open the log {}", log.display())))?;
        let child = command
            .stdin(Stdio::null())
            .stdout(watchdog.pipe()?)
            .stderr(output)
            // Its own group: Ctrl-C in a terminal must not end it before its owner
            // does, and killing the group also ends what it started itself.
            .process_group(0)
            .spawn()
            .map_err(Error::io(format!("start {name}")))?;
        let id = child.id();
        Ok(Self {
            name,
            id,
            state: Mutex::new(State {
                child,
                forgotten: false,
            }),
            log: log.to_owned(),
            watchdog: Arc::clone(watchdog),
        })
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// The file name of the program.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The file that has what the process printed.
    pub fn log_path(&self) -> &Path {
        &self.log
    }

    /// What the process printed so far.
    pub fn log(&self) -> String {
        std::fs::read(&self.log)
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .unwrap_or_default()
    }

    /// The last lines that the process printed.
    pub fn log_tail(&self) -> String {
        tail(&self.log())
    }

    /// The exit status, if the process has ended.
    pub fn try_wait(&self) -> Result<Option<ExitStatus>> {
        self.reap(&mut self.lock())
    }

    /// Waits for the process to end by itself.
    pub async fn wait(&self) -> Result<ExitStatus> {
        loop {
            if let Some(status) = self.try_wait()? {
                return Ok(status);
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Asks the process to end (SIGTERM) and waits for it, at most until the deadline.
    pub async fn terminate(&self, deadline: Duration) -> Result<ExitStatus> {
        if let Some(status) = self.try_wait()? {
            return Ok(status);
        }
        self.signal(Signal::TERM)?;
        match tokio::time::timeout(deadline, self.wait()).await {
            Ok(status) => status,
            Err(_) => Err(Error::Deadline {
                name: self.name.clone(),
                state: "ended by SIGTERM".to_owned(),
                deadline,
                last: "it still runs".to_owned(),
                log: self.log_tail(),
            }),
        }
    }

    /// Ends the process at once (SIGKILL), with everything in its process group.
    pub async fn kill(&self) -> Result<ExitStatus> {
        self.kill_group();
        self.wait().await
    }

    /// Stops the process from running (SIGSTOP); its connections stay open.
    pub fn pause(&self) -> Result<()> {
        self.signal(Signal::STOP)
    }

    /// Lets the process run again (SIGCONT).
    pub fn resume(&self) -> Result<()> {
        self.signal(Signal::CONT)
    }

    /// Waits until the process has printed `needle`; returns the line that has it.
    pub async fn wait_for_log(&self, needle: &str, deadline: Duration) -> Result<String> {
        self.wait_for_any(&[needle], deadline).await
    }

    /// As [`Self::wait_for_log`], where any of several texts will do.
    ///
    /// # Errors
    /// As [`Self::wait_for_log`].
    pub async fn wait_for_any(&self, needles: &[&str], deadline: Duration) -> Result<String> {
        let end = Instant::now() + deadline;
        loop {
            // In this order: a process that prints and ends at once has printed.
            let status = self.try_wait()?;
            let log = self.log();
            // Only whole lines, as the last one may still grow.
            let whole = log.rfind('\n').map_or("", |end| &log[..end]);
            let is_it = |line: &&str| needles.iter().any(|needle| line.contains(needle));
            if let Some(line) = whole.lines().find(is_it) {
                return Ok(line.to_owned());
            }
            if let Some(status) = status {
                return Err(self.ended(status));
            }
            if Instant::now() >= end {
                return Err(Error::Deadline {
                    name: self.name.clone(),
                    state: format!("heard to print {}", needles.join(" or ")),
                    deadline,
                    last: "it still runs".to_owned(),
                    log: self.log_tail(),
                });
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// The error for a process that should still be running.
    pub(crate) fn ended(&self, status: ExitStatus) -> Error {
        Error::Ended {
            name: self.name.clone(),
            status,
            log: self.log_tail(),
        }
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        // Holding the lock keeps others from reaping, and so the id from reuse.
        let mut state = self.lock();
        let running = self.reap(&mut state)?.is_none();
        let process = self.group().filter(|_| running);
        let process = process.ok_or_else(|| Error::NotRunning {
            name: self.name.clone(),
        })?;
        kill_process(process, signal)
            .map_err(|errno| Error::io(format!("send a signal to {}", self.name))(errno.into()))
    }

    fn kill_group(&self) {
        let mut state = self.lock();
        if matches!(self.reap(&mut state), Ok(None))
            && let Some(process) = self.group()
        {
            // It can only fail for a process that has just ended.
            let _ = kill_process_group(process, Signal::KILL);
        }
    }

    fn reap(&self, state: &mut State) -> Result<Option<ExitStatus>> {
        let status = state
            .child
            .try_wait()
            .map_err(Error::io(format!("wait for {}", self.name)))?;
        // Only once: later, the id may be that of a process started since.
        if status.is_some() && !std::mem::replace(&mut state.forgotten, true) {
            self.watchdog.ended(self.id);
        }
        Ok(status)
    }

    fn group(&self) -> Option<Pid> {
        i32::try_from(self.id).ok().and_then(Pid::from_raw)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        self.kill_group();
        let deadline = Instant::now() + KILL_DEADLINE;
        while matches!(self.try_wait(), Ok(None)) && Instant::now() < deadline {
            std::thread::sleep(POLL);
        }
    }
}

fn open_log(log: &Path) -> std::io::Result<File> {
    OpenOptions::new().create(true).append(true).open(log)
}

/// The last lines of a text.
pub(crate) fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.trim_end().lines().collect();
    lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
}
