//! Policies and intervals: what happens to what goes away, to what is foreign, and how often the
//! provider is looked at.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What happens at the provider to what this object wrote, when an entry or the whole object goes
/// away. Retain, the default, leaves it there and forgets it. Delete deletes it, if it is still what
/// this object wrote; a finalizer keeps a deleted object until that is done. What was forgotten under
/// Retain is not deleted after a change to Delete.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeletionPolicy {
    /// It stays and is forgotten.
    #[default]
    Retain,
    /// It is deleted, if it is still what the object wrote.
    Delete,
}

/// What happens to a name that exists at the provider and was not written by this object. Overwrite,
/// the default, gives it the value. Fail leaves it alone and reports a conflict.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ConflictPolicy {
    /// It gets the value.
    #[default]
    Overwrite,
    /// It is left alone and reported.
    Fail,
}

/// Whether what would be done at the provider waits for a person. Automatic, the default, waits for
/// none. Manual waits until the annotation providersecrets.dev/approved-plan has the value of
/// status.plan.hash: for first writes, for deletions, the cleanup of a deleted object included, and
/// when the names, the Secrets and keys they come from, the account or its API key have changed. A
/// changed value under a name that was approved does not wait, except with replaceImagePullSecret
/// Recreate; under ManualEveryChange it does.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Approval {
    /// Nothing waits.
    #[default]
    Automatic,
    /// First writes, deletions and other sources wait.
    Manual,
    /// Every change waits.
    ManualEveryChange,
}

/// How an interval is written: hours, minutes and seconds.
pub(super) const INTERVAL: &str = "^([0-9]+h)?([0-9]+m)?([0-9]+s)?$";
/// The least and the longest interval. Shorter ones would be a hot loop, longer ones no promise.
const BOUNDS: (Duration, Duration) = (Duration::from_mins(1), Duration::from_hours(168));

/// The rule that an interval, where it is given, is within its bounds.
pub(super) fn within_bounds(field: &str) -> String {
    format!(
        "!has(self.{field}) || (duration(self.{field}) >= duration('1m') && duration(self.{field}) <= duration('168h'))"
    )
}

/// Reads an interval. One that got around the schema is brought within the bounds, and none that
/// cannot be read is an interval.
pub(super) fn interval(text: &str) -> Option<Duration> {
    let duration: jiff::SignedDuration = text.parse().ok()?;
    let duration = Duration::try_from(duration).ok()?;
    Some(duration.clamp(BOUNDS.0, BOUNDS.1))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    /// Cases: B-07
    #[rstest]
    #[case("10m", Some(600))]
    #[case("1h30m", Some(5400))]
    #[case("90s", Some(90))]
    #[case("168h", Some(604_800))]
    #[case("1s", Some(60))]
    #[case("999999h", Some(604_800))]
    #[case("99999999999999999999h", None)]
    #[case("-10m", None)]
    #[case("soon", None)]
    #[case("", None)]
    fn an_interval_is_read_and_bounded(#[case] text: &str, #[case] seconds: Option<u64>) {
        assert_eq!(interval(text).map(|read| read.as_secs()), seconds);
    }
}
