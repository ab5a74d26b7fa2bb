//! The API server's own record of every call that it answered.
//!
//! The server writes an event after the answer is on its way, so that a test
//! polls for an expected call instead of looking once.

use jiff::Timestamp;
use serde::Deserialize;

use crate::error::{Error, Result};

/// Everything, without bodies; the arrival of a request is not an event of its own.
pub(crate) const POLICY: &str = "\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: Metadata
";

/// How far a call had come when its event was written.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq)]
pub enum Stage {
    /// A long-running call, such as a watch, has begun to answer.
    ResponseStarted,
    /// The answer is complete.
    ResponseComplete,
    /// The API server panicked.
    Panic,
}

/// One call, as the API server saw it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AuditEvent {
    /// The verb of RBAC, such as `get`, `list`, `watch` or `patch`.
    pub verb: String,
    /// The authenticated user, such as `system:serviceaccount:a:b`.
    pub user: String,
    /// What the client called itself.
    pub user_agent: String,
    /// The path and query.
    pub request_uri: String,
    /// The API group; empty for the core group and for paths such as `/readyz`.
    pub api_group: String,
    /// The plural of the kind, such as `secrets`; empty for paths such as `/readyz`.
    pub resource: String,
    /// The subresource, such as `status`, or empty.
    pub subresource: String,
    /// The namespace, or empty.
    pub namespace: String,
    /// The name of the object, or empty.
    pub name: String,
    /// The HTTP status code.
    pub code: u16,
    /// How far the call had come.
    pub stage: Stage,
    /// When the call arrived.
    pub request_received: Timestamp,
    /// When the stage was reached.
    pub stage_timestamp: Timestamp,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    verb: String,
    stage: Stage,
    #[serde(rename = "requestURI")]
    request_uri: String,
    user: User,
    #[serde(default)]
    user_agent: String,
    #[serde(default)]
    object_ref: Object,
    #[serde(default)]
    response_status: Status,
    request_received_timestamp: Timestamp,
    stage_timestamp: Timestamp,
}

#[derive(Deserialize)]
struct User {
    #[serde(default)]
    username: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Object {
    api_group: String,
    resource: String,
    subresource: String,
    namespace: String,
    name: String,
}

#[derive(Default, Deserialize)]
struct Status {
    #[serde(default)]
    code: u16,
}

/// Reads a log. The last line may be half written, and then counts later.
pub(crate) fn parse(log: &str) -> Result<Vec<AuditEvent>> {
    let whole = log.rfind('\n').map_or("", |end| &log[..end]);
    whole
        .lines()
        .map(|line| {
            serde_json::from_str(line)
                .map(event)
                .map_err(|error| Error::data(format!("read the audit event {line}"), &error))
        })
        .collect()
}

fn event(line: Line) -> AuditEvent {
    let Object {
        api_group,
        resource,
        subresource,
        namespace,
        name,
    } = line.object_ref;
    AuditEvent {
        verb: line.verb,
        user: line.user.username,
        user_agent: line.user_agent,
        request_uri: line.request_uri,
        api_group,
        resource,
        subresource,
        namespace,
        name,
        code: line.response_status.code,
        stage: line.stage,
        request_received: line.request_received_timestamp,
        stage_timestamp: line.stage_timestamp,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WATCH: &str = r#"{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata","auditID":"1","stage":"ResponseStarted","requestURI":"/api/v1/namespaces/a/secrets?watch=1","verb":"watch","user":{"username":"admin","groups":["system:masters"]},"sourceIPs":["127.0.0.1"],"userAgent":"test","objectRef":{"resource":"secrets","namespace":"a","apiVersion":"v1"},"responseStatus":{"metadata":{},"code":200},"requestReceivedTimestamp":"2026-01-02T03:04:05.678901Z","stageTimestamp":"2026-01-02T03:04:05.789012Z"}"#;

    #[test]
    fn a_line_becomes_an_event_and_half_a_line_waits() {
        let log = format!("{WATCH}\n{}", &WATCH[..40]);
        let events = parse(&log).unwrap();
        assert_eq!(events.len(), 1);
        assert_eq!(events[0].verb, "watch");
        assert_eq!(events[0].resource, "secrets");
        assert_eq!(events[0].namespace, "a");
        assert_eq!(events[0].stage, Stage::ResponseStarted);
        assert_eq!(events[0].code, 200);
        assert_eq!(events[0].request_received.subsec_microsecond(), 678_901);
    }

    #[test]
    fn a_line_that_is_no_event_is_quoted() {
        let error = parse("nonsense\n").unwrap_err().to_string();
        assert!(error.contains("nonsense"), "{error}");
    }
}
