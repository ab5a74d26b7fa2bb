//! What may pass from a provider's answer into status: ids and times, in a form that the operator
//! chooses. And what several providers do alike.

mod more;
mod pages;
mod success;

use http::{Method, StatusCode};
use jiff::Timestamp;
use serde_json::Value;

pub use self::pages::LONGEST_LISTING;
use self::success::accepted;
pub(super) use self::{more::Rest, pages::Pages, success::decoded};
use crate::{
    api::Reason,
    http::{ApiClient, Call, ErrorClass, ProviderError},
    provider::DeleteAnswer,
};

/// The longest id that is kept, in characters; the vendors' are UUIDs and shorter.
pub(crate) const LONGEST_ID: usize = 64;

/// The text as an id: 1 to [`LONGEST_ID`] (64) characters of `[A-Za-z0-9_:.~=-]`, and not `.` or `..`. None for
/// every other text: an id goes into paths and into status.
pub(super) fn id(text: Option<String>) -> Option<String> {
    let is_plain = |byte: u8| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b':' | b'.' | b'~' | b'=')
    };
    text.filter(|text| {
        (1..=LONGEST_ID).contains(&text.len())
            && text.bytes().all(is_plain)
            && !matches!(text.as_str(), "." | "..")
    })
}

/// The text that a member is; the digits of a number. None for anything else.
pub(super) fn text(value: Option<Value>) -> Option<String> {
    match value? {
        Value::String(text) => Some(text),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// The text as an id, of a provider that changes and deletes by it: without one, a secret could be neither changed
/// nor deleted, and its name would be created again and again.
///
/// # Errors
/// [`ProviderError::protocol`] where [`id`] gives none.
pub(super) fn required_id(text: Option<String>) -> Result<String, ProviderError> {
    id(text).ok_or_else(ProviderError::protocol)
}

/// Refuses the answer to an update by id if the secret bears another name now: a user has renamed it, and the
/// provider holds nothing under the entry's name.
///
/// # Errors
/// `TargetNotFound`: the controller then looks for the name, and creates it.
pub(super) fn still_named(wanted: &str, shown: &str) -> Result<(), ProviderError> {
    if wanted == shown {
        Ok(())
    } else {
        Err(ProviderError::config(Reason::TargetNotFound))
    }
}

/// A time as a version: the instant as RFC 3339 in UTC, so that another spelling of it is not a change
/// (docs/vendors.md#ge-9). A time without an offset is taken for UTC. None for what is no time.
pub(super) fn version(text: Option<&str>) -> Option<String> {
    let text = text?;
    text.parse::<Timestamp>()
        .or_else(|_| format!("{text}Z").parse::<Timestamp>())
        .ok()
        .map(|instant| instant.to_string())
}

/// Deletes what a path names. Idempotent. A success has no body, or JSON that tells of no error.
///
/// # Errors
/// Those of [`ApiClient::call`], but not 404 and 410, which say that it is not there
/// (docs/vendors.md#ge-3). [`ProviderError::protocol`] when a success has another body: nothing shows that the
/// provider has deleted anything.
pub(super) async fn delete(
    client: &ApiClient,
    path: &[&str],
    query: &[(&str, &str)],
) -> Result<DeleteAnswer, ProviderError> {
    let call = Call {
        operation: "delete",
        method: Method::DELETE,
        path,
        query,
        ..Call::default()
    };
    match client.call(call).await {
        Ok(answer) => accepted(&answer).map(|()| DeleteAnswer::Done),
        Err(error) if error.is(StatusCode::NOT_FOUND) || error.is(StatusCode::GONE) => {
            Ok(DeleteAnswer::NotThere)
        }
        Err(error) => Err(error),
    }
}

/// The same error, but a 409 heals by itself: another change is under way (docs/vendors.md#pc-7,
/// docs/vendors.md#bt-8).
pub(super) fn unless_busy(error: ProviderError) -> ProviderError {
    if error.is(StatusCode::CONFLICT) {
        error.with(ErrorClass::Transient, Reason::ProviderUnavailable)
    } else {
        error
    }
}

/// The fold of a provider that tells all names apart.
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
    #[case("a.b~c==", true)]
    #[case("", false)]
    #[case("a/b", false)]
    #[case("a b", false)]
    #[case(".", false)]
    #[case("..", false)]
    fn an_id_has_a_plain_alphabet(#[case] text: &str, #[case] accepted: bool) {
        assert_eq!(id(Some(text.to_owned())).is_some(), accepted);
    }
}
