//! Where a value or an API key must not be found.

#[cfg(target_os = "linux")]
mod process; // the memory of the process
mod shown; // logs, status, events and what a support bundle collects
mod types; // what can be printed at all
