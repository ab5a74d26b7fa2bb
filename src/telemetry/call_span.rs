//! The span around one request to a provider. It is for traces: the log has a line for each answer.

use tracing::{Span, field::Empty};

use crate::http::ErrorClass;

/// A span for one request. Its level is the lowest, so that without traces it costs a comparison.
pub(crate) fn call_span(provider: &'static str, operation: &'static str) -> Span {
    tracing::trace_span!(
        "call",
        otel.kind = "client",
        otel.status_code = Empty,
        provider,
        operation,
        status = Empty,
        error.kind = Empty,
    )
}

/// How the request ended: the HTTP status or the reason there was none, and the class of a failure.
pub(crate) fn note_answer(span: &Span, status: &str, failure: Option<ErrorClass>) {
    span.record("status", status);
    if let Some(class) = failure {
        span.record("error.kind", class.as_str());
        span.record("otel.status_code", "ERROR");
    }
}
