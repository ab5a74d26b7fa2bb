//! What the tests know and the operator does not yet: the one place to switch it on.

/// `spec.deletionPolicy` with the finalizer `providersecrets.dev/cleanup`, and
/// `spec.conflictPolicy`. Switches on every workload under `Delete`, and those under `Fail`.
pub(super) const DELETION_POLICY: bool = true;

/// A write of unknown outcome, followed by one of another value, is confirmed by one more write
/// where the provider shows no version: the first may arrive last.
pub(super) const CONFIRMING_WRITE: bool = true;
