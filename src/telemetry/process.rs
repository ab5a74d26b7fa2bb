//! The memory of the process, under the name that all clients of Prometheus give it.

use std::fmt;

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::{MetricType, gauge::ConstGauge},
    registry::Unit,
};

/// Where Linux tells it: <https://man7.org/linux/man-pages/man5/proc_pid_status.5.html>. Elsewhere there is no series.
const STATUS: &str = "/proc/self/status";

#[derive(Debug)]
pub(super) struct ProcessMemory;

impl Collector for ProcessMemory {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let Some(bytes) = std::fs::read_to_string(STATUS)
            .ok()
            .and_then(|status| resident(&status))
        else {
            return Ok(());
        };
        let encoder = encoder.encode_descriptor(
            "process_resident_memory",
            "Resident memory of the process",
            Some(&Unit::Bytes),
            MetricType::Gauge,
        )?;
        ConstGauge::new(bytes).encode(encoder)
    }
}

/// The resident memory in bytes; the kernel's kB are of 1024.
fn resident(status: &str) -> Option<u64> {
    let size = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = size.trim().strip_suffix(" kB")?.parse().ok()?;
    kilobytes.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_resident_memory_is_read_from_what_linux_tells() {
        for (status, expected) in [
            (
                "Name:\tx\nVmRSS:\t   11264 kB\nRssAnon:\t 1 kB\n",
                Some(11_534_336),
            ),
            ("Name:\tx\n", None),
            ("VmRSS:\t11264 MB\n", None),
            ("VmRSS:\t-1 kB\n", None),
            ("VmRSS:\t18446744073709551615 kB\n", None),
        ] {
            assert_eq!(resident(status), expected, "{status}");
        }
    }
}
