//! Braintrust's error bodies, the rules for its fields, and the masked preview.

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::ErrorBody;
use crate::{
    call::{Kind, Refusal, Reply},
    fields::{Field, Fields},
};

/// An error as plain text or as JSON: the seed allows both for every status.
pub(super) fn refuse(refusal: &Refusal, body: ErrorBody) -> Reply {
    let status = refusal.status(StatusCode::BAD_REQUEST, StatusCode::BAD_REQUEST);
    let message = match (refusal.kind, refusal.field.as_str()) {
        (Kind::Invalid, field) if !field.is_empty() => format!("{field}: {}", refusal.message),
        _ => refusal.message.clone(),
    };
    refusal.finish(match body {
        ErrorBody::Text => Reply::text(status, message),
        ErrorBody::Json => Reply::json(status, json!({ "error": { "message": message } })),
    })
}

pub(super) fn metadata_of(body: &mut Fields) -> Result<Field<Value>, Refusal> {
    match body.take("metadata") {
        None => Ok(Field::Absent),
        Some(Value::Null) => Ok(Field::Null),
        Some(object @ Value::Object(_)) => Ok(Field::Given(object)),
        Some(_) => Err(Refusal::invalid("metadata", "Expected object")),
    }
}

pub(super) fn contains_null(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.iter().any(contains_null),
        Value::Object(fields) => fields.values().any(contains_null),
        _ => false,
    }
}

pub(super) fn check_name(name: &str) -> Result<(), Refusal> {
    if name.is_empty() {
        Err(Refusal::invalid("name", "Must not be empty"))
    } else {
        Ok(())
    }
}

/// The masked form: the exact mask is not documented, the vendor's tests show `sk-***1234` and `********`.
pub(super) fn preview(secret: &str) -> String {
    let characters: Vec<char> = secret.chars().collect();
    if characters.len() < 12 {
        return "********".to_owned();
    }
    let first: String = characters.iter().take(3).collect();
    let last: String = characters.iter().skip(characters.len() - 4).collect();
    format!("{first}***{last}")
}
