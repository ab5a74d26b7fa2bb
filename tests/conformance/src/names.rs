//! The names of what a run makes, and how nothing else is touched.

/// What every secret of a run begins with.
pub const PREFIX: &str = "PROVIDER_SECRETS_CONFORMANCE_";
/// What every set of a run begins with (Pipecat).
pub const SET_PREFIX: &str = "provider-secrets-conformance-";

/// Whether a run made this, or an earlier one.
pub fn is_ours(name: &str) -> bool {
    name.starts_with(PREFIX) || name.starts_with(SET_PREFIX)
}

/// The mark of one run, so that two at once do not meet: eight letters and digits.
pub fn tag() -> String {
    std::iter::repeat_with(fastrand::lowercase)
        .take(8)
        .collect()
}
