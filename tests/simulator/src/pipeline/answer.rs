//! From a reply, or a script, to HTTP.

use axum::{
    body::{Body, Bytes},
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::Response,
};
use serde_json::Value;

use super::half_body::HalfBody;
use crate::{
    call::{Content, Reply},
    fault::{Answer, ConnectionCut},
};

impl Reply {
    pub(super) fn into_response(self) -> Response {
        self.with_body(Body::from)
    }

    pub(super) fn with_body(self, body_of: impl FnOnce(Bytes) -> Body) -> Response {
        let Self {
            status,
            headers,
            body,
        } = self;
        let (content_type, text) = match body {
            Content::Json(value) => ("application/json", value.to_string()),
            Content::Text(text) => ("text/plain; charset=utf-8", text),
        };
        let mut response = answer(status, body_of(Bytes::from(text)));
        response
            .headers_mut()
            .insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        for (name, value) in headers {
            if let Ok(value) = HeaderValue::from_str(&value) {
                response
                    .headers_mut()
                    .insert(HeaderName::from_static(name), value);
            }
        }
        response
    }
}

/// An answer that a test wrote; what is not valid HTTP in it is left out.
pub(super) fn scripted(script: &Answer) -> Response {
    let status = StatusCode::from_u16(script.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = answer(status, Body::from(script.body.clone()));
    if serde_json::from_str::<Value>(&script.body).is_ok() {
        response.headers_mut().insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        );
    }
    for (name, value) in &script.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

/// A cut for callers who cannot be given an error.
pub(crate) fn cut_answer(cut: ConnectionCut) -> Response {
    // 599 is no registered status: no reader takes it for the vendor's.
    let status = StatusCode::from_u16(599).unwrap_or(StatusCode::BAD_GATEWAY);
    let mut response = answer(status, HalfBody::of(&Bytes::new()));
    response.extensions_mut().insert(cut);
    response
}

fn answer(status: StatusCode, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response
}
