//! What to start, wrapped so that the watchdog hears of it.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;

/// Reports its own id to the watchdog before it becomes the program, so that
/// there is no moment at which a process runs and the watchdog cannot know it.
/// Standard output is the watchdog's pipe, standard error the log.
const LAUNCHER: &str = r#"echo "started $$" && exec "$@" >&2"#;

/// A program to start, with its arguments and environment.
#[derive(Debug)]
pub struct Program {
    name: String,
    command: Command,
}

impl Program {
    /// Names the program: a path, or a name that PATH has.
    pub fn new(path: impl AsRef<OsStr>) -> Self {
        let path = path.as_ref();
        let name = Path::new(path)
            .file_name()
            .unwrap_or(path)
            .to_string_lossy()
            .into_owned();
        let mut command = Command::new("/bin/sh");
        command.args(["-c", LAUNCHER, "launcher"]).arg(path);
        Self { name, command }
    }

    /// Adds an argument.
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.command.arg(argument);
        self
    }

    /// Adds arguments.
    pub fn args(mut self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        self.command.args(arguments);
        self
    }

    /// Sets a variable of its environment.
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Takes a variable out of its environment.
    pub fn env_remove(mut self, name: impl AsRef<OsStr>) -> Self {
        self.command.env_remove(name);
        self
    }

    /// Empties its environment.
    pub fn env_clear(mut self) -> Self {
        self.command.env_clear();
        self
    }

    /// Sets its working directory.
    pub fn current_dir(mut self, directory: impl AsRef<Path>) -> Self {
        self.command.current_dir(directory);
        self
    }

    /// Its name, and a command whose standard output must be the pipe of a watchdog.
    pub(super) fn into_parts(self) -> (String, Command) {
        (self.name, self.command)
    }
}
