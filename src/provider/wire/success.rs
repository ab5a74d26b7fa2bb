//! What an answer with a status of success must look like before it counts as one: a gateway in between, and
//! some servers, answer 200 with a page of their own or with the body of an error.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::http::{Answer, ProviderError};

/// The members that hold an error in the vendors' documents (docs/vendors.md#ge-4).
const ERRORS: [&str; 3] = ["error", "errors", "detail"];

/// Decodes the JSON object of a success.
///
/// # Errors
/// [`ProviderError::protocol`] when it is no JSON object of that shape, or tells of an error.
pub(in crate::provider) fn decoded<T: DeserializeOwned>(
    answer: &Answer,
) -> Result<T, ProviderError> {
    let members: Map<String, Value> = answer.json()?;
    no_error(&members)?;
    answer.json()
}

/// Accepts a success of which nothing is needed: one without a body, or JSON of any shape.
///
/// # Errors
/// [`ProviderError::protocol`] when the body is no JSON, or tells of an error.
pub(super) fn accepted(answer: &Answer) -> Result<(), ProviderError> {
    if answer.length() == 0 {
        return Ok(());
    }
    let body: Value = answer.json()?;
    body.as_object().map_or(Ok(()), no_error)
}

/// Refuses members that tell of an error.
///
/// # Errors
/// [`ProviderError::protocol`] when one of them does.
pub(super) fn no_error(members: &Map<String, Value>) -> Result<(), ProviderError> {
    let tells = |name: &str| members.get(name).is_some_and(says_anything);
    if ERRORS.into_iter().any(tells) {
        Err(ProviderError::protocol())
    } else {
        Ok(())
    }
}

/// Whether a member is there for more than its name: it is not null, false, zero or empty.
fn says_anything(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(is) => *is,
        Value::Number(number) => number.as_u64() != Some(0),
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(members) => !members.is_empty(),
    }
}
