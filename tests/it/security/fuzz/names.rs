//! A name is one segment of a path, whatever is in it, or it is refused before any call.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use proptest::prelude::*;
use provider_secrets::{
    api::{ProviderKind, ProviderSpec},
    http::{ApiClient, Http, Transport, Unmonitored},
    leadership::Leadership,
    provider::{DeleteRequest, Options, Write, connect, rules},
    telemetry::Metrics,
};
use serde_json::json;
use tower::{service_fn, util::BoxCloneSyncService};
use url::Url;

/// A name that every provider takes.
const PLAIN: &str = "NAME";

/// The URLs that were called.
type Calls = Arc<Mutex<Vec<Url>>>;

fn recording(calls: &Calls) -> Transport {
    let calls = Arc::clone(calls);
    BoxCloneSyncService::new(service_fn(move |request: http::Request<Bytes>| {
        let url = request.uri().to_string().parse().expect("this is a URL");
        calls.lock().expect("no call panics").push(url);
        let mut answer = http::Response::new(Bytes::from_static(b"{}"));
        *answer.status_mut() = http::StatusCode::NOT_FOUND;
        async move { Ok(answer) }
    }))
}

/// Writes and deletes a name, and gives the URLs.
fn called(kind: ProviderKind, name: &str) -> Vec<Url> {
    let spec = json!({ kind.member(): { "apiKeySecretRef": { "name": "a", "key": "b" } } });
    let spec: ProviderSpec = serde_json::from_value(spec).expect("this is a provider");
    let choice = spec.choice().expect("there is one provider");
    let calls = Calls::default();
    let base = "https://provider.example/base".parse();
    let session = ApiClient::new(
        Http::new(
            recording(&calls),
            Metrics::default(),
            Leadership::unopposed(),
        ),
        kind,
        base.expect("this is a URL"),
        rules(kind).scheme,
        &"key".into(),
        Arc::new(Unmonitored),
    );
    let provider = connect(choice, "a-set", session.expect("this is a key"));
    let (value, options) = ("value".into(), Options::default());
    let entry = Write {
        name,
        value: &value,
        options: &options,
        id: None,
        region: None,
    };
    let removal = DeleteRequest {
        name,
        id: Some("an-id"),
        shown: None,
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime starts");
    runtime.block_on(async {
        let _ = provider.write(&[entry]).await;
        let _ = provider.delete(&removal).await;
    });
    drop(provider);
    calls.lock().expect("no call panics").clone()
}

fn decoded(segment: &str) -> Vec<u8> {
    let (mut bytes, mut decoded) = (segment.bytes(), Vec::new());
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let digits = [bytes.next(), bytes.next()].map(|digit| digit.expect("two digits"));
            let digits = std::str::from_utf8(&digits).expect("digits are ASCII");
            decoded.push(u8::from_str_radix(digits, 16).expect("digits"));
        } else {
            decoded.push(byte);
        }
    }
    decoded
}

/// The last segment of the path, and those before it.
fn split(url: &Url) -> (&str, Vec<&str>) {
    let mut segments: Vec<&str> = url.path_segments().expect("a path").collect();
    (segments.pop().expect("a segment"), segments)
}

fn check(kind: ProviderKind, name: &str) {
    if (rules(kind).check_name)(name).is_err() {
        return;
    }
    let calls = called(kind, name);
    assert_eq!(calls.len(), 2, "{kind} {name:?}");
    for url in &calls {
        assert_eq!(url.host_str(), Some("provider.example"));
        assert!(url.path().starts_with("/base/"), "{kind} {url}");
        let mut segments = url.path_segments().expect("a path");
        let is_step = |segment: &str| matches!(decoded(segment).as_slice(), b"." | b"..");
        assert!(!segments.any(is_step), "{kind} {url}");
    }
    // By name where the provider deletes by name, as the whole last segment, and after the same
    // segments as any other name.
    let is_by_name = rules(kind).deletes_by_name;
    let expected = if is_by_name { name } else { "an-id" };
    let (last, before) = split(&calls[1]);
    assert_eq!(decoded(last), expected.as_bytes(), "{kind} {name:?}");
    let plain = called(kind, PLAIN);
    assert_eq!(before, split(&plain[1]).1, "{kind} {name:?}");
    assert!(calls[1].query().is_none() && calls[1].fragment().is_none());
}

/// Cases: H-11
#[test]
fn hostile_names_are_one_segment_or_refused() {
    let hostile = [
        "a/../b",
        "..",
        ".",
        "a?x=1",
        "a#b",
        "a%2Fb",
        "%2e%2e",
        "a\\b",
        "//host",
        "@host",
        "a\r\nb",
        "a\0b",
        "a b",
        "\u{202e}a",
        "a;b",
        "a&b=c",
        "-a",
        "",
    ];
    for kind in ProviderKind::ALL {
        for name in hostile {
            check(kind, name);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    /// Names that the pattern of the schema accepts, and names that it refuses.
    /// Cases: B-02, H-11
    #[test]
    fn a_name_is_one_segment_or_refused(
        name in "[A-Za-z0-9_][A-Za-z0-9_.-]{0,80}|[A-Z][A-Z0-9_]{0,80}|\\PC{0,40}|[./%?#A]{1,8}",
    ) {
        for kind in ProviderKind::ALL {
            check(kind, &name);
        }
    }
}
