//! The answers of the API server to what it does not do.

use serde_json::{Value, json};

/// A `Status` that is a failure.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) code: u16,
    reason: &'static str,
    message: String,
}

impl Refusal {
    pub(super) fn gone() -> Self {
        Self::new(404, "NotFound", "the object is not found")
    }

    pub(super) fn exists() -> Self {
        Self::new(409, "AlreadyExists", "the object already exists")
    }

    pub(super) fn conflict() -> Self {
        let message = "the object has been modified; please apply your changes to the latest version and try again";
        Self::new(409, "Conflict", message)
    }

    pub(super) fn expired() -> Self {
        Self::new(410, "Expired", "too old resource version")
    }

    /// A refusal whose reason the operator does not look at.
    pub(super) fn of(code: u16) -> Self {
        let (reason, message) = match code {
            404 => return Self::gone(),
            403 => (
                "Forbidden",
                "admission webhook \"policy.example.com\" denied the request: not here",
            ),
            410 => ("Expired", "The provided continue parameter is too old"),
            500 => ("InternalError", "etcdserver: mvcc: database space exceeded"),
            _ => ("Unknown", "the server does not do it, or does not say so"),
        };
        Self::new(code, reason, message)
    }

    pub(super) fn invalid(message: &str) -> Self {
        Self::new(422, "Invalid", message)
    }

    pub(super) fn new(code: u16, reason: &'static str, message: &str) -> Self {
        Self {
            code,
            reason,
            message: message.to_owned(),
        }
    }

    pub(super) fn status(&self) -> Value {
        json!({
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
            "details": {"name": "object"},
            "code": self.code,
        })
    }
}
