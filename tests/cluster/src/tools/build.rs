//! Compiles one program with Go, once for all processes of this user.
//!
//! A lock file in the directory of the module makes later comers wait and then
//! find the finished program. A program gets its name only when complete. Giving up
//! on the future ends the compiler.

use std::ffi::OsStr;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::module::{BUILD_FLAGS, Module};
use super::{Tool, is_program, say};
use crate::error::{Error, Result};
use crate::process::{Guarded, POLL, Program};

/// How often progress is reported.
const PROGRESS: Duration = Duration::from_secs(15);

/// Compiles `tool` of `module` to a file of its name in `directory`, unless another process just did.
pub(super) async fn build(
    tool: Tool,
    module: &'static Module,
    directory: &Path,
    search_path: &OsStr,
) -> Result<()> {
    let go = find_go(tool, module, search_path)?;
    let sources = directory.join("module");
    std::fs::create_dir_all(&sources)
        .map_err(Error::io(format!("create {}", sources.display())))?;
    let _lock = lock(tool, &directory.join("lock")).await?;
    let path = directory.join(tool.name());
    if path.is_file() {
        return Ok(());
    }
    // The module is written out rather than used where this crate was compiled,
    // so that a test program works without its sources, and Go cannot change them.
    write(&sources.join("go.mod"), module.go_mod)?;
    write(&sources.join("go.sum"), module.go_sum)?;
    if let Some(main_go) = module.main_go {
        write(&sources.join("main.go"), main_go)?;
    }
    let unfinished = directory.join(format!("{}.unfinished", tool.name()));
    let log = directory.join(format!("{}.log", tool.name()));
    // Left over from a build that was killed.
    let _ = std::fs::remove_file(&log);
    let compiler = Guarded::spawn(
        Program::new(&go)
            .arg("build")
            .args(BUILD_FLAGS)
            .args(module.tags)
            .args(["-ldflags", &module.linker_flags(), "-o"])
            .arg(&unfinished)
            .arg(tool.package())
            .current_dir(&sources)
            // No C compiler needed, and no workspace of a parent directory.
            .env("CGO_ENABLED", "0")
            .env("GOWORK", "off"),
        &log,
    )?;
    let task = format!("compiling {} {} with Go", tool.name(), module.version());
    say(&format!(
        "{task}: takes {} and happens once; it is kept in {}",
        tool.time_to_compile(),
        directory.display()
    ));
    let mut progress = Progress::new(task);
    let status = loop {
        if let Some(status) = compiler.try_wait()? {
            break status;
        }
        progress.tick();
        tokio::time::sleep(POLL).await;
    };
    if !status.success() {
        let output = compiler.log_tail();
        // Only Go knows whether it is new enough, because it may fetch a newer one itself.
        return Err(if output.contains("requires go >=") {
            go_missing(tool, module, &output)
        } else {
            Error::Build {
                tool: tool.name(),
                output,
            }
        });
    }
    std::fs::rename(&unfinished, &path)
        .map_err(Error::io(format!("rename {}", unfinished.display())))?;
    let _ = std::fs::remove_file(&log);
    progress.done();
    Ok(())
}

/// Looks for an executable file `go` in the directories of `search_path`.
fn find_go(tool: Tool, module: &Module, search_path: &OsStr) -> Result<PathBuf> {
    std::env::split_paths(search_path)
        .map(|directory| directory.join("go"))
        // An empty entry means the working directory, which is no place for Go.
        .filter(|path| path.is_absolute())
        .find(|path| is_program(path))
        .ok_or_else(|| go_missing(tool, module, "none"))
}

fn go_missing(tool: Tool, module: &Module, found: &str) -> Error {
    Error::GoMissing {
        tool: tool.name(),
        needed: module.go_version(),
        found: found.to_owned(),
    }
}

/// Takes the lock of the directory; it is given back when the file is closed.
async fn lock(tool: Tool, path: &Path) -> Result<File> {
    let action = || format!("lock {}", path.display());
    let file = File::create(path).map_err(Error::io(action()))?;
    let mut progress = None;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::Error(error)) => return Err(Error::io(action())(error)),
            Err(TryLockError::WouldBlock) => progress
                .get_or_insert_with(|| {
                    let task = format!("waiting for another process to compile {}", tool.name());
                    say(&task);
                    Progress::new(task)
                })
                .tick(),
        }
        tokio::time::sleep(POLL).await;
    }
}

fn write(path: &Path, text: &str) -> Result<()> {
    std::fs::write(path, text).map_err(Error::io(format!("write {}", path.display())))
}

/// A line on standard error now and then.
struct Progress {
    task: String,
    started: Instant,
    reported: Instant,
}

impl Progress {
    fn new(task: String) -> Self {
        let now = Instant::now();
        Self {
            task,
            started: now,
            reported: now,
        }
    }

    fn tick(&mut self) {
        if self.reported.elapsed() >= PROGRESS {
            self.reported = Instant::now();
            say(&format!(
                "{}: {} s so far",
                self.task,
                self.started.elapsed().as_secs()
            ));
        }
    }

    fn done(&self) {
        say(&format!(
            "{}: done in {} s",
            self.task,
            self.started.elapsed().as_secs()
        ));
    }
}
