//! What may leave a provider's answer for our status: ids and times, in a form we chose.

use http::{Method, StatusCode};
use jiff::Timestamp;

use crate::http::{Call, ProviderError, Session};

/// The longest id that is kept; the vendors' are UUIDs and shorter.
pub(crate) const LONGEST_ID: usize = 64;

/// An id, if it is one: an id goes into paths and status, so it has a bound and a plain alphabet.
pub(super) fn id(text: Option<String>) -> Option<String> {
    text.filter(|text| {
        (1..=LONGEST_ID).contains(&text.len())
            && text
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b':'))
    })
}

/// A time as a version: the instant in UTC, so that another spelling of it is not a change.
pub(super) fn version(text: Option<&str>) -> Option<String> {
    // Vendors leave out the offset now and then; they mean UTC.
    let text = text?;
    text.parse::<Timestamp>()
        .or_else(|_| format!("{text}Z").parse::<Timestamp>())
        .ok()
        .map(|instant| instant.to_string())
}

/// Deletes what a path names. What is not there is deleted; what the answer says does not matter,
/// and some have none.
pub(super) async fn delete(
    session: &Session,
    path: &[&str],
    query: &[(&str, &str)],
) -> Result<(), ProviderError> {
    let call = Call {
        operation: "delete",
        method: Method::DELETE,
        path,
        query,
        ..Call::default()
    };
    match session.call(call).await {
        Ok(_) => Ok(()),
        Err(error) if error.is(StatusCode::NOT_FOUND) || error.is(StatusCode::GONE) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Names that fold to themselves.
pub(super) fn unfolded(name: &str) -> String {
    name.to_owned()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("2026-11-21T12:00:00Z", Some("2026-11-21T12:00:00Z"))]
    #[case("2026-11-21T13:00:00+01:00", Some("2026-11-21T12:00:00Z"))]
    #[case("2026-11-21T12:00:00.123456", Some("2026-11-21T12:00:00.123456Z"))]
    #[case("yesterday", None)]
    fn a_version_is_an_instant(#[case] text: &str, #[case] expected: Option<&str>) {
        assert_eq!(version(Some(text)).as_deref(), expected);
    }

    #[rstest]
    #[case("sec_123-ABC", true)]
    #[case("", false)]
    #[case("a/b", false)]
    #[case("a b", false)]
    #[case("..", false)]
    fn an_id_has_a_plain_alphabet(#[case] text: &str, #[case] accepted: bool) {
        assert_eq!(id(Some(text.to_owned())).is_some(), accepted);
    }
}
