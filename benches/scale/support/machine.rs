//! The machine and the moment of a run: figures mean nothing without them.

use std::{fs, thread};

use serde::Serialize;

/// What a run was made on.
#[derive(Debug, Serialize)]
pub(crate) struct Machine {
    cores: usize,
    model: String,
    memory_mib: f64,
    kernel: String,
    /// The load average of the minute before the run: other programs share the cores.
    load_before: f64,
}

impl Machine {
    pub(crate) fn now() -> Self {
        Self {
            cores: thread::available_parallelism().map_or(0, usize::from),
            model: line_of("/proc/cpuinfo", "model name"),
            memory_mib: line_of("/proc/meminfo", "MemTotal")
                .split(' ')
                .next()
                .and_then(|kibibytes| kibibytes.parse::<f64>().ok())
                .map_or(0.0, |kibibytes| (kibibytes / 1024.0).round()),
            kernel: read("/proc/sys/kernel/osrelease"),
            load_before: load(),
        }
    }

    pub(crate) fn line(&self) -> String {
        format!(
            "{} cores of {}, {:.1} GiB, Linux {}, load {:.2} before",
            self.cores,
            self.model,
            self.memory_mib / 1024.0,
            self.kernel,
            self.load_before
        )
    }
}

/// The load average of the last minute.
pub(crate) fn load() -> f64 {
    let loads = read("/proc/loadavg");
    let first = loads.split(' ').next();
    first.and_then(|load| load.parse().ok()).unwrap_or(0.0)
}

fn line_of(path: &str, name: &str) -> String {
    let text = read(path);
    let value = text.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        (key.trim() == name).then(|| value.trim().to_owned())
    });
    value.unwrap_or_default()
}

fn read(path: &str) -> String {
    fs::read_to_string(path).map_or_else(|_| String::new(), |text| text.trim().to_owned())
}
