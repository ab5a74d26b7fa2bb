//! What whoever runs the tests may set, and what they are told.

use std::{env, io::Write as _};

/// How much is tried of what there is too much of: 1 is every day's.
pub(crate) const SCALE: &str = "PROVIDER_SECRETS_TEST_SCALE";

/// A setting.
#[expect(
    clippy::disallowed_methods,
    reason = "these are settings of the test and not of the operator"
)]
pub(crate) fn setting(name: &str) -> Option<String> {
    env::var(name).ok()
}

/// Says something also where the test passes: the test harness holds back what is printed.
pub(crate) fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
