//! Baseten's error bodies and how it folds names.

use axum::http::StatusCode;
use serde_json::json;

use crate::call::{Refusal, Reply};

/// An error as JSON with `message`, which the vendor's own client prints (docs/vendors.md#ba-12).
pub(super) fn refuse(refusal: &Refusal) -> Reply {
    let status = refusal.status(StatusCode::BAD_REQUEST, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    let message = if refusal.field.is_empty() {
        refusal.message.clone()
    } else {
        format!("{}: {}", refusal.field, refusal.message)
    };
    refusal.finish(Reply::json(status, json!({ "message": message })))
}

/// Every character that is not alphanumeric counts as the same one; case is kept (docs/vendors.md#ba-1).
pub(super) fn fold(name: &str) -> String {
    name.chars()
        .map(|character| {
            if character.is_ascii_alphanumeric() {
                character
            } else {
                '_'
            }
        })
        .collect()
}
