//! What the operator shows: its objects, events, metrics and log, as a support bundle collects them.
//! Nothing of a value or an API key is in any of it.

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

use super::{CANARY, Scene, traces};

/// Of how many values digests are looked for: each costs a search of everything.
const DIGESTED: usize = 4;

/// What URLs have in them, and the paths of the providers' APIs.
const URLS: [&str; 6] = [
    "://",
    "/v1/secrets",
    "/v1/teams",
    "/v1/ai_secret",
    "%2F",
    "?limit",
];

/// Looks through all of it. What kubectl prints is made of the objects and the events.
pub(super) async fn check(scene: &Scene<'_>, objects: &[ProviderSecret]) {
    let events: Api<Event> = Api::namespaced(scene.stage.client.clone(), &scene.namespace);
    let events = events.list(&ListParams::default()).await;
    let log = unread_log(scene);
    for line in log.lines() {
        assert_eq!(wrong(line), None, "{line}");
    }
    let shown = [
        ("objects", serde_json::to_string(objects).expect("JSON")),
        (
            "events",
            serde_json::to_string(&events.expect("events are listed").items).expect("JSON"),
        ),
        ("metrics", scene.stage.operator.get("/metrics").await.1),
        ("log", log),
    ];
    let digests = digests(scene).await;
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
        assert_eq!(
            digest, None,
            "a digest that anybody can make is in the {what}"
        );
    }
}

/// The digests of values that need no key, in the ways they are usually written.
async fn digests(scene: &Scene<'_>) -> Vec<String> {
    let secrets = scene.secrets().list(&ListParams::default()).await;
    let secrets = secrets.expect("Secrets are listed").items.into_iter();
    let values = secrets.flat_map(|secret| secret.data.unwrap_or_default().into_values());
    values
        .take(DIGESTED)
        .flat_map(|value| plain_digests(&value.0))
        .collect()
}

/// The digests of one value; of each the first 16 bytes, to which ours is cut.
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

/// What is wrong with a line of the log: it is one JSON object, with nothing in it that a terminal acts
/// on, and no URL, of which the path may name a secret and the query anything.
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

/// What was logged since this was last asked: on a stage that many tests share the whole log would be
/// searched again and again.
fn unread_log(scene: &Scene<'_>) -> String {
    static READ: Mutex<Option<HashMap<PathBuf, u64>>> = Mutex::new(None);
    let path = scene.stage.operator.process().log_path().to_owned();
    let mut read = READ.lock().expect("nobody panicked");
    let offset = read
        .get_or_insert_default()
        .entry(path.clone())
        .or_default();
    let mut file = std::fs::File::open(path).expect("there is a log");
    file.seek(SeekFrom::Start(*offset)).expect("it is a file");
    let mut news = Vec::new();
    file.read_to_end(&mut news).expect("the log is read");
    // Half a line is read again.
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
    let fine =
        r#"{"ts":"2026-11-21T12:00:00Z","msg":"told \u001b[31m \n","operation":"list","count":1}"#;
    assert_eq!(wrong(fine), None);
    for line in [
        "text",
        "[]",
        "{\"msg\":\"\u{1b}[31m\"}",
        r#"{"msg":"GET https://host/path"}"#,
        r#"{"msg":"told","path":"/api/v1/secrets/name"}"#,
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
