//! The filters: pure, and each bounded in what it makes.
//!
//! None is the engine's own: those of its names that are built in are not bounded (`replace` of an
//! empty text squares the length), and its `urlencode` leaves `/`, which a password may hold.

use std::borrow::Cow;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use minijinja::{Environment, Error, ErrorKind, Value, value::Rest};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::{Budget, MAX_VALUE};

/// Every filter and how many arguments it takes at least and at most. `default` is the one that
/// takes a key that is missing.
pub(super) const FILTERS: [(&str, usize, usize); 9] = [
    ("b64decode", 0, 0),
    ("b64encode", 0, 0),
    (DEFAULT, 0, 2),
    ("lower", 0, 0),
    ("replace", 2, 2),
    ("tojson", 0, 0),
    ("trim", 0, 0),
    ("upper", 0, 0),
    ("urlencode", 0, 0),
];
/// The filter that takes a key that is missing.
pub(super) const DEFAULT: &str = "default";
/// The test that takes a key that is missing, and the only test there is.
pub(super) const DEFINED: &str = "defined";

/// All but the unreserved characters of RFC 3986, so that a text fits into any part of a URL.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// How filters tell what went wrong; also what the engine says when a text cannot be written.
pub(super) const TOO_LARGE: ErrorKind = ErrorKind::WriteFailure;
pub(super) const TOO_MUCH: ErrorKind = ErrorKind::OutOfFuel;
pub(super) const NOT_BASE64: ErrorKind = ErrorKind::BadSerialization;
pub(super) const HOLDS_NUL: ErrorKind = ErrorKind::CannotUnpack;

/// Adds the filters and the test.
pub(super) fn add(environment: &mut Environment<'_>, budget: &Budget) {
    let mut add = |name: &'static str, change: fn(&str) -> Result<String, Error>| {
        let budget = budget.clone();
        environment.add_filter(name, move |value: Value| {
            made(&budget, change(&text(&value)?)?)
        });
    };
    add("b64decode", b64decode);
    add("b64encode", |text| Ok(STANDARD.encode(text)));
    add("lower", |text| Ok(text.to_lowercase()));
    add("trim", |text| Ok(text.trim().to_owned()));
    add("upper", |text| Ok(text.to_uppercase()));
    add("urlencode", |text| {
        Ok(utf8_percent_encode(text, RESERVED).to_string())
    });
    add("tojson", |text| {
        serde_json::to_string(text).map_err(|_| ErrorKind::InvalidOperation.into())
    });
    let replace_budget = budget.clone();
    environment.add_filter("replace", move |value: Value, from: Value, to: Value| {
        made(
            &replace_budget,
            replace(&text(&value)?, &text(&from)?, &text(&to)?)?,
        )
    });
    environment.add_filter(DEFAULT, default);
    environment.add_test(DEFINED, |value: Value| !value.is_undefined());
}

/// The text of a value: a text, or a whole number of the template.
fn text(value: &Value) -> Result<Cow<'_, str>, Error> {
    if value.is_undefined() {
        return Err(ErrorKind::UndefinedError.into());
    }
    if let Some(text) = value.as_str() {
        return Ok(Cow::Borrowed(text));
    }
    if value.is_integer() {
        return Ok(Cow::Owned(value.to_string()));
    }
    Err(ErrorKind::InvalidOperation.into())
}

/// What a filter made, if it is not too much.
fn made(budget: &Budget, text: String) -> Result<Value, Error> {
    if text.len() > MAX_VALUE {
        return Err(TOO_LARGE.into());
    }
    if !budget.take(text.len()) {
        return Err(TOO_MUCH.into());
    }
    Ok(Value::from(text))
}

/// The value, or the first of `others` where there is none; where the second is true, also where it
/// is empty. Taken as they are: the engine takes an optional argument that is missing for none.
#[expect(
    clippy::needless_pass_by_value,
    reason = "the engine gives arguments by value"
)]
fn default(value: Value, others: Rest<Value>) -> Value {
    let also_empty = others.get(1).is_some_and(Value::is_true);
    if value.is_undefined() || (also_empty && value.as_str() == Some("")) {
        others.first().cloned().unwrap_or_else(|| Value::from(""))
    } else {
        value
    }
}

fn b64decode(text: &str) -> Result<String, Error> {
    let bytes = STANDARD.decode(text).map_err(|_| Error::from(NOT_BASE64))?;
    let text = String::from_utf8(bytes).map_err(|_| Error::from(NOT_BASE64))?;
    // Here, because the next filter may hide it.
    if text.contains('\0') {
        return Err(HOLDS_NUL.into());
    }
    Ok(text)
}

fn replace(text: &str, from: &str, to: &str) -> Result<String, Error> {
    if from.is_empty() {
        return Err(ErrorKind::InvalidOperation.into());
    }
    // Before anything is made: few characters may become very many.
    let count = text.matches(from).count();
    let length = (text.len() - count * from.len()).saturating_add(count.saturating_mul(to.len()));
    if length > MAX_VALUE {
        return Err(TOO_LARGE.into());
    }
    Ok(text.replace(from, to))
}
