//! Finding an entry in a listing.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::{
    DesiredEntry, Evidence,
    again::{IN_FLIGHT_WINDOW, MAX_CLOCK_SKEW},
};
use crate::{
    account::Snapshot,
    api::{EntryStatus, Reason},
    controller::error::Failure,
    provider::{Form, Remote, Rules},
};

/// Finds an entry in a listing; none if it is not there. Of several of the name, the one with the `known` id is ours.
///
/// # Errors
/// When the provider shows several of the name and none of them is known, or one that cannot become what is wanted.
pub(crate) fn locate<'a>(
    entry: &DesiredEntry,
    known: Option<&str>,
    snapshot: &'a Snapshot,
    rules: &Rules,
) -> Result<Option<&'a Remote>, Failure> {
    let provider = rules.kind;
    let mut same_name = snapshot.named(&entry.folded);
    let Some(first) = same_name.next() else {
        return Ok(None);
    };
    let found = if same_name.next().is_none() {
        first
    } else {
        let is_known = |remote: &&Remote| known.is_some() && remote.id.as_deref() == known;
        let mut same_name = snapshot.named(&entry.folded);
        let ours = same_name.find(is_known);
        ours.ok_or_else(|| ambiguous(&entry.name, rules))?
    };
    if let Some(form) = other_form(found, rules) {
        return Err(other_kind(&entry.name, form, rules));
    }
    let wanted = rules.form_of(&entry.options);
    if found.form.is_some_and(|form| form != wanted) {
        let is = if wanted == Form::File {
            "not a file"
        } else {
            "a file"
        };
        let message = format!(
            "The secret {} exists at {provider} and is {is}, which cannot change. Use another name or delete it there.",
            entry.name
        );
        return Err(Failure::config(Reason::Unsupported, message));
    }
    Ok(Some(found))
}

/// Several secrets of one name, of which the operator deletes none by guess.
pub(crate) fn ambiguous(name: &str, rules: &Rules) -> Failure {
    let message = format!(
        "{} shows several secrets named {name}. Delete all but one there.",
        rules.kind
    );
    Failure::config(Reason::Ambiguous, message)
}

/// The form of something that cannot be what an object of these rules wrote, because everything
/// that it writes has another.
pub(crate) fn other_form(remote: &Remote, rules: &Rules) -> Option<Form> {
    let (shown, wanted) = (remote.form?, rules.form?);
    (shown != wanted).then_some(shown)
}

/// A set of another kind than the wanted one.
pub(crate) fn other_kind(name: &str, form: Form, rules: &Rules) -> Failure {
    let is = if form == Form::ImagePull {
        "an image pull secret"
    } else {
        "a set of keys and not as an image pull secret"
    };
    let message = format!(
        "The set {name} exists at {} as {is}, which cannot change. Give another setName.",
        rules.kind
    );
    Failure::config(Reason::Conflict, message)
}

/// What a listing says of a recorded entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shown<'a> {
    /// Nothing of that name.
    Absent,
    /// What we wrote.
    Ours(&'a Remote),
    /// Something of that name that is not what we wrote.
    Other,
}

/// Looks for what was recorded. An id must be the same; where there is none, the creation time or
/// version (where a listing spans teams, one of several of a name may be ours).
pub(crate) fn find_recorded<'a>(
    recorded: &EntryStatus,
    snapshot: &'a Snapshot,
    rules: &Rules,
) -> Shown<'a> {
    let folded = (rules.fold)(&recorded.name);
    let mut named = snapshot.named(&folded).peekable();
    if named.peek().is_none() {
        return Shown::Absent;
    }
    let is_ours = |remote: &&Remote| match (&recorded.remote_id, &remote.id) {
        _ if other_form(remote, rules).is_some() => false,
        (Some(known), Some(shown)) => known == shown,
        _ => match (&recorded.remote_version, &remote.version) {
            (Some(known), Some(shown)) => same_instant(known, shown),
            // Neither is known: the name is all there is.
            _ => recorded.remote_id.is_none() && recorded.remote_version.is_none(),
        },
    };
    named.find(is_ours).map_or(Shown::Other, Shown::Ours)
}

/// Whether two versions are one instant, as far as the coarser of the two tells: a listing may show
/// fewer digits than the answer to a write did.
pub(crate) fn same_instant(a: &str, b: &str) -> bool {
    let (Ok(a), Ok(b)) = (a.parse::<Timestamp>(), b.parse::<Timestamp>()) else {
        return a == b;
    };
    let (fine_a, fine_b) = (a.subsec_nanosecond(), b.subsec_nanosecond());
    let unit = [1_000_000_000, 1_000_000, 1_000, 1]
        .into_iter()
        .find(|unit| fine_a % unit == 0 || fine_b % unit == 0)
        .unwrap_or(1);
    a.as_second() == b.as_second() && fine_a / unit == fine_b / unit
}

/// Whether a version is a time before another.
pub(crate) fn is_earlier(a: &str, b: &str) -> bool {
    let instant = |text: &str| text.parse::<Timestamp>().ok();
    matches!((instant(a), instant(b)), (Some(a), Some(b)) if a < b)
}

/// Whether another writer has written what is shown since our last write of it. Where the answer to that had no version,
/// the times are those of two clocks.
pub(crate) fn is_written_since(recorded: &EntryStatus, remote: &Remote) -> bool {
    match (&recorded.remote_version, &remote.version) {
        (Some(known), Some(shown)) => is_earlier(known, shown) && !same_instant(known, shown),
        (None, Some(_)) => {
            since_our_write(recorded, remote).is_some_and(|since| since > MAX_CLOCK_SKEW)
        }
        (_, None) => false,
    }
}

/// Whether what is shown was written too late to be what we sent last without an answer, by two clocks. Where one of the
/// times is not known, nothing tells.
pub(crate) fn is_after_attempt(recorded: &EntryStatus, remote: &Remote) -> bool {
    let since = shown_since(recorded.attempted_time.as_ref(), remote);
    since.is_some_and(|since| since > IN_FLIGHT_WINDOW + MAX_CLOCK_SKEW)
}

/// Whether the version that a listing shows is the one that our last write left, whose answer had none. One from long
/// before that may be the state before it, which some providers show a little longer.
pub(crate) fn is_baseline(recorded: &EntryStatus, remote: &Remote, evidence: Evidence) -> bool {
    let since = since_our_write(recorded, remote);
    let is_ours = match evidence {
        Evidence::None => false,
        Evidence::Presence => since.is_none_or(|since| since >= -MAX_CLOCK_SKEW),
        Evidence::Full => !is_written_since(recorded, remote),
    };
    is_ours && remote.version.is_some()
}

/// How long after our last write of an entry, by two clocks, the provider says that it was written.
fn since_our_write(recorded: &EntryStatus, remote: &Remote) -> Option<SignedDuration> {
    shown_since(recorded.last_write_time.as_ref(), remote)
}

/// How long after a time of this process's clock the provider says that a secret was written.
fn shown_since(time: Option<&Time>, remote: &Remote) -> Option<SignedDuration> {
    let shown: Timestamp = remote.version.as_deref()?.parse().ok()?;
    Some(shown.duration_since(time?.0))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::controller::object::{time, unwritten};

    fn recorded(version: Option<&str>) -> EntryStatus {
        EntryStatus {
            remote_version: version.map(str::to_owned),
            last_write_time: Some(time(Timestamp::UNIX_EPOCH)),
            ..unwritten("A")
        }
    }

    fn remote(version: Option<&str>) -> Remote {
        Remote {
            version: version.map(str::to_owned),
            ..Remote::default()
        }
    }

    const EPOCH: &str = "1970-01-01T00:00:00Z";

    /// Cases: R-10
    #[rstest]
    #[case::ours(Some(EPOCH), Some(EPOCH), false)]
    #[case::a_moment_later(Some(EPOCH), Some("1970-01-01T00:00:01Z"), true)]
    #[case::not_shown(Some(EPOCH), None, false)]
    #[case::by_clocks_that_differ(None, Some("1970-01-01T00:01:00Z"), false)]
    #[case::long_after(None, Some("1970-01-01T00:01:01Z"), true)]
    #[case::before(None, Some("1969-12-31T23:00:00Z"), false)]
    #[case::no_time(None, Some("v2"), false)]
    #[case::neither(None, None, false)]
    fn what_was_written_after_us_is_anothers(
        #[case] known: Option<&str>,
        #[case] shown: Option<&str>,
        #[case] expected: bool,
    ) {
        assert_eq!(is_written_since(&recorded(known), &remote(shown)), expected);
        let unwritten = EntryStatus {
            last_write_time: None,
            ..recorded(None)
        };
        assert!(!is_written_since(&unwritten, &remote(shown)));
    }

    /// Cases: D-04, D-13
    #[rstest]
    #[case::before(Some("1969-12-31T23:00:00Z"), true, false)]
    #[case::within_two_minutes(Some("1970-01-01T00:02:00Z"), true, false)]
    #[case::later(Some("1970-01-01T00:02:01Z"), true, true)]
    #[case::no_time(Some("v2"), true, false)]
    #[case::not_shown(None, true, false)]
    #[case::by_an_older_operator(Some("1970-01-01T00:02:01Z"), false, false)]
    fn what_was_written_long_after_an_attempt_is_anothers(
        #[case] shown: Option<&str>,
        #[case] has_time: bool,
        #[case] expected: bool,
    ) {
        let attempted = EntryStatus {
            attempted: Some("digest".to_owned()),
            attempted_time: has_time.then(|| time(Timestamp::UNIX_EPOCH)),
            ..unwritten("A")
        };
        assert_eq!(is_after_attempt(&attempted, &remote(shown)), expected);
    }

    #[rstest]
    #[case::right_after(Some(EPOCH), true, true)]
    #[case::before_it(Some("1969-12-31T23:58:59Z"), false, true)]
    #[case::long_after(Some("1970-01-01T00:01:01Z"), true, false)]
    #[case::no_time(Some("v2"), true, true)]
    #[case::none(None, false, false)]
    fn a_version_is_ours_if_it_is_neither_of_before_nor_of_long_after(
        #[case] shown: Option<&str>,
        #[case] at_once: bool,
        #[case] later: bool,
    ) {
        let is_ours = |evidence| is_baseline(&recorded(None), &remote(shown), evidence);
        assert_eq!(is_ours(Evidence::Presence), at_once);
        assert_eq!(is_ours(Evidence::Full), later);
        assert!(!is_ours(Evidence::None));
    }
}
