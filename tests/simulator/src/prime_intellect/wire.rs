//! PrimeIntellect's error bodies, redirects and the rules for its fields.

use axum::http::{StatusCode, header, request::Parts};
use base64::Engine as _;
use serde_json::{Value, json};

use super::ErrorShape;
use crate::call::{Kind, Refusal, Reply};

const NAME_LENGTH: usize = 255;
const DESCRIPTION_LENGTH: usize = 500;
/// "max 64KB base64 encoded" (seed).
const FILE_LENGTH: usize = 64 * 1024;

/// An error in one of the two shapes that clients must know (docs/vendors.md#pi-12).
pub(super) fn refuse(refusal: &Refusal, shape: ErrorShape) -> Reply {
    // The framework takes a body of another content type for a plain string, which is then no object: 422.
    let status = refusal.status(
        StatusCode::UNPROCESSABLE_ENTITY,
        StatusCode::UNPROCESSABLE_ENTITY,
    );
    let body = match shape {
        ErrorShape::Errors => {
            json!({ "errors": [{ "param": refusal.field, "details": refusal.message }] })
        }
        ErrorShape::Detail if status == StatusCode::UNPROCESSABLE_ENTITY => {
            json!({ "detail": [{ "loc": location(refusal), "msg": refusal.message, "type": kind(refusal) }] })
        }
        ErrorShape::Detail => json!({ "detail": refusal.message }),
    };
    refusal.finish(Reply::json(status, body))
}

fn location(refusal: &Refusal) -> Value {
    if refusal.field.is_empty() {
        json!([refusal.location])
    } else {
        json!([refusal.location, refusal.field])
    }
}

fn kind(refusal: &Refusal) -> &'static str {
    match refusal.kind {
        Kind::Invalid if refusal.message == "Field required" => "missing",
        Kind::Invalid if refusal.message.starts_with("Extra inputs") => "extra_forbidden",
        _ => "value_error",
    }
}

/// Answers 307 to the collection without its slash and to an item with one, before any key is looked at: the
/// framework redirects while it routes (docs/vendors.md#pi-10).
pub(super) fn redirect(head: &Parts) -> Option<Reply> {
    let path = head.uri.path();
    let exact = match path {
        "/api/v1/secrets" => format!("{path}/"),
        "/api/v1/user/teams/" | "/api/v1/user/whoami/" => path.trim_end_matches('/').to_owned(),
        _ => {
            let id = path.strip_prefix("/api/v1/secrets/")?.strip_suffix('/')?;
            if id.is_empty() || id.contains('/') {
                return None;
            }
            format!("/api/v1/secrets/{id}")
        }
    };
    let query = head
        .uri
        .query()
        .map(|query| format!("?{query}"))
        .unwrap_or_default();
    let host = head
        .headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok());
    let root = host
        .map(|host| format!("http://{host}"))
        .unwrap_or_default();
    let mut reply = Reply::text(StatusCode::TEMPORARY_REDIRECT, String::new());
    reply
        .headers
        .push(("location", format!("{root}{exact}{query}")));
    Some(reply)
}

pub(super) fn check_name(name: &str) -> Result<(), Refusal> {
    let start = name.starts_with(|character: char| character.is_ascii_uppercase());
    let rest = |character: char| {
        character.is_ascii_uppercase() || character.is_ascii_digit() || character == '_'
    };
    if !start || !name.chars().all(rest) {
        return Err(Refusal::invalid(
            "name",
            "String should match pattern '^[A-Z][A-Z0-9_]*$'",
        ));
    }
    if name.len() > NAME_LENGTH {
        return Err(Refusal::invalid(
            "name",
            "String should have at most 255 characters",
        ));
    }
    Ok(())
}

pub(super) fn check_value(value: &str, is_file: bool) -> Result<(), Refusal> {
    if value.is_empty() {
        return Err(Refusal::invalid(
            "value",
            "String should have at least 1 character",
        ));
    }
    if is_file && value.len() > FILE_LENGTH {
        return Err(Refusal::invalid(
            "value",
            "File exceeds 64KB base64 encoded",
        ));
    }
    if is_file
        && base64::engine::general_purpose::STANDARD
            .decode(value)
            .is_err()
    {
        return Err(Refusal::invalid("value", "File must be base64 encoded"));
    }
    Ok(())
}

pub(super) fn check_description(description: Option<&str>) -> Result<(), Refusal> {
    if description.is_some_and(|text| text.chars().count() > DESCRIPTION_LENGTH) {
        return Err(Refusal::invalid(
            "description",
            "String should have at most 500 characters",
        ));
    }
    Ok(())
}
