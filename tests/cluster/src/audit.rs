//! The API server's own record of every call that it answered.
//!
//! The server writes an event after the answer is on its way, so that a test
//! polls for an expected call instead of looking once.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Seek as _, SeekFrom};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

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

/// Longer than any line, in bytes.
const LONGEST: u64 = 64 * 1024;

/// How far a call had come when its event was written.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq)]
pub enum AuditStage {
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
    /// Whether the user lacks the right to it. An answer of 403 may have another reason, such as a namespace that goes.
    pub is_forbidden: bool,
    /// How far the call had come.
    pub stage: AuditStage,
    /// When the call arrived.
    pub request_received: Timestamp,
    /// When the stage was reached.
    pub stage_timestamp: Timestamp,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    verb: String,
    stage: AuditStage,
    #[serde(rename = "requestURI")]
    request_uri: String,
    user: User,
    #[serde(default)]
    user_agent: String,
    #[serde(default)]
    object_ref: Object,
    #[serde(default)]
    response_status: Status,
    #[serde(default)]
    annotations: Annotations,
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

#[derive(Default, Deserialize)]
struct Annotations {
    #[serde(default, rename = "authorization.k8s.io/decision")]
    decision: String,
}

/// The log, which only grows: each line is read once, however often a test looks.
#[derive(Debug)]
pub(crate) struct Log {
    path: PathBuf,
    known: Mutex<Known>,
}

/// What has been read.
#[derive(Debug, Default)]
struct Known {
    /// In bytes.
    length: u64,
    events: Vec<Arc<AuditEvent>>,
}

impl Log {
    /// The log that the API server writes here.
    pub(crate) fn new(path: PathBuf) -> Self {
        Self {
            path,
            known: Mutex::default(),
        }
    }

    /// Its end, for people.
    pub(crate) fn tail(&self) -> String {
        crate::process::tail(&std::fs::read_to_string(&self.path).unwrap_or_default())
    }

    /// Every event so far. The last line may be half written, and then counts later.
    pub(crate) fn events(&self) -> Result<Vec<Arc<AuditEvent>>> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let Known { length, events } = &mut *known;
        *length = self.read(*length, |event| events.push(Arc::new(event)))?;
        Ok(known.events.clone())
    }

    /// The position after the last whole line.
    pub(crate) fn end(&self) -> Result<u64> {
        let failed = || Error::io(format!("read the audit log {}", self.path.display()));
        let mut file = File::open(&self.path).map_err(failed())?;
        let length = file.seek(SeekFrom::End(0)).map_err(failed())?;
        let start = length.saturating_sub(LONGEST);
        file.seek(SeekFrom::Start(start)).map_err(failed())?;
        let mut tail = Vec::new();
        file.take(length - start)
            .read_to_end(&mut tail)
            .map_err(failed())?;
        let end = tail.iter().rposition(|byte| *byte == b'\n');
        Ok(start + end.map_or(0, |end| end as u64 + 1))
    }

    /// Hands out the events after a position of the file, in bytes, and returns the position after the last of them.
    pub(crate) fn read(&self, position: u64, mut each: impl FnMut(AuditEvent)) -> Result<u64> {
        let failed = || Error::io(format!("read the audit log {}", self.path.display()));
        let mut file = File::open(&self.path).map_err(failed())?;
        file.seek(SeekFrom::Start(position)).map_err(failed())?;
        let mut news = BufReader::new(file);
        let (mut line, mut position) = (Vec::new(), position);
        loop {
            line.clear();
            let length = news.read_until(b'\n', &mut line).map_err(failed())?;
            if !line.ends_with(b"\n") {
                return Ok(position);
            }
            each(parse(&line)?);
            position += u64::try_from(length).unwrap_or(u64::MAX);
        }
    }
}

fn parse(line: &[u8]) -> Result<AuditEvent> {
    serde_json::from_slice(line).map(event).map_err(|error| {
        let line = String::from_utf8_lossy(line);
        Error::data(format!("read the audit event {line}"), &error)
    })
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
        is_forbidden: line.annotations.decision == "forbid",
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
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("audit.log");
        let log = Log::new(path.clone());
        std::fs::write(&path, format!("{WATCH}\n{}", &WATCH[..40])).unwrap();
        let events = log.events().unwrap();
        assert_eq!(events.len(), 1);
        assert_eq!(events[0].verb, "watch");
        assert_eq!(events[0].resource, "secrets");
        assert_eq!(events[0].namespace, "a");
        assert_eq!(events[0].stage, AuditStage::ResponseStarted);
        assert_eq!(events[0].code, 200);
        assert_eq!(events[0].request_received.subsec_microsecond(), 678_901);
        let end = log.end().unwrap();
        assert_eq!(end, WATCH.len() as u64 + 1);
        std::fs::write(&path, format!("{WATCH}\n{WATCH}\n")).unwrap();
        assert_eq!(log.events().unwrap(), [&*events, &*events].concat());
        let mut later = Vec::new();
        let position = log.read(end, |event| later.push(event)).unwrap();
        assert_eq!(later, [(*events[0]).clone()]);
        assert_eq!(position, log.end().unwrap());
    }

    #[test]
    fn a_missing_right_is_told_from_another_refusal() {
        let with = |annotations: &str| {
            let line = WATCH.replace(
                "\"responseStatus\"",
                &format!("{annotations},\"responseStatus\""),
            );
            parse(line.as_bytes()).unwrap().is_forbidden
        };
        for (decision, expected) in [("forbid", true), ("allow", false)] {
            let annotations =
                format!("\"annotations\":{{\"authorization.k8s.io/decision\":\"{decision}\"}}");
            assert_eq!(with(&annotations), expected);
        }
        assert!(!parse(WATCH.as_bytes()).unwrap().is_forbidden);
    }

    #[test]
    fn a_line_that_is_no_event_is_quoted() {
        let error = parse(b"nonsense").unwrap_err().to_string();
        assert!(error.contains("nonsense"), "{error}");
    }
}
