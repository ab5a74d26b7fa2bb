//! One request as the vendor modules see it, and what they give back. Everything here is plain data: no socket, no await.

use std::sync::Arc;

use axum::http::StatusCode;
use serde_json::Value;

use crate::{account::Access, clock::World};

/// What came in the body.
#[derive(Clone, Debug)]
pub(crate) enum Payload {
    Empty,
    Json(Arc<Value>),
    /// JSON under the content type of an HTML form, which is curl's unless it is told another.
    Form(Arc<Value>),
    NotJson,
    WrongContentType,
    TooLarge,
}

/// An authenticated request.
#[derive(Debug)]
pub(crate) struct Call<'a> {
    pub(crate) method: &'a str,
    /// The path's segments, each percent-decoded on its own, so that an encoded slash stays inside its name.
    pub(crate) segments: &'a [String],
    pub(crate) query: &'a [(String, String)],
    pub(crate) payload: &'a Payload,
    pub(crate) access: Access,
    pub(crate) primary_team: Option<&'a str>,
    pub(crate) world: &'a World,
}

impl Call<'_> {
    pub(crate) fn path(&self) -> Vec<&str> {
        self.segments.iter().map(String::as_str).collect()
    }

    /// The first query parameter of that name.
    pub(crate) fn query(&self, name: &str) -> Option<&str> {
        self.query_all(name).next()
    }

    pub(crate) fn query_all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.query
            .iter()
            .filter(move |(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// A query parameter that must be a whole number.
    pub(crate) fn query_number(&self, name: &str) -> Result<Option<usize>, Refusal> {
        self.query(name)
            .map(|text| {
                text.parse().map_err(|_| {
                    Refusal::invalid(name, "Input should be a valid integer").in_query()
                })
            })
            .transpose()
    }
}

/// Whether a method changes anything at the vendor.
pub(crate) fn is_write(method: &str) -> bool {
    matches!(method, "POST" | "PUT" | "PATCH" | "DELETE")
}

/// An answer before it becomes HTTP.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Content,
}

#[derive(Clone, Debug)]
pub(crate) enum Content {
    Json(Value),
    Text(String),
}

impl Reply {
    pub(crate) fn ok(body: Value) -> Self {
        Self::json(StatusCode::OK, body)
    }

    pub(crate) fn json(status: StatusCode, body: Value) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Content::Json(body),
        }
    }

    pub(crate) fn text(status: StatusCode, body: String) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Content::Text(body),
        }
    }
}

/// Why a request is refused; each vendor has its own status and body for a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Invalid,
    Unauthorized,
    Forbidden,
    NotFound,
    Conflict,
    MethodNotAllowed {
        allow: &'static str,
    },
    TooLarge,
    WrongContentType,
    /// A status that one vendor names for one case.
    Status(StatusCode),
}

/// A refused request.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    pub(crate) kind: Kind,
    pub(crate) message: String,
    /// The field at fault; empty when it is the whole request.
    pub(crate) field: String,
    pub(crate) location: &'static str,
}

impl Refusal {
    pub(crate) fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            field: String::new(),
            location: "body",
        }
    }

    pub(crate) fn invalid(field: &str, message: impl Into<String>) -> Self {
        Self {
            field: field.to_owned(),
            ..Self::new(Kind::Invalid, message)
        }
    }

    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self::new(Kind::NotFound, message)
    }

    pub(crate) fn method(allow: &'static str) -> Self {
        Self::new(Kind::MethodNotAllowed { allow }, "Method Not Allowed")
    }

    pub(crate) fn unknown_path() -> Self {
        Self::not_found("Not Found")
    }

    pub(crate) fn unauthorized() -> Self {
        Self::new(Kind::Unauthorized, "Unauthorized")
    }

    pub(crate) fn in_query(mut self) -> Self {
        self.location = "query";
        self
    }

    /// The status, given the one that a vendor has for an invalid request and for a wrong content type.
    pub(crate) fn status(&self, invalid: StatusCode, content_type: StatusCode) -> StatusCode {
        match self.kind {
            Kind::Invalid => invalid,
            Kind::Unauthorized => StatusCode::UNAUTHORIZED,
            Kind::Forbidden => StatusCode::FORBIDDEN,
            Kind::NotFound => StatusCode::NOT_FOUND,
            Kind::Conflict => StatusCode::CONFLICT,
            Kind::MethodNotAllowed { .. } => StatusCode::METHOD_NOT_ALLOWED,
            Kind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Kind::WrongContentType => content_type,
            Kind::Status(status) => status,
        }
    }

    /// Adds the `Allow` header that goes with 405.
    pub(crate) fn finish(&self, mut reply: Reply) -> Reply {
        if let Kind::MethodNotAllowed { allow } = self.kind {
            reply.headers.push(("allow", allow.to_owned()));
        }
        reply
    }
}
