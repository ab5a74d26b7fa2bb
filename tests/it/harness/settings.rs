//! The settings of a test run, and output that a passing test shows.

use std::{env, io::Write as _};

/// A factor for the number of generated plans; the default is 1.
pub(crate) const SCALE: &str = "PROVIDER_SECRETS_TEST_SCALE";

/// A setting.
#[expect(
    clippy::disallowed_methods,
    reason = "these are settings of the test and not of the operator"
)]
pub(crate) fn setting(name: &str) -> Option<String> {
    env::var(name).ok()
}

/// Prints also when the test passes: libtest captures what a passing test prints.
pub(crate) fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
