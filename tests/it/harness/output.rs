//! The operator's output: objects, events, metrics and log, as a support bundle collects them. None of it contains a
//! value or an API key.

use std::{
    collections::HashMap,
    io::{Read as _, Seek as _, SeekFrom},
    path::PathBuf,
    sync::Mutex,
};

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use k8s_openapi::api::events::v1::Event;
use kube::{Api, api::ListParams};
use provider_secrets::api::ProviderSecret;
use ring::digest;
use serde_json::Value;

use super::{CANARY, TestCase, traces};

/// The number of values whose digests are searched for: each costs a search of the whole output.
const DIGESTED: usize = 4;

/// Parts of URLs, and the paths of the providers' APIs.
const URLS: [&str; 6] = [
    "://",
    "/v1/secrets",
    "/v1/teams",
    "/v1/ai_secret",
    "%2F",
    "?limit",
];

/// Searches all of it. kubectl prints nothing but objects and events.
pub(super) async fn check(case: &TestCase<'_>, objects: &[ProviderSecret]) {
    let events: Api<Event> = Api::namespaced(case.env.client.clone(), &case.namespace);
    let events = events.list(&ListParams::default()).await;
    let log = unread_log(case);
    for line in log.lines() {
        assert_eq!(wrong(line), None, "{line}");
    }
    let shown = [
        ("objects", serde_json::to_string(objects).expect("JSON")),
        (
            "events",
            serde_json::to_string(&events.expect("events are listed").items).expect("JSON"),
        ),
        ("metrics", case.env.operator.get("/metrics").await.1),
        ("log", log),
    ];
    let digests = digests(case).await;
    for (what, text) in shown {
        assert_eq!(
            traces(&text),
            Vec::<String>::new(),
            "the canary is in the {what}"
        );
        assert!(
            !text.contains(&CANARY[..6]),
            "the beginning of a value is in the {what}"
        );
        let digest = digests.iter().find(|digest| text.contains(*digest));
        assert_eq!(digest, None, "a digest without a key is in the {what}");
    }
}

/// The unkeyed digests of values in the usual encodings.
async fn digests(case: &TestCase<'_>) -> Vec<String> {
    let secrets = case.secrets().list(&ListParams::default()).await;
    let secrets = secrets.expect("Secrets are listed").items.into_iter();
    let values = secrets.flat_map(|secret| secret.data.unwrap_or_default().into_values());
    values
        .take(DIGESTED)
        .flat_map(|value| plain_digests(&value.0))
        .collect()
}

/// The digests of one value, each cut to 15 bytes: the operator cuts its own to 16.
pub(crate) fn plain_digests(value: &[u8]) -> Vec<String> {
    let algorithms = [
        &digest::SHA1_FOR_LEGACY_USE_ONLY,
        &digest::SHA256,
        &digest::SHA384,
        &digest::SHA512,
    ];
    let digests = algorithms.map(|algorithm| digest::digest(algorithm, value));
    let written = digests.iter().flat_map(|digest| {
        let bytes = &digest.as_ref()[..15];
        let hexadecimal: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        [hexadecimal.concat(), STANDARD_NO_PAD.encode(bytes)]
    });
    written.collect()
}

/// What is wrong with a line of the log: it must be one JSON object without control characters, and without a URL,
/// whose path may name a secret.
fn wrong(line: &str) -> Option<&'static str> {
    if line.chars().any(char::is_control) {
        return Some("it has control characters");
    }
    let Ok(Value::Object(fields)) = serde_json::from_str(line) else {
        return Some("it is no JSON object");
    };
    let texts = fields.values().filter_map(Value::as_str);
    let is_url = |text: &str| URLS.iter().any(|part| text.contains(part));
    texts.into_iter().any(is_url).then_some("it has a URL")
}

/// The log since the last call: in a shared environment each test would search the whole log again.
fn unread_log(case: &TestCase<'_>) -> String {
    static READ: Mutex<Option<HashMap<PathBuf, u64>>> = Mutex::new(None);
    let path = case.env.operator.process().log_path().to_owned();
    let mut read = READ.lock().expect("the lock is not poisoned");
    let offset = read
        .get_or_insert_default()
        .entry(path.clone())
        .or_default();
    let mut file = std::fs::File::open(path).expect("there is a log");
    file.seek(SeekFrom::Start(*offset)).expect("it is a file");
    let mut news = Vec::new();
    file.read_to_end(&mut news).expect("the log is read");
    // The next call reads an incomplete line again.
    let whole = news
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |at| at + 1);
    news.truncate(whole);
    *offset += whole as u64;
    String::from_utf8_lossy(&news).into_owned()
}

#[test]
fn a_line_that_shows_too_much_is_found() {
    let fine = r#"{"ts":"2026-11-21T12:00:00Z","msg":"listed \u001b[31m \n","operation":"list","count":1}"#;
    assert_eq!(wrong(fine), None);
    for line in [
        "text",
        "[]",
        "{\"msg\":\"\u{1b}[31m\"}",
        r#"{"msg":"GET https://host/path"}"#,
        r#"{"msg":"listed","path":"/api/v1/secrets/name"}"#,
    ] {
        assert!(wrong(line).is_some(), "{line}");
    }
}

#[test]
fn a_digest_is_written_as_others_write_it() {
    let digests = plain_digests(b"abc");
    assert!(
        digests.contains(&"ba7816bf8f01cfea414140de5dae22".to_owned()),
        "{digests:?}"
    );
    assert!(
        digests.contains(&"ungWv48Bz+pBQUDeXa4i".to_owned()),
        "{digests:?}"
    );
}
