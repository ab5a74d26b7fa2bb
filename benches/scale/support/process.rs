//! What the kernel knows of a process: processor time and memory.

use std::fs;

/// The ticks of a second in `/proc/PID/stat`; the same on every Linux of today.
const TICKS: f64 = 100.0;

/// Seconds of processor time that a process has used; none if it is gone.
pub(crate) fn cpu_seconds(process: u32) -> Option<f64> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name of the program is in parentheses and may hold anything.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(11);
    let user: f64 = fields.next()?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Some((user + system) / TICKS)
}

/// Seconds of processor time that all programs of the machine have used together.
pub(crate) fn machine_cpu_seconds() -> f64 {
    let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
    let fields = stat.lines().next().unwrap_or_default().split_whitespace();
    let ticks: Vec<f64> = fields
        .skip(1)
        .filter_map(|field| field.parse().ok())
        .collect();
    // User, nice, system, and after idle and waiting: interrupts and what the host took.
    let busy = ticks.iter().take(3).chain(ticks.iter().skip(5).take(3));
    busy.sum::<f64>() / TICKS
}

/// Resident memory of a process in MiB, now and at its peak since [`forget_peak`]; none if it is gone.
pub(crate) fn memory(process: u32) -> Option<(f64, f64)> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let of = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        let kibibytes: f64 = line.trim().split(' ').next()?.parse().ok()?;
        Some(kibibytes / 1024.0)
    };
    Some((of("VmRSS:")?, of("VmHWM:")?))
}

/// Lets the peak of a process begin at what it uses now.
pub(crate) fn forget_peak(process: u32) {
    // The peak is then that of the whole life of the process, which is no less honest.
    let _ = fs::write(format!("/proc/{process}/clear_refs"), "5");
}
